"""What the pages of a hold and of an order show."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from drops import tokens
from drops.models import Hold
from drops.waitingroom.protocol import keys
from payments.checkout import pricing
from payments.checkout.forms import CheckoutForm
from payments.checkout.submit import CheckoutRefused
from payments.models import Order
from payments.orders import line_items
from payments.orders.line_items import LineItem
from payments.orders.status import Name, OrderStatus
from shop import catalogue, shipping, theme
from shop.core import caching, money
from shop.models import Picture, Product

STRIPE_ITSELF = {  # docs.stripe.com/security/guide, "Content security policy"
    "script-src": ["https://js.stripe.com", "https://*.js.stripe.com"],
    "frame-src": ["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"],
    "connect-src": ["https://api.stripe.com"],
}


def checkout(
    request: HttpRequest,
    *,
    hold: Hold,
    token: str,
    form: CheckoutForm,
    quote: pricing.Quote,
    order: Order | None,
    held: list[LineItem],
    status: int = 200,
) -> HttpResponse:
    """Render the checkout page: what is held and until when, the sums, the form, the card's own frame."""
    context = {
        "token": token,
        "form": form,
        "fresh": order is None and not form.is_bound,  # nothing of this shopper's in the fields yet
        "country": form["country"].value(),
        "sums": sums(quote),
        "paused": hold.paused,
        "again": order is not None,
        "said": _("Your bank declined the payment. You haven't been charged.")
        if order and order.payment.declines
        else "",
        "stripe_js": settings.STRIPE_JS_URL,
        "stripe_key": settings.STRIPE_PUBLISHABLE_KEY,
    }
    return admit_card_form(dressed(request, "payments/checkout.html", hold, held, context, status=status))


def order(request: HttpRequest, *, order: Order, token: str, stands: OrderStatus) -> HttpResponse:
    """Render the order page as the order stands."""
    bought = line_items.of(hold=order.hold)
    context = {
        "order": order,
        "token": token,
        "stands": stands,
        "placed": stands.name == Name.PLACED,
        "again": stands.name == Name.DECLINED and is_payable(order.hold),
        "hold_token": tokens.hold_token(order.hold.uuid),
        "country": shipping.countries().get(order.country, order.country),
        "seller": settings.SELLER,
    }
    return dressed(request, "payments/order.html", order.hold, bought, context)


def dressed(
    request: HttpRequest, template: str, hold: Hold, held: list[LineItem], context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a page in the look of the hold's product, with what both pages say of the hold; nobody keeps it."""
    product = hold.drop.product
    common = {
        "hold": hold,
        "drop": hold.drop,
        "lines": held,
        "headline": line_items.headline(lines=held),
        "pieces": line_items.pieces(lines=held),
        "count": sum(line.quantity for line in held),
        "picture": picture_of(product, held),
        "now": timezone.now(),
        "until": clock(hold.expires_at),
    }
    return caching.private(theme.page(request, template, common | context, product=product, status=status))


def picture_of(product: Product, held: list[LineItem]) -> Picture | None:
    """Choose the picture of what is held: that of its variant, if it has one and is the only one."""
    gallery = catalogue.gallery(pictures=product.pictures.all())
    return gallery.of_variants.get(held[0].variant_id, gallery.hero) if len(held) == 1 else gallery.hero


def hold_ended(request: HttpRequest, hold: Hold) -> HttpResponse:
    """Say that the hold is over, when it ended, that nothing was charged, and where to go on; 410."""
    ended = hold.ended_at or hold.expires_at
    context = {
        "title": _("Your hold ended at %(time)s.") % {"time": clock(ended)},
        "reason": _("What you held has been released. You keep your place."),
        "links": [{"url": reverse("drop", args=[hold.drop.slug]), "text": _("Back to the drop")}],
    }
    response = theme.page(request, "refusal.html", context, product=hold.drop.product, status=410)
    return forget(caching.private(response), hold)


def refused(request: HttpRequest, *, hold: Hold, token: str, refusal: CheckoutRefused) -> HttpResponse:
    """Say why the order was not taken and lead back to the checkout page."""
    context = {
        "title": refusal.title,
        "reason": refusal.reason,
        "links": [{"url": reverse("checkout", args=[token]), "text": _("Back to checkout")}],
    }
    page = theme.page(request, "refusal.html", context, product=hold.drop.product, status=refusal.status)
    return caching.private(page)


def forget(response: HttpResponse, hold: Hold) -> HttpResponse:
    """Let the browser forget a hold that is over."""
    for kind in ("hold", "held"):
        response.delete_cookie(keys.cookie(kind, hold.drop.slug, settings.SECURE_COOKIES), samesite="Lax")
    return response


def admit_card_form(response: HttpResponse) -> HttpResponse:
    """Let the page's CSP admit Stripe's script and frames, or the sandbox's; nothing inline."""
    stripe = STRIPE_ITSELF
    if settings.STRIPE_JS_ORIGIN not in STRIPE_ITSELF["script-src"]:
        stripe = {directive: [settings.STRIPE_JS_ORIGIN] for directive in STRIPE_ITSELF}
    update = dict(getattr(response, "_csp_update", None) or {})
    response._csp_update = update | stripe  # type: ignore[attr-defined]  # what django-csp's own decorator sets
    return response


def sums(quote: pricing.Quote) -> dict[str, Any]:
    """Write the amounts of a quote for people, and the total also as the number that is posted back and charged."""

    def text(amount: int) -> str:
        return money.text(amount=amount, currency=quote.currency)

    tax = {"tax": text(quote.tax), "percent": f"{quote.tax_percent.normalize():f}"}
    included = (
        _("The total includes %(tax)s tax (%(percent)s%%).")
        if quote.tax_in_price
        else _("Plus %(tax)s tax (%(percent)s%%).")
    )
    return {
        "subtotal": text(quote.subtotal),
        "shipping": text(quote.shipping),
        "tax": included % tax,
        "total": text(quote.total),
        "pay": _("Pay %(total)s") % {"total": text(quote.total)},
        "amount": quote.total,
        "currency": quote.currency.lower(),
    }


def is_payable(hold: Hold) -> bool:
    """Say whether the hold may be paid for, for what a page shows; the UPDATE that pays decides by itself."""
    return hold.is_payable(now=timezone.now())


def order_of(hold: Hold) -> Order | None:
    """Give the order that an earlier attempt made of the hold."""
    return getattr(hold, "order", None)


def ago(seconds: int) -> datetime:
    """Give the moment that many seconds before now."""
    return timezone.now() - timedelta(seconds=seconds)


def clock(moment: datetime) -> str:
    """Write a time of day in the shop's zone: "18:09 CET"."""
    local = moment.astimezone(ZoneInfo(settings.SHOP_TIME_ZONE))
    return f"{date_format(local, 'H:i')} {local.tzname()}"
