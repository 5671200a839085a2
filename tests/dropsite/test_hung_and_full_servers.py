"""A broker that hangs, and Redis servers that are full: requests don't wait, and ops hear of it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.test import Client
from pytest_django import Settings

from drops.scaling.control import watchdog
from dropsite.celery import app
from payments import dispatch
from payments.models import Order
from shop.core import redis_servers
from shop.core.models import Alert
from tests.drops.waitingroom.protocol.servers import RedisServer
from tests.servers import until

THREADS = 4  # of a web process
ORDERS = 40
# Far below the ten seconds that a worker's connection may wait, far above what a busy machine needs.
MOST_SECONDS = 4.0
TEXTS = {
    "fill": "Redis refuses writes (OutOfMemoryError).",
    "hang": "Redis doesn't answer (TimeoutError).",
    "kill": "Redis doesn't answer (ConnectionError).",
}


@pytest.fixture
def server(server_lane: None, tmp_path: Path) -> Iterator[RedisServer]:
    started = RedisServer(tmp_path, durable=False)
    yield started
    started.go_on()
    started.end()
    redis_servers.client.cache_clear()


@pytest.fixture
def broker(server: RedisServer) -> Iterator[RedisServer]:
    """A real broker, for this process."""
    own = app.conf.broker_url
    app.conf.update(broker_url=server.url)
    dispatch.preload()
    yield server
    app.conf.update(broker_url=own)
    dispatch.Broker.at.cache_clear()


def enqueue_many(count: int) -> float:
    """Enqueue orders as the threads of a web process do; return the seconds that it took."""
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        orders = [Order(pk=number, number=str(number)) for number in range(count)]
        list(threads.map(lambda order: dispatch.enqueue_confirm(order=order), orders))
    return time.monotonic() - began


def ready() -> Any:
    return Client().get("/healthz/ready")


class TestBroker:
    """Enqueueing, while the broker is in a bad way."""

    @pytest.mark.parametrize("known", [False, True], ids=["first call", "connections open"])
    @pytest.mark.parametrize("fault", ["hang", "kill", "fill"])
    def test_slows_nobody(self, broker: RedisServer, fault: str, known: bool) -> None:
        if known:
            enqueue_many(ORDERS)
        getattr(broker, fault)()

        assert enqueue_many(ORDERS) < MOST_SECONDS
        if fault == "kill":
            broker.start()

    def test_is_used_again_once_it_answers(
        self, broker: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.1)
        enqueue_many(1)
        broker.hang()
        enqueue_many(1)
        broker.go_on()

        def is_enqueued() -> bool:
            enqueue_many(1)
            return broker.redis.llen("checkout") >= 2

        until(is_enqueued, "the broker")

    def test_takes_every_order_while_it_works(self, broker: RedisServer) -> None:
        enqueue_many(ORDERS)

        assert broker.redis.llen("checkout") == ORDERS

    def test_is_tried_by_one_caller_at_a_time_while_it_hangs(
        self, broker: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        enqueue_many(1)
        broker.hang()
        enqueue_many(1)
        at = dispatch.Broker.at(current_app.conf.broker_url)
        at.retry_at = time.monotonic()  # a while has passed
        with ThreadPoolExecutor(8) as threads:
            tries = list(threads.map(lambda _: at.may_try(), range(8)))

        assert tries.count(True) == 1

    def test_careless_enqueueing_waits(self, broker: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """The control: the time-out that suits workers, and no memory of a failure."""
        monkeypatch.setattr(dispatch, "TRANSPORT_OPTIONS", {"socket_timeout": 1.0, "max_retries": 1})
        monkeypatch.setattr(dispatch, "RETRY_SECONDS", -1.0)
        dispatch.Broker.at.cache_clear()
        broker.hang()

        assert enqueue_many(2 * THREADS) > MOST_SECONDS


@pytest.mark.django_db
class TestReadiness:
    """What says "ready" has written something."""

    @pytest.mark.parametrize(("setting", "name"), [("LINE_REDIS_URL", "line"), ("BROKER_URL", "broker")])
    @pytest.mark.parametrize("fault", ["fill", "hang", "kill"])
    def test_names_the_server(
        self, settings: Settings, server: RedisServer, setting: str, name: str, fault: str
    ) -> None:
        setattr(settings, setting, server.url)
        assert name not in ready().json()["faults"]
        getattr(server, fault)()
        began = time.monotonic()

        answer = ready()

        assert time.monotonic() - began < MOST_SECONDS
        assert answer.status_code == 503
        assert answer.json()["faults"][name] == TEXTS[fault]
        if fault == "kill":
            server.start()

    def test_is_back_when_there_is_room(
        self, client: Client, settings: Settings, server: RedisServer
    ) -> None:
        settings.LINE_REDIS_URL = server.url
        server.fill()
        assert "line" in ready().json()["faults"]

        server.empty()

        assert "line" not in ready().json()["faults"]


@pytest.mark.usefixtures("transactional_db")
class TestAlert:
    """The gatekeeper's process tells ops, since workers without a broker can't."""

    @pytest.mark.parametrize("setting", ["LINE_REDIS_URL", "BROKER_URL"])
    @pytest.mark.parametrize("fault", ["fill", "hang"])
    def test_follows_the_server(
        self, settings: Settings, server: RedisServer, setting: str, fault: str
    ) -> None:
        setattr(settings, setting, server.url)
        servers = redis_servers.Watch()
        watchdog.check(servers)
        assert not Alert.objects.open().exists()
        getattr(server, fault)()

        watchdog.check(servers)
        watchdog.check(servers)
        assert [alert.subject for alert in Alert.objects.open()] == [f"redis:{setting}"]

        server.go_on()
        server.empty()
        watchdog.check(servers)
        assert not Alert.objects.open().exists()
