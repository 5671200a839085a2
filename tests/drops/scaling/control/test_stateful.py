"""In any order of ticks, crashes, overlaps, faults and postponed drops, every target ends at its baseline.

The state machine does to pre-scaling what may happen to it, and checks the rules after each tick. In the
control one rule is removed: the desired state is committed before the call.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
    run_state_machine_as_test,
)

from drops import lifecycle
from drops.models import Drop, Unit
from drops.scaling.control import heartbeat, pausing, scale_plans, steps, target_actions, tick
from drops.scaling.models import Step, Target
from drops.scaling.planning.planner import PlanLine
from drops.scaling.providers import PROVIDERS
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Crash, Effect, StandIn, make_target, served
from tests.factories import make_drop

# What it runs, other tests run too: measuring it again would only take longer.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]
HOUR = timedelta(hours=1)
NAMES = ("store", "fleet", "workers")
WANTED = st.lists(st.integers(1, 9), min_size=3, max_size=3)
FAULTS = ("refuse", "throttle", "error", "garbage", "lost", "lie", "late")


class Prescaling(RuleBasedStateMachine):
    """What may happen, and what must hold whatever happens."""

    drops = Bundle("drops")
    careless = False

    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.serving = served()
        self.cloud = self.serving.__enter__()
        PROVIDERS["stand-in"] = StandIn
        for tier, name in enumerate(NAMES):
            make_target(self.cloud, name=name, size=2 + tier)
        self.baseline = {name: self.cloud.fleets[name].wanted for name in NAMES}
        self.drifted: set[str] = set()

    @initialize(target=drops, wanted=WANTED, lobby=st.integers(1, 3))
    def prepare_first(self, wanted: list[int], lobby: int) -> Any:
        return self.prepare(wanted, lobby)

    @rule(target=drops, wanted=WANTED, lobby=st.integers(1, 3))
    def prepare(self, wanted: list[int], lobby: int) -> Drop:
        drop = make_drop(
            lobby_opens_at=timezone.now() + lobby * HOUR, opens_at=timezone.now() + (lobby + 1) * HOUR
        )
        scale_plans.sync_steps(drop=drop, lines=lines(drop, wanted), now=heartbeat.database_now())
        return drop

    @rule(drop=drops, wanted=WANTED, hours=st.integers(-2, 30))
    def move(self, drop: Drop, wanted: list[int], hours: int) -> None:
        """The drop is postponed, and other sizes are needed: it is planned again."""
        drop.refresh_from_db()
        assert drop.lobby_opens_at is not None
        assert drop.opens_at is not None
        Drop.objects.filter(pk=drop.pk).update(
            lobby_opens_at=drop.lobby_opens_at + hours * HOUR, opens_at=drop.opens_at + hours * HOUR
        )
        drop.refresh_from_db()
        if not is_over(drop):
            scale_plans.sync_steps(drop=drop, lines=lines(drop, wanted), now=heartbeat.database_now())

    @rule(drop=consumes(drops), how=st.sampled_from(["closed_at", "cancelled_at", "sold out"]))
    def end(self, drop: Drop, how: str) -> None:
        drops = Drop.objects.filter(pk=drop.pk)
        if how == "sold out":
            drops.update(sealed=1, sealed_at=timezone.now())
            Unit.objects.filter(edition__drop=drop).update(
                withheld_at=timezone.now(), withheld_reason="sample"
            )
        else:
            drops.update(**{how: timezone.now()})

    @rule(crash=st.sampled_from(["", "", "before", "after"]))
    def tick(self, crash: str = "") -> None:
        self.cloud.crash = crash
        before = {target.name: target.desired_size for target in Target.objects.all()}
        effects = len(self.cloud.effects)
        try:
            if self.careless:  # the call is made before its effect is committed: a crash forgets it
                with transaction.atomic():
                    tick.run_once(actor="test")
            else:
                tick.run_once(actor="test")
        except Crash:
            pass
        self.cloud.crash = ""
        self.check(before, self.cloud.effects[effects:])

    @rule(when=st.sampled_from(["before", "after"]))
    def crash(self, when: str) -> None:
        """The process dies around its first call."""
        self.tick(when)

    def check(self, before: dict[str, int | None], effects: list[Effect]) -> None:
        holding = set(Step.objects.filter(state="holding").values_list("target__name", flat=True))
        for target in Target.objects.all():
            asked, was = target.desired_size, before[target.name]
            assert not (target.name in holding and was and asked and asked < was), (
                "a desired size fell during a drop"
            )
        for effect in effects:
            assert effect.after >= self.baseline[effect.name], "it went below its baseline"
        once = Counter(effect.key for effect in self.cloud.effects if effect.name not in self.drifted)
        assert not [key for key, times in once.items() if times > 1 and key != "late"], (
            "one call had two effects"
        )

    @rule(steps=st.integers(1, 9))
    def go_on(self, steps: int) -> None:
        self.cloud.converge(steps)

    @rule(seconds=st.sampled_from([15, 61, 600, 3600]), times=st.integers(1, 3))
    def ticks(self, seconds: int, times: int) -> None:
        for _ in range(times):
            pass_time(seconds)
            self.tick()
            self.cloud.converge()

    @rule(name=st.sampled_from(NAMES), fault=st.sampled_from(["", *FAULTS]))
    def fault(self, name: str, fault: str) -> None:
        self.cloud.faults[name] = fault

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        pausing.pause(actor=None, reason="why not") if paused else pausing.resume(actor=None)

    @rule(name=st.sampled_from(NAMES), size=st.integers(10, 20))
    def interfere(self, name: str, size: int) -> None:
        """Somebody else changes a target: before a lease, it is the new baseline; during one, it is drift."""
        if self.cloud.fleets[name].coming:
            return
        self.cloud.fleets[name].wanted = size
        self.drifted.add(name)
        if Target.objects.get(name=name).baseline is None:
            self.baseline[name] = size

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            del PROVIDERS["stand-in"]
            self.serving.__exit__()
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    def finish(self) -> None:
        """All faults and drops end, and ops restore what drifted: then every target is at its baseline."""
        self.cloud.faults.clear()
        pausing.resume(actor=None)
        Drop.objects.filter(closed_at=None).update(closed_at=timezone.now())
        for _ in range(40):
            pass_time(400)
            self.tick()
            self.cloud.converge()
            for target in Target.objects.exclude(stopped_at=None):
                target_actions.restore_now(target=target, actor=None)
            if not steps.live().exists() and not Target.objects.filter(baseline__isnull=False).exists():
                break
        assert {name: self.cloud.fleets[name].wanted for name in NAMES} == self.baseline
        assert set(Step.objects.values_list("state", flat=True)) <= {"restored", "abandoned"}
        assert set(Target.objects.values_list("baseline", "desired", "previous")) == {(None, None, None)}


class CommittedLate(Prescaling):
    """Control: the desired state is committed after the call."""

    careless = True


def lines(drop: Drop, wanted: list[int]) -> list[PlanLine]:
    assert drop.lobby_opens_at is not None
    needed_at = drop.lobby_opens_at - timedelta(seconds=django_settings.SCALING_GO_SECONDS)
    return [
        PlanLine(
            target_id=target.pk, target=target.name, unit="instances", desired_size=size, allowed_size=size,
            current_size=2,
            tier=NAMES.index(target.name), starts_at=needed_at - HOUR, needed_at=needed_at, needs_approval=False,
            reasons=(), price=None,
        )
        for target, size in zip(Target.objects.order_by("pk"), wanted, strict=True)
    ]  # fmt: skip


def is_over(drop: Drop) -> bool:
    return (
        lifecycle.phase(drop=Drop.objects.with_state().get(pk=drop.pk), now=timezone.now())
        in lifecycle.ENDED_PHASES
    )


def run(machine: type[Prescaling], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_every_target_ends_at_its_baseline() -> None:
    run(Prescaling, 12)


def crash_at_call(machine: Prescaling, calls: int) -> None:
    """Plan a drop; the process dies right after one of the calls that scale its three targets up."""
    try:
        machine.prepare([9, 9, 9], 1)
        machine.ticks(600, calls)
        machine.tick(crash="after")
        machine.ticks(600, 1)
    finally:
        machine.teardown()


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_crash_after_a_call_is_survived(calls: int) -> None:
    crash_at_call(Prescaling(), calls)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_version_that_commits_after_the_call_does_not_survive_it(calls: int) -> None:
    with pytest.raises(AssertionError):
        crash_at_call(CommittedLate(), calls)
