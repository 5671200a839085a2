"""Every phase, when it changes next, and the filters on drops."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from drops import lifecycle
from drops.lifecycle import Phase
from drops.models import Drop, Unit
from drops.models.drop import DropQuerySet
from shop.models import Product
from tests.factories import make_drop, make_hold

LOBBY = datetime(2026, 3, 1, 11, 30, tzinfo=UTC)
OPENS = LOBBY + timedelta(minutes=30)
CLOSES = OPENS + timedelta(hours=2)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def loaded(*, paused: bool = False, anything_left: bool = True, **fields: Any) -> Drop:
    """A drop as with_state() reads it, without a database."""
    times = {"announced_at": LOBBY, "lobby_opens_at": LOBBY, "opens_at": OPENS, "closes_at": CLOSES}
    drop = Drop(product=Product(), **times | fields)
    drop.paused, drop.anything_left = paused, anything_left
    return drop


SEALED = {"sealed": 5, "sealed_at": OPENS}


@pytest.mark.parametrize(
    ("now", "fields", "phase"),
    [
        (LOBBY, {"announced_at": None}, Phase.DRAFT),
        (LOBBY - SECOND, {}, Phase.ANNOUNCED),
        (LOBBY, {}, Phase.LOBBY),
        (OPENS - SECOND, {}, Phase.LOBBY),
        (OPENS, {}, Phase.OPENING),
        (OPENS, SEALED, Phase.LIVE),
        (OPENS, SEALED | {"paused": True}, Phase.PAUSED),
        (OPENS, {"paused": True}, Phase.OPENING),
        (OPENS, SEALED | {"anything_left": False}, Phase.SOLD_OUT),
        (OPENS, {"anything_left": False}, Phase.OPENING),
        (CLOSES - SECOND, SEALED, Phase.LIVE),
        (CLOSES, SEALED, Phase.CLOSED),
        (CLOSES, {}, Phase.CLOSED),
        (CLOSES, SEALED | {"closes_at": None}, Phase.LIVE),
        (CLOSES, SEALED | {"anything_left": False}, Phase.SOLD_OUT),
        (OPENS, SEALED | {"closed_at": OPENS, "paused": True}, Phase.CLOSED),
        (LOBBY, {"closed_at": LOBBY}, Phase.CLOSED),
        (OPENS, SEALED | {"cancelled_at": OPENS, "anything_left": False}, Phase.CANCELLED),
        (LOBBY, {"announced_at": None, "cancelled_at": LOBBY}, Phase.CANCELLED),
    ],
)
def test_phase_follows_from_rows_and_time(now: datetime, fields: dict[str, Any], phase: str) -> None:
    assert lifecycle.phase(drop=loaded(**fields), now=now) == phase


@pytest.mark.parametrize(
    ("now", "fields", "change"),
    [
        (LOBBY - SECOND, {}, LOBBY),
        (LOBBY, {}, OPENS),
        (OPENS, {}, CLOSES),
        (OPENS, SEALED, CLOSES),
        (LOBBY, SEALED, CLOSES),
        (OPENS, SEALED | {"closes_at": None}, None),
        (CLOSES, SEALED, None),
        (LOBBY, {"closed_at": LOBBY}, None),
        (LOBBY, {"cancelled_at": LOBBY}, None),
        (LOBBY, {"announced_at": None}, None),
    ],
)
def test_next_change_is_the_next_time_that_changes_the_phase(
    now: datetime, fields: dict[str, Any], change: datetime | None
) -> None:
    assert lifecycle.next_change(drop=loaded(**fields), now=now) == change


@pytest.mark.django_db
@pytest.mark.parametrize("phase", [phase.value for phase in Phase])
def test_phase_is_the_same_read_with_state_and_without(
    phase: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    drop = make_drop(phase=phase)
    now = datetime.now(UTC)

    with django_assert_num_queries(1):
        read = Drop.objects.with_state().get(pk=drop.pk)
        assert lifecycle.phase(drop=read, now=now) == phase
    assert lifecycle.phase(drop=drop, now=now) == phase


@pytest.mark.django_db
def test_something_is_left_while_a_held_unit_may_come_back() -> None:
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop)

    def left() -> list[bool]:
        return [
            Drop.objects.with_state().get().anything_left,
            Drop.objects.with_something_left().exists(),
            not Drop.objects.with_nothing_left().exists(),
            Drop.objects.get().anything_left,
        ]

    assert left() == [True] * 4
    drop.holds.update(state="allocated", ended_at=hold.created_at)
    assert left() == [False] * 4
    Unit.objects.update(hold=None)
    assert left() == [True] * 4
    Unit.objects.update(withheld_at=hold.created_at, withheld_reason="sample")
    assert left() == [False] * 4


@pytest.mark.django_db
def test_querysets_split_drops_by_announcement_and_end() -> None:
    slugs = {
        phase: make_drop(phase=phase).slug for phase in ("draft", "announced", "live", "sold out", "closed")
    }
    cancelled = make_drop(phase="cancelled").slug
    unlisted = make_drop(phase="live", listed=False).slug
    past = make_drop(phase="live", closes_at=datetime.now(UTC) - SECOND).slug

    def kept(drops: DropQuerySet) -> set[str]:
        return {drop.slug for drop in drops}

    announced = {slugs[phase] for phase in ("announced", "live", "sold out", "closed")} | {past}
    assert kept(Drop.objects.announced()) == announced | {unlisted}
    assert kept(Drop.objects.shown()) == announced
    assert kept(Drop.objects.ended()) == {slugs["sold out"], slugs["closed"], cancelled, past}
    assert kept(Drop.objects.not_ended()) == {slugs["draft"], slugs["announced"], slugs["live"], unlisted}


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["sold_out_at", "closed_at", "cancelled_at", "closes_at"])
def test_ended_counts_from_the_first_end(field: str) -> None:
    drop = make_drop(phase="live")
    Drop.objects.update(
        opens_at=datetime.now(UTC) - 3 * MINUTE, lobby_opens_at=datetime.now(UTC) - 4 * MINUTE
    )
    Drop.objects.update(**{field: datetime.now(UTC) - MINUTE})
    drop.refresh_from_db()

    assert drop.ends_at == getattr(drop, field)
    assert list(Drop.objects.ended(ago=30 * SECOND)) == [drop]
    assert list(Drop.objects.ended(ago=90 * SECOND)) == []
    assert list(Drop.objects.not_ended()) == []


@pytest.mark.django_db
def test_not_closed_keeps_sold_out_drops() -> None:
    drops = {phase: make_drop(phase=phase) for phase in ("draft", "live", "sold out", "closed", "cancelled")}
    make_drop(phase="live", closes_at=datetime.now(UTC) - SECOND)

    assert set(Drop.objects.not_closed()) == {drops["live"], drops["sold out"]}
