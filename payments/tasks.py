"""Tasks of the queues checkout and settlement. Each may run twice at once; behind each stands a sweep."""

import random

from celery import Task, shared_task

from payments import budget, settlement, sweeps, webhooks

MOST = 60  # orders that one sweep hands on: what the budget carries until the next
SHORT = 30  # seconds after which a sweep has handed it on again anyway


@shared_task(name="payments.send", ignore_result=True)
def send(*, order_id: int, **_: object) -> None:
    try:
        state = settlement.advance(order_id=order_id, states=settlement.ASKING)
    except budget.Spent:
        hand_on(send, order_id=order_id, wait=random.uniform(1, 2))
        return
    if state in {settlement.AUTHORISED, settlement.VOIDING}:
        hand_on(settle, order_id=order_id)


@shared_task(name="payments.settle", ignore_result=True)
def settle(*, order_id: int, **_: object) -> None:
    try:
        settlement.advance(order_id=order_id)
    except budget.Spent:
        hand_on(settle, order_id=order_id, wait=random.uniform(1, 2))


@shared_task(name="payments.sweep_attempts", ignore_result=True)
def sweep_attempts(**_: object) -> int:
    budget.set_ceiling()
    withdrawn = sweeps.withdraw()
    orders = sweeps.unsent(most=MOST)
    for order_id in orders:
        hand_on(send, order_id=order_id)
    return withdrawn + len(orders)


@shared_task(name="payments.sweep_payments", ignore_result=True)
def sweep_payments(**_: object) -> int:
    orders = {*webhooks.settle()[:MOST], *sweeps.claim(most=MOST)}
    for order_id in orders:
        hand_on(settle, order_id=order_id)
    return len(orders)


def hand_on(task: "Task[..., None]", *, order_id: int, wait: float = 0) -> None:
    """Queue the task for an order, in `wait` seconds; a sweep replaces one that is lost or was too late."""
    task.apply_async(kwargs={"order_id": order_id}, countdown=wait, expires=wait + SHORT)
