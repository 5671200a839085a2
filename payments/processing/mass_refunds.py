"""Refunding all paid orders of a cancelled drop in one go: a row for each, written by a few statements."""

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, connection, transaction

from drops import holds
from drops.models import Drop
from payments.models import Refund
from payments.processing.refunds import RefundRefused
from shop.core import audit_log, money

# The payments that are refunded whole: listed for it, with no refund yet, and not taken by a dispute. Each of
# the others needs a look.
PAYMENTS_SQL = """
    FROM payments_payment p
    JOIN payments_order o ON o.id = p.order_id
    JOIN drops_hold h ON h.id = o.hold_id
    WHERE h.drop_id = %(drop)s AND h.state = 'allocated' AND p.state = 'captured' AND p.refund_due_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM payments_refund r
                      WHERE r.payment_id = p.id AND r.state NOT IN ('failed', 'canceled', 'withdrawn'))
      AND NOT EXISTS (SELECT FROM payments_dispute d WHERE d.payment_id = p.id AND d.state IN ('open', 'lost'))
"""
REFUNDS_SQL = f"""
    INSERT INTO payments_refund (uuid, payment_id, origin, state, amount, shipping, goodwill, currency, reason, note,
        by_id, failure_reason, livemode, requested_at, changed_at, units_decided_at, tries, last_error)
    SELECT gen_random_uuid(), p.id, 'shop', 'requested', p.amount,
        o.shipping + CASE WHEN o.tax_in_price THEN 0 ELSE o.shipping_tax END, 0, p.currency, %(reason)s, '',
        %(by)s, '', p.livemode, statement_timestamp(), statement_timestamp(), statement_timestamp(), 0, ''
    {PAYMENTS_SQL}
    RETURNING id, amount
"""
LINES_SQL = """
    INSERT INTO payments_refundline (refund_id, line_id, amount, numbers, units)
    SELECT r.id, l.id, l.quantity * l.price + CASE WHEN o.tax_in_price THEN 0 ELSE l.tax END, l.numbers, 'withheld'
    FROM payments_refund r
    JOIN payments_payment p ON p.id = r.payment_id
    JOIN payments_order o ON o.id = p.order_id
    JOIN payments_orderline l ON l.order_id = o.id
    WHERE r.id = ANY(%(refunds)s)
"""
HOLDS_SQL = """
    SELECT o.hold_id FROM payments_refund r
    JOIN payments_payment p ON p.id = r.payment_id
    JOIN payments_order o ON o.id = p.order_id
    WHERE r.id = ANY(%(refunds)s)
"""


@dataclass(frozen=True)
class Preview:
    """How many orders would be refunded whole, and their sum in the smallest unit."""

    count: int
    sum: int


def preview(*, drop: Drop) -> Preview:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), coalesce(sum(p.amount), 0) {PAYMENTS_SQL}", {"drop": drop.pk})
        count, total = cursor.fetchone()
    return Preview(count=int(count), sum=int(total))


def request(*, drop: Drop, seen: Preview, by: AbstractBaseUser | None) -> None:
    """Request the refund of each, if they are still those that somebody has `seen`. Raises RefundRefused.

    Their pieces are withheld from sale. Workers send the refunds, as the rate limit allows.
    """
    try:
        with transaction.atomic():
            write_all(drop=drop, seen=seen, by=by)
    except IntegrityError as error:
        if "left to refund" not in str(error):
            raise
        raise RefundRefused(
            "Somebody else refunds orders of this drop, so nothing was refunded. Look again."
        ) from None


def write_all(*, drop: Drop, seen: Preview, by: AbstractBaseUser | None) -> None:
    parameters = {"drop": drop.pk, "reason": Refund.Reason.CANCELLED_DROP.value, "by": by.pk if by else None}
    with connection.cursor() as cursor:
        cursor.execute(REFUNDS_SQL, parameters)
        rows = cursor.fetchall()
        found = Preview(count=len(rows), sum=sum(amount for _id, amount in rows))
        if found != seen or not rows:
            text = money.format_amount(amount=found.sum, currency=drop.currency)
            raise RefundRefused(
                f"By now it would be {found.count:,} orders and {text}, so nothing was refunded. Look again."
            )
        ids = [refund_id for refund_id, _amount in rows]
        cursor.execute(LINES_SQL, {"refunds": ids})
        cursor.execute(HOLDS_SQL, {"refunds": ids})
        hold_ids = [hold_id for (hold_id,) in cursor.fetchall()]
        holds.withhold_all(drop=drop, hold_ids=hold_ids, reason="refunded: the drop was cancelled")
        audit_log.write(
            actor=by,
            about=f"drop:{drop.slug}",
            action="all refunds requested",
            after={"count": found.count, "amount": found.sum, "currency": drop.currency},
        )
