"""The heartbeat of pre-scaling, watched from another process."""

from typing import Any

import pytest
from pytest_django import Settings

from drops.scaling.control import heartbeat, tick
from drops.scaling.models import Heartbeat
from shop.core.models import Alert
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import make_step, make_target

pytestmark = pytest.mark.django_db


def test_alert_if_overdue_alerts_when_ticks_have_stopped(cloud: Any, settings: Settings) -> None:
    make_step(target=make_target(cloud))
    assert heartbeat.alert_if_overdue() is False  # no tick has ever run: pre-scaling is not in use
    tick.run_once(actor="beat")
    assert heartbeat.alert_if_overdue() is False

    pass_time(heartbeat.MAX_MISSED_TICKS * settings.SCALING_TICK_SECONDS + 1)
    assert heartbeat.alert_if_overdue() is True
    assert Alert.objects.open().get().subject == "heartbeat"

    tick.run_once(actor="command")
    assert (Alert.objects.open().count(), Heartbeat.objects.get().actor) == (0, "command")


def test_alert_if_overdue_does_not_alert_while_there_is_no_work(settings: Settings) -> None:
    tick.run_once(actor="beat")
    pass_time(heartbeat.MAX_MISSED_TICKS * settings.SCALING_TICK_SECONDS + 1)

    assert heartbeat.alert_if_overdue() is False
