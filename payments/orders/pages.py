"""The order page, and the frame that it shares with the checkout page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from drops import tokens
from payments.orders import line_items
from payments.orders.line_items import LineItem
from payments.orders.queries import HoldDetails, OrderDetails
from payments.orders.status import OrderStatus, StatusName
from shop import catalogue, shipping, theme
from shop.core import caching, shop_time
from shop.models import Picture, Product


def render_order(
    request: HttpRequest, *, details: OrderDetails, token: str, order_status: OrderStatus
) -> HttpResponse:
    """Render the order page for the order's present status."""
    order, hold = details.order, details.hold
    can_pay_again = order_status.name == StatusName.DECLINED and hold.is_payable(now=timezone.now())
    context = {
        "order": order,
        "token": token,
        "order_status": order_status,
        "placed": order_status.name == StatusName.PLACED,
        "bank": order_status.name == StatusName.ACTION,
        "stripe_js": settings.STRIPE_JS_URL,
        "stripe_key": settings.STRIPE_PUBLISHABLE_KEY,
        "again": can_pay_again,
        "hold_token": tokens.hold_token(hold.uuid),
        "country": shipping.countries().get(order.country, order.country),
        "seller": settings.SELLER,
    }
    return render_for_hold(request, "payments/order.html", details=details, context=context)


def render_for_hold(
    request: HttpRequest, template: str, *, details: HoldDetails, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Render a page in the product's theme, with what every page of a hold shows. It is never cached."""
    hold, items = details.hold, details.items
    product = hold.drop.product
    common = {
        "hold": hold,
        "drop": hold.drop,
        "lines": items,
        "headline": line_items.summary(lines=items, max_numbers=line_items.MAX_NUMBERS),
        "pieces": line_items.pieces(lines=items),
        "count": sum(item.quantity for item in items),
        "picture": picture_of(product, items),
        "now": timezone.now(),
        "until": shop_time.when(hold.expires_at, "time"),
    }
    return caching.private(theme.render(request, template, common | context, product=product, status=status))


def picture_of(product: Product, items: list[LineItem]) -> Picture | None:
    """Return the variant's own picture if one variant is held and has one, else the product's first."""
    gallery = catalogue.gallery(pictures=product.pictures.all())
    if len(items) != 1:
        return gallery.hero
    return gallery.of_variants.get(items[0].variant_id, gallery.hero)
