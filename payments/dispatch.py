"""Enqueueing an order for a worker at once.

Best effort: a periodic sweep picks up anything that the broker loses.

So nobody waits for a broker that is down: each process tries once, on a connection of its own, and then
leaves the broker alone for a while.
"""

import logging
import time
from functools import cache
from typing import Any

from celery import Task, current_app
from kombu import Connection
from kombu.exceptions import OperationalError
from kombu.pools import producers

from payments import tasks
from payments.models import Order

log = logging.getLogger(__name__)

TRANSPORT_OPTIONS = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "socket_connect_timeout": 1}
RETRY_SECONDS = 5.0  # how long a broker that was down is left alone


def enqueue_confirm(*, order: Order) -> None:
    """Enqueue the order for the queue `checkout`, whose workers ask the bank for the money."""
    publish(tasks.confirm_order, order)


def enqueue_advance(*, order: Order) -> None:
    """Enqueue an order that has stalled for the queue `capture`, whose workers advance it."""
    publish(tasks.advance_order, order)


def preload() -> None:
    """Import what publishing needs, which takes a second, before a shopper waits for it."""
    Broker.at(current_app.conf.broker_url).connection.get_transport_cls()


def publish(task: Task[..., Any], order: Order) -> None:
    """Publish the task for the order, if the broker takes it at once."""
    broker = Broker.at(current_app.conf.broker_url)
    if broker.retry_at > time.monotonic():
        return
    try:
        with producers[broker.connection].acquire(block=True, timeout=1) as producer:
            task.apply_async(kwargs={"order_id": order.pk}, producer=producer, retry=False)
    except OperationalError as error:
        broker.retry_at = time.monotonic() + RETRY_SECONDS
        log.warning("order %s waits for a sweep, because the broker is unreachable: %s", order, error)


class Broker:
    """The broker at one address, and when this process may try it again."""

    def __init__(self, url: str) -> None:
        options = TRANSPORT_OPTIONS
        self.connection: Connection = current_app.connection_for_write(url, transport_options=options)
        self.retry_at = 0.0

    @staticmethod
    @cache
    def at(url: str) -> "Broker":
        """Return this process's one object for the address."""
        return Broker(url)
