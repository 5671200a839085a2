"""Hand an order to a worker now. It is a kindness: behind each task stands a sweep that finds the row a little later.

So with the broker away nobody waits for it here: one try, and then none for a while, on a connection of its own.
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

PATIENCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "socket_connect_timeout": 1}
REST = 5.0  # seconds in which the broker is not asked after it was found away


def enqueue_confirm(*, order: Order) -> None:
    """Have the queue checkout ask the bank for the order's money."""
    hand_on(tasks.send, order)


def enqueue_advance(*, order: Order) -> None:
    """Have the queue capture look at an order that stands still."""
    hand_on(tasks.settle, order)


def load() -> None:
    """Import what publishing needs, which takes a second, before a shopper waits for it."""
    Broker.at(current_app.conf.broker_url).connection.get_transport_cls()


def hand_on(task: Task[..., Any], order: Order) -> None:
    """Publish the task for the order, if the broker takes it at once."""
    broker = Broker.at(current_app.conf.broker_url)
    if broker.rests_until > time.monotonic():
        return
    try:
        with producers[broker.connection].acquire(block=True, timeout=1) as producer:
            task.apply_async(kwargs={"order_id": order.pk}, expires=tasks.SHORT, producer=producer, retry=False)
    except OperationalError as away:
        broker.rests_until = time.monotonic() + REST
        log.warning("order %s waits for the sweep, the broker is away: %s", order, away)


class Broker:
    """The broker at one address, as this process last found it."""

    def __init__(self, url: str) -> None:
        self.connection: Connection = current_app.connection_for_write(url, transport_options=PATIENCE)
        self.rests_until = 0.0

    @staticmethod
    @cache
    def at(url: str) -> "Broker":
        """Give the one object for the address."""
        return Broker(url)
