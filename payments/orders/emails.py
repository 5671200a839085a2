"""Emails about orders. Each is a row of the outbox, written in the transaction that it reports."""

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import override

from drops import queries
from drops.models import Drop
from payments.models import Order
from payments.orders import line_items, links
from shop import shipping
from shop.core import outbox

MAX_NUMBERS_IN_SUBJECT = 3


def put_confirmation(*, order: Order) -> None:
    """Put the confirmation of a paid order into the outbox, once per order."""
    items = line_items.of_hold(hold=order.hold)
    with override(order.language):
        context = {
            "order": order,
            "to_be_refunded": Drop.objects.cancelled().filter(pk=order.hold.drop_id).exists(),
            "lines": items,
            "headline": line_items.headline(lines=items),
            "summary": line_items.summary(lines=items, max_numbers=MAX_NUMBERS_IN_SUBJECT),
            "country": str(shipping.COUNTRIES[order.country][0]),
            "drop": queries.cached_fixed_parts(drop_id=order.hold.drop_id),
            "link": links.order_url(order),
            "seller": settings.SELLER,
            "shop_name": settings.SHOP_NAME,
        }
        outbox.put_email(
            kind="order placed",
            about=f"order:{order.uuid}",
            to=order.email,
            # A subject is one line, however the template is wrapped.
            subject=" ".join(render_to_string("mail/order_placed.subject.txt", context).split()),
            text=render_to_string("mail/order_placed.txt", context),
            html=render_to_string("mail/order_placed.html", context),
        )
