"""Recovery: finding orders whose task was lost or whose call got no answer. The broker may lose every task.

A sweep names the orders that are due, and the task that beat calls enqueues them. Claiming marks rows, so
that two sweeps at once, or a fault that lasts, don't ask for the same row more than once in five seconds.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from drops import holds
from drops.models import Hold
from payments.models import Attempt, Payment
from payments.processing.authorising import UNSENT_LIMIT

UNSENT_AFTER = timedelta(seconds=10)  # by then its task should have sent it, rate limit included
STALLED_AFTER = timedelta(seconds=2)  # without a change and without a lease
CLAIM_DURATION = timedelta(seconds=5)
ACTION_POLL = timedelta(seconds=30)  # how often Stripe is asked about a shopper who is at the bank


def orders_with_unsent_attempts(*, max_orders: int) -> list[int]:
    """Return the ids of orders whose queued attempt should have been sent by now, oldest first."""
    unsent = Attempt.objects.filter(state=Attempt.State.QUEUED, created_at__lt=Now() - UNSENT_AFTER)
    return list(unsent.order_by("created_at").values_list("payment__order_id", flat=True)[:max_orders])


def withdraw_expired_attempts() -> int:
    """Withdraw attempts that were never sent in time; return how many."""
    expired = Attempt.objects.filter(state=Attempt.State.QUEUED, created_at__lt=Now() - UNSENT_LIMIT)
    return withdraw_all(attempts=expired, reason=Payment.VoidReason.WITHDRAWN)


def withdraw_attempts_of_cancelled_drops() -> int:
    """Withdraw attempts that weren't sent before their drop was cancelled; return how many."""
    queued = Attempt.objects.filter(
        state=Attempt.State.QUEUED, payment__order__hold__drop__cancelled_at__isnull=False
    )
    return withdraw_all(attempts=queued, reason=Payment.VoidReason.CANCELLED)


def withdraw_attempts_of_cancelled_orders() -> int:
    """Withdraw attempts that weren't sent before somebody cancelled their order; return how many."""
    queued = Attempt.objects.filter(state=Attempt.State.QUEUED, payment__decision=Payment.Decision.VOID)
    return withdraw_all(attempts=queued, reason=Payment.VoidReason.SHOP)


def withdraw_all(*, attempts: QuerySet[Attempt], reason: str) -> int:
    """Withdraw queued attempts; return how many weren't sent after all."""
    found = attempts.select_related("payment__order__hold")
    return sum(withdraw(attempt=attempt, void_reason=reason) for attempt in found)


def withdraw(*, attempt: Attempt, void_reason: str = Payment.VoidReason.WITHDRAWN) -> bool:
    """Withdraw the attempt and release its hold; return False if it was sent after all."""
    with transaction.atomic():
        # Only the worker whose UPDATE ends the queued attempt may release the hold.
        queued = Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.QUEUED)
        if not queued.update(state=Attempt.State.WITHDRAWN, ended_at=Now()):
            return False
        payment = Payment.objects.filter(pk=attempt.payment_id)
        reason = {"void_reason": void_reason, "changed_at": Now()}
        payment.filter(state=Payment.State.NEW).update(state=Payment.State.VOIDED, **reason)
        payment.filter(state=Payment.State.CREATED).update(state=Payment.State.VOIDING, **reason)
        holds.release_unpaid(hold=attempt.payment.order.hold)
        return True


def claim_stalled(*, max_orders: int) -> list[int]:
    """Claim the orders whose payment has not changed for a while although it should; return their ids."""
    at_the_bank = Q(state=Payment.State.ACTION, action_ends_at__gt=Now())
    asked_lately = Q(changed_at__gt=Now() - ACTION_POLL) | Q(checked_at__gt=Now() - ACTION_POLL)
    stalled = Payment.objects.filter(
        ~Q(state__in=Payment.FINAL),
        # Webhooks tell what a shopper did at the bank; asking for each of them all the time would cost calls.
        ~(at_the_bank & asked_lately) | Q(order__hold__drop__cancelled_at__isnull=False),
        # A payment in these two states waits for its shopper or for its own task, unless its hold is gone.
        ~Q(state__in=[Payment.State.NEW, Payment.State.CREATED]) | Q(order__hold__state=Hold.State.RELEASED),
        Q(checked_at=None) | Q(checked_at__lt=Now() - CLAIM_DURATION),
        changed_at__lt=Now() - STALLED_AFTER,
        order__leased_until__lte=Now(),
    )
    with transaction.atomic():
        # Two sweeps at once each get different rows.
        unclaimed = stalled.order_by("changed_at").select_for_update(of=("self",), skip_locked=True)
        claimed = dict(unclaimed.values_list("pk", "order_id")[:max_orders])
        if claimed:
            Payment.objects.filter(pk__in=claimed).update(checked_at=Now())
    return list(claimed.values())
