"""The orders of a cancelled drop: what becomes of them, and which of them the shop must refund."""

from typing import Any

from django.db.models import Count, QuerySet, Sum

from drops.models import Drop
from payments.models import Attempt, Payment
from shop.core import money

DECIDED = (Payment.State.AUTHORISED, Payment.State.CAPTURING)  # to be captured, if that was the decision


def to_refund(*, drop: Drop) -> QuerySet[Any]:
    """Return the payments of the drop that are listed for refund, oldest first, each with the sum `due`.

    That is what the ledger says we still have of its money.
    """
    listed = Payment.objects.filter(order__hold__drop=drop, refund_due_at__isnull=False)
    with_due = listed.annotate(due=Sum("order__ledger__amount")).filter(due__gt=0)
    return with_due.select_related("order").order_by("captured_at", "pk")


def consequences(*, drop: Drop, **_: Any) -> list[str]:
    """Return what cancelling the drop now would mean for its payments, in sentences."""
    payments = Payment.objects.filter(order__hold__drop=drop)
    queued = Attempt.objects.filter(payment__in=payments, state=Attempt.State.QUEUED).count()
    asked = payments.filter(state=Payment.State.CONFIRMING).count()
    decided = payments.filter(state__in=DECIDED, decision=Payment.Decision.CAPTURE).count()
    paid = payments.filter(state=Payment.State.CAPTURED).aggregate(count=Count("pk"), sum=Sum("amount"))
    amount = money.format_amount(amount=paid["sum"] or 0, currency=drop.currency)
    return [
        f"Payments not sent to the bank yet: {queued:,}. They are withdrawn, and nobody is charged.",
        f"Payments at the bank: {asked:,}. They are voided, and nobody is charged.",
        f"Payments that are being captured: {decided:,}. They can't be stopped: refund them.",
        f"Paid orders: {paid['count']:,}, {amount}. Refund them: they are listed on the drop's page.",
    ]
