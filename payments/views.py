"""Pages behind a token: checkout, paying, the order. Only the address gives access to the hold.

These pages are one shopper's own and never cached. What a hold has become decides what its address answers:
open → the checkout page; paying, allocated, returned → 303 to the order; released → 410.
"""

import logging
from datetime import timedelta

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from drops import holds, tokens
from drops.models import Hold
from drops.refusals import HoldRefused
from drops.views import read_quantities
from payments import dispatch
from payments.checkout import pricing, rendering, submission
from payments.checkout.forms import CheckoutForm, choose_country
from payments.checkout.refusals import CheckoutRefused, ChoiceFixed
from payments.models import Attempt, Order, Payment
from payments.orders import links, pages, queries, status
from payments.orders.queries import HoldDetails, OrderDetails
from payments.processing import gateway, webhooks
from shop.core import caching, problems

log = logging.getLogger(__name__)

STALLED_AFTER = timedelta(seconds=10)  # without a change; then the order page asks a worker to advance it
STATES_THAT_STALL = (
    Payment.State.CONFIRMING,
    Payment.State.AUTHORISED,
    Payment.State.CAPTURING,
    Payment.State.VOIDING,
)


@require_safe
def checkout_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is held, what it costs and the form to pay; or redirect to where the hold has gone."""
    details = hold_or_404(token)
    if details.hold.state not in {Hold.State.OPEN, Hold.State.RELEASED}:
        return redirect_to_order(details.order)
    if not details.hold.is_payable(now=timezone.now()):
        return rendering.render_hold_ended(request, details.hold)
    if details.order is not None:
        note_outcome(details.order, status.derive(order=details.order))  # the page says that it was declined
    country = choose_country(requested=request.GET.get("country"), order=details.order)
    price = pricing.quote(items=details.items, currency=details.hold.currency, country=country)
    form = CheckoutForm.for_page(details=details, country=country, total=price.total)
    return rendering.render_checkout(request, details=details, token=token, form=form, quote=price)


@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, token: str) -> HttpResponse:
    """Take the order and answer at once: a worker asks the bank, and the order page shows the answer.

    A reload of the address leads to the checkout, or to the order that was made.
    """
    if request.method != "POST":
        return redirect(reverse("checkout", args=[token]))
    details = hold_or_404(token)
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        return invalid_form(request, details=details, token=token, form=form)
    try:
        order = submission.submit_order(
            hold=details.hold,
            items=details.items,
            address=form.address(),
            confirmation_token=form.cleaned_data["confirmation_token"],
            shown_total=form.cleaned_data["shown_total"],
            shown_version=form.cleaned_data["shown_version"],
        )
    except CheckoutRefused as refusal:
        return refused(request, hold=details.hold, token=token, refusal=refusal)
    dispatch.enqueue_confirm(order=order)
    if problems.is_wanted(request):
        return caching.private(JsonResponse({"order": links.order_path(order)}, status=202))
    return redirect_to_order(order)


@require_safe
def quote(request: HttpRequest, token: str) -> HttpResponse:
    """Price the hold for a different country: the page's script replaces the sums with these."""
    details = hold_or_404(token)
    country = request.GET.get("country", "")
    try:
        price = pricing.quote(items=details.items, currency=details.hold.currency, country=country)
    except CheckoutRefused as refusal:
        return problem(refusal)
    return caching.private(JsonResponse(rendering.quote_texts(price)))


@require_http_methods(["GET", "HEAD", "POST"])
def change_hold(request: HttpRequest, token: str) -> HttpResponse:
    """Let a shopper choose again: the units of the open hold are swapped, and its end stays the same."""
    details = hold_or_404(token)
    if details.hold.state != Hold.State.OPEN or not details.hold.is_payable(now=timezone.now()):
        return redirect(reverse("checkout", args=[token]))  # which says what has become of the hold
    if details.order is not None:
        return refused(request, hold=details.hold, token=token, refusal=ChoiceFixed())
    if request.method != "POST":
        return rendering.render_choices(request, details=details, token=token)
    limit = details.hold.drop.limit_per_order
    try:
        submission.change_units(hold=details.hold, quantities=read_quantities(request.POST, limit=limit))
    except CheckoutRefused as refusal:
        return refused(request, hold=details.hold, token=token, refusal=refusal)
    except HoldRefused as refusal:
        return rendering.render_kept(request, hold=details.hold, token=token, refusal=refusal)
    return redirect(reverse("checkout", args=[token]))


@require_http_methods(["GET", "HEAD", "POST"])
def release_hold(request: HttpRequest, token: str) -> HttpResponse:
    """Ask first, then release the units. A hold that is being paid for stays, and its order page says so."""
    details = hold_or_404(token)
    hold = details.hold
    if request.method != "POST":
        if not hold.is_payable(now=timezone.now()):
            return redirect(reverse("checkout", args=[token]))  # which says what has become of the hold
        return rendering.render_release_question(request, details=details, token=token)
    holds.release_open(hold=hold)
    details = hold_or_404(token)  # what the hold is now
    if details.hold.state != Hold.State.RELEASED:
        return redirect_to_order(details.order)
    return rendering.forget_hold(redirect(reverse("drop", args=[hold.drop.slug])), hold)


