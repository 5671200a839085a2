"""Invariants: rules of stock and money that hold at any moment, as SQL; and a comparison with Stripe's list.

Used by tests, load tests and a periodic task. A check returns the rows that break its rule, so no rows are
good news.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Q

from drops.models import Drop
from payments.models import Order, Payment
from payments.processing import gateway
from shop.core import alerts
from shop.core.models import Alert

log = logging.getLogger(__name__)

# Each query returns (name, problem) for every row of the drop that breaks the rule. %(drop)s is the drop's
# id.
RULES = {
    "each live hold owns exactly the units of its lines": """
        SELECT h.uuid::text,
               format('edition %%s: %%s held, %%s expected', l.edition_id, count(u.id), l.quantity - l.withheld)
        FROM drops_hold h JOIN drops_holdline l ON l.hold_id = h.id
        LEFT JOIN drops_unit u ON u.hold_id = h.id AND u.edition_id = l.edition_id
        WHERE h.drop_id = %(drop)s AND h.state IN ('open', 'paying', 'allocated')
        GROUP BY h.uuid, l.id HAVING count(u.id) <> l.quantity - l.withheld
    """,
    "no unit belongs to a hold that has ended, or to one without a line for it": """
        SELECT 'unit ' || u.id, format('hold %%s is %%s', h.uuid, h.state)
        FROM drops_unit u JOIN drops_hold h ON h.id = u.hold_id
        LEFT JOIN drops_holdline l ON l.hold_id = h.id AND l.edition_id = u.edition_id
        WHERE h.drop_id = %(drop)s AND (h.state IN ('released', 'returned') OR l.id IS NULL)
    """,
    "free, held, sold and withheld units add up to the edition": """
        SELECT 'edition ' || e.id, format('%%s units of %%s exist, %%s are accounted for', count(u.id), e.quantity,
            count(u.id) FILTER (WHERE u.hold_id IS NULL OR h.state IN ('open', 'paying', 'allocated')))
        FROM drops_edition e LEFT JOIN drops_unit u ON u.edition_id = e.id LEFT JOIN drops_hold h ON h.id = u.hold_id
        WHERE e.drop_id = %(drop)s
        GROUP BY e.id HAVING count(u.id) <> e.quantity OR count(u.id) <> count(u.id)
            FILTER (WHERE u.hold_id IS NULL OR h.state IN ('open', 'paying', 'allocated'))
    """,
    "captured payments, allocated holds and the ledger agree": """
        SELECT o.number,
               format('hold %%s, payment %%s of %%s, ledger %%s', h.state, p.state, p.amount, coalesce(l.got, 0))
        FROM drops_hold h JOIN payments_order o ON o.hold_id = h.id JOIN payments_payment p ON p.order_id = o.id
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS got FROM payments_ledgerentry WHERE order_id = o.id AND kind = 'capture'
        ) l ON true
        WHERE h.drop_id = %(drop)s AND (
            (p.state = 'captured') <> (coalesce(l.got, 0) = p.amount) OR p.amount <> o.total
            OR (p.state = 'captured' AND h.state <> 'allocated')
            OR (h.state = 'allocated' AND p.state NOT IN ('authorised', 'capturing', 'captured'))
            OR (h.state = 'paying' AND p.state IN ('captured', 'voided'))
        )
    """,
    "refunds and the ledger agree": """
        SELECT o.number, format('refunds %%s, ledger %%s', coalesce(r.sent, 0), -coalesce(l.taken, 0))
        FROM drops_hold h JOIN payments_order o ON o.hold_id = h.id JOIN payments_payment p ON p.order_id = o.id
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS sent FROM payments_refund
            WHERE payment_id = p.id AND state IN ('pending', 'succeeded')
        ) r ON true
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS taken FROM payments_ledgerentry
            WHERE order_id = o.id AND kind IN ('refund', 'refund failed')
        ) l ON true
        WHERE h.drop_id = %(drop)s AND coalesce(r.sent, 0) <> -coalesce(l.taken, 0)
    """,
    "a unit leaves a sold hold only by a refund that names it (holds.withhold_units)": """
        SELECT o.number,
               format('edition %%s: %%s withheld, %%s in refunds', l.edition_id, l.withheld, coalesce(r.named, 0))
        FROM drops_hold h JOIN drops_holdline l ON l.hold_id = h.id JOIN payments_order o ON o.hold_id = h.id
        LEFT JOIN LATERAL (
            SELECT sum(jsonb_array_length(rl.numbers)) AS named FROM payments_refundline rl
            JOIN payments_orderline ol ON ol.id = rl.line_id
            WHERE ol.order_id = o.id AND ol.edition_id = l.edition_id AND rl.units = 'withheld'
        ) r ON true
        WHERE h.drop_id = %(drop)s AND h.state = 'allocated' AND l.withheld <> coalesce(r.named, 0)
    """,
    "each hold that is being paid for or allocated has an order": """
        SELECT h.uuid::text, h.state FROM drops_hold h LEFT JOIN payments_order o ON o.hold_id = h.id
        WHERE h.drop_id = %(drop)s AND h.state IN ('paying', 'allocated') AND o.id IS NULL
    """,
    "no ticket has two live holds": """
        SELECT h.ticket::text, count(*) || ' live holds' FROM drops_hold h
        WHERE h.drop_id = %(drop)s AND h.state IN ('open', 'paying', 'allocated')
        GROUP BY h.ticket HAVING count(*) > 1
    """,
    "each hold's place was below the cursor of its pass": """
        SELECT h.uuid::text, format('place %%s, cursor %%s', h.place, h.cursor) FROM drops_hold h
        WHERE h.drop_id = %(drop)s AND h.place >= h.cursor
    """,
    "no index was given out twice": """
        SELECT 'index ' || h.index, count(DISTINCT h.ticket) || ' tickets' FROM drops_hold h
        WHERE h.drop_id = %(drop)s GROUP BY h.index HAVING count(DISTINCT h.ticket) > 1
    """,
}
STATUSES_WITH_MONEY = ("processing", "requires_capture", "succeeded")
MAX_READS = 10  # more than the states that a payment goes through
WATCHED_AFTER_END = timedelta(hours=1)  # by then every payment of a drop is final
CLOCK_DIFFERENCE = timedelta(minutes=5)  # between Stripe's clock and ours, at most


@dataclass(frozen=True)
class Check:
    """One rule, and the rows that break it."""

    name: str
    broken: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.broken

    @property
    def detail(self) -> str:
        """The first few rows that break the rule."""
        first = "; ".join(self.broken[:3])
        if len(self.broken) <= 3:
            return first
        return f"{first} and {len(self.broken) - 3} more"


def check(*, drop: Drop, stripe: bool = True) -> list[Check]:
    """Check the drop's invariants; with `stripe`, against Stripe's list too. Raises OutcomeUnknown."""
    checks = []
    with connection.cursor() as cursor:
        for name, sql in RULES.items():
            cursor.execute(sql, {"drop": drop.pk})
            checks.append(Check(name, tuple(f"{row}: {problem}" for row, problem in cursor.fetchall())))
    if stripe:
        checks.append(compare_with_stripe(drop=drop))
    return checks


def raise_alerts() -> int:
    """Check the drops that are selling or ended recently, without Stripe; return how many rules are broken.

    A drop with a broken rule gets an alert, which is resolved once every rule holds again.
    """
    alerted = Alert.objects.open().filter(source="payments", details__has_key="invariants")
    is_alerted = Q(slug__in=[alert.details["drop"] for alert in alerted])
    is_over = Q(pk__in=Drop.objects.ended(ago=WATCHED_AFTER_END).values("pk"))
    count = 0
    for drop in Drop.objects.filter(is_alerted | (Q(sealed_at__isnull=False) & ~is_over)):
        broken = [found for found in check(drop=drop, stripe=False) if not found.ok]
        raise_alert(drop=drop, broken=broken)
        count += len(broken)
    return count


def raise_alert(*, drop: Drop, broken: Sequence[Check]) -> None:
    """Raise or update the drop's alert, or resolve it if no rule is broken."""
    subject = f"drop:{drop.slug} invariants"
    if not broken:
        alerts.resolve(subject=subject)
        return
    log.error("drop %s breaks %d invariants: %s", drop.slug, len(broken), [found.name for found in broken])
    advice = f"Stock or money of drop {drop.slug} is inconsistent. Pause the drop and look at these rows."
    rules = [f"Broken: {found.name}. {found.detail}." for found in broken]
    alerts.raise_alert(
        source="payments",
        subject=subject,
        message="\n".join([advice, *rules]),
        details={"drop": drop.slug, "invariants": str(len(broken))},
    )


