"""Enqueueing an order for a worker at once.

Best effort: a periodic sweep picks up anything that the broker loses.

So nobody waits for a broker that is down or hangs. Each answer has a fraction of a second. Once one didn't
come, this process leaves the broker alone for a while, and then tries it with one request, not with all.
"""

import logging
import time
from functools import cache
from threading import Lock
from typing import Any

from celery import Task, current_app
from kombu import Connection
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import producers

from payments import tasks
from payments.models import Order

log = logging.getLogger(__name__)

ANSWER_SECONDS = 0.25  # for connecting, and for each answer; a broker that works takes a millisecond
TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "socket_connect_timeout": ANSWER_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
}
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
    if not broker.may_try():
        return
    try:
        with producers[broker.connection].acquire(block=True, timeout=ANSWER_SECONDS) as producer:
            task.apply_async(kwargs={"order_id": order.pk}, producer=producer, retry=False)
    except (OperationalError, LimitExceeded) as error:
        broker.leave_alone()
        log.warning("order %s waits for a sweep, because the broker is unreachable: %s", order, error)
    else:
        broker.retry_at = None


class Broker:
    """The broker at one address, and when this process may try it again."""

    def __init__(self, url: str) -> None:
        options = TRANSPORT_OPTIONS
        self.connection: Connection = current_app.connection_for_write(url, transport_options=options)
        self.lock = Lock()
        self.retry_at: float | None = None  # monotonic; None while the broker answers

    def may_try(self) -> bool:
        """Whether to try the broker now. While it is down, one caller may, once a while has passed."""
        with self.lock:
            if self.retry_at is None:
                return True
            if self.retry_at > time.monotonic():
                return False
            self.leave_alone()  # the others leave it alone until this caller knows more
            return True

    def leave_alone(self) -> None:
        """Let nobody try the broker for a while."""
        self.retry_at = time.monotonic() + RETRY_SECONDS

    @staticmethod
    @cache
    def at(url: str) -> "Broker":
        """Return this process's one object for the address."""
        return Broker(url)