@require_safe
def order_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show the order's status; the page's script asks again until that is final."""
    details = order_or_404(token)
    order_status = status.derive(order=details.order)
    note_outcome(details.order, order_status)
    page = pages.render_order(request, details=details, token=token, order_status=order_status)
    if order_status.name == status.StatusName.ACTION:
        return rendering.allow_card_form(page)  # Stripe's script shows the bank's page in it
    return page


@require_safe
def payment_return(request: HttpRequest, token: str) -> HttpResponse:
    """Lead a browser that comes back from the bank's page to its order. The address works once."""
    try:
        attempt = queries.attempt(uuid=links.read_return_token(token))
    except (tokens.InvalidToken, Attempt.DoesNotExist):
        raise Http404 from None
    order = attempt.payment.order
    if not queries.mark_as_returned(attempt=attempt):
        return rendering.render_used_return(request, order=order)
    dispatch.enqueue_advance(order=order)
    return redirect_to_order(order)


@require_safe
def order_state(request: HttpRequest, token: str) -> HttpResponse:
    """Return the order's status to its page's script; have a worker advance an order that has stalled.

    With `bank=done`, the shopper has answered on the bank's page, so Stripe knows more than we do.
    """
    order = order_or_404(token).order
    is_back = request.GET.get("bank") == "done" and order.payment.state == Payment.State.ACTION
    if is_back or has_stalled(order.payment):
        dispatch.enqueue_advance(order=order)
    order_status = status.derive(order=order)
    note_outcome(order, order_status)
    answer = {"state": order_status.name, "message": order_status.message, "final": order_status.final}
    return caching.private(JsonResponse(answer))


@csrf_exempt  # Stripe's signature replaces it
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Store the event. A sweep processes it: a task for each event would cost more than it gains."""
    try:
        webhooks.receive(body=request.body, signature=request.headers.get("Stripe-Signature", ""))
    except gateway.InvalidEvent as refusal:
        return problems.response(status=400, detail=str(refusal))
    return HttpResponse("stored\n", content_type="text/plain")


def hold_or_404(token: str) -> HoldDetails:
    """Return the details of the hold that the token authorises. Raises Http404 for any other text."""
    try:
        return queries.hold_details(uuid=tokens.read_hold_token(token))
    except (tokens.InvalidToken, Hold.DoesNotExist):
        raise Http404 from None


def order_or_404(token: str) -> OrderDetails:
    """Return the details of the order that the token authorises. Raises Http404 for any other text."""
    try:
        return queries.order_details(uuid=links.read_order_token(token))
    except (tokens.InvalidToken, Order.DoesNotExist):
        raise Http404 from None


def note_outcome(order: Order, order_status: status.OrderStatus) -> None:
    """Record that the shopper's page shows a decline, or that the order isn't paid and never will be."""
    if order_status.name not in status.UNPAID:
        return
    try:
        queries.mark_outcome_seen(payment=order.payment)
    except (
        DatabaseError
    ):  # the page can be read while the database takes no writes; an email comes, too, then
        log.warning("order %s: that its outcome was shown could not be recorded", order, exc_info=True)


def has_stalled(payment: Payment) -> bool:
    """Whether nothing has happened to the payment for a while, although something should."""
    last_seen = max(payment.changed_at, payment.checked_at or payment.changed_at)
    return payment.state in STATES_THAT_STALL and last_seen < timezone.now() - STALLED_AFTER


def invalid_form(
    request: HttpRequest, *, details: HoldDetails, token: str, form: CheckoutForm
) -> HttpResponse:
    """Answer 422 with what is wrong, field by field. Everything that was entered stays."""
    if problems.is_wanted(request):
        detail = _("Please check the marked fields. You haven't been charged.")
        errors = [
            {"field": name, "detail": str(text)} for name, texts in form.errors.items() for text in texts
        ]
        return problems.response(status=422, detail=detail, errors=errors)
    country = choose_country(requested=form.data.get("country"), order=details.order)
    price = pricing.quote(items=details.items, currency=details.hold.currency, country=country)
    return rendering.render_checkout(
        request, details=details, token=token, form=form, quote=price, status=422
    )


def refused(request: HttpRequest, *, hold: Hold, token: str, refusal: CheckoutRefused) -> HttpResponse:
    """Answer with why the order was not taken, and what to do next."""
    if problems.is_wanted(request):
        return problem(refusal)
    if refusal.hold_is_over:
        return rendering.render_hold_ended(request, hold)
    return rendering.render_refusal(request, hold=hold, token=token, refusal=refusal)


def problem(refusal: CheckoutRefused) -> HttpResponse:
    """Return a refusal as problem details, with the field that it is about."""
    detail = str(refusal)
    errors = []
    if refusal.field:
        errors.append({"field": refusal.field, "detail": detail})
    return problems.response(status=refusal.status, detail=detail, errors=errors)


def redirect_to_order(order: Order | None) -> HttpResponse:
    """Redirect the browser to an order's page. A hold that is no longer open always has an order."""
    if order is None:
        raise Http404
    return redirect(links.order_path(order))


def redirect(path: str) -> HttpResponse:
    """Redirect the browser so that it follows by GET and nothing is cached."""
    return caching.private(HttpResponseRedirect(path, status=303))
