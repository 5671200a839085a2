"""Emails about orders. Each is a row of the outbox, written in the transaction that it reports."""

from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import override

from drops import queries
from payments.models import Order, Payment, Refund
from payments.orders import line_items, links, status
from shop import shipping
from shop.core import outbox

MAX_NUMBERS_IN_SUBJECT = 3


def put_confirmation(*, order: Order) -> None:
    """Put the confirmation of a paid order into the outbox, once per order."""
    items = line_items.of_order(order=order)
    with override(order.language):
        context = {
            "lines": items,
            "headline": line_items.summary(lines=items, max_numbers=line_items.MAX_NUMBERS),
            "summary": line_items.summary(lines=items, max_numbers=MAX_NUMBERS_IN_SUBJECT),
            "country": str(shipping.COUNTRIES[order.country][0]),
        }
        _put(order=order, kind="order placed", template="mail/order_placed", context=context)


def put_cancellation(*, order: Order) -> None:
    """Put the email about a cancelled drop into the outbox, once per paid order."""
    with override(order.language):
        _put(order=order, kind="order cancelled", template="mail/order_cancelled", context={})


def put_outcome(*, order: Order) -> None:
    """Put the email that an order wasn't paid into the outbox, once for each decline and for the end."""
    kind = "payment ended"
    if order.payment.state != Payment.State.VOIDED:
        kind = f"payment declined {order.payment.declines}"
    with override(order.language):
        context = {"outcome": status.derive(order=order)}
        _put(order=order, kind=kind, template="mail/order_unpaid", context=context)


def put_refund(*, order: Order, refund: Refund) -> None:
    """Put the email that money is on its way back into the outbox, once per refund."""
    with override(order.language):
        context = {
            "amount": refund.amount,
            "numbers": [number for line in refund.lines.all() for number in line.numbers],
            "whole": refund.amount == order.total,
        }
        about = f"order:{order.uuid}:{refund.pk}"
        _put(order=order, kind="order refunded", template="mail/order_refunded", context=context, about=about)


def _put(*, order: Order, kind: str, template: str, context: dict[str, Any], about: str = "") -> None:
    common = {
        "order": order,
        "drop": queries.cached_fixed_parts(drop_id=order.hold.drop_id),
        "link": links.order_url(order),
        "seller": settings.SELLER,
        "shop_name": settings.SHOP_NAME,
    }
    context = common | context
    outbox.put_email(
        kind=kind,
        about=about or f"order:{order.uuid}",
        to=order.email,
        # A subject is one line, however the template is wrapped.
        subject=" ".join(render_to_string(f"{template}.subject.txt", context).split()),
        text=render_to_string(f"{template}.txt", context),
        html=render_to_string(f"{template}.html", context),
    )
