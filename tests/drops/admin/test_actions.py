"""Actions of a drop: confirmed on a page of their own, taken by POST, by people with the permission."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from drops import lifecycle
from drops.admin.actions import ACTIONS
from drops.models import Drop, Pause, Unit
from shop.core.models import AuditEntry
from tests.admin_clients import LogIn
from tests.factories import make_drop, make_product


def page(drop: Drop, name: str = "change") -> str:
    return reverse(f"admin:drops_drop_{name}", args=[drop.pk])


def offered(client: Client, drop: Drop) -> list[str]:
    return [action.name for action in client.get(page(drop)).context["actions"]]


@pytest.mark.parametrize(
    ("phase", "buttons"),
    [
        ("draft", ["announce"]),
        ("announced", ["pause", "close", "cancel"]),
        ("lobby", ["pause", "close", "cancel"]),
        ("live", ["pause", "close", "cancel"]),
        ("paused", ["resume", "close", "cancel"]),
        ("sold out", ["cancel"]),
        ("closed", ["cancel"]),
        ("cancelled", []),
    ],
)
def test_page_offers_the_actions_of_the_phase(log_in: LogIn, phase: str, buttons: list[str]) -> None:
    drop = make_drop(phase=phase, product=make_product(pictures=1))

    assert offered(log_in("merchandisers"), drop) == buttons


def test_page_offers_ops_only_pausing_and_resuming(log_in: LogIn) -> None:
    client = log_in("ops")

    assert offered(client, make_drop(phase="live")) == ["pause"]
    assert offered(client, make_drop(phase="paused")) == ["resume"]
    assert offered(client, make_drop(phase="draft")) == []


def test_pause_before_the_opening_can_be_resumed(log_in: LogIn) -> None:
    drop = make_drop(phase="lobby")
    client = log_in("merchandisers")
    client.post(page(drop, "pause"), {"reason": "not yet"})

    assert offered(client, drop) == ["resume", "close", "cancel"]


def test_announce_asks_for_confirmation(log_in: LogIn) -> None:
    drop = make_drop(phase="draft", product=make_product(pictures=1))

    answer = log_in("merchandisers").get(page(drop, "announce"))

    assert (answer.status_code, answer.context["problems"]) == (200, [])
    assert Unit.objects.count() == 0


def edit_edition(drop: Drop, **fields: object) -> None:
    drop.editions.update(**fields)


def edit_drop(drop: Drop, **fields: object) -> None:
    Drop.objects.filter(pk=drop.pk).update(**fields)


@pytest.mark.parametrize(
    ("edit", "fields"),
    [
        (edit_edition, {"price": 50_000}),
        (edit_edition, {"quantity": 9}),
        (edit_edition, {"limit_per_order": 1}),
        (edit_drop, {"currency": "USD"}),
        (edit_drop, {"hold_seconds": 60}),
        (edit_drop, {"listed": False}),
        (edit_drop, {"closes_at": None}),
        (edit_drop, {"slug": "another"}),
    ],
)
def test_announce_shows_again_what_a_colleague_changed_meanwhile(
    log_in: LogIn, edit: Callable[..., None], fields: dict[str, object]
) -> None:
    drop = make_drop(phase="draft", quantity=5, product=make_product(pictures=1))
    Drop.objects.filter(pk=drop.pk).update(closes_at=timezone.now() + timedelta(days=30))
    drop.editions.update(limit_per_order=2)
    client = log_in("merchandisers")
    shown = client.get(page(drop, "announce")).context["shown"]
    edit(drop, **fields)

    answer = client.post(page(drop, "announce"), {"_shown": shown})

    assert answer.status_code == 409
    assert "so nothing was announced" in answer.content.decode()
    assert Drop.objects.get().announced_at is None
    again = answer.context["shown"]
    assert client.post(page(drop, "announce"), {"_shown": again}).status_code == 302
    assert Drop.objects.get().announced_at is not None


def test_announce_takes_a_page_that_nothing_was_changed_after(log_in: LogIn) -> None:
    drop = make_drop(phase="draft", product=make_product(pictures=1))
    client = log_in("merchandisers")
    shown = client.get(page(drop, "announce")).context["shown"]
    Drop.objects.update(title="A better title")

    assert client.post(page(drop, "announce"), {"_shown": shown}).status_code == 302


def test_two_clicks_announce_once(log_in: LogIn) -> None:
    drop = make_drop(phase="draft", quantity=5, product=make_product(pictures=1))
    client = log_in("merchandisers")

    answers = [client.post(page(drop, "announce"), follow=True) for _click in range(2)]

    assert [str(message) for answer in answers for message in answer.context["messages"]] == [
        "The drop is announced."
    ] * 2
    assert Unit.objects.filter(edition__drop=drop).count() == 5
    assert list(AuditEntry.objects.values_list("actor__username", "action")) == [
        ("merchandisers", "announced")
    ]


def test_announce_names_the_problems_before_and_after_the_click(log_in: LogIn) -> None:
    drop = make_drop(phase="draft", editions=0, product=make_product(pictures=1))
    client = log_in("merchandisers")
    problem = "Editions: there are none. Add at least one, with its price and quantity."

    before, after = client.get(page(drop, "announce")), client.post(page(drop, "announce"))

    assert before.context["problems"] == [problem]
    assert (after.status_code, after.context["why"]) == (409, [problem])
    assert Drop.objects.get().announced_at is None


def test_pause_needs_a_reason(log_in: LogIn) -> None:
    drop = make_drop(phase="live")

    answer = log_in("ops").post(page(drop, "pause"), {"reason": " "})

    assert (answer.status_code, answer.context["form"].errors) == (
        422,
        {"reason": ["This field is required."]},
    )
    assert Pause.objects.count() == 0


def test_pause_and_resume_are_audited_with_their_person(log_in: LogIn) -> None:
    drop = make_drop(phase="live", slug="zero")
    client = log_in("ops")

    client.post(page(drop, "pause"), {"reason": "bots"})
    client.post(page(drop, "resume"))

    assert list(
        AuditEntry.objects.order_by("id").values_list("actor__username", "about", "action", "after")
    ) == [
        ("ops", "drop:zero", "paused", {"reason": "bots"}),
        ("ops", "drop:zero", "resumed", {}),
    ]


def test_close_ends_the_drop(log_in: LogIn) -> None:
    drop = make_drop(phase="live")

    log_in("merchandisers").post(page(drop, "close"))

    drop = Drop.objects.get()
    assert drop.closed_at is not None
    assert lifecycle.phase(drop=drop, now=drop.closed_at) == lifecycle.Phase.CLOSED


def test_close_of_a_draft_is_refused_with_a_reason(log_in: LogIn) -> None:
    drop = make_drop(phase="draft")

    answer = log_in("merchandisers").post(page(drop, "close"))

    assert (answer.status_code, answer.context["why"]) == (
        409,
        ["A draft can't be closed. Delete it if you don't need it."],
    )


@pytest.mark.parametrize(
    ("typed", "cancelled"),
    [
        ("Glass & Sons №1", True),
        (" glass &  sons №1 ", True),
        ("", False),
        ("Glass", False),
        ("Glass & Sons №2", False),
        ("yes", False),
    ],
)
def test_cancel_asks_for_the_drops_name(log_in: LogIn, typed: str, cancelled: bool) -> None:
    drop = make_drop(phase="live", title="Glass & Sons №1")
    client = log_in("merchandisers")

    before = client.get(page(drop, "cancel"))
    after = client.post(page(drop, "cancel"), {"drop_name": typed, "reason": "broken in transit"})

    assert "Open holds: 0. They are released at once." in before.context["consequences"]
    assert "Paid orders: 0" in before.content.decode()
    assert (Drop.objects.get().cancelled_at is not None) is cancelled
    assert after.status_code == (302 if cancelled else 422)
    if not cancelled:
        assert after.context["form"].errors["drop_name"]
        assert after.context["form"]["reason"].value() == "broken in transit"


def test_page_of_a_cancelled_drop_lists_what_to_refund(admin_client: Client) -> None:
    text = admin_client.get(page(make_drop(phase="cancelled"))).content.decode()

    assert "No charged order is listed." in text


@pytest.mark.parametrize("name", ACTIONS)
def test_action_is_refused_without_permission(log_in: LogIn, name: str) -> None:
    drop = make_drop(phase="live")
    client = log_in()

    assert [client.get(page(drop, name)).status_code, client.post(page(drop, name)).status_code] == [403, 403]
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize("name", ["announce", "close"])
def test_action_of_merchandisers_is_refused_to_ops(log_in: LogIn, name: str) -> None:
    assert log_in("ops").post(page(make_drop(phase="live"), name)).status_code == 403


def test_action_on_no_drop_is_not_found(log_in: LogIn) -> None:
    drop = make_drop(phase="draft")
    address = page(drop, "close")
    drop.delete()

    assert log_in("merchandisers").get(address).status_code == 404


def test_action_from_another_site_is_refused(log_in: LogIn) -> None:
    drop = make_drop(phase="live")

    answer = log_in("merchandisers").post(page(drop, "close"), headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
    assert Drop.objects.get().closed_at is None
