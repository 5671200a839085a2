"""Pages behind a token: checkout, paying, the order. Whoever has the address has the hold; nobody else does.

A page here is one shopper's and is kept by nobody. What a hold has become decides what its address answers:
open → the checkout page; paying, allocated, returned → 303 to the order; released → 410.
"""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST, require_safe

from drops import holds, queries, tokens
from drops.models import Hold
from payments import dispatch
from payments.checkout import pricing, rendering, submit
from payments.checkout.forms import CheckoutForm, country_of
from payments.models import Order, Payment
from payments.orders import line_items, status
from payments.processing import gateway, webhooks
from shop.core import caching, problems
from shop.core.prepared import Given, Read

HELD = Read(
    Hold.objects.with_paused()
    .select_related("order__payment")
    .annotate(rows=line_items.ROWS)
    .filter(uuid=Given("uuid"))
)
ORDERED = Read(
    Order.objects.select_related("payment", "hold").annotate(rows=line_items.ROWS).filter(uuid=Given("uuid"))
)
QUIET = 10  # seconds without a change after which an order page asks a worker to look again
FIELDS: dict[type[submit.CheckoutRefused], str] = {  # where on the form a refusal is shown; else above the button
    submit.BadCountry: "country",
    submit.CountryFixed: "country",
    submit.BadToken: "confirmation_token",
}
STUCK = (Payment.State.CONFIRMING, Payment.State.AUTHORISED, Payment.State.CAPTURING, Payment.State.VOIDING)


@require_safe
def checkout_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is held, what it costs and the form to pay; or where the hold has gone."""
    hold = held(token)
    if hold.state not in {Hold.State.OPEN, Hold.State.RELEASED}:
        return to_order(hold)
    if not rendering.is_payable(hold):
        return rendering.hold_ended(request, hold)
    order, held_lines = rendering.order_of(hold), line_items.of(hold=hold)
    country = country_of(chosen=request.GET.get("country"), order=order)
    quote = pricing.quote(lines=held_lines, currency=hold.currency, country=country)
    form = CheckoutForm.to_fill(order=order, country=country, total=quote.total)
    return rendering.checkout(request, hold=hold, token=token, form=form, quote=quote, order=order, held=held_lines)


@require_POST
def pay(request: HttpRequest, token: str) -> HttpResponse:
    """Take the order and answer at once: a worker asks the bank, and the order page tells."""
    hold = held(token)
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        return fields_refused(request, hold=hold, token=token, form=form)
    try:
        order = submit.submit(
            hold=hold,
            address=form.address(),
            token=form.cleaned_data["confirmation_token"],
            shown_total=form.cleaned_data["shown_total"],
        )
    except submit.CheckoutRefused as refusal:
        return refused(request, hold=hold, token=token, refusal=refusal)
    dispatch.enqueue_confirm(order=order)
    if problems.is_wanted(request):
        return caching.private(JsonResponse({"order": order_url(order)}, status=202))
    return to(order_url(order))


@require_GET
def quote(request: HttpRequest, token: str) -> HttpResponse:
    """Price the hold for another country: what the page's script puts in the place of the old sums."""
    hold = held(token)
    try:
        country = request.GET.get("country", "")
        price = pricing.quote(lines=line_items.of(hold=hold), currency=hold.currency, country=country)
    except KeyError:
        detail = str(submit.BadCountry())
        return problems.response(status=422, detail=detail, errors=[{"field": "country", "detail": detail}])
    return caching.private(JsonResponse(rendering.sums(price)))


@require_POST
def give_back(request: HttpRequest, token: str) -> HttpResponse:
    """Free the units; a hold that is being paid for stays, and its order page says so."""
    hold = held(token)
    holds.release_open(hold=hold)
    hold.refresh_from_db()
    if hold.state != Hold.State.RELEASED:
        return to_order(hold)
    return rendering.forget(to(reverse("drop", args=[hold.drop.slug])), hold)


