"""Tasks of the queues `checkout` and `capture`.

Each may run twice at once; sweeps find what the broker loses.
"""

import random
from collections.abc import Callable

from celery import Task, current_app, shared_task
from kombu.exceptions import ChannelError

from payments import invariants
from payments.processing import (
    account,
    advance,
    money_alerts,
    notices,
    outcomes,
    rate_limit,
    recovery,
    refunds,
    webhooks,
)

MAX_ORDERS_PER_SWEEP = 60  # about what the rate limit allows until the next sweep
MIN_WAIT_SECONDS, MAX_WAIT_SECONDS = 1.0, 2.0  # before a rate-limited order is tried again


@shared_task(name="payments.confirm_order", ignore_result=True)
def confirm_order(*, order_id: int, **_: object) -> None:
    """Take the order as far as the bank's answer, then hand it to the queue `capture`."""
    try:
        state = advance.advance_order(order_id=order_id, states=advance.AUTHORISING_STATES)
    except rate_limit.RateLimited:
        enqueue(confirm_order, order_id=order_id, wait_seconds=rate_limited_wait())
        return
    if state in {advance.AUTHORISED, advance.VOIDING}:
        enqueue(advance_order, order_id=order_id)


@shared_task(name="payments.advance_order", ignore_result=True)
def advance_order(*, order_id: int, **_: object) -> None:
    """Take the order as far as it goes."""
    try:
        advance.advance_order(order_id=order_id)
    except rate_limit.RateLimited:
        enqueue(advance_order, order_id=order_id, wait_seconds=rate_limited_wait())


@shared_task(name="payments.sweep_attempts", ignore_result=True)
def sweep_attempts(**_: object) -> int:
    """Withdraw attempts that may not be sent, and enqueue those whose task was lost."""
    withdrawn = recovery.withdraw_attempts_of_cancelled_drops() + recovery.withdraw_expired_attempts()
    withdrawn += recovery.withdraw_attempts_of_cancelled_orders()
    order_ids = recovery.orders_with_unsent_attempts(max_orders=free_places("checkout"))
    for order_id in order_ids:
        enqueue(confirm_order, order_id=order_id)
    return withdrawn + len(order_ids)


@shared_task(name="payments.sweep_payments", ignore_result=True)
def sweep_payments(**_: object) -> int:
    """Process Stripe's events, send refunds, and enqueue orders that events concern or that have stalled."""
    account.check()
    with_events = webhooks.process_stored()
    refunds.send_due()
    room = free_places("capture")
    order_ids = {*with_events[:room], *recovery.claim_stalled(max_orders=room)}
    for order_id in order_ids:
        enqueue(advance_order, order_id=order_id)
    return len(order_ids)


@shared_task(name="payments.watch_money", ignore_result=True)
def watch_money(**_: object) -> int:
    """Resolve alerts, list refunds, write what is due about payments, check the invariants.

    Each is done although another one fails. Return how many rules are broken.
    """
    parts: list[Callable[[], int]] = [
        money_alerts.resolve_finished,
        refunds.list_due,
        notices.write_due,
        outcomes.mail_unseen,
        money_alerts.watch_authorisations,
        invariants.raise_alerts,
    ]
    broken, failures = 0, []
    for part in parts:
        try:
            broken = part()  # in the end, of the last one
        except Exception as failure:  # noqa: BLE001 it is raised in the end
            failures.append(failure)
    if failures:
        raise ExceptionGroup("a part of watching the money failed", failures)
    return broken


def rate_limited_wait() -> float:
    """Return how many seconds a rate-limited order waits: at random, so that orders don't return together."""
    return random.uniform(MIN_WAIT_SECONDS, MAX_WAIT_SECONDS)


def enqueue(task: "Task[..., None]", *, order_id: int, wait_seconds: float = 0) -> None:
    """Enqueue the task for an order, to run after `wait_seconds`."""
    task.apply_async(kwargs={"order_id": order_id}, countdown=wait_seconds)


def free_places(queue: str) -> int:
    """Return how many more orders a sweep may enqueue.

    Orders that are still in the queue look lost to a sweep. Enqueueing them again each time would only
    lengthen the queue.
    """
    with current_app.producer_or_acquire() as producer:
        try:
            waiting: int = producer.channel.queue_declare(queue, passive=True).message_count
        except ChannelError:  # the queue doesn't exist, so nothing waits in it
            waiting = 0
    return max(0, MAX_ORDERS_PER_SWEEP - waiting)
