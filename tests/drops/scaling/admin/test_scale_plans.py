"""The preparation of a drop at the desk: its timeline, plan and calls; ops' yes; trying a number; dry run; pause."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from drops.models import Drop
from drops.scaling.accounting import costs
from drops.scaling.control import scale_plans
from drops.scaling.control.tick import tick
from drops.scaling.models import Call, Heartbeat, ScalePlan, Share, Step, Target
from shop.core.models import Alert, AuditEntry
from tests.admin_clients import queries
from tests.drops.scaling.cloud import make_step, make_target
from tests.factories import make_drop

LIST = reverse("admin:scaling_scaleplan_changelist")
LEARNED = reverse("admin:scaling_learned")
DRY_RUN = reverse("admin:scaling_dry_run")


def page(drop, name="scaleplan_change"):
    return reverse(f"admin:scaling_{name}", args=[drop.pk])


def said(answer):
    return [str(message) for message in answer.context["messages"]]


@pytest.fixture
def target(taps, db):
    """A fleet of two that carries the web group: a tap of the stand-in cloud."""
    made = make_target(taps, name="web-fleet", kind="tap", ops_ceiling=4, price_per_hour=Decimal("0.5"))
    Share.objects.create(target=made, group="web", per_second=20)
    Target.objects.update(seen={"size": 2})
    return made


@pytest.fixture
def drop(target):
    """An announced drop of a thousand pieces, for which a thousand people are expected."""
    made = make_drop(quantity=1000, slug="zero", title="Zero", closes_at=timezone.now() + timedelta(hours=3))
    scale_plans.expect(drop=made, expected=1000, who=None)
    AuditEntry.objects.all().delete()
    return made


def test_page_shows_plan_with_reasons_steps_and_what_waits(desk, drop):
    answer = desk("merchandisers").get(page(drop))

    step = Step.objects.get()
    text = answer.content.decode()
    assert (step.held_back, [wait.step for wait in answer.context["waiting"]]) == (True, [step])
    assert [row.move for row in answer.context["timeline"].rows] == [f"2 → {step.wanted} taps"]
    assert answer.context["plan"]["lines"][0]["reasons"][0] in text.replace("&#x27;", "'")
    assert "A part waits for a yes from ops:" in text
    assert "No verdict yet" in text


def test_page_offers_the_yes_to_ops_only(desk, drop):
    address = page(drop, "approve")

    assert address in desk("ops").get(page(drop)).content.decode()
    assert address not in desk("merchandisers").get(page(drop)).content.decode()


def test_yes_is_asked_with_the_price_and_given_once(desk, drop):
    client = desk("ops")
    asked = client.get(page(drop, "approve"))
    mark = asked.context["mark"]

    assert re.search(r"\$\d", asked.content.decode())
    first = client.post(page(drop, "approve"), {"mark": mark}, follow=True)
    second = client.post(page(drop, "approve"), {"mark": mark})

    assert said(first) == ["You said yes. The next tick goes on with it."]
    assert second.status_code == 409
    assert Step.objects.get().held_back is False
    assert list(AuditEntry.objects.values_list("who__username", "about", "action")) == [
        ("ops", "drop:zero", "approved")
    ]


def test_yes_to_a_plan_that_has_grown_since_is_refused(desk, drop):
    client = desk("ops")
    mark = client.get(page(drop, "approve")).context["mark"]
    Target.objects.update(headroom_percent=100)
    scale_plans.expect(drop=drop, expected=1000, who=None)
    grown = Step.objects.get()
    assert f"{grown.target_id}:{grown.wanted}" != mark

    answer = client.post(page(drop, "approve"), {"mark": mark})

    assert (answer.status_code, answer.context["why"]) == (
        409,
        ["The plan has changed since you looked at it. Look again, then say yes."],
    )
    assert Step.objects.get().held_back is True


def test_drops_page_tells_the_merchandiser_that_a_part_waits(desk, drop):
    text = desk("merchandisers").get(reverse("admin:drops_drop_change", args=[drop.pk])).content.decode()

    assert "1 target waits for a yes from ops: it would be larger than they allow." in text
    assert page(drop) in text


def test_draft_of_the_drop_has_no_steps_yet(desk, target):
    draft = make_drop(phase="draft", quantity=10)
    scale_plans.expect(drop=draft, expected=100, who=None)

    text = desk("merchandisers").get(page(draft)).content.decode()

    assert "Steps are made when the drop is announced." in text


@pytest.mark.parametrize("name", ["approve", "pause", "resume", "dry_run"])
def test_acts_are_refused_to_merchandisers(desk, drop, name):
    address = page(drop, name) if name == "approve" else reverse(f"admin:scaling_{name}")

    assert desk("merchandisers").post(address, {"reason": "no"}).status_code == 403
    assert AuditEntry.objects.count() == 0


def test_number_typed_here_is_planned_and_journaled(desk, drop):
    answer = desk("merchandisers").post(page(drop), {"expected": "2000"})

    assert answer.status_code == 302
    assert ScalePlan.objects.get().plan["expected"] == 2000
    entry = AuditEntry.objects.get()
    assert (entry.who.username, entry.about, entry.before, entry.after) == (
        "merchandisers",
        "drop:zero",
        {"expected": 1000},
        {"expected": 2000},
    )


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("0", "0 can't be planned for. Write a number from 1 to 10,000,000."),
        ("-5", "-5 can't be planned for. Write a number from 1 to 10,000,000."),
        ("99999999999", "99,999,999,999 can't be planned for. Write a number from 1 to 10,000,000."),
        ("many", "Enter a whole number."),
        ("", "This field is required."),
    ],
)
def test_absurd_number_is_refused_with_its_mend(desk, drop, typed, sentence):
    answer = desk("merchandisers").post(page(drop), {"expected": typed})

    assert answer.context["adminform"].form.errors == {"expected": [sentence]}
    assert ScalePlan.objects.get().expected == 1000


def test_number_of_a_drop_that_is_over_stays(desk, drop):
    Drop.objects.update(closed_at=timezone.now())

    assert desk("merchandisers").post(page(drop), {"expected": "2000"}).status_code == 403
    assert ScalePlan.objects.get().expected == 1000


def test_page_after_a_move_shows_its_calls_and_times(desk, drop, target, taps):
    Target.objects.update(ops_ceiling=None)
    scale_plans.expect(drop=drop, expected=1000, who=None)
    Step.objects.update(starts_at=timezone.now() - timedelta(minutes=1))
    tick(who="beat")
    taps.go_on()
    tick(who="beat")

    answer = desk("merchandisers").get(page(drop))

    (row,) = answer.context["timeline"].rows
    (made,) = answer.context["calls"]
    assert [what for what, _when, _late in row.times] == ["planned", "asked", "ready"]
    assert (made.act, made.before, made.after, made.call.request_id, made.call.who) == (
        "asked",
        "wanted 2",
        f"wanted {row.step.wanted}",
        "r-1",
        "beat",
    )


def test_verdict_says_which_target_and_what_is_reachable(desk, drop):
    ScalePlan.objects.update(
        verdict="no go", verdict_at=timezone.now(), verdict_words=["web-fleet has 2 taps of 9 taps."], reachable=25
    )

    text = desk("merchandisers").get(page(drop)).content.decode()

    assert "No go" in text
    assert "web-fleet has 2 taps of 9 taps." in text
    assert "What is ready lets in 25 shoppers a second." in text


def test_measured_cost_is_shown_beside_the_estimate(desk, drop, target):
    now = timezone.now()
    hour = {"requested_at": now - timedelta(hours=1), "ready_at": now - timedelta(hours=1), "ended_at": now}
    Step.objects.update(state="restored", wanted=6, held_back=False, **hour)
    measured = costs.measure(drop=drop, seen=None, now=now)
    ScalePlan.objects.update(bill=measured.as_json())

    answer = desk("merchandisers").get(page(drop))

    bill = answer.context["bill"]
    assert (bill["total_words"], bill["per_order_words"], bill["edge_words"]) == ("$2.00", "not known", "not known")
    assert [(item["target"], item["above"], item["hours"]) for item in bill["items"]] == [("web-fleet", 4, 4.0)]
    assert "What the edge delivered was not measured: name its log in EDGE_ACCESS_LOG." in answer.content.decode()


def test_trying_a_number_writes_nothing_and_calls_nothing(desk, drop, taps):
    before = ScalePlan.objects.values().get()

    answer = desk("merchandisers").get(page(drop, "plan"), {"expected": "5000"})

    assert (answer.context["plan"]["expected"], answer.context["typed"]) == (5000, 1000)
    assert "For 5,000 people" in answer.content.decode()
    assert ScalePlan.objects.values().get() == before
    assert (Call.objects.count(), taps.asked, AuditEntry.objects.count()) == (0, [], 0)


def test_trying_a_number_for_a_drop_without_any_asks_for_one(desk, target):
    drop = make_drop()

    answer = desk("merchandisers").get(page(drop, "plan"))

    assert (answer.status_code, answer.context["plan"]) == (200, None)


def test_trying_an_absurd_number_is_refused_with_its_mend(desk, drop):
    answer = desk("merchandisers").get(page(drop, "plan"), {"expected": "0"})

    assert answer.context["plan"] is None
    assert "0 can&#x27;t be planned for. Write a number from 1 to 10,000,000." in answer.content.decode()


def test_trying_numbers_is_not_for_everybody(desk, drop):
    assert desk().get(page(drop, "plan")).status_code == 403


def test_dry_run_tells_what_a_tick_would_do_and_does_nothing(desk, target, taps):
    step = make_step(target=target, wanted=6)

    answer = desk("ops").post(DRY_RUN)

    assert answer.status_code == 200
    assert any("web-fleet" in line for line in answer.context["lines"])
    step.refresh_from_db()
    assert (step.state, taps.asked, Heartbeat.objects.count()) == ("planned", [], 0)


def test_pause_and_resume_are_asked_for_and_journaled(desk, db):
    client = desk("ops")
    pause, resume = reverse("admin:scaling_pause"), reverse("admin:scaling_resume")

    assert client.get(pause).status_code == 200
    assert client.post(pause, {"reason": " "}).status_code == 422
    client.post(pause, {"reason": "the cloud is ill"})
    paused = client.get(LIST)
    client.post(resume)

    assert "the cloud is ill" in paused.content.decode()
    assert resume in paused.content.decode()
    assert list(AuditEntry.objects.order_by("pk").values_list("who__username", "action")) == [
        ("ops", "paused"),
        ("ops", "resumed"),
    ]
    assert Heartbeat.objects.get().paused_at is None


def test_list_shows_the_pulse_and_open_alerts(desk, drop, settings):
    Heartbeat.objects.create(ticked_at=timezone.now() - timedelta(hours=1), who="beat", paused_reason="")
    Alert.objects.create(subject="pulse", message="Pre-scaling stands still.")
    Alert.objects.create(subject="old", message="Long ago.", resolved_at=timezone.now())

    answer = desk("merchandisers").get(LIST)

    assert (answer.context["pulse_late"], "Pre-scaling stands still." in answer.content.decode()) == (True, True)
    assert "Long ago." not in answer.content.decode()


def test_list_asks_as_much_for_three_drops_as_for_one(desk, drop, target):
    client = desk("ops")
    one, _answer = queries(client, LIST)
    for _n in range(2):
        scale_plans.expect(drop=make_drop(quantity=10), expected=100, who=None)

    three, answer = queries(client, LIST)

    assert (one, answer.context["cl"].result_count) == (three, 3)


def test_learned_shows_weights_with_their_evidence(desk, drop):
    answer = desk("merchandisers").get(LEARNED)

    groups = [weight.group for weight, _cpu in answer.context["weights"]]
    assert groups == ["edge", "gate", "web", "hooks", "checkout", "capture", "database", "line redis"]
    assert "default: a rehearsal" in answer.content.decode()
    assert [target.name for target in answer.context["targets"]] == ["web-fleet"]
    assert desk().get(LEARNED).status_code == 403


def test_nothing_inline_is_on_the_pages(desk, drop, target):
    client = desk("ops")
    Step.objects.update(state="holding", requested_at=timezone.now(), ready_at=timezone.now())

    for address in (
        LIST,
        LEARNED,
        page(drop),
        page(drop, "plan"),
        page(drop, "approve"),
        reverse("admin:scaling_pause"),
        reverse("admin:scaling_target_add"),
        reverse("admin:scaling_target_change", args=[target.pk]),
    ):
        answer = client.get(address)
        text = answer.content.decode()
        assert (address, answer.status_code) == (address, 200)
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert (address, [bad for bad in (" style=", "<style", "onclick=", "<script>") if bad in text]) == (address, [])