def compare_with_stripe(*, drop: Drop) -> Check:
    """Compare the PaymentIntents that Stripe created since the drop's first order with our rows.

    Our rows are read before Stripe is asked, and orders go on in the meantime. So where the two disagree,
    both are read again.
    """
    rows = Order.objects.filter(hold__drop=drop).select_related("payment")
    orders = {str(order.uuid): order for order in rows}
    intents: Iterable[gateway.Intent] = ()
    if orders:
        intents = gateway.intents(since=min(order.created_at for order in orders.values()) - CLOCK_DIFFERENCE)
    broken, seen = [], set()
    for intent in intents:
        if intent.shop != settings.SHOP_ORIGIN or intent.order not in orders:
            continue
        order = orders[intent.order]
        seen.add(intent.id)
        if not difference(order=order, intent=intent):
            continue
        confirmed = confirmed_difference(order=order, intent=intent)
        if confirmed:
            broken.append(f"{order.number}: {confirmed}")
    for order in orders.values():
        intent_id = order.payment.intent_id
        if intent_id and intent_id not in seen:
            broken.append(f"{order.number}: Stripe has no {intent_id}")
    return Check("Stripe's list of PaymentIntents agrees", tuple(broken))


def confirmed_difference(*, order: Order, intent: gateway.Intent) -> str:
    """Compare both as they are now: the order must be in the same state before and after Stripe's answer.

    Raises OutcomeUnknown.
    """
    rows = Order.objects.select_related("payment")
    after = rows.get(pk=order.pk)
    for _read in range(MAX_READS):
        before, intent = after, gateway.retrieve(intent_id=intent.id)
        after = rows.get(pk=order.pk)
        if (before.payment.state, before.payment.intent_id) == (after.payment.state, after.payment.intent_id):
            break
    return difference(order=after, intent=intent)


def difference(*, order: Order, intent: gateway.Intent) -> str:
    """Return how the intent and our row disagree about money, or nothing."""
    payment = order.payment
    if payment.intent_id != intent.id:
        # Without money on it, it is what an unclear answer to a create leaves behind.
        if intent.status in STATUSES_WITH_MONEY:
            return f"money on a second intent, {intent.id}"
        return ""
    captured = 0
    if payment.state == Payment.State.CAPTURED:
        captured = payment.amount
    if intent.amount_received != captured and payment.state != Payment.State.CAPTURING:
        return f"Stripe received {intent.amount_received}, our rows say {captured}"
    if intent.status == "requires_capture" and payment.state in Payment.FINAL:
        return f"still authorised at Stripe, {payment.state} here"
    if (intent.amount, intent.currency) != (order.total, order.currency):
        return f"Stripe has {intent.amount} {intent.currency}, the order {order.total} {order.currency}"
    return ""
