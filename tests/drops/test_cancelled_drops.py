"""Calling a drop off: what it ends, what it leaves alone, what it says first, and what the line is told."""

import contextlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from drops import drop_actions, holds, lifecycle, tokens
from drops.drop_actions import ActionRefused
from drops.lifecycle import Phase
from drops.models import Checkpoint, Drop, Hold, Pause, Unit
from drops.waitingroom.gate import refusals, texts
from drops.waitingroom.gatekeeper import publishing, snapshots
from drops.waitingroom.protocol import keys
from shop.core.models import AuditEntry
from tests.factories import make_drop, make_hold, make_pass

pytestmark = pytest.mark.django_db

ANNOUNCED_PHASES = ["announced", "lobby", "opening", "live", "paused", "sold out", "closed"]


def cancel(drop: Drop) -> Drop:
    drop_actions.cancel(drop=drop, actor=None, reason="broken glass")
    return Drop.objects.get(pk=drop.pk)


@pytest.mark.parametrize("phase", ANNOUNCED_PHASES)
def test_cancel_ends_any_announced_drop(phase: str) -> None:
    drop = cancel(make_drop(phase=phase))

    assert lifecycle.phase(drop=drop, now=timezone.now()) is Phase.CANCELLED
    assert not Pause.objects.filter(ended_at=None).exists()


def test_cancel_refuses_a_draft() -> None:
    drop = make_drop(phase="draft")

    with pytest.raises(ActionRefused, match="A draft can't be cancelled"):
        cancel(drop)
    assert Drop.objects.get().cancelled_at is None


def test_cancel_releases_open_holds_and_nothing_else() -> None:
    drop, other = make_drop(phase="live", quantity=9), make_drop(phase="live")
    for index, state in enumerate(["open", "paying", "allocated"]):
        make_hold(drop=drop, index=index, state=state)
    elsewhere = make_hold(drop=other)

    cancel(drop)

    states = Hold.objects.filter(drop=drop).order_by("index").values_list("state", flat=True)
    assert list(states) == ["released", "paying", "allocated"]
    assert Unit.objects.filter(hold__drop=drop).count() == 2
    assert Hold.objects.get(pk=elsewhere.pk).state == "open"


def test_cancel_again_changes_nothing() -> None:
    drop = make_drop(phase="live")
    first = cancel(drop).cancelled_at

    assert cancel(drop).cancelled_at == first
    assert list(AuditEntry.objects.values_list("action", "after")) == [
        ("cancelled", {"reason": "broken glass", "holds_released": 0})
    ]


def test_nothing_can_be_held_any_more() -> None:
    drop = make_drop(phase="live")
    cancel(drop)

    with pytest.raises(holds.DropCancelled):
        make_hold(drop=drop)


@pytest.mark.parametrize(("phase", "released"), [("cancelled", 1), ("closed", 0), ("live", 0)])
def test_sweep_releases_a_hold_that_was_placed_meanwhile(phase: str, released: int) -> None:
    drop = make_drop(phase="live")
    make_hold(drop=drop)
    if phase != "live":
        Drop.objects.filter(pk=drop.pk).update(**{f"{phase}_at": timezone.now()})

    assert holds.expire_due() == released


def test_units_of_a_cancelled_drop_are_not_allocated() -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, state="paying")
    cancel(drop)

    with pytest.raises(holds.DropCancelled):
        holds.allocate(hold=hold)
    assert Hold.objects.get().state == "paying"


def test_a_hold_that_is_paying_is_released_once_its_payment_is_void() -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, state="paying")
    cancel(drop)

    holds.release_unpaid(hold=hold)

    assert (Hold.objects.get().state, Unit.objects.filter(hold=hold).count()) == ("released", 0)


def test_a_hold_that_is_open_again_after_a_decline_is_released() -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, state="paying")
    cancel(drop)
    holds.reopen(hold=hold)

    assert holds.expire_due() == 1


def test_consequences_are_said_first() -> None:
    drop = make_drop(phase="live", quantity=3)
    Checkpoint.objects.filter(drop=drop).update(joined=1234, counter_limit=2000)
    make_hold(drop=drop)

    assert drop_actions.consequences(drop=drop) == [
        "In line: 1,234. Their pages say that the drop was cancelled, and nobody can join or enter.",
        "Open holds: 1. They are released at once.",
        "Payments not sent to the bank yet: 0. They are withdrawn, and nobody is charged.",
        "Payments at the bank: 0. They are voided, and nobody is charged.",
        "Payments that are being captured: 0. They can't be stopped: refund them.",
        "Paid orders: 0, €0. Refund them: they are listed on the drop's page.",
    ]


