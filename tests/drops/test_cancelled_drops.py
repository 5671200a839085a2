"""Cancelling a drop: from each phase, with what it leaves of holds, and what the line and the pages say."""

import contextlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from drops import drop_actions, holds, tokens
from drops.models import Checkpoint, Drop, Hold, Pause
from drops.waitingroom.gatekeeper import publishing, snapshots
from drops.waitingroom.protocol import keys
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db


def cancel(drop: Drop) -> Drop:
    drop_actions.cancel(drop=drop, actor=None)
    return Drop.objects.get(pk=drop.pk)


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
