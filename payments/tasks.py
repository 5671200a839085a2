"""Tasks of the queues checkout and settlement. Each may run twice at once; behind each stands a sweep."""

from celery import shared_task

from payments import budget, settlement, sweeps, webhooks

MOST = 60  # orders that one sweep hands on: what the budget carries until the next
SHORT = 30  # seconds after which a sweep has handed it on again anyway


@shared_task(name="payments.send", ignore_result=True)
def send(*, order_id: int, **_: object) -> None:
    state = settlement.advance(order_id=order_id, states=settlement.ASKING)
    if state in {settlement.AUTHORISED, settlement.VOIDING}:
        settle.apply_async(kwargs={"order_id": order_id}, expires=SHORT)


@shared_task(name="payments.settle", ignore_result=True)
def settle(*, order_id: int, **_: object) -> None:
    settlement.advance(order_id=order_id)


@shared_task(name="payments.sweep_attempts", ignore_result=True)
def sweep_attempts(**_: object) -> int:
    budget.set_ceiling()
    withdrawn = sweeps.withdraw()
    orders = sweeps.unsent(most=MOST)
    for order_id in orders:
        send.apply_async(kwargs={"order_id": order_id}, expires=SHORT)
    return withdrawn + len(orders)


@shared_task(name="payments.sweep_payments", ignore_result=True)
def sweep_payments(**_: object) -> int:
    orders = {*webhooks.settle()[:MOST], *sweeps.claim(most=MOST)}
    for order_id in orders:
        settle.apply_async(kwargs={"order_id": order_id}, expires=SHORT)
    return len(orders)