@pytest.mark.parametrize(
    ("phase", "refusal"),
    [("cancelled", texts.CANCELLED), ("closed", texts.CLOSED), ("live", texts.CLOSED), (None, texts.CLOSED)],
)
def test_gate_says_whether_the_drop_was_cancelled(phase: str | None, refusal: texts.Refusal) -> None:
    class Known:
        status = {"phase": phase} if phase else None

    assert refusals.over(Known()).title == refusal.title  # type: ignore[arg-type]


def test_pages_say_so(client: Client) -> None:
    drop = make_drop(phase="live", pictures=1)
    cancel(drop)
    truth = "This drop was cancelled. Paid orders will be refunded. Nobody else is charged."

    page = client.get(f"/drops/{drop.slug}/")

    assert truth in page.content.decode()
    assert client.get(f"/drops/{drop.slug}/pick/").status_code == 302
    assert drop.slug not in client.get("/").content.decode()
    assert client.get(f"/api/v1/drops/{drop.slug}/").status_code == 404


def test_passes_of_a_cancelled_drop_hold_nothing() -> None:
    drop = make_drop(phase="live")
    cancel(drop)
    edition = drop.editions.get()

    with pytest.raises(holds.DropCancelled) as refused:
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={edition.pk: 1})
    assert refused.value.status == 410
    assert Unit.objects.filter(hold=None).count() == 3


def test_hold_is_over_by_the_cancellation() -> None:
    hold = make_hold(drop=make_drop(phase="live"))

    cancel(hold.drop)

    assert Hold.objects.get().is_over_by_cancellation


def test_hold_that_ended_before_isnt_over_by_the_cancellation() -> None:
    hold = make_hold(drop=make_drop(phase="live"))
    holds.release_open(hold=hold)

    cancel(hold.drop)

    assert not Hold.objects.get().is_over_by_cancellation


@pytest.mark.parametrize("act", [drop_actions.pause, drop_actions.resume, drop_actions.close])
def test_other_actions_leave_a_cancelled_drop_as_it_is(act: Any) -> None:
    drop = make_drop(phase="cancelled")
    reason = {"reason": "x"} if act is drop_actions.pause else {}

    with contextlib.suppress(drop_actions.ActionRefused):
        act(drop=drop, actor=None, **reason)

    assert (Drop.objects.get().closed_at, Pause.objects.count()) == (None, 0)


# --- what the line is told


def read(drop: Drop) -> list[str]:
    return [snapshot.drop.slug for snapshot in snapshots.read_drops()]


def moved(drop: Drop, *, ended: str, ago: timedelta, cancelled_ago: timedelta | None, run_id: str) -> Drop:
    now = timezone.now()
    cancelled_at: datetime | None = None
    if cancelled_ago is not None:
        cancelled_at = now - cancelled_ago
    Drop.objects.filter(pk=drop.pk).update(**{ended: now - ago, "cancelled_at": cancelled_at})
    Checkpoint.objects.filter(drop=drop).update(run_id=run_id)
    return drop


@pytest.mark.parametrize("ended", ["sold_out_at", "closed_at"])
@pytest.mark.parametrize(
    ("cancelled_ago", "run_id", "published"),
    [
        (None, "r1", False),
        (timedelta(seconds=1), "r1", True),
        (timedelta(minutes=9), "r1", True),
        (timedelta(minutes=11), "r1", False),
        (timedelta(seconds=1), "", False),
    ],
)
def test_line_is_told_of_a_cancellation_after_the_end(
    ended: str, cancelled_ago: timedelta | None, run_id: str, published: bool
) -> None:
    drop = make_drop(phase="live")
    moved(drop, ended=ended, ago=timedelta(minutes=30), cancelled_ago=cancelled_ago, run_id=run_id)

    assert read(drop) == ([drop.slug] if published else [])


@pytest.mark.parametrize("phase", ["lobby", "live", "paused", "sold out", "closed"])
def test_status_document_says_cancelled_and_the_line_is_closed(phase: str) -> None:
    cancel(make_drop(phase=phase))

    [snapshot] = snapshots.read_drops()

    assert publishing.build_status(snapshot)["phase"] == "cancelled"
    assert publishing.is_closed(snapshot)


# --- pages of shoppers with a hold or a pass


def browser(hold: Hold) -> Client:
    client = Client()
    client.cookies[keys.cookie("hold", hold.drop.slug, False)] = tokens.hold_token(hold.uuid)
    return client


@pytest.mark.parametrize("state", ["open", "paying", "allocated"])
def test_drop_page_leads_to_an_order_but_promises_no_piece(state: str) -> None:
    hold = make_hold(drop=make_drop(phase="live"))
    ended = timezone.now() if state == "allocated" else None
    Hold.objects.update(state=state, ended_at=ended)
    cancel(hold.drop)

    answer = browser(hold).get(f"/drops/{hold.drop.slug}/mine/")

    if state == "open":
        assert answer.status_code == 404
    else:
        assert (answer.json()["text"], answer.json()["note"]) == ("Your order", "")
