"""What is to be refunded: the captured payments of cancelled drops.

A payment that was decided before the cancellation is captured like any other, and listed then. The list is
for a person, who refunds in Stripe's dashboard.
"""

from django.db.models.functions import Now

from payments.models import Payment


def list_due() -> int:
    """List captured payments of cancelled drops for refund, and have their shoppers told; return how many."""
    captured = Payment.objects.filter(state=Payment.State.CAPTURED, refund_due_at=None)
    of_cancelled = captured.filter(order__hold__drop__cancelled_at__isnull=False)
    # A confirmation that could not be written yet would be wrong by now: the new notice replaces it.
    due = Payment.objects.filter(pk__in=of_cancelled.values("pk"), refund_due_at=None)
    return due.update(refund_due_at=Now(), notice_due=Payment.Notice.CANCELLATION)
