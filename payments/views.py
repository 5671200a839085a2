"""Pages behind a token: checkout, paying, the order. Whoever has the address has the hold; nobody else does.

A page here is one shopper's and is kept by nobody. What a hold has become decides what its address answers:
open → the checkout page; paying, allocated, returned → 303 to the order; released → 410.
"""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST, require_safe

from drops import holds, listing, passes
from drops.models import Hold
from payments import checkout, gateway, lines, nudges, pages, pricing, standing, webhooks
from payments.forms import CheckoutForm, country_of
from payments.models import Order, Payment
from shop import caching, problems
from shop.prepared import Given, Read

HELD = Read(
    Hold.objects.select_related("order__payment")
    .annotate(rows=lines.ROWS, paused=holds.PAUSED)
    .filter(uuid=Given("uuid"))
)
ORDERED = Read(Order.objects.select_related("payment", "hold").annotate(rows=lines.ROWS).filter(uuid=Given("uuid")))
QUIET = 10  # seconds without a change after which an order page asks a worker to look again
FIELDS: dict[type[checkout.CheckoutRefused], str] = {  # where on the form a refusal is shown; else above the button
    checkout.BadCountry: "country",
    checkout.CountryFixed: "country",
    checkout.BadToken: "confirmation_token",
}
STUCK = (Payment.State.CONFIRMING, Payment.State.AUTHORISED, Payment.State.CAPTURING, Payment.State.VOIDING)


@require_safe
def checkout_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is held, what it costs and the form to pay; or where the hold has gone."""
    hold = held(token)
    if hold.state not in {Hold.State.OPEN, Hold.State.RELEASED}:
        return to_order(hold)
    if not pages.is_payable(hold):
        return pages.hold_ended(request, hold)
    order, held_lines = pages.order_of(hold), lines.of(hold=hold)
    country = country_of(chosen=request.GET.get("country"), order=order)
    quote = pricing.quote(lines=held_lines, currency=hold.currency, country=country)
    form = CheckoutForm.to_fill(order=order, country=country, total=quote.total)
    return pages.checkout(request, hold=hold, token=token, form=form, quote=quote, order=order, held=held_lines)


@require_POST
def pay(request: HttpRequest, token: str) -> HttpResponse:
    """Take the order and answer at once: a worker asks the bank, and the order page tells."""
    hold = held(token)
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        return fields_refused(request, hold=hold, token=token, form=form)
    try:
        order = checkout.submit(
            hold=hold,
            address=form.address(),
            token=form.cleaned_data["confirmation_token"],
            shown_total=form.cleaned_data["shown_total"],
        )
    except checkout.CheckoutRefused as refusal:
        return refused(request, hold=hold, token=token, refusal=refusal)
    nudges.send(order=order)
    if problems.is_wanted(request):
        return caching.private(JsonResponse({"order": order_url(order)}, status=202))
    return to(order_url(order))


@require_GET
def quote(request: HttpRequest, token: str) -> HttpResponse:
    """Price the hold for another country: what the page's script puts in the place of the old sums."""
    hold = held(token)
    try:
        country = request.GET.get("country", "")
        price = pricing.quote(lines=lines.of(hold=hold), currency=hold.currency, country=country)
    except KeyError:
        detail = str(checkout.BadCountry.message)
        return problems.response(status=422, detail=detail, errors=[{"field": "country", "detail": detail}])
    return caching.private(JsonResponse(pages.sums(price)))


@require_POST
def give_back(request: HttpRequest, token: str) -> HttpResponse:
    """Free the units; a hold that is being paid for stays, and its order page says so."""
    hold = held(token)
    holds.give_back(hold=hold)
    hold.refresh_from_db()
    if hold.state != Hold.State.RELEASED:
        return to_order(hold)
    return pages.forget(to(reverse("drop", args=[hold.drop.slug])), hold)


@require_safe
def order_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show where the order stands; the page's script asks again until that is final."""
    order = ordered(token)
    return pages.order(request, order=order, token=token, stands=standing.read(order=order))


@require_GET
def order_state(request: HttpRequest, token: str) -> HttpResponse:
    """Tell the order page's script where the order stands; have a worker look at one that stands still."""
    order = ordered(token)
    stands = standing.read(order=order)
    payment = order.payment
    if payment.state in STUCK and max(payment.changed_at, payment.looked_at or payment.changed_at) < pages.ago(QUIET):
        nudges.settle(order=order)
    return caching.private(JsonResponse({"state": stands.name, "message": stands.message, "final": stands.final}))


@csrf_exempt  # Stripe's signature replaces it
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Store the event and say so. It is settled by the sweep: a task for each would cost more than it gains."""
    try:
        webhooks.receive(body=request.body, signature=request.headers.get("Stripe-Signature", ""))
    except gateway.BadEvent as refusal:
        return problems.response(status=400, detail=str(refusal))
    return HttpResponse("stored\n", content_type="text/plain")


def held(token: str) -> Hold:
    """Read the hold whose token this is. Raises Http404 for every other text."""
    try:
        uuid = passes.read_token("hold", token)
    except passes.ForeignToken:
        raise Http404 from None
    hold = HELD.first(uuid=uuid)
    if hold is None:
        raise Http404
    hold.drop = listing.frozen(drop_id=hold.drop_id)
    return hold


def ordered(token: str) -> Order:
    """Read the order whose token this is. Raises Http404 for every other text."""
    try:
        uuid = passes.read_token("order", token)
    except passes.ForeignToken:
        raise Http404 from None
    order = ORDERED.first(uuid=uuid)
    if order is None:
        raise Http404
    vars(order.hold)["rows"] = vars(order)["rows"]
    order.hold.drop = listing.frozen(drop_id=order.hold.drop_id)
    return order


def fields_refused(request: HttpRequest, *, hold: Hold, token: str, form: CheckoutForm) -> HttpResponse:
    """Say field by field what can't be used; everything that was written stays."""
    detail = _("Something is missing or can't be used. Nothing was charged.")
    if problems.is_wanted(request):
        errors = [{"field": name, "detail": str(said)} for name, all_ in form.errors.items() for said in all_]
        return problems.response(status=422, detail=detail, errors=errors)
    order = pages.order_of(hold)
    country, held_lines = country_of(chosen=form.data.get("country"), order=order), lines.of(hold=hold)
    quote = pricing.quote(lines=held_lines, currency=hold.currency, country=country)
    return pages.checkout(
        request, hold=hold, token=token, form=form, quote=quote, order=order, held=held_lines, status=422
    )


def refused(request: HttpRequest, *, hold: Hold, token: str, refusal: checkout.CheckoutRefused) -> HttpResponse:
    """Say why the order was not taken; its page leads back."""
    detail = str(refusal)
    if problems.is_wanted(request):
        field = FIELDS.get(type(refusal))
        errors = [{"field": field, "detail": detail}] if field else []
        return problems.response(status=refusal.status, detail=detail, errors=errors)
    if isinstance(refusal, checkout.Lapsed):
        return pages.hold_ended(request, hold)
    return pages.refused(request, hold=hold, token=token, what=detail, status=refusal.status)


def to_order(hold: Hold) -> HttpResponse:
    """Send the browser to the order that was made of the hold."""
    return to(order_url(hold.order))


def order_url(order: Order) -> str:
    """Give the order page's address."""
    return reverse("order", args=[passes.order_token(order.uuid)])


def to(url: str) -> HttpResponse:
    """Send the browser on by GET, and have nobody remember it."""
    return caching.private(HttpResponseRedirect(url, status=303))
