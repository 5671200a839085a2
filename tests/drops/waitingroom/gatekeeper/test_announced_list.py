"""The list of announced drops in Redis."""

from datetime import timedelta

import pytest
from django.utils import timezone

from drops.waitingroom.protocol import keys
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import move
from tests.factories import make_drop


def listed(driven: Driven) -> set[str]:
    found = driven.redis.smembers(keys.ANNOUNCED)
    return {slug.decode() for slug in found if isinstance(slug, bytes)} - {keys.NO_DROP}


@pytest.mark.parametrize("phase", ["announced", "lobby", "live", "paused", "sold out", "closed", "cancelled"])
def test_every_announced_drop_is_listed_and_a_draft_is_not(driven: Driven, phase: str) -> None:
    make_drop(phase="draft")
    drop = make_drop(phase=phase)

    driven.tick()

    assert listed(driven) == {drop.slug}


def test_without_drops_the_list_is_there(driven: Driven) -> None:
    driven.tick()

    assert driven.redis.exists(keys.ANNOUNCED)


def test_an_emptied_redis_has_the_list_again_after_a_tick_that_publishes_nothing(driven: Driven) -> None:
    drop = make_drop()
    driven.tick()
    driven.redis.delete(keys.ANNOUNCED)

    driven.tick(1)

    assert listed(driven) == {drop.slug}


def test_an_ended_drop_stays_listed_as_long_as_its_keys(driven: Driven) -> None:
    drop = make_drop(phase="live")
    driven.tick()
    for minutes, expected in [(11, {drop.slug}), (59, {drop.slug}), (61, set())]:
        move(drop, closed_at=timezone.now() - timedelta(minutes=minutes))
        driven.tick()
        assert listed(driven) == expected
