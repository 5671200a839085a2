"""What is written about a payment besides the record of its money: an email, an alert.

The record comes first and names what is due (`Payment.notice_due`). Whatever fails here is undone up to a
savepoint, so that it never undoes the record; it is logged, alerted, and tried again by a periodic task.
"""

import logging
from collections.abc import Callable

from django.db import transaction

from payments.models import Payment
from payments.orders import emails
from payments.processing import money_alerts

log = logging.getLogger(__name__)

MAX_PER_SWEEP = 1000  # so that those of a cancelled drop don't take hours


def put_confirmation(payment: Payment) -> None:
    emails.put_confirmation(order=payment.order)


def put_cancellation(payment: Payment) -> None:
    emails.put_cancellation(order=payment.order)


WRITERS: dict[str, Callable[[Payment], object]] = {
    Payment.Notice.CONFIRMATION: put_confirmation,
    Payment.Notice.CANCELLATION: put_cancellation,
    Payment.Notice.AUTHORISATION_LOST: money_alerts.authorisation_lost,
}


def write(*, payment: Payment, notice: str) -> bool:
    """Write what is due about the payment, unless it is written already; return False if that failed.

    May be called inside the transaction that records the money: a failure undoes only what is written here.
    """
    try:
        with transaction.atomic():
            # Whoever clears the mark writes the notice, so that two workers don't write it twice.
            due = Payment.objects.filter(pk=payment.pk, notice_due=notice)
            if due.update(notice_due=""):
                WRITERS[notice](payment)
    except Exception as error:  # whatever is wrong with a text, the money stays recorded
        log.exception("order %s: its %s could not be written", payment.order, notice)
        money_alerts.try_raising(money_alerts.notice_failed, payment, notice=notice, error=error)
        return False
    return True


def write_due(*, limit: int = MAX_PER_SWEEP) -> int:
    """Write the notices that could not be written before; return how many were."""
    # At random, so that some that fail each time don't hold up all the others.
    due = Payment.objects.exclude(notice_due="").order_by("?")
    written = 0
    for payment in due.select_related("order__hold__drop")[:limit]:
        if write(payment=payment, notice=payment.notice_due):
            money_alerts.notice_written(payment, notice=payment.notice_due)
            written += 1
    return written
