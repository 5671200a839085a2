"""The rate limit of our calls to Stripe: token buckets in Postgres, which refill with time.

Each kind of call has a bucket, and all calls together have one. Captures and refunds come last: they
leave a quarter of the common bucket to shoppers who still wait for an answer, since nobody waits for them.
"""

from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import Now

from drops import admission
from payments.models import Attempt

CREATE, CONFIRM, RETRIEVE, CAPTURE, CANCEL = "create", "confirm", "retrieve", "capture", "cancel"
REFUND = "refund"
# Once the oldest unsent attempt has waited for so long, admission is halved, then stopped.
HALVE_AFTER = timedelta(seconds=10)
STOP_AFTER = timedelta(seconds=30)

# A bucket's tokens at this moment: what it had, and what it gained since, up to one second's worth.
REFILLED_SQL = """
    least({rate}::float, b.tokens + {rate}::float * extract(epoch FROM statement_timestamp() - b.filled_at))
"""
TAKE_SQL = f"""
    ON CONFLICT (name) DO UPDATE SET tokens = {REFILLED_SQL} - 1, filled_at = statement_timestamp()
    WHERE {REFILLED_SQL} >= {{required}} RETURNING 1
"""


class RateLimited(Exception):
    """No call of this kind may be made at this moment; a task or a sweep tries again."""


def acquire(*, operation: str) -> None:
    """Take one call out of its own bucket and the common one. Raises RateLimited if either is empty.

    Where only the common one is empty, the call's own bucket has lost a token for nothing.
    """
    reserved = 0
    if operation in {CAPTURE, REFUND}:
        reserved = settings.STRIPE_CALLS_PER_SECOND // 4
    with connection.cursor() as cursor:
        # The common bucket is touched only if the call's own bucket had a token: the second INSERT selects
        # from the first one's RETURNING, so that no row there means no row here.
        cursor.execute(
            f"""
            WITH own AS (
                INSERT INTO payments_bucket AS b (name, tokens, filled_at)
                VALUES (%(operation)s, %(each)s - 1, statement_timestamp())
                {TAKE_SQL.format(rate="%(each)s", required="1")}
            )
            INSERT INTO payments_bucket AS b (name, tokens, filled_at)
            SELECT 'all', %(all)s - 1, statement_timestamp() FROM own
            {TAKE_SQL.format(rate="%(all)s", required="1 + %(reserved)s")}
            """,
            {
                "operation": operation,
                "reserved": reserved,
                "all": settings.STRIPE_CALLS_PER_SECOND,
                "each": settings.STRIPE_CALLS_PER_OPERATION,
            },
        )
        if not cursor.rowcount:
            raise RateLimited(operation)


def measure_ceiling() -> tuple[int, str]:
    """Return how many more shoppers the payments can take, and why, as a sentence for ops."""
    queue = Attempt.objects.filter(state=Attempt.State.QUEUED).aggregate(
        unsent=Count("pk"),
        slow=Count("pk", filter=Q(created_at__lt=Now() - HALVE_AFTER)),
        stuck=Count("pk", filter=Q(created_at__lt=Now() - STOP_AFTER)),
    )
    shoppers = max(0, int(admission.payments_per_second() * admission.AHEAD_SECONDS) - queue["unsent"])
    if queue["stuck"]:
        return 0, f"Payments: some have been waiting for more than {STOP_AFTER.seconds} s."
    if queue["slow"]:
        return shoppers // 2, f"Payments: some have been waiting for more than {HALVE_AFTER.seconds} s."
    return shoppers, f"Payments: Stripe's rate limit has room for {shoppers} in {admission.AHEAD_SECONDS} s."
