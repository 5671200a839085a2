"""Outcomes that nobody was there to see: an email says that an order wasn't paid, and why.

A page that is open shows an outcome within seconds, and that it did is recorded. What isn't shown within two
minutes is written to the shopper, declines included. A captured payment has its confirmation in any case.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from payments.models import Attempt, Payment
from payments.orders import emails
from payments.processing import money_alerts

log = logging.getLogger(__name__)

UNSEEN_AFTER = timedelta(minutes=2)
TOO_OLD_AFTER = timedelta(days=1)  # for an email to be of use
MAX_PER_SWEEP = 200
NOTICE = "email about its outcome"
# The shopper released the hold, or let it lapse after a decline that was told before.
NOT_TOLD = ("", Payment.VoidReason.RELEASED)


def mail_unseen(*, limit: int = MAX_PER_SWEEP) -> int:
    """Put an email into the outbox for each outcome that nobody saw; return how many."""
    trying_again = Attempt.objects.filter(payment=OuterRef("pk"), state__in=Attempt.LIVE)
    declined = Q(state=Payment.State.CREATED, declines__gt=0) & ~Exists(trying_again)
    voided = Q(state=Payment.State.VOIDED) & ~Q(void_reason__in=NOT_TOLD)
    unseen = Payment.objects.filter(
        declined | voided,
        outcome_seen_at=None,
        changed_at__lt=Now() - UNSEEN_AFTER,
        changed_at__gt=Now() - TOO_OLD_AFTER,
    )
    # At random, so that some that fail each time don't hold up all the others.
    found = unseen.select_related("order__hold__drop").order_by("?")[:limit]
    return sum(put_email(payment) for payment in found)


def put_email(payment: Payment) -> bool:
    """Put the email about the payment's outcome into the outbox, unless somebody has seen it by now."""
    try:
        with transaction.atomic():
            unseen = Payment.objects.filter(pk=payment.pk, state=payment.state, outcome_seen_at=None)
            if not unseen.update(outcome_seen_at=Now()):
                return False
            emails.put_outcome(order=payment.order)
    except Exception as error:  # one that can't be written doesn't hold up the others
        log.exception("order %s: its outcome could not be written", payment.order)
        money_alerts.try_raising(money_alerts.notice_failed, payment, notice=NOTICE, error=error)
        return False
    money_alerts.notice_written(payment, notice=NOTICE)
    return True