@require_safe
def order_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show where the order stands; the page's script asks again until that is final."""
    order = ordered(token)
    return rendering.order(request, order=order, token=token, stands=status.read(order=order))


@require_GET
def order_state(request: HttpRequest, token: str) -> HttpResponse:
    """Tell the order page's script where the order stands; have a worker look at one that stands still."""
    order = ordered(token)
    stands = status.read(order=order)
    payment = order.payment
    if payment.state in STUCK and max(payment.changed_at, payment.looked_at or payment.changed_at) < rendering.ago(
        QUIET
    ):
        dispatch.enqueue_advance(order=order)
    return caching.private(JsonResponse({"state": stands.name, "message": stands.message, "final": stands.final}))


@csrf_exempt  # Stripe's signature replaces it
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Store the event and say so. It is settled by the sweep: a task for each would cost more than it gains."""
    try:
        webhooks.receive(body=request.body, signature=request.headers.get("Stripe-Signature", ""))
    except gateway.InvalidEvent as refusal:
        return problems.response(status=400, detail=str(refusal))
    return HttpResponse("stored\n", content_type="text/plain")


def held(token: str) -> Hold:
    """Read the hold whose token this is. Raises Http404 for every other text."""
    try:
        uuid = tokens.read_token("hold", token)
    except tokens.InvalidToken:
        raise Http404 from None
    hold = HELD.first(uuid=uuid)
    if hold is None:
        raise Http404
    hold.drop = queries.cached_fixed_parts(drop_id=hold.drop_id)
    return hold


def ordered(token: str) -> Order:
    """Read the order whose token this is. Raises Http404 for every other text."""
    try:
        uuid = tokens.read_token("order", token)
    except tokens.InvalidToken:
        raise Http404 from None
    order = ORDERED.first(uuid=uuid)
    if order is None:
        raise Http404
    vars(order.hold)["rows"] = vars(order)["rows"]
    order.hold.drop = queries.cached_fixed_parts(drop_id=order.hold.drop_id)
    return order


def fields_refused(request: HttpRequest, *, hold: Hold, token: str, form: CheckoutForm) -> HttpResponse:
    """Say field by field what can't be used; everything that was written stays."""
    detail = _("Please check the marked fields. You haven't been charged.")
    if problems.is_wanted(request):
        errors = [{"field": name, "detail": str(said)} for name, all_ in form.errors.items() for said in all_]
        return problems.response(status=422, detail=detail, errors=errors)
    order = rendering.order_of(hold)
    country, held_lines = country_of(chosen=form.data.get("country"), order=order), line_items.of(hold=hold)
    quote = pricing.quote(lines=held_lines, currency=hold.currency, country=country)
    return rendering.checkout(
        request, hold=hold, token=token, form=form, quote=quote, order=order, held=held_lines, status=422
    )


def refused(request: HttpRequest, *, hold: Hold, token: str, refusal: submit.CheckoutRefused) -> HttpResponse:
    """Say why the order was not taken; its page leads back."""
    if problems.is_wanted(request):
        detail = str(refusal)
        field = FIELDS.get(type(refusal))
        errors = [{"field": field, "detail": detail}] if field else []
        return problems.response(status=refusal.status, detail=detail, errors=errors)
    if isinstance(refusal, submit.Lapsed):
        return rendering.hold_ended(request, hold)
    return rendering.refused(request, hold=hold, token=token, refusal=refusal)


def to_order(hold: Hold) -> HttpResponse:
    """Send the browser to the order that was made of the hold."""
    return to(order_url(hold.order))


def order_url(order: Order) -> str:
    """Give the order page's address."""
    return reverse("order", args=[tokens.order_token(order.uuid)])


def to(url: str) -> HttpResponse:
    """Send the browser on by GET, and have nobody remember it."""
    return caching.private(HttpResponseRedirect(url, status=303))
