"""What a tick reads of the drops by its own SQL: the same drops and states as the ORM."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from drops import holds, lifecycle
from drops.lifecycle import Phase
from drops.models import Drop
from drops.waitingroom.gatekeeper import snapshots
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db
JUST_NOW, LONG_AGO = timedelta(minutes=9), timedelta(minutes=11)


def assert_reads_as_the_orm_does(drop: Drop) -> Phase:
    """Assert that read_drops returns this drop only, as the ORM reads it; return its phase."""
    (snapshot,) = snapshots.read_drops()
    read = Drop.objects.with_state().select_related("product", "checkpoint").get(pk=drop.pk)
    for field in Drop._meta.concrete_fields:
        assert getattr(snapshot.drop, field.attname) == getattr(read, field.attname)
    assert (snapshot.drop.paused, snapshot.drop.anything_left) == (read.paused, read.anything_left)
    assert (snapshot.drop.product, snapshot.checkpoint) == (read.product, read.checkpoint)
    assert snapshot.phase == lifecycle.phase(drop=read, now=snapshot.now)
    return snapshot.phase


@pytest.mark.parametrize("phase", [phase.value for phase in Phase if phase is not Phase.DRAFT])
def test_read_drops_reads_each_phase_as_the_orm_does(phase: str) -> None:
    drop = make_drop(phase=phase, editions=2)

    assert assert_reads_as_the_orm_does(drop) == phase


def test_read_drops_passes_over_drafts() -> None:
    make_drop(phase="draft")

    assert snapshots.read_drops() == []


@pytest.mark.parametrize("pay", [False, True])
def test_units_that_are_held_or_being_paid_for_may_come_back(pay: bool) -> None:
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop)
    if pay:
        holds.pay(hold=hold, version=hold.version)

    assert assert_reads_as_the_orm_does(drop) == Phase.LIVE
    if pay:
        holds.allocate(hold=hold)
        assert assert_reads_as_the_orm_does(drop) == Phase.SOLD_OUT


@pytest.mark.parametrize("field", ["sold_out_at", "closed_at", "cancelled_at", "closes_at"])
def test_read_drops_passes_over_drops_that_ended_ten_minutes_ago(field: str) -> None:
    now = timezone.now()
    drop = make_drop(phase="live", opens_at=now - timedelta(hours=1), lobby_opens_at=now - timedelta(hours=2))

    def ended(at: datetime) -> int:
        Drop.objects.filter(pk=drop.pk).update(**{field: at})
        return len(snapshots.read_drops())

    assert (ended(now - JUST_NOW), ended(now - LONG_AGO)) == (1, 0)


def test_read_drops_begins_with_the_drop_that_opens_first() -> None:
    now = timezone.now()
    later, first = (
        make_drop(
            phase="announced", lobby_opens_at=now + timedelta(hours=1), opens_at=now + timedelta(hours=hours)
        )
        for hours in (3, 2)
    )

    assert [snapshot.drop for snapshot in snapshots.read_drops()] == [first, later]
