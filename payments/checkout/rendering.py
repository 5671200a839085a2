"""The checkout page, and the pages that refuse a checkout."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from drops import holds, lifecycle, page_context, queries
from drops.lifecycle import Phase
from drops.models import Drop, Hold
from drops.refusals import HoldRefused
from drops.waitingroom.protocol import keys
from payments.checkout import pricing, refusals
from payments.checkout.forms import CheckoutForm
from payments.checkout.refusals import CheckoutRefused
from payments.models import Order
from payments.orders import line_items, pages
from payments.orders import status as order_status
from payments.orders.queries import HoldDetails
from shop import theme
from shop.core import caching, csp, money, shop_time

STRIPE_SOURCES = {  # docs.stripe.com/security/guide, "Content security policy"
    "script-src": ["https://js.stripe.com", "https://*.js.stripe.com"],
    "frame-src": ["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"],
    "connect-src": ["https://api.stripe.com"],
}


def render_checkout(
    request: HttpRequest,
    *,
    details: HoldDetails,
    token: str,
    form: CheckoutForm,
    quote: pricing.Quote,
    status: int = 200,
) -> HttpResponse:
    """Render the checkout page: what is held and until when, the sums, the form, the card's own frame."""
    order = details.order
    context = {
        "token": token,
        "form": form,
        "fresh": order is None and not form.is_bound,  # the fields are empty, so their HTML can be cached
        "country": form["country"].value(),
        "sums": quote_texts(quote),
        "paused": details.hold.paused,
        "again": order is not None,
        "can_choose_again": order is None and has_choice(details.hold.drop),
        "decline": decline_text(order),
        "stripe_js": settings.STRIPE_JS_URL,
        "stripe_origin": settings.STRIPE_JS_ORIGIN,
        "stripe_key": settings.STRIPE_PUBLISHABLE_KEY,
    }
    page = pages.render_for_hold(
        request, "payments/checkout.html", details=details, context=context, status=status
    )
    return allow_card_form(page)


def has_choice(drop: Drop) -> bool:
    """Whether an order of the drop can differ from another: by its edition or its quantity."""
    return drop.limit_per_order > 1 or len(drop.editions.all()) > 1


def decline_text(order: Order | None) -> str:
    """Return the sentence about the payment that was declined before, or nothing."""
    if order is None or not order.payment.declines:
        return ""
    return order_status.derive(order=order).message


def render_hold_ended(request: HttpRequest, hold: Hold) -> HttpResponse:
    """Answer 410: the hold is over. The page says when it ended and leads back to the drop."""
    ended = hold.ended_at or hold.expires_at
    context: dict[str, Any] = {
        "title": _("Your hold ended at %(time)s.") % {"time": shop_time.time_of_day(ended)},
        "links": [{"url": reverse("drop", args=[hold.drop.slug]), "text": _("Back to the drop")}],
    }
    phase = queries.cached_page(slug=hold.drop.slug).phase
    if hold.cancelled:
        context["title"] = refusals.HoldOfCancelledDrop.title
        context["reason"] = refusals.HoldOfCancelledDrop.reason
    elif phase == Phase.SOLD_OUT:
        context["reason"] = _("What you held has been released, and nothing is left right now.")
    elif phase not in lifecycle.SELLING_PHASES:
        context["reason"] = _("What you held has been released, and the drop has ended.")
    elif hold.nth >= Hold.MAX_PER_TICKET:
        most = Hold.MAX_PER_TICKET
        reason = _("What you held has been released. It was hold %(nth)s of %(most)s.")
        context["reason"] = reason % {"nth": most, "most": most}
    else:
        context["reason"] = _("What you held has been released. You keep your place, and can hold once more.")
        context["offer"] = page_context.enter_again(hold.drop)
    response = theme.render(request, "refusal.html", context, product=hold.drop.product, status=410)
    return forget_hold(caching.private(response), hold)


def render_release_question(request: HttpRequest, *, details: HoldDetails, token: str) -> HttpResponse:
    """Ask whether to release what is held, and say what that costs: one of the ticket's holds."""
    hold = details.hold
    pieces = line_items.pieces(lines=details.items)
    if hold.nth < Hold.MAX_PER_TICKET:
        reason = _("This is hold %(nth)s of %(most)s. You can hold once more.")
    else:
        reason = _("This is hold %(nth)s of %(most)s. You can't hold again after that.")
    release = {"url": reverse("give-back", args=[token]), "fields": {}}
    context = {
        "title": _("Release %(pieces)s?") % {"pieces": pieces},
        "reason": reason % {"nth": hold.nth, "most": Hold.MAX_PER_TICKET},
        "offer": release | {"text": _("Release %(pieces)s") % {"pieces": pieces}},
        "links": [{"url": reverse("checkout", args=[token]), "text": _("Cancel")}],
    }
    return caching.private(theme.render(request, "refusal.html", context, product=hold.drop.product))


