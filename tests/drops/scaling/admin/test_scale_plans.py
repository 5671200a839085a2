"""Scale plans in the admin: timeline, plan and calls; ops' approval; trying a number; dry run; pause."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from drops.models import Drop
from drops.scaling.accounting import costs
from drops.scaling.control import scale_plans, tick
from drops.scaling.models import Call, Heartbeat, ScalePlan, Share, Step, Target
from shop.core.models import Alert, AuditEntry
from tests.admin_clients import LogIn, queries
from tests.drops.scaling.cloud import Cloud, make_step, make_target
from tests.factories import make_drop

LIST = reverse("admin:scaling_scaleplan_changelist")
LEARNED = reverse("admin:scaling_learned")
DRY_RUN = reverse("admin:scaling_dry_run")


def page(drop: Drop, name: str = "scaleplan_change") -> str:
    return reverse(f"admin:scaling_{name}", args=[drop.pk])


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


@pytest.fixture
def target(taps: Cloud, db: None) -> Target:
    """A fleet of two that carries the web group: a tap of the stand-in cloud."""
    made = make_target(taps, name="web-fleet", provider="tap", ops_ceiling=4, price_per_hour=Decimal("0.5"))
    Share.objects.create(target=made, group="web", per_second=20)
    Target.objects.update(observed={"size": 2})
    return made


@pytest.fixture
def drop(target: Target) -> Drop:
    """An announced drop of a thousand pieces, for which a thousand shoppers are expected."""
    made = make_drop(quantity=1000, slug="zero", title="Zero", closes_at=timezone.now() + timedelta(hours=3))
    scale_plans.set_expected(drop=made, expected=1000, actor=None)
    AuditEntry.objects.all().delete()
    return made


def test_page_shows_plan_with_reasons_steps_and_pending_approvals(log_in: LogIn, drop: Drop) -> None:
    answer = log_in("merchandisers").get(page(drop))

    step = Step.objects.get()
    text = answer.content.decode()
    assert (step.needs_approval, [wait.step for wait in answer.context["approvals"]]) == (True, [step])
    assert [row.size_change for row in answer.context["timeline"].rows] == [f"2 → {step.desired_size} taps"]
    assert answer.context["plan"]["lines"][0]["reasons"][0] in text.replace("&#x27;", "'")
    assert "Needs approval from ops:" in text
    assert "Go / no-go not decided yet" in text


def test_page_offers_approval_to_ops_only(log_in: LogIn, drop: Drop) -> None:
    address = page(drop, "approve")

    assert address in log_in("ops").get(page(drop)).content.decode()
    assert address not in log_in("merchandisers").get(page(drop)).content.decode()


def test_approval_shows_the_price_and_is_given_once(log_in: LogIn, drop: Drop) -> None:
    client = log_in("ops")
    asked = client.get(page(drop, "approve"))
    fingerprint = asked.context["fingerprint"]

    assert re.search(r"\$\d", asked.content.decode())
    first = client.post(page(drop, "approve"), {"fingerprint": fingerprint}, follow=True)
    second = client.post(page(drop, "approve"), {"fingerprint": fingerprint})

    assert said(first) == ["Approved. Scaling continues on the next tick."]
    assert second.status_code == 409
    assert Step.objects.get().needs_approval is False
    assert list(AuditEntry.objects.values_list("actor__username", "about", "action")) == [
        ("ops", "drop:zero", "approved")
    ]


def test_approval_of_a_plan_that_has_grown_since_is_refused(log_in: LogIn, drop: Drop) -> None:
    client = log_in("ops")
    fingerprint = client.get(page(drop, "approve")).context["fingerprint"]
    Target.objects.update(headroom_percent=100)
    scale_plans.set_expected(drop=drop, expected=1000, actor=None)
    grown = Step.objects.get()
    assert f"{grown.target_id}:{grown.desired_size}" != fingerprint

    answer = client.post(page(drop, "approve"), {"fingerprint": fingerprint})

    assert (answer.status_code, answer.context["why"]) == (
        409,
        ["The plan has changed since this page was loaded. Check it again, then approve it."],
    )
    assert Step.objects.get().needs_approval is True


def test_drops_page_shows_that_a_step_needs_approval(log_in: LogIn, drop: Drop) -> None:
    text = log_in("merchandisers").get(reverse("admin:drops_drop_change", args=[drop.pk])).content.decode()

    assert "1 target needs approval from ops, because the plan exceeds their ceilings." in text
    assert page(drop) in text


def test_draft_has_no_steps_yet(log_in: LogIn, target: Target) -> None:
    draft = make_drop(phase="draft", quantity=10)
    scale_plans.set_expected(drop=draft, expected=100, actor=None)

    text = log_in("merchandisers").get(page(draft)).content.decode()

    assert "The steps are created when the drop is announced." in text


@pytest.mark.parametrize("name", ["approve", "pause", "resume", "dry_run"])
def test_actions_are_refused_to_merchandisers(log_in: LogIn, drop: Drop, name: str) -> None:
    address = page(drop, name) if name == "approve" else reverse(f"admin:scaling_{name}")

    assert log_in("merchandisers").post(address, {"reason": "no"}).status_code == 403
    assert AuditEntry.objects.count() == 0


def test_expected_shoppers_are_planned_for_and_audited(log_in: LogIn, drop: Drop) -> None:
    answer = log_in("merchandisers").post(page(drop), {"expected": "2000"})

    assert answer.status_code == 302
    assert (ScalePlan.objects.get().plan or {})["expected"] == 2000
    entry: Any = AuditEntry.objects.get()
    assert (entry.actor.username, entry.about, entry.before, entry.after) == (
        "merchandisers",
        "drop:zero",
        {"expected": 1000},
        {"expected": 2000},
    )


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("0", "0 can't be planned for. Enter a number from 1 to 10,000,000."),
        ("-5", "-5 can't be planned for. Enter a number from 1 to 10,000,000."),
        ("99999999999", "99,999,999,999 can't be planned for. Enter a number from 1 to 10,000,000."),
        ("many", "Enter a whole number, such as 1000."),
        ("", "This field is required."),
    ],
)
def test_impossible_number_is_refused_with_the_range(
    log_in: LogIn, drop: Drop, typed: str, sentence: str
) -> None:
    answer = log_in("merchandisers").post(page(drop), {"expected": typed})

    assert answer.context["adminform"].form.errors == {"expected": [sentence]}
    assert ScalePlan.objects.get().expected == 1000


def test_number_of_a_drop_that_is_over_can_not_be_changed(log_in: LogIn, drop: Drop) -> None:
    Drop.objects.update(closed_at=timezone.now())

    assert log_in("merchandisers").post(page(drop), {"expected": "2000"}).status_code == 403
    assert ScalePlan.objects.get().expected == 1000


def test_page_after_a_move_shows_its_calls_and_times(
    log_in: LogIn, drop: Drop, target: Target, taps: Cloud
) -> None:
    Target.objects.update(ops_ceiling=None)
    scale_plans.set_expected(drop=drop, expected=1000, actor=None)
    Step.objects.update(starts_at=timezone.now() - timedelta(minutes=1))
    tick.run_once(actor="beat")
    taps.converge()
    tick.run_once(actor="beat")

    answer = log_in("merchandisers").get(page(drop))

    (row,) = answer.context["timeline"].rows
    (made,) = answer.context["calls"]
    assert [entry.label for entry in row.times] == ["planned", "requested", "ready"]
    assert (made.operation, made.before, made.after, made.call.request_id, made.call.actor) == (
        "apply",
        "wanted 2",
        f"wanted {row.step.desired_size}",
        "r-1",
        "beat",
    )


def test_no_go_shows_which_target_and_what_is_reachable(log_in: LogIn, drop: Drop) -> None:
    ScalePlan.objects.update(
        verdict="no-go",
        verdict_at=timezone.now(),
        verdict_messages=["web-fleet has 2 taps of 9 taps."],
        shoppers_per_second=25,
    )

    text = log_in("merchandisers").get(page(drop)).content.decode()

    assert "No-go" in text
    assert "web-fleet has 2 taps of 9 taps." in text
    assert "The capacity that is ready admits 25 shoppers a second." in text


def test_measured_cost_is_shown_beside_the_estimate(log_in: LogIn, drop: Drop, target: Target) -> None:
    now = timezone.now()
    hour = {"requested_at": now - timedelta(hours=1), "ready_at": now - timedelta(hours=1), "ended_at": now}
    Step.objects.update(state="restored", desired_size=6, needs_approval=False, **hour)
    measured = costs.calculate(drop=drop, traffic=None, now=now)
    ScalePlan.objects.update(cost=measured.as_json())

    answer = log_in("merchandisers").get(page(drop))

    cost = answer.context["cost"]
    assert (cost["total_text"], cost["per_order_text"], cost["edge_text"]) == (
        "$2.00",
        "not known",
        "not known",
    )
    assert [(item["target"], item["above"], item["hours"]) for item in cost["items"]] == [
        ("web-fleet", 4, 4.0)
    ]
    assert (
        "The edge's traffic was not measured. Set EDGE_ACCESS_LOG to the path of its log."
        in answer.content.decode()
    )


def test_trying_a_number_writes_nothing_and_calls_nothing(log_in: LogIn, drop: Drop, taps: Cloud) -> None:
    before = ScalePlan.objects.values().get()

    answer = log_in("merchandisers").get(page(drop, "plan"), {"expected": "5000"})

    assert (answer.context["plan"]["expected"], answer.context["stored"]) == (5000, 1000)
    assert "For 5,000 shoppers" in answer.content.decode()
    assert ScalePlan.objects.values().get() == before
    assert (Call.objects.count(), taps.applied, AuditEntry.objects.count()) == (0, [], 0)


def test_trying_a_number_for_a_drop_without_any_asks_for_one(log_in: LogIn, target: Target) -> None:
    drop = make_drop()

    answer = log_in("merchandisers").get(page(drop, "plan"))

    assert (answer.status_code, answer.context["plan"]) == (200, None)


def test_trying_an_impossible_number_is_refused_with_the_possible_range(log_in: LogIn, drop: Drop) -> None:
    answer = log_in("merchandisers").get(page(drop, "plan"), {"expected": "0"})

    assert answer.context["plan"] is None
    assert "0 can&#x27;t be planned for. Enter a number from 1 to 10,000,000." in answer.content.decode()


def test_trying_numbers_needs_permission(log_in: LogIn, drop: Drop) -> None:
    assert log_in().get(page(drop, "plan")).status_code == 403


def test_dry_run_shows_what_a_tick_would_do_and_does_nothing(
    log_in: LogIn, target: Target, taps: Cloud
) -> None:
    step = make_step(target=target, desired_size=6)

    answer = log_in("ops").post(DRY_RUN)

    assert answer.status_code == 200
    assert any("web-fleet" in line for line in answer.context["lines"])
    step.refresh_from_db()
    assert (step.state, taps.applied, Heartbeat.objects.count()) == ("planned", [], 0)


def test_pause_and_resume_are_confirmed_and_audited(log_in: LogIn, db: None) -> None:
    client = log_in("ops")
    pause, resume = reverse("admin:scaling_pause"), reverse("admin:scaling_resume")

    assert client.get(pause).status_code == 200
    assert client.post(pause, {"reason": " "}).status_code == 422
    client.post(pause, {"reason": "the cloud is ill"})
    paused = client.get(LIST)
    client.post(resume)

    assert "the cloud is ill" in paused.content.decode()
    assert resume in paused.content.decode()
    assert list(AuditEntry.objects.order_by("pk").values_list("actor__username", "action")) == [
        ("ops", "paused"),
        ("ops", "resumed"),
    ]
    assert Heartbeat.objects.get().paused_at is None


def test_list_shows_the_heartbeat_and_open_alerts(log_in: LogIn, drop: Drop, settings: Settings) -> None:
    Heartbeat.objects.create(ticked_at=timezone.now() - timedelta(hours=1), actor="beat", paused_reason="")
    Alert.objects.create(source="scaling", subject="heartbeat", message="Pre-scaling has stopped.")
    Alert.objects.create(source="scaling", subject="old", message="Long ago.", resolved_at=timezone.now())

    answer = log_in("merchandisers").get(LIST)

    assert (answer.context["is_overdue"], "Pre-scaling has stopped." in answer.content.decode()) == (
        True,
        True,
    )
    assert "Long ago." not in answer.content.decode()


def test_list_needs_no_more_queries_for_three_drops_than_for_one(
    log_in: LogIn, drop: Drop, target: Target
) -> None:
    client = log_in("ops")
    one, _answer = queries(client, LIST)
    for _n in range(2):
        scale_plans.set_expected(drop=make_drop(quantity=10), expected=100, actor=None)

    three, answer = queries(client, LIST)

    assert (one, answer.context["cl"].result_count) == (three, 3)


def test_learned_shows_weights_with_their_evidence(log_in: LogIn, drop: Drop) -> None:
    answer = log_in("merchandisers").get(LEARNED)

    groups = [weight.group for weight, _cpu in answer.context["weights"]]
    assert groups == ["edge", "gate", "web", "hooks", "checkout", "capture", "database", "line redis"]
    assert "default: a load test" in answer.content.decode()
    assert [target.name for target in answer.context["targets"]] == ["web-fleet"]
    assert log_in().get(LEARNED).status_code == 403


def test_nothing_inline_is_on_the_pages(log_in: LogIn, drop: Drop, target: Target) -> None:
    client = log_in("ops")
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
        assert (address, [bad for bad in (" style=", "<style", "onclick=", "<script>") if bad in text]) == (
            address,
            [],
        )
