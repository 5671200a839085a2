"""The budget of calls to Stripe: buckets in Postgres, filled by time, emptied by one guarded UPDATE.

Each kind of call has a bucket, and all together have one. Captures come last: they leave a quarter of the common
bucket to those who still wait for an answer, since a captured order is not one that somebody waits for.
"""

from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from drops import admission
from drops.models import Ceiling, Drop
from payments.models import Attempt

ALL = "all"
CREATE, CONFIRM, RETRIEVE, CAPTURE, CANCEL = "create", "confirm", "retrieve", "capture", "cancel"
OPERATIONS = (CREATE, CONFIRM, RETRIEVE, CAPTURE, CANCEL)
SLOW_SECONDS, STOP_SECONDS = 10, 30  # age of the oldest unsent attempt that halves admission, that stops it


FILLED = "least({rate}::float, b.tokens + {rate}::float * extract(epoch FROM statement_timestamp() - b.filled_at))"
REFILL = f"""
    ON CONFLICT (name) DO UPDATE SET tokens = {FILLED} - 1, filled_at = statement_timestamp()
    WHERE {FILLED} >= {{left}} RETURNING 1
"""


class RateLimited(Exception):
    """No call of this kind may be made at this moment; a sweep comes back for it."""


def acquire(*, operation: str) -> None:
    """Take one call of this kind out of its own and the common bucket. Raises Spent if either is empty.

    Where only the common one is empty, the call's own has lost a token for nothing; the common one decides then.
    """
    reserve = settings.STRIPE_CALLS_PER_SECOND // 4 if operation == CAPTURE else 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH own AS (
                INSERT INTO payments_bucket AS b (name, tokens, filled_at)
                VALUES (%(operation)s, %(each)s - 1, statement_timestamp()) {REFILL.format(rate="%(each)s", left="1")}
            )
            INSERT INTO payments_bucket AS b (name, tokens, filled_at)
            SELECT 'all', %(all)s - 1, statement_timestamp() FROM own
            {REFILL.format(rate="%(all)s", left="1 + %(reserve)s")}
            """,
            {
                "operation": operation,
                "reserve": reserve,
                "all": settings.STRIPE_CALLS_PER_SECOND,
                "each": settings.STRIPE_CALLS_PER_OPERATION,
            },
        )
        if not cursor.rowcount:
            raise RateLimited(operation)


def payments_per_second() -> float:
    """How many shoppers a second the budget can carry: each needs a create, a confirm and a capture."""
    return min(settings.STRIPE_CALLS_PER_OPERATION, settings.STRIPE_CALLS_PER_SECOND / 3)


def set_ceiling() -> None:
    """Tell the gatekeeper how many shoppers the payments can take, while a drop is selling."""
    if not Drop.objects.not_ended().filter(sealed_at__isnull=False).exists():
        return
    queue = Attempt.objects.filter(state=Attempt.State.QUEUED).aggregate(
        unsent=Count("pk"),
        slow=Count("pk", filter=Q(created_at__lt=Now() - timedelta(seconds=SLOW_SECONDS))),
        stuck=Count("pk", filter=Q(created_at__lt=Now() - timedelta(seconds=STOP_SECONDS))),
    )
    room = max(0, int(payments_per_second() * admission.AHEAD_SECONDS) - queue["unsent"])
    reason = _("what the payment budget carries in %(n)s s") % {"n": admission.AHEAD_SECONDS}
    if queue["stuck"]:
        room, reason = 0, _("payments are waiting for more than %(n)s s") % {"n": STOP_SECONDS}
    elif queue["slow"]:
        room, reason = room // 2, _("payments are waiting for more than %(n)s s") % {"n": SLOW_SECONDS}
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_RATE, shoppers=room, reason=reason)
