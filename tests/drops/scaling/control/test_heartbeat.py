"""The heartbeat of pre-scaling, watched from another process."""

from typing import Any

import pytest

from drops.scaling.control import heartbeat
from drops.scaling.control.tick import tick
from drops.scaling.models import Heartbeat
from shop.core.models import Alert
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import make_step, make_target

pytestmark = pytest.mark.django_db


def test_watch_alerts_when_ticks_have_stopped(cloud: Any, settings: Any) -> None:
    make_step(target=make_target(cloud))
    assert heartbeat.watch() is False  # it never ticked: it is not used
    tick(who="beat")
    assert heartbeat.watch() is False

    pass_time(heartbeat.MISSED * settings.SCALING_TICK_SECONDS + 1)
    assert heartbeat.watch() is True
    assert Alert.objects.open().get().subject == "pulse"

    tick(who="command")
    assert (Alert.objects.open().count(), Heartbeat.objects.get().who) == (0, "command")


def test_watch_says_nothing_while_nothing_is_to_be_scaled(settings: Any) -> None:
    tick(who="beat")
    pass_time(heartbeat.MISSED * settings.SCALING_TICK_SECONDS + 1)

    assert heartbeat.watch() is False
