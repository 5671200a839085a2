"""Beats at once, one that dies, one that sleeps: a size is applied once, and the baseline stays right."""

from datetime import timedelta
from threading import Barrier, Event

import pytest
from django.utils import timezone

from drops.scaling.control import reconcile, target_actions, target_lock, tick
from drops.scaling.models import Step, Target
from tests.conftest import Race
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import TIMEOUT_SECONDS, Cloud, Crash, make_step, make_target

pytestmark = pytest.mark.ops

BEATS = 4


def test_four_beats_at_once_apply_once(race: Race, cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    make_step(target=target, desired_size=6)

    race(BEATS, lambda _i: tick.run_once(actor="beat"))

    target.refresh_from_db()
    assert ([size for _name, size, _key in cloud.applied], target.baseline) == ([6], {"wanted": 2})
    assert Step.objects.get().state == "converging"


def test_four_beats_at_once_apply_four_times_without_the_lock(
    race: Race, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_target(cloud, size=2)
    make_step(target=target, desired_size=6)
    cloud.meeting = Barrier(BEATS)
    # A lock that nobody holds, every beat uses and none renews.
    monkeypatch.setattr(target_lock, "renew", lambda **_: None)
    Target.objects.update(locked_until=timezone.now() + timedelta(seconds=60))
    target.refresh_from_db()

    race(BEATS, lambda _i: reconcile.run(target=target, actor="beat", now=timezone.now(), paused=False))

    assert len(cloud.applied) == BEATS


def test_a_beat_whose_lock_expired_applies_nothing(race: Race, cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    make_step(target=target, desired_size=6)
    reached, go_on = Event(), Event()
    cloud.halt = ("GET", reached, go_on)

    def other(_i: int) -> list[str]:
        reached.wait(TIMEOUT_SECONDS)
        pass_time(61)
        lines = tick.run_once(actor="other")
        go_on.set()
        return lines

    slept, _other = race(2, lambda i: other(i) if i else tick.run_once(actor="sleeper"))

    assert slept == [f"{target.name}: another tick took over."]
    assert len(cloud.applied) == 1


def test_a_slow_reading_leaves_time_to_apply_under_the_lock(
    race: Race, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_target(cloud, size=2)
    make_step(target=target, desired_size=6)
    # The first lock has run out by the time that the target was read.
    monkeypatch.setattr(target_lock, "LOCK_TIME", timedelta(0))
    read, reading_over, applying, applying_over = Event(), Event(), Event(), Event()
    cloud.halt = ("GET", read, reading_over)

    def other(_i: int) -> list[str]:
        read.wait(TIMEOUT_SECONDS)
        monkeypatch.setattr(target_lock, "LOCK_TIME", timedelta(seconds=60))
        cloud.halt = ("PUT", applying, applying_over)
        reading_over.set()
        applying.wait(TIMEOUT_SECONDS)
        lines = tick.run_once(actor="other")
        applying_over.set()
        return lines

    _slow, found = race(2, lambda i: other(i) if i else tick.run_once(actor="slow"))

    assert found == [f"{target.name}: another tick is working on it."]
    assert len(cloud.applied) == 1


def test_restoring_while_a_call_is_under_way_ends_at_the_baseline(race: Race, cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    step = make_step(target=target, desired_size=6)
    reached, go_on = Event(), Event()
    cloud.halt = ("PUT", reached, go_on)

    def ops(_i: int) -> None:
        reached.wait(TIMEOUT_SECONDS)
        target_actions.restore_now(target=target, actor=None)
        go_on.set()

    race(2, lambda i: ops(i) if i else tick.run_once(actor="beat"))
    for _ in range(3):
        tick.run_once(actor="beat")
        cloud.converge()

    step.refresh_from_db()
    target.refresh_from_db()
    assert (step.state, cloud.fleets[target.name].wanted, target.baseline) == ("restored", 2, None)


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_beat_that_died_at_its_call_is_continued(cloud: Cloud, when: str) -> None:
    target = make_target(cloud, size=2)
    step = make_step(target=target, desired_size=6)
    cloud.crash = when

    with pytest.raises(Crash):
        tick.run_once(actor="beat")
    target.refresh_from_db()
    assert (target.desired, target.baseline) == ({"wanted": 6}, {"wanted": 2})

    pass_time(61)
    for _ in range(3):
        tick.run_once(actor="beat")
        cloud.converge()

    step.refresh_from_db()
    assert (step.state, len(cloud.effects)) == ("ready", 1)
