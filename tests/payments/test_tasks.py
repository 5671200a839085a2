"""The tasks that tasks and sweeps enqueue, and their queues."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from drops import drop_actions
from dropsite.celery import app
from payments import tasks
from payments.models import Attempt, Bucket, Order, Payment
from payments.processing import advance
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.payments.order_factory import make_order, states
from tests.payments.views.shopping import queued

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture(autouse=True)
def broker() -> Iterator[None]:
    """A broker in memory, with empty queues."""
    own = app.conf.broker_url
    app.conf.update(broker_url="memory://", broker_read_url="memory://", broker_write_url="memory://")
    for queue in ("checkout", "capture"):
        queued(queue)
    yield
    app.conf.update(broker_url=own, broker_read_url=own, broker_write_url=own)


def unsent_order(sandbox: SandboxProcess, *, seconds: int) -> Order:
    order = make_order(sandbox)
    Attempt.objects.filter(payment__order=order).update(
        created_at=F("created_at") - timedelta(seconds=seconds)
    )
    return order


def test_confirm_order_enqueues_what_the_bank_authorised_for_capture(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)

    tasks.confirm_order(order_id=order.pk)

    assert states(order) == ("authorised", "allocated")
    assert (queued("checkout"), queued("capture")) == ([], [order.pk])


def test_confirm_order_enqueues_nothing_after_a_decline(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox, card="visa_chargeDeclined")

    tasks.confirm_order(order_id=order.pk)

    assert (queued("checkout"), queued("capture")) == ([], [])


@pytest.mark.parametrize(
    ("task", "queue"), [(tasks.confirm_order, "checkout"), (tasks.advance_order, "capture")]
)
def test_rate_limited_order_is_enqueued_again(sandbox: SandboxProcess, task: Any, queue: str) -> None:
    order = make_order(sandbox)
    Bucket.objects.create(
        name="create", tokens=0, filled_at=timezone.now() + timedelta(minutes=1)
    )  # stays empty

    task(order_id=order.pk)

    assert queued(queue) == [order.pk]
    assert states(order) == ("new", "paying")


def test_sweep_attempts_enqueues_orders_whose_task_was_lost(sandbox: SandboxProcess) -> None:
    lost, _fresh = unsent_order(sandbox, seconds=11), unsent_order(sandbox, seconds=1)

    assert tasks.sweep_attempts() == 1

    assert queued("checkout") == [lost.pk]


def test_sweep_attempts_withdraws_those_of_cancelled_drops(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    drop_actions.cancel(drop=order.hold.drop, actor=None)

    assert tasks.sweep_attempts() == 1

    assert queued("checkout") == []
    assert states(order) == ("voided", "released")


@pytest.mark.parametrize(("waiting", "enqueued"), [(0, 1), (59, 1), (60, 0), (200, 0)])
def test_sweep_attempts_leaves_a_full_queue_alone(
    sandbox: SandboxProcess, waiting: int, enqueued: int
) -> None:
    unsent_order(sandbox, seconds=11)
    for _ in range(waiting):
        tasks.enqueue(tasks.confirm_order, order_id=0)

    assert tasks.sweep_attempts() == enqueued

    assert len(queued("checkout")) == waiting + enqueued


def test_sweep_payments_enqueues_orders_that_have_stalled(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states=advance.AUTHORISING_STATES)
    assert tasks.sweep_payments() == 0
    Payment.objects.update(changed_at=F("changed_at") - timedelta(minutes=1))

    assert tasks.sweep_payments() == 1

    assert queued("capture") == [order.pk]


def test_every_scheduled_task_of_payments_exists() -> None:
    names = {entry["task"] for entry in app.conf.beat_schedule.values()}

    assert {name for name in names if name.startswith("payments.")} <= set(app.tasks)
