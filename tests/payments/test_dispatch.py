"""Orders are enqueued at once, or not at all."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dropsite.celery import app
from payments import dispatch
from payments.models import Order

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def broker() -> Iterator[Callable[[str], None]]:
    """Call it with an address to use a different broker in the test."""
    own = app.conf.broker_url

    def use(url: str) -> None:
        app.conf.update(broker_url=url)

    yield use
    app.conf.update(broker_url=own)
    dispatch.Broker.at.cache_clear()


def waiting(queue: str) -> list[dict[str, int]]:
    with app.connection_for_read("memory://") as connection:
        channel: Any = connection.channel()  # of the memory transport, which the stubs don't know
        found = []
        while message := channel.basic_get(queue, no_ack=True):
            found.append(channel.message_to_python(message).payload[1])
    return found


@pytest.mark.parametrize(
    ("act", "queue"), [(dispatch.enqueue_confirm, "checkout"), (dispatch.enqueue_advance, "capture")]
)
def test_enqueue_publishes_the_order_to_its_queue(broker: Any, act: Any, queue: str) -> None:
    broker("memory://")
    waiting(queue)

    act(order=Order(pk=7, number="7KQ2-9XMD"))

    assert waiting(queue) == [{"order_id": 7}]


def test_enqueue_leaves_an_unreachable_broker_alone(broker: Any, caplog: pytest.LogCaptureFixture) -> None:
    broker(NOWHERE)

    for _ in range(3):
        dispatch.enqueue_confirm(order=Order(pk=7, number="7KQ2-9XMD"))

    assert [record.message.split(":")[0] for record in caplog.records] == [
        "order 7KQ2-9XMD waits for a sweep, because the broker is unreachable"
    ]


def test_enqueue_tries_the_broker_again_after_a_while(
    broker: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.0)
    broker(NOWHERE)

    for _ in range(3):
        dispatch.enqueue_confirm(order=Order(pk=7, number="7KQ2-9XMD"))

    assert len(caplog.records) == 3
