"""Targets in the admin: a provider's form, refusals, what is fixed while scaled, the connection test."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from drops.scaling.models import Call, Share, Step, Target, Usage
from shop.core.models import AuditEntry
from tests.admin_clients import LogIn, errors, queries
from tests.drops.scaling.cloud import Cloud, make_step, make_target

ADD = reverse("admin:scaling_target_add")
LIST = reverse("admin:scaling_target_changelist")
DUPLICATE = ["Please correct the duplicate values below."]


def page(target: Target, name: str = "change") -> str:
    return reverse(f"admin:scaling_target_{name}", args=[target.pk])


def form(*, shares: Sequence[dict[str, Any]] = ({"group": "web"},), **fields: Any) -> dict[str, Any]:
    """What the browser sends for a tap."""
    sent = {
        "name": "Web",
        "enabled": "on",
        "locator_name": "web-fleet",
        "locator_region": "",
        "floor": 1,
        "ceiling": 20,
        "ops_ceiling": "",
        "headroom_percent": 30,
        "zones": 1,
        "lead_seconds": 40,
        "price_per_hour": "",
        "connections": 0,
        "connection_limit": 0,
        "shares-TOTAL_FORMS": len(shares),
        "shares-INITIAL_FORMS": sum("id" in share for share in shares),
    }
    for number, share in enumerate(shares):
        sent |= {
            f"shares-{number}-{name}": value
            for name, value in ({"percent": 100, "per_second": "150"} | share).items()
        }
    return sent | fields


def add(client: Client, **fields: Any) -> Any:
    return client.post(f"{ADD}?provider=tap", form(**fields))


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


@pytest.fixture
def target(taps: Cloud, db: None) -> Target:
    made = make_target(taps, name="web-fleet", provider="tap", lead_seconds=40)
    Share.objects.create(target=made, group="web", per_second=150)
    return made


def change(client: Client, target: Target, **fields: Any) -> Any:
    share = target.shares.get()
    row = {"id": share.pk, "target": target.pk, "group": "web", "per_second": share.per_second}
    return client.post(
        page(target), form(shares=[row], **{"name": target.name, "ceiling": 100} | fields), follow=True
    )


def test_add_asks_for_the_provider_first(log_in: LogIn, taps: Cloud) -> None:
    text = log_in("ops").get(ADD).content.decode()

    assert 'href="?provider=tap"' in text
    assert "TAP_TOKEN in the environment" in text


def test_add_shows_the_providers_fields_and_lead_time(log_in: LogIn, taps: Cloud) -> None:
    answer = log_in("ops").get(f"{ADD}?provider=tap")

    fields = answer.context["adminform"].form
    assert [name for name in fields.fields if name.startswith("locator_")] == [
        "locator_name",
        "locator_region",
    ]
    assert (fields["locator_name"].label, fields["lead_seconds"].value()) == ("Name of the fleet", 40)
    assert (
        "Credentials are never stored here. They come from: TAP_TOKEN in the environment"
        in answer.content.decode()
    )


def test_added_target_has_its_locator_and_resource(log_in: LogIn, taps: Cloud) -> None:
    answer = add(log_in("ops"))

    assert answer.status_code == 302
    target = Target.objects.get()
    assert (target.provider, target.locator, target.resource) == (
        "tap",
        {"name": "web-fleet"},
        "stand-in:web-fleet",
    )
    assert list(target.shares.values_list("group", "percent", "per_second")) == [("web", 100, Decimal(150))]
    entry: Any = AuditEntry.objects.get()
    assert (entry.actor.username, entry.about, entry.action) == ("ops", "target:Web", "added")
    assert taps.applied == []


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"locator_name": ""}, {"locator_name": ["This field is required."]}),
        (
            {"locator_name": "web fleet"},
            {"locator_name": ["A name has no spaces. Write it as the cloud lists it."]},
        ),
        ({"floor": 21}, {"floor": ["The floor is above the ceiling. Lower it, or raise the ceiling."]}),
        (
            {"ops_ceiling": 21},
            {"ops_ceiling": ["It can't be above the ceiling. Lower it, or leave it empty."]},
        ),
        (
            {"floor": 4, "ops_ceiling": 3},
            {
                "ops_ceiling": [
                    "Below the floor, every plan would need approval. Raise it, or lower the floor."
                ]
            },
        ),
        ({"zones": 0}, {"zones": ["Ensure this value is greater than or equal to 1."]}),
        (
            {"shares": []},
            {"shares": ["Select at least one group; without one there is nothing to size."]},
        ),
        (
            {"shares": [{"group": "web", "per_second": "0"}]},
            {"shares-0-per_second": ["Enter a throughput above 0 requests per second."]},
        ),
        (
            {"shares": [{"group": "web"}, {"group": "web"}]},
            {"shares": ["Please correct the duplicate data for group."], "shares-1-__all__": DUPLICATE},
        ),
    ],
)
def test_invalid_target_is_refused_with_its_fields(
    log_in: LogIn, taps: Cloud, fields: dict[str, Any], found: dict[str, Any]
) -> None:
    answer = add(log_in("ops"), **fields)

    assert errors(answer) == found
    assert Target.objects.count() == 0


def test_two_targets_of_one_resource_are_refused(log_in: LogIn, target: Target) -> None:
    answer = add(log_in("ops"))

    assert errors(answer) == {
        "__all__": [
            "The target “web-fleet” is the same resource (stand-in:web-fleet). Change that one instead.",
        ]
    }
    assert Target.objects.count() == 1


def test_unknown_provider_is_asked_for_again(log_in: LogIn, taps: Cloud) -> None:
    assert "What do you want to scale?" in log_in("ops").get(f"{ADD}?provider=none").content.decode()


def test_changed_target_is_audited_and_keeps_what_ticks_wrote(log_in: LogIn, target: Target) -> None:
    Target.objects.update(ready_size=2, observed={"size": 2}, locked_until=timezone.now())

    change(log_in("ops"), target, ceiling=50)

    row = Target.objects.get()
    assert (row.ceiling, row.ready_size, row.observed, row.locked_until is None) == (
        50,
        2,
        {"size": 2},
        False,
    )
    entry: Any = AuditEntry.objects.get()
    assert (entry.about, entry.action, entry.before, entry.after) == (
        "target:web-fleet",
        "changed",
        {"ceiling": "100"},
        {"ceiling": "50"},
    )


def test_target_with_a_new_locator_forgets_its_reading_and_its_lock(log_in: LogIn, target: Target) -> None:
    Target.objects.update(
        ready_size=2, observed={"size": 2}, observed_at=timezone.now(), locked_until=timezone.now(), error="x"
    )

    change(log_in("ops"), target, locator_name="other-fleet")

    row = Target.objects.get()
    assert (row.locator, row.resource) == ({"name": "other-fleet"}, "stand-in:other-fleet")
    assert (row.ready_size, row.observed, row.observed_at, row.locked_until, row.error) == (
        None,
        None,
        None,
        None,
        "",
    )


def test_scaled_target_keeps_its_locator(log_in: LogIn, target: Target) -> None:
    Target.objects.update(baseline={"wanted": 2}, baseline_size=2)

    answer = change(log_in("ops"), target, locator_name="other-fleet", headroom_percent=10)

    row = Target.objects.get()
    assert (row.locator, row.headroom_percent) == ({"name": "web-fleet"}, 10)
    assert (
        "The target is being scaled now, so its locator was not changed. Everything else was saved."
        in said(answer)
    )


def test_scaled_target_can_not_be_disabled(log_in: LogIn, target: Target) -> None:
    Target.objects.update(baseline={"wanted": 2}, baseline_size=2)
    share = target.shares.get()
    row = {"id": share.pk, "target": target.pk, "group": "web"}
    sent = form(shares=[row], ceiling=100)
    del sent["enabled"]

    answer = log_in("ops").post(page(target), sent)

    assert errors(answer)["enabled"] == [
        "This target is scaled now; if it is disabled, it stays at that size. Press “Restore now” first."
    ]
    assert Target.objects.get().enabled


def test_page_of_an_unknown_provider_opens(log_in: LogIn, target: Target) -> None:
    Target.objects.update(provider="gone")

    answer = log_in("ops").get(page(target))

    assert answer.status_code == 200
    assert "unknown provider" in answer.content.decode()


@pytest.mark.parametrize("is_planned", [True, False])
def test_target_that_a_drop_used_is_not_deleted(log_in: LogIn, target: Target, is_planned: bool) -> None:
    step = make_step(target=target)
    if not is_planned:  # its plan failed, after the drop had moved
        Usage.objects.create(
            drop=step.drop, target=target, size=6, since=step.starts_at, until=step.needed_at
        )
        step.delete()

    answer = log_in("ops").post(page(target, "delete"), {"post": "yes"})

    assert (answer.status_code, answer.context["why"]) == (
        409,
        ["Drops have used “web-fleet”, and their records are kept.", "Disable it instead: untick “Enabled”."],
    )
    assert Target.objects.exists()


def test_target_that_no_drop_used_is_deleted_with_its_calls(log_in: LogIn, target: Target) -> None:
    client = log_in("ops")
    client.post(page(target, "test"))

    assert client.post(page(target, "delete"), {"post": "yes"}).status_code == 302
    assert (Target.objects.count(), Call.objects.count()) == (0, 0)
    assert [entry.action for entry in AuditEntry.objects.all()][:1] == ["deleted"]


def test_connection_test_reads_and_changes_nothing(log_in: LogIn, target: Target, taps: Cloud) -> None:
    before = Target.objects.values().get()

    answer = log_in("ops").post(page(target, "test"), follow=True)

    assert said(answer)[0].startswith("The connection works: 2 taps, 2 of them serving. It took ")
    assert (taps.applied, Target.objects.values().get()) == ([], before)
    call = Call.objects.get()
    assert (call.operation, call.actor, call.error) == ("test", "ops", "")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("error", "The connection doesn't work. It answered 503 and nothing that can be read."),
        ("garbage", "The connection doesn't work. It answered 200 and nothing that can be read."),
        ("hang", "The connection doesn't work. It didn't respond."),
    ],
)
def test_connection_test_shows_the_fault(
    log_in: LogIn, target: Target, taps: Cloud, fault: str, sentence: str
) -> None:
    taps.faults["web-fleet"] = fault

    answer = log_in("ops").post(page(target, "test"), follow=True)

    assert said(answer) == [sentence]


def test_restore_now_is_confirmed_and_audited(log_in: LogIn, target: Target) -> None:
    Target.objects.update(baseline={"wanted": 2}, baseline_size=2, desired={"wanted": 6}, desired_size=6)
    step = make_step(target=target, state="holding", requested_at=timezone.now())
    client = log_in("ops")

    assert "6 taps" in client.get(page(target, "restore")).content.decode()
    assert Step.objects.get().state == "holding"
    client.post(page(target, "restore"))

    step.refresh_from_db()
    assert step.state == "releasing"
    assert list(AuditEntry.objects.values_list("actor__username", "about")) == [("ops", "target:web-fleet")]


def test_restore_at_the_baseline_is_refused_with_the_reason(log_in: LogIn, target: Target) -> None:
    answer = log_in("ops").post(page(target, "restore"))

    assert (answer.status_code, answer.context["why"]) == (
        409,
        ["web-fleet is at its baseline: there is nothing to restore."],
    )


def test_stopped_target_offers_three_actions(log_in: LogIn, target: Target) -> None:
    Target.objects.update(
        baseline={"wanted": 2},
        baseline_size=2,
        stopped_at=timezone.now(),
        stopped_reason="Somebody set it to 9.",
    )

    answer = log_in("ops").get(page(target))

    assert [action.name for action in answer.context["available_actions"]] == ["restore", "resume", "abandon"]
    assert "Somebody set it to 9." in answer.content.decode()


def test_stopped_target_is_resumed(log_in: LogIn, target: Target) -> None:
    Target.objects.update(stopped_at=timezone.now(), stopped_reason="Somebody set it to 9.")

    log_in("ops").post(page(target, "resume"))

    assert Target.objects.get().stopped_at is None


@pytest.mark.parametrize("name", ["test", "restore", "resume", "abandon"])
def test_actions_are_refused_to_staff_who_only_look(
    log_in: LogIn, target: Target, name: str, taps: Cloud
) -> None:
    assert log_in("merchandisers").post(page(target, name)).status_code == 403
    assert (Call.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_merchandisers_see_targets_but_change_none(log_in: LogIn, target: Target) -> None:
    client = log_in("merchandisers")

    answer = client.get(page(target))

    assert (answer.status_code, answer.context["available_actions"], answer.context["may_act"]) == (
        200,
        [],
        False,
    )
    assert "Name of the fleet: web-fleet" in answer.content.decode()
    assert client.get(LIST).status_code == 200
    assert client.get(ADD).status_code == 403
    assert client.post(page(target), form()).status_code == 403


def test_nobody_else_sees_targets(log_in: LogIn, target: Target) -> None:
    assert log_in().get(page(target)).status_code == 403


def test_list_shows_when_each_was_last_read(log_in: LogIn, target: Target) -> None:
    Target.objects.update(observed={"size": 2}, observed_at=timezone.now())

    text = log_in("ops").get(LIST).content.decode()

    assert "0 seconds ago" in text
    assert "&quot;size&quot;" not in text


def test_list_needs_no_more_queries_for_three_targets_than_for_one(
    log_in: LogIn, target: Target, taps: Cloud
) -> None:
    client = log_in("ops")
    one, _answer = queries(client, LIST)
    for name in ("a", "b"):
        make_target(taps, name=name, provider="tap")

    three, answer = queries(client, LIST)

    assert (one, answer.content.decode().count("tap</td>")) == (three, 3)
