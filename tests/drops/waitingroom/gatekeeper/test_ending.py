"""The last units, and the end of a drop."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drops import drop_actions, holds
from drops.lifecycle import Phase
from drops.models import Checkpoint, Drop, Pause, Unit
from drops.waitingroom.gatekeeper import publishing
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import keys, lua
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import SECOND, admitting, checkpoint, move
from tests.factories import make_drop, make_edition, make_hold


def test_the_document_shows_how_much_of_each_edition_is_left(driven: Driven) -> None:
    drop = make_drop(phase="live", quantity=1)
    make_edition(drop=drop, quantity=2)
    make_hold(drop=drop)

    driven.tick()

    bands = [
        (edition["band"], edition["free"], edition["held"]) for edition in driven.document(drop)["editions"]
    ]
    assert bands == [("held", 0, 1), ("in", 2, 0)]


def test_a_drop_sells_out_when_no_unit_is_free_or_held(driven: Driven) -> None:
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop)
    driven.tick()
    drop.refresh_from_db()
    assert (driven.document(drop)["phase"], drop.sold_out_at) == ("live", None)
    assert driven.document(drop)["sentence"].startswith("All remaining pieces are in checkouts.")

    holds.pay(hold=hold, version=hold.version)
    holds.allocate(hold=hold)
    driven.tick(1)

    drop.refresh_from_db()
    assert (driven.document(drop)["phase"], driven.document(drop)["editions"][0]["band"]) == (
        "sold out",
        "gone",
    )
    assert drop.sold_out_at is not None
    assert driven.state(drop)["closed"] == "0"


@pytest.mark.parametrize(
    ("phase", "waiting", "most"),
    [
        (Phase.LIVE, 10, 5),
        (Phase.LIVE, 1_200, 12),  # a hundred polls a second
        (Phase.LIVE, 1_000_000, 30),
        (Phase.LOBBY, 10, 30),
    ],
)
def test_a_short_line_polls_often(phase: Phase, waiting: int, most: int) -> None:
    checkpoint = Checkpoint(joined=waiting + 7, cursor=7)
    snapshot = DropSnapshot(drop=Drop(), checkpoint=checkpoint, phase=phase, now=timezone.now())

    rule = publishing.poll_rule(snapshot)

    assert (rule["least"], rule["most"], rule["share"]) == (2, most, 20)


def test_a_sold_out_drop_is_live_again_if_a_unit_comes_back(driven: Driven) -> None:
    drop = make_drop(phase="sold out", quantity=1)
    driven.tick()
    Unit.objects.update(withheld_at=None, withheld_reason="")

    driven.tick(1)

    drop.refresh_from_db()
    assert (driven.document(drop)["phase"], drop.sold_out_at) == ("live", None)


def test_nobody_may_join_or_enter_a_closed_drop(driven: Driven) -> None:
    drop = admitting(driven, 10, quantity=10)
    driven.tick()
    drop_actions.close(drop=drop, actor=None)

    driven.tick(1)

    assert driven.document(drop)["phase"] == "closed"
    with pytest.raises(lua.DropClosed):
        driven.join(drop, 1)
    with pytest.raises(lua.DropClosed):
        lua.enter(driven.redis, drop.slug, index=0, place=0)


def test_a_sold_out_drop_that_is_closed_stays_sold_out_and_its_line_is_closed(driven: Driven) -> None:
    drop = make_drop(phase="sold out")
    drop_actions.close(drop=drop, actor=None)

    driven.tick()

    assert (driven.document(drop)["phase"], driven.state(drop)["closed"]) == ("sold out", "1")


@pytest.mark.parametrize("minutes_ago", [0, 5, 30, 59])
def test_a_sold_out_drop_that_is_cancelled_later_says_so_and_its_line_is_closed(
    driven: Driven, minutes_ago: int
) -> None:
    drop = make_drop(phase="live", quantity=1)
    driven.tick()
    Unit.objects.update(withheld_at=timezone.now(), withheld_reason="sample")
    driven.tick(1)
    assert driven.document(drop)["phase"] == "sold out"
    move(drop, sold_out_at=timezone.now() - timedelta(minutes=minutes_ago))

    drop_actions.cancel(drop=drop, actor=None)
    driven.tick(1)

    assert (driven.document(drop)["phase"], driven.state(drop)["closed"]) == ("cancelled", "1")
    with pytest.raises(lua.DropClosed):
        driven.join(drop, 1)


def test_closing_by_the_clock_ends_a_pause(driven: Driven) -> None:
    drop = make_drop(phase="paused", closes_at=timezone.now() - SECOND)

    driven.tick()

    drop.refresh_from_db()
    assert drop.closed_at is not None
    assert not Pause.objects.filter(ended_at=None).exists()


def test_an_hour_after_its_end_a_drop_leaves_nothing_in_redis(driven: Driven) -> None:
    drop = make_drop(phase="live")
    driven.tick()
    move(drop, closed_at=timezone.now() - timedelta(minutes=59))
    driven.tick()
    assert driven.redis.keys(keys.prefix(drop.slug).replace("{", "?").replace("}", "?") + "*") != []

    move(drop, closed_at=timezone.now() - timedelta(minutes=61))
    driven.tick()

    assert driven.redis.keys("*") == [keys.ANNOUNCED.encode()]
    assert checkpoint(drop).run_id == ""
    with CaptureQueriesContext(connection) as captured:
        driven.tick()
    assert len(captured) == 3
