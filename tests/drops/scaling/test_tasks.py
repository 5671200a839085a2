"""The periodic tasks of pre-scaling, and the watchdog of beat."""

from threading import Event, Thread

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from drops.scaling import tasks
from drops.scaling.control import watchdog
from drops.scaling.models import Heartbeat, Step
from shop.core import redis_servers
from shop.core.models import Alert, Email
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Cloud, make_step, make_target

pytestmark = pytest.mark.django_db


def test_tick_does_what_is_due_as_beat(cloud: Cloud) -> None:
    make_step(target=make_target(cloud))

    assert tasks.tick(of_an="older sender") == 3
    assert (Step.objects.get().state, Heartbeat.objects.get().actor) == ("converging", "beat")


def test_every_task_does_nothing_where_nothing_is(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    assert tasks.tick() == 0  # the first one makes the heartbeat's row
    with django_assert_max_num_queries(2):
        assert tasks.tick() == 0
    with django_assert_max_num_queries(3):
        assert tasks.measure() == 0


@pytest.mark.usefixtures("transactional_db")
def test_check_alerts_ops_that_ticks_have_stopped(cloud: Cloud, settings: Settings) -> None:
    settings.OPS_MAIL = "ops@shop.example"
    make_step(target=make_target(cloud))
    tasks.tick()
    assert watchdog.check(redis_servers.Watch()) is False

    pass_time(1000)
    assert watchdog.check(redis_servers.Watch()) is True

    assert Alert.objects.get().subject == "heartbeat"
    assert Email.objects.get().sent_at is not None


@pytest.mark.usefixtures("transactional_db")
def test_run_ends_when_it_is_stopped() -> None:
    stop = Event()
    stop.set()
    thread = Thread(target=watchdog.run, args=[stop], daemon=True)

    thread.start()

    thread.join(timeout=30)
    assert not thread.is_alive()


@pytest.mark.usefixtures("transactional_db")
def test_run_goes_on_after_a_check_that_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop, checks = Event(), []

    def broken(_servers: redis_servers.Watch) -> bool:
        checks.append(1)
        if len(checks) == 3:
            stop.set()
        raise ZeroDivisionError

    monkeypatch.setattr(watchdog, "check", broken)
    watchdog.run(stop, every_seconds=0.01)

    assert len(checks) == 3
    assert {record.getMessage() for record in caplog.records} == {
        "A check of the watchdog failed; the next one follows in 0.01 s"
    }
