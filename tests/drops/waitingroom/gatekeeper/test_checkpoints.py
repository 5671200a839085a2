"""The leader's statements: their changes, and their refusals."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from drops import shuffle_keys
from drops.models import Checkpoint, Drop
from drops.waitingroom.gatekeeper import checkpoints, leader
from tests.factories import make_drop

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture
def term() -> int:
    return leader.acquire(holder="a")


def sealed(drop: Drop) -> int | None:
    return Drop.objects.values_list("sealed", flat=True).get(pk=drop.pk)


def test_sealing_commits_the_size_once(term: int) -> None:
    drop = make_drop(phase="opening")

    assert checkpoints.seal(term=term, drop=drop, n=7, secret=shuffle_keys.secret_of(drop)) is True
    assert (drop.sealed, drop.sealed_at is not None) == (7, True)
    assert checkpoints.seal(term=term, drop=drop, n=8, secret=shuffle_keys.secret_of(drop)) is False
    assert sealed(drop) == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"opens_at": timezone.now() + timedelta(hours=1)},
        {"closed_at": timezone.now()},
        {"cancelled_at": timezone.now()},
        {"closes_at": timezone.now() - SECOND, "opens_at": timezone.now() - 2 * SECOND},
    ],
)
def test_nothing_is_sealed_before_its_time_or_after_its_end(term: int, fields: dict[str, Any]) -> None:
    drop = make_drop(phase="opening")
    Drop.objects.update(**fields)

    assert checkpoints.seal(term=term, drop=drop, n=7, secret=shuffle_keys.secret_of(drop)) is False
    assert sealed(drop) is None


def test_an_older_term_commits_nothing(term: int) -> None:
    drop = make_drop(phase="live")
    row = Checkpoint.objects.get()
    row.tick = 5

    with pytest.raises(leader.LeadershipLost):
        checkpoints.commit(term=term - 1, checkpoints=[row])
    drop = make_drop(phase="opening")
    assert checkpoints.seal(term=term - 1, drop=drop, n=7, secret=shuffle_keys.secret_of(drop)) is False

    assert Checkpoint.objects.get(drop=drop).tick == 0


def test_cursor_and_limit_never_go_back(term: int) -> None:
    make_drop(phase="live")
    Checkpoint.objects.update(cursor=50, counter_limit=2000, allowance=60)
    row = Checkpoint.objects.get()
    row.cursor, row.counter_limit, row.allowance = 40, 1900, 55

    checkpoints.commit(term=term, checkpoints=[row])

    assert Checkpoint.objects.values_list("cursor", "counter_limit", "allowance").get() == (50, 2000, 55)


def test_a_drop_is_marked_as_sold_out_only_while_nothing_is_left() -> None:
    drop, left = make_drop(phase="sold out"), make_drop(phase="live")
    Drop.objects.update(sold_out_at=None)

    checkpoints.mark_sold_out(drop=drop)
    checkpoints.mark_sold_out(drop=left)

    assert list(Drop.objects.filter(sold_out_at__isnull=False)) == [drop]


def test_the_mark_is_cleared_only_when_something_came_back() -> None:
    drop, left = make_drop(phase="sold out"), make_drop(phase="live")
    Drop.objects.update(sold_out_at=timezone.now())

    checkpoints.clear_sold_out(drop=drop)
    checkpoints.clear_sold_out(drop=left)

    assert list(Drop.objects.filter(sold_out_at=None)) == [left]
