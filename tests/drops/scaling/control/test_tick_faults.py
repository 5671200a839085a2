"""Ticks after a crash, a fault, or somebody else's change: nothing is assumed, nothing is done twice."""

import pytest
from django.utils import timezone

from drops.scaling.control import pausing, tick
from drops.scaling.models import Call, Heartbeat, Target
from shop.core.models import Alert
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Cloud, Crash, make_step, make_target
from tests.drops.scaling.ticks import close, state, ticks
from tests.factories import make_drop

pytestmark = pytest.mark.django_db
HOUR = 3600


@pytest.mark.parametrize("when", ["before", "after"])
def test_tick_after_a_crash_recognises_its_own_change(cloud: Cloud, when: str) -> None:
    target = make_target(cloud)
    step = make_step(target=target)
    cloud.crash = when

    with pytest.raises(Crash):
        tick.run_once(actor="test")
    tick.run_once(actor="test")
    assert state(step) == "requested"  # the dead tick's lock has not expired

    pass_time(61)
    ticks(cloud, 3)

    assert (state(step), len(cloud.effects), Alert.objects.count()) == ("ready", 1, 0)
    assert len({key for _name, _size, key in cloud.applied}) == 1


def test_tick_stops_what_somebody_else_changed(cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    step = make_step(target=target, desired_size=6)
    ticks(cloud, 2)
    cloud.fleets[target.name].wanted = 4

    tick.run_once(actor="test")
    asked = len(cloud.applied)
    close(step.drop)
    ticks(cloud)

    target.refresh_from_db()
    assert (target.stopped_at is not None, state(step), len(cloud.applied)) == (True, "releasing", asked)
    assert cloud.fleets[target.name].wanted == 4
    alert = Alert.objects.get()
    assert alert.subject == f"target:{target.pk} drift"
    assert alert.message == (
        f"{target.name}: somebody else changed it to 4 instances while pre-scaling had applied 6 instances. "
        "Pre-scaling leaves it alone. On its page, resume it, restore it, or leave it as it is."
    )


@pytest.mark.parametrize(
    ("quiet", "said"),
    [
        ({"paused": True}, "Pre-scaling is paused."),
        ({"stopped": True}, "Somebody changed it."),
        ({"enabled": False}, "Its target is disabled."),
    ],
)
def test_step_shows_why_nothing_is_applied(cloud: Cloud, quiet: dict[str, bool], said: str) -> None:
    target = make_target(cloud, size=2, enabled=quiet.get("enabled", True))
    step = make_step(target=target, desired_size=6)
    if quiet.get("paused"):
        pausing.pause(actor=None, reason="a new balancer")
    if quiet.get("stopped"):
        Target.objects.update(stopped_at=timezone.now(), stopped_reason=said)
    ticks(cloud, 2)

    step.refresh_from_db()
    assert (step.state, step.message, cloud.fleets[target.name].wanted) == ("planned", said, 2)


def test_step_is_degraded_at_the_go_and_ready_after_all(cloud: Cloud) -> None:
    target = make_target(cloud)
    step = make_step(target=target)
    cloud.faults[target.name] = "lie"
    tick.run_once(actor="test")
    pass_time(HOUR * 0.9)  # the go / no-go was
    tick.run_once(actor="test")
    assert state(step) == "degraded"

    cloud.faults.clear()
    ticks(cloud, 3)
    assert state(step) == "ready"


def test_tick_backs_off_and_alerts_of_a_refusal(cloud: Cloud) -> None:
    target = make_target(cloud)
    step = make_step(target=target)
    cloud.quota = 4

    waits = []
    for _ in range(8):
        tick.run_once(actor="test")
        target.refresh_from_db()
        ticked_at = Heartbeat.objects.get().ticked_at
        assert target.retry_at is not None
        assert ticked_at is not None
        waits.append(round((target.retry_at - ticked_at).total_seconds()))
        pass_time(waits[-1])

    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    assert (state(step), step.message) == ("requested", "The quota is used up. Ask for more.")
    assert Alert.objects.get().message.startswith(f"{target.name}: The quota is used up. Ask for more.")

    cloud.quota = 100
    pass_time(300)
    ticks(cloud, 2)
    assert (state(step), Alert.objects.open().count()) == ("ready", 0)


@pytest.mark.parametrize("fault", ["throttle", "error", "garbage", "hang", "lost"])
def test_tick_concludes_nothing_from_a_call_that_failed(cloud: Cloud, fault: str) -> None:
    target = make_target(cloud)
    step = make_step(target=target)
    cloud.faults[target.name] = fault

    tick.run_once(actor="test")
    assert state(step) in {"planned", "requested"}

    cloud.faults.clear()
    pass_time(HOUR / 60)
    ticks(cloud, 3)
    assert (state(step), len(cloud.effects)) == ("ready", 1)


def test_tick_keeps_the_last_verified_size_during_a_drop_and_alerts(cloud: Cloud) -> None:
    target = make_target(cloud)
    make_step(target=target, drop=make_drop(phase="live"))
    ticks(cloud)
    cloud.faults[target.name] = "error"

    tick.run_once(actor="test")

    target.refresh_from_db()
    assert target.ready_size == 6
    assert Alert.objects.open().get().subject == f"target:{target.pk} fault"


def test_tick_recognises_a_late_effect_as_its_own(cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    step = make_step(target=target, desired_size=6)
    cloud.faults[target.name] = "late"
    tick.run_once(actor="test")
    cloud.faults[target.name] = "error"
    tick.run_once(actor="test")
    close(step.drop)
    del cloud.faults[target.name]
    cloud.converge()  # the first call has its effect now

    pass_time(60)
    ticks(cloud)

    assert (state(step), cloud.fleets[target.name].wanted, Alert.objects.count()) == ("restored", 2, 0)


def test_tick_reaches_other_targets_while_one_is_broken(cloud: Cloud) -> None:
    broken, sound = make_target(cloud), make_target(cloud)
    make_step(target=broken)
    step = make_step(target=sound)
    del broken.locator["name"]
    broken.save()

    with pytest.raises(KeyError):
        tick.run_once(actor="test")
    ticks(cloud, 3)

    assert state(step) == "ready"


def test_tick_reads_targets_that_answer_first(cloud: Cloud) -> None:
    silent, sound = make_target(cloud), make_target(cloud)
    for target in (silent, sound):
        make_step(target=target)
    cloud.faults[silent.name] = "error"
    tick.run_once(actor="test")
    pass_time(HOUR / 60)

    tick.run_once(actor="test")

    calls = Call.objects.order_by("-pk").values_list("target", flat=True)
    assert calls[0] == silent.pk
    assert sound.pk in calls[1:4]
