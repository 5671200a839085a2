"""Tasks of the queues checkout and capture. Each may run twice at once; behind each stands a sweep."""

import random

from celery import Task, shared_task

from payments.processing import advance, rate_limit, recovery, webhooks

MOST = 60  # orders that one sweep hands on: what the budget carries until the next
SHORT = 30  # seconds after which a sweep has handed it on again anyway


@shared_task(name="payments.send", ignore_result=True)
def send(*, order_id: int, **_: object) -> None:
    try:
        state = advance.advance_order(order_id=order_id, states=advance.ASKING)
    except rate_limit.RateLimited:
        hand_on(send, order_id=order_id, wait=random.uniform(1, 2))
        return
    if state in {advance.AUTHORISED, advance.VOIDING}:
        hand_on(settle, order_id=order_id)


@shared_task(name="payments.settle", ignore_result=True)
def settle(*, order_id: int, **_: object) -> None:
    try:
        advance.advance_order(order_id=order_id)
    except rate_limit.RateLimited:
        hand_on(settle, order_id=order_id, wait=random.uniform(1, 2))


@shared_task(name="payments.sweep_attempts", ignore_result=True)
def sweep_attempts(**_: object) -> int:
    rate_limit.set_ceiling()
    withdrawn = recovery.withdraw_unsent()
    orders = recovery.unsent(most=MOST)
    for order_id in orders:
        hand_on(send, order_id=order_id)
    return withdrawn + len(orders)


@shared_task(name="payments.sweep_payments", ignore_result=True)
def sweep_payments(**_: object) -> int:
    orders = {*webhooks.process_stored()[:MOST], *recovery.claim_stalled(most=MOST)}
    for order_id in orders:
        hand_on(settle, order_id=order_id)
    return len(orders)


def hand_on(task: "Task[..., None]", *, order_id: int, wait: float = 0) -> None:
    """Queue the task for an order, in `wait` seconds; a sweep replaces one that is lost or was too late."""
    task.apply_async(kwargs={"order_id": order_id}, countdown=wait, expires=wait + SHORT)