def render_refusal(request: HttpRequest, *, hold: Hold, token: str, refusal: CheckoutRefused) -> HttpResponse:
    """Answer with why the order was not taken. The page leads back to the checkout."""
    context = {
        "title": refusal.title,
        "reason": refusal.reason,
        "links": [{"url": reverse("checkout", args=[token]), "text": _("Back to checkout")}],
    }
    page = theme.render(request, "refusal.html", context, product=hold.drop.product, status=refusal.status)
    return caching.private(page)


def render_used_return(request: HttpRequest, *, order: Order) -> HttpResponse:
    """Answer 410: somebody has come back from the bank by this address before."""
    context = {
        "title": _("This link has been used."),
        "reason": _("Go back to the page on which you paid, or open the link in the email about your order."),
        "links": [{"url": reverse("drop", args=[order.hold.drop.slug]), "text": _("Back to the drop")}],
    }
    response = theme.render(request, "refusal.html", context, product=order.hold.drop.product, status=410)
    return caching.private(response)


def render_choices(request: HttpRequest, *, details: HoldDetails, token: str) -> HttpResponse:
    """Render the page of choices again, with what is held chosen."""
    page = queries.cached_page(slug=details.hold.drop.slug)
    choices = page_context.choices(page, held={item.variant_id: item.quantity for item in details.items})
    until = shop_time.when(details.hold.expires_at, "time")
    context = {**page_context.drop_page(page), **choices, "hold_token": token, "until": until}
    swatches = page_context.swatches(page)
    return caching.private(
        theme.render(request, "drops/pick.html", context, product=page.product, swatches=swatches)
    )


def render_kept(request: HttpRequest, *, hold: Hold, token: str, refusal: HoldRefused) -> HttpResponse:
    """Explain why the units weren't swapped. The hold is as it was."""
    links = [
        {"url": reverse("checkout", args=[token]), "text": _("Back to checkout")},
        {"url": reverse("change-hold", args=[token]), "text": _("Choose again")},
    ]
    kept = _("You still hold what you held, and you haven't been charged.")
    context = {"title": refusal.title, "reason": f"{refusal.reason} {kept}".strip(), "links": links}
    if isinstance(refusal, holds.ChangeRefused | holds.HoldOver):
        context |= {"reason": refusal.reason, "links": links[:1]}
    response = theme.render(
        request, "refusal.html", context, product=hold.drop.product, status=refusal.status
    )
    return caching.private(response)


def forget_hold(response: HttpResponse, hold: Hold) -> HttpResponse:
    """Delete the browser's cookies of a hold that is over."""
    for kind in ("hold", "held"):
        response.delete_cookie(keys.cookie(kind, hold.drop.slug, settings.SECURE_COOKIES), samesite="Lax")
    return response


def allow_card_form(response: HttpResponse) -> HttpResponse:
    """Allow the scripts and frames of Stripe or of the sandbox in the page's CSP; nothing inline."""
    sources = STRIPE_SOURCES
    if settings.STRIPE_JS_ORIGIN not in STRIPE_SOURCES["script-src"]:
        sources = {directive: [settings.STRIPE_JS_ORIGIN] for directive in STRIPE_SOURCES}
    return csp.allow(response, sources)


def quote_texts(quote: pricing.Quote) -> dict[str, Any]:
    """Return a quote's amounts as texts, and the total also as the number that is posted back and charged."""

    def text(amount: int) -> str:
        return money.format_amount(amount=amount, currency=quote.currency)

    tax = {"tax": text(quote.tax), "percent": f"{quote.tax_percent.normalize():f}"}
    if quote.tax_in_price:
        tax_text = _("The total includes %(tax)s tax (%(percent)s%%).") % tax
    else:
        tax_text = _("Plus %(tax)s tax (%(percent)s%%).") % tax
    return {
        "subtotal": text(quote.subtotal),
        "shipping": text(quote.shipping),
        "tax": tax_text,
        "total": text(quote.total),
        "pay": _("Pay %(total)s") % {"total": text(quote.total)},
        "amount": quote.total,
        "currency": quote.currency.lower(),
    }
