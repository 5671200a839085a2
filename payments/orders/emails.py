"""Mails about orders. Each is a row of the outbox, written in the transaction of what it tells."""

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from drops import queries, tokens
from payments.models import Order
from payments.orders import line_items
from shop import shipping
from shop.core import outbox


def placed(*, order: Order) -> None:
    """Put "it is yours" into the outbox, once per order."""
    with override(order.language):
        bought = line_items.of(hold=order.hold)
        context = {
            "order": order,
            "lines": bought,
            "headline": line_items.headline(lines=bought),
            "country": str(shipping.COUNTRIES[order.country][0]),
            "drop": queries.cached_fixed_parts(drop_id=order.hold.drop_id),
            "link": link(order=order),
            "seller": settings.SELLER,
            "shop_name": settings.SHOP_NAME,
        }
        outbox.put_email(
            kind="order placed",
            about=f"order:{order.uuid}",
            to=order.email,
            subject=" ".join(render_to_string("mail/order_placed.subject.txt", context).split()),
            text=render_to_string("mail/order_placed.txt", context),
            html=render_to_string("mail/order_placed.html", context),
        )


def link(*, order: Order) -> str:
    """Give the order page's whole address, which is all that is needed to see it."""
    path = reverse("order", args=[tokens.order_token(order.uuid)])
    return f"{settings.SHOP_ORIGIN}{path}"
