"""Recovery: finding the orders whose task was lost or whose call got no answer. The broker may lose every task.

A sweep names the orders that are due, and the task that beat calls enqueues them. Claiming marks rows, so that two
sweeps at once, or a fault that lasts, don't ask for the same row more than once in five seconds.
"""

from datetime import timedelta

from django.db import connection, transaction
from django.db.models.functions import Now

from drops import holds
from payments.models import Attempt, Payment

UNSENT_AFTER = timedelta(seconds=10)  # its task should have sent it by then, waits for the rate limit included
WITHDRAW_AFTER = timedelta(minutes=15)  # a ConfirmationToken isn't used after that


def orders_with_unsent_attempts(*, max_orders: int) -> list[int]:
    """Return the ids of orders whose queued attempt should have been sent by now, oldest first."""
    unsent = Attempt.objects.filter(state=Attempt.State.QUEUED, created_at__lt=Now() - UNSENT_AFTER)
    return list(unsent.order_by("created_at").values_list("payment__order_id", flat=True)[:max_orders])


def withdraw_expired_attempts() -> int:
    """Withdraw attempts that were never sent in time; return how many."""
    expired = Attempt.objects.filter(state=Attempt.State.QUEUED, created_at__lt=Now() - WITHDRAW_AFTER)
    return sum(withdraw(attempt=attempt) for attempt in expired.select_related("payment__order__hold"))


def withdraw(*, attempt: Attempt) -> bool:
    """Withdraw the attempt and release its hold; return False if it was sent after all."""
    with transaction.atomic():
        # Only the worker whose UPDATE ends the queued attempt may release the hold.
        queued = Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.QUEUED)
        if not queued.update(state=Attempt.State.WITHDRAWN, ended_at=Now()):
            return False
        payment = Payment.objects.filter(pk=attempt.payment_id)
        reason = {"void_reason": Payment.VoidReason.WITHDRAWN, "changed_at": Now()}
        payment.filter(state=Payment.State.NEW).update(state=Payment.State.VOIDED, **reason)
        payment.filter(state=Payment.State.CREATED).update(state=Payment.State.VOIDING, **reason)
        holds.release_unpaid(hold=attempt.payment.order.hold)
        return True


def claim_stalled(*, max_orders: int) -> list[int]:
    """Claim the orders whose payment has not changed for 2 s although it should; return their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payments_payment SET checked_at = statement_timestamp() WHERE id IN (
                SELECT p.id FROM payments_payment p
                JOIN payments_order o ON o.id = p.order_id JOIN drops_hold h ON h.id = o.hold_id
                WHERE p.state NOT IN ('captured', 'voided') AND p.changed_at < statement_timestamp() - interval '2 s'
                  AND coalesce(p.checked_at, '-infinity') < statement_timestamp() - interval '5 s'
                  AND o.leased_until <= statement_timestamp()
                  AND (p.state NOT IN ('new', 'created') OR h.state = 'released')
                ORDER BY p.changed_at LIMIT %s FOR UPDATE OF p SKIP LOCKED
            ) RETURNING order_id
            """,
            [max_orders],
        )
        return [order_id for (order_id,) in cursor.fetchall()]
