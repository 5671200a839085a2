"""What is due and nobody took: the broker may lose every task, and each order still comes to its end.

A sweep names what is due; the task that beat calls hands it on. `claim` marks rows, so that two sweeps at once, or a
fault that lasts, don't ask for the same row more than once in five seconds.
"""

from datetime import timedelta

from django.db import connection, transaction
from django.db.models.functions import Now

from drops import holds
from payments.models import Attempt, Payment

UNSENT = timedelta(seconds=10)  # its task should have sent it by then, waits for the budget included
TOO_OLD = timedelta(minutes=15)  # a ConfirmationToken is not trusted for longer


def unsent(*, most: int) -> list[int]:
    """Give the orders whose queued attempt has waited, oldest first."""
    waiting = Attempt.objects.filter(state=Attempt.State.QUEUED, created_at__lt=Now() - UNSENT)
    return list(waiting.order_by("created_at").values_list("payment__order_id", flat=True)[:most])


def withdraw_unsent() -> int:
    """Give up attempts that were never sent in time; how many."""
    old = Attempt.objects.filter(state=Attempt.State.QUEUED, created_at__lt=Now() - TOO_OLD)
    return sum(expire_unsent(attempt=attempt) for attempt in old.select_related("payment__order__hold"))


def expire_unsent(*, attempt: Attempt) -> bool:
    """Withdraw the attempt and let its hold go, unless it was sent after all; only this lets such a hold go."""
    with transaction.atomic():
        mine = Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.QUEUED)
        if not mine.update(state=Attempt.State.WITHDRAWN, ended_at=Now()):
            return False
        payment = Payment.objects.filter(pk=attempt.payment_id)
        over = {"void_reason": "withdrawn", "changed_at": Now()}
        payment.filter(state=Payment.State.NEW).update(state=Payment.State.VOIDED, **over)
        payment.filter(state=Payment.State.CREATED).update(state=Payment.State.VOIDING, **over)
        holds.release_unpaid(hold=attempt.payment.order.hold)
        return True


def claim_stalled(*, most: int) -> list[int]:
    """Claim the orders whose payment stands still where it should not; their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payments_payment SET looked_at = statement_timestamp() WHERE id IN (
                SELECT p.id FROM payments_payment p
                JOIN payments_order o ON o.id = p.order_id JOIN drops_hold h ON h.id = o.hold_id
                WHERE p.state NOT IN ('captured', 'voided') AND p.changed_at < statement_timestamp() - interval '2 s'
                  AND coalesce(p.looked_at, '-infinity') < statement_timestamp() - interval '5 s'
                  AND o.leased_until <= statement_timestamp()
                  AND (p.state NOT IN ('new', 'created') OR h.state = 'released')
                ORDER BY p.changed_at LIMIT %s FOR UPDATE OF p SKIP LOCKED
            ) RETURNING order_id
            """,
            [most],
        )
        return [order_id for (order_id,) in cursor.fetchall()]
