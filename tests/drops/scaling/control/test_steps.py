"""The transitions of a step: by drop and clock, and guarded."""

from datetime import timedelta

import pytest
from django.utils import timezone

from drops.lifecycle import Phase
from drops.scaling.control import steps
from drops.scaling.models import Step
from tests.drops.scaling.cloud import Cloud, make_step, make_target

pytestmark = pytest.mark.django_db
State = Step.State


@pytest.mark.parametrize(
    ("state", "phase", "seconds", "to"),
    [
        ("planned", Phase.ANNOUNCED, (60, 30), None),
        ("planned", Phase.LOBBY, (-60, -90), None),
        ("planned", Phase.CANCELLED, (60, 30), "abandoned"),
        ("requested", Phase.ANNOUNCED, (60, 30), None),
        ("requested", Phase.ANNOUNCED, (60, 0), "degraded"),
        ("converging", Phase.ANNOUNCED, (60, 0), "degraded"),
        ("converging", Phase.CLOSED, (60, 30), "releasing"),
        ("ready", Phase.ANNOUNCED, (60, 0), None),
        ("ready", Phase.LOBBY, (0, -30), "holding"),
        ("degraded", Phase.LOBBY, (0, -30), "holding"),
        ("holding", Phase.LIVE, (-60, -90), None),
        ("holding", Phase.PAUSED, (-60, -90), None),
        ("holding", Phase.SOLD_OUT, (-60, -90), "releasing"),
        ("releasing", Phase.SOLD_OUT, (-60, -90), None),
        ("restored", Phase.CLOSED, (-60, -90), None),
        ("abandoned", Phase.CLOSED, (-60, -90), None),
    ],
)
def test_next_state_follows_the_drop_and_the_clock(
    cloud: Cloud, state: str, phase: Phase, seconds: tuple[int, int], to: str | None
) -> None:
    now, (lobby, needed) = timezone.now(), seconds
    step = make_step(target=make_target(cloud))
    step.state, step.needed_at = state, now + timedelta(seconds=needed)
    step.drop.lobby_opens_at = now + timedelta(seconds=lobby)

    assert steps.next_state(step=step, phase=phase, now=now) == to


def test_move_does_nothing_to_a_step_that_moved_since_it_was_read(cloud: Cloud) -> None:
    step = make_step(target=make_target(cloud))
    again = Step.objects.get()
    assert steps.move(step=step, to=State.ABANDONED) is True

    assert steps.move(step=again, to=State.REQUESTED) is False
    assert Step.objects.get().state == "abandoned"
