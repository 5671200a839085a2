"""The books: what must be true of stock and money at any moment, as SQL; and against Stripe's own list.

Used by tests, rehearsals and the desk. A check gives the rows that break it, so an empty answer is a good one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from drops.models import Drop
from payments.models import Order
from payments.processing import gateway

# Each query gives (what, said) rows of the drop that break the rule. %(drop)s is its id.
RULES = {
    _("each live hold owns exactly the units of its lines"): """
        SELECT h.uuid::text,
               format('edition %%s: %%s held, %%s owed', l.edition_id, count(u.id), l.quantity - l.withheld)
        FROM drops_hold h JOIN drops_holdline l ON l.hold_id = h.id
        LEFT JOIN drops_unit u ON u.hold_id = h.id AND u.edition_id = l.edition_id
        WHERE h.drop_id = %(drop)s AND h.state IN ('open', 'paying', 'allocated')
        GROUP BY h.uuid, l.id HAVING count(u.id) <> l.quantity - l.withheld
    """,
    _("no unit belongs to a hold that is over, or to no line of it"): """
        SELECT 'unit ' || u.id, format('hold %%s is %%s', h.uuid, h.state)
        FROM drops_unit u JOIN drops_hold h ON h.id = u.hold_id
        LEFT JOIN drops_holdline l ON l.hold_id = h.id AND l.edition_id = u.edition_id
        WHERE h.drop_id = %(drop)s AND (h.state IN ('released', 'returned') OR l.id IS NULL)
    """,
    _("free + held + sold + withheld = edition"): """
        SELECT 'edition ' || e.id, format('%%s units of %%s, %%s of them accounted for', count(u.id), e.quantity,
            count(u.id) FILTER (WHERE u.hold_id IS NULL OR h.state IN ('open', 'paying', 'allocated')))
        FROM drops_edition e LEFT JOIN drops_unit u ON u.edition_id = e.id LEFT JOIN drops_hold h ON h.id = u.hold_id
        WHERE e.drop_id = %(drop)s
        GROUP BY e.id HAVING count(u.id) <> e.quantity OR count(u.id) <> count(u.id)
            FILTER (WHERE u.hold_id IS NULL OR h.state IN ('open', 'paying', 'allocated'))
    """,
    _("captured payments, allocated holds and the ledger agree"): """
        SELECT o.number,
               format('hold %%s, payment %%s of %%s, ledger %%s', h.state, p.state, p.amount, coalesce(l.got, 0))
        FROM drops_hold h JOIN payments_order o ON o.hold_id = h.id JOIN payments_payment p ON p.order_id = o.id
        LEFT JOIN LATERAL (SELECT sum(amount) AS got FROM payments_ledgerentry WHERE order_id = o.id) l ON true
        WHERE h.drop_id = %(drop)s AND (
            (p.state = 'captured') <> (coalesce(l.got, 0) = p.amount) OR p.amount <> o.total
            OR (p.state = 'captured' AND h.state <> 'allocated')
            OR (h.state = 'allocated' AND p.state NOT IN ('authorised', 'capturing', 'captured'))
            OR (h.state = 'paying' AND p.state IN ('captured', 'voided'))
        )
    """,
    _("no allocated hold is without an order"): """
        SELECT h.uuid::text, h.state FROM drops_hold h LEFT JOIN payments_order o ON o.hold_id = h.id
        WHERE h.drop_id = %(drop)s AND h.state IN ('paying', 'allocated') AND o.id IS NULL
    """,
    _("one hold per ticket"): """
        SELECT h.ticket::text, count(*) || ' live holds' FROM drops_hold h
        WHERE h.drop_id = %(drop)s AND h.state IN ('open', 'paying', 'allocated')
        GROUP BY h.ticket HAVING count(*) > 1
    """,
    _("each hold's place was below the cursor of its pass"): """
        SELECT h.uuid::text, format('place %%s, cursor %%s', h.place, h.cursor) FROM drops_hold h
        WHERE h.drop_id = %(drop)s AND h.place >= h.cursor
    """,
    _("no index twice"): """
        SELECT 'index ' || h.index, count(DISTINCT h.ticket) || ' tickets' FROM drops_hold h
        WHERE h.drop_id = %(drop)s GROUP BY h.index HAVING count(DISTINCT h.ticket) > 1
    """,
}
WITH_MONEY = ("processing", "requires_capture", "succeeded")
LOOKS = 10  # more than a payment has states to go through
CLOCKS = timedelta(minutes=5)  # how far Stripe's clock may be from ours


@dataclass(frozen=True)
class Check:
    """One rule and the rows that break it."""

    name: str
    broken: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.broken

    @property
    def detail(self) -> str:
        """Name what breaks it, the first few."""
        more = f" and {len(self.broken) - 3} more" if len(self.broken) > 3 else ""
        return "; ".join(self.broken[:3]) + more


def check(*, drop: Drop, stripe: bool = True) -> list[Check]:
    """Check the drop's books; with `stripe`, also against Stripe's list of intents. Raises gateway.Unknown."""
    with connection.cursor() as cursor:
        checks = []
        for name, sql in RULES.items():
            cursor.execute(sql, {"drop": drop.pk})
            checks.append(Check(str(name), tuple(f"{what}: {said}" for what, said in cursor.fetchall())))
    return [*checks, against_stripe(drop=drop)] if stripe else checks


def against_stripe(*, drop: Drop) -> Check:
    """Compare Stripe's intents, made since the drop's first order, with what our rows say of them.

    The rows are read before Stripe is asked, and orders move meanwhile: where the two disagree both are read again.
    """
    orders = {str(order.uuid): order for order in Order.objects.filter(hold__drop=drop).select_related("payment")}
    intents: Iterable[gateway.Intent] = ()
    if orders:
        intents = gateway.intents(since=min(order.created_at for order in orders.values()) - CLOCKS)
    broken, seen = [], set()
    for intent in intents:
        if intent.shop != settings.SHOP_ORIGIN or intent.order not in orders:
            continue
        order = orders[intent.order]
        seen.add(intent.id)
        if differs(order=order, intent=intent) and (fault := looked_at_again(order=order, intent=intent)):
            broken.append(f"{order.number}: {fault}")
    missing = [order for order in orders.values() if order.payment.intent_id and order.payment.intent_id not in seen]
    broken += [f"{order.number}: Stripe has no {order.payment.intent_id}" for order in missing]
    return Check(str(_("Stripe's list of intents says the same")), tuple(broken))


def looked_at_again(*, order: Order, intent: gateway.Intent) -> str:
    """Compare both as they are now, the order's row standing still around Stripe's answer. Raises gateway.Unknown."""
    rows = Order.objects.select_related("payment")
    after = rows.get(pk=order.pk)
    for _look in range(LOOKS):
        before, intent = after, gateway.retrieve(intent_id=intent.id)
        after = rows.get(pk=order.pk)
        if (before.payment.state, before.payment.intent_id) == (after.payment.state, after.payment.intent_id):
            break
    return differs(order=after, intent=intent)


def differs(*, order: Order, intent: gateway.Intent) -> str:
    """Say how the intent and our row disagree about money, or nothing."""
    if order.payment.intent_id != intent.id:
        # Without money it is what an unclear answer to a create leaves behind.
        return f"money on a second intent, {intent.id}" if intent.status in WITH_MONEY else ""
    got = order.payment.amount if order.payment.state == "captured" else 0
    if intent.amount_received != got and order.payment.state != "capturing":
        return f"Stripe got {intent.amount_received}, our books say {got}"
    if intent.status == "requires_capture" and order.payment.state in order.payment.OVER:
        return "still authorised at Stripe, over here"
    if (intent.amount, intent.currency) != (order.total, order.currency):
        return f"Stripe has {intent.amount} {intent.currency}, the order {order.total} {order.currency}"
    return ""
