"""Every page, refusal and email that a shopper may be shown by the web tier, each under a name."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from drops import holds, queries, tokens
from drops import views as drop_views
from drops.models import Checkpoint, Drop, Hold, Pause, Unit
from drops.refusals import HoldRefused
from dropsite import views as error_views
from payments import views as payment_views
from payments.checkout import rendering
from payments.checkout.refusals import CheckoutRefused
from payments.models import Attempt, Order
from payments.orders import emails, links, status
from shop.core.models import Email
from shop.models import Product
from tests.drops.views.shopping import let_in
from tests.factories import make_drop, make_edition, make_hold, make_product, make_variant
from tests.payments.views.shopping import GOOD, JSON, address, bring, lapse, make_order, order_address, pay

Page = tuple[str, str]
PHASES = ("announced", "lobby", "opening", "live", "paused", "sold out", "closed", "cancelled")
# What people wrote is in brackets, as if it were translated.
ADDRESS = {"name": "⟦Ada L.⟧", "line1": "⟦1 Loopback Lane⟧", "line2": "⟦c/o Bob⟧", "city": "⟦Berlin⟧"}


def html(response: Any) -> str:
    """The body of an answer; of one to a script, the texts that it puts on the page."""
    body = response.content.decode()
    return "\n".join(texts(json.loads(body))) if "json" in response["Content-Type"] else body


def texts(body: dict[str, Any]) -> Iterator[str]:
    """Return the texts of a JSON response that a person reads."""
    for name in ("detail", "message", "text", "tax", "pay"):
        if name in body:
            yield body[name]
    for error in body.get("errors", []):
        yield error["detail"]


def product(**fields: Any) -> Product:
    """A product whose own words are in brackets."""
    return make_product(
        **{"name": "⟦Zero⟧", "tagline": "⟦It exists.⟧", "story": "⟦So.⟧", "facts": "⟦Steel⟧"} | fields
    )


def drop(phase: str, **fields: Any) -> Drop:
    """A drop of two editions whose own words are in brackets."""
    options = fields.pop("options", ("⟦S⟧", "⟦M⟧"))
    made = make_drop(phase=phase, editions=0, product=product(), title="⟦Zero⟧", **fields)
    for size in options:
        make_edition(
            drop=made, variant=make_variant(product=made.product, options={"size": size}), quantity=3
        )
    if phase == "sold out":
        Unit.objects.filter(edition__drop=made).update(withheld_at=timezone.now(), withheld_reason="sample")
        sold_out_at = made.opens_at + timedelta(seconds=221) if made.opens_at else None
        Drop.objects.filter(pk=made.pk).update(sold_out_at=sold_out_at)
        Checkpoint.objects.filter(drop=made).update(joined=61_204, counter_limit=61_204)
    return made


def public(client: Client) -> Iterator[Page]:
    """The pages that everybody gets."""
    yield "nothing announced", html(client.get("/"))
    yield "an empty archive", html(client.get("/archive/"))
    yield "how", html(client.get("/how/"))
    yield "API", html(client.get("/api/v1/docs/"))
    for phase in PHASES:
        made = drop(phase, limit_per_order=1)
        yield f"drop, {phase}", html(client.get(f"/drops/{made.slug}/"))
        yield f"draw, {phase}", html(client.get(f"/drops/{made.slug}/check/"))
        if phase == "announced":
            yield "front", html(client.get("/"))
    yield "archive", html(client.get("/archive/"))
    yield "archive, its first page", html(client.get("/archive/1/"))


def turn(client: Client) -> Iterator[Page]:
    """Choosing, and every way in which a hold is refused."""
    for limit in (1, 2):
        made = drop("live", limit_per_order=limit)
        make_hold(drop=made, index=7)
        let_in(client, made)
        yield f"pick, {limit} an order", html(client.get(f"/drops/{made.slug}/pick/"))
        client.post(reverse("hold", args=[made.slug]), {"edition": made.editions.all()[0].pk})
        yield f"what is held, {limit} an order", html(client.get(f"/drops/{made.slug}/mine/"))
    several = drop("live", limit_per_order=2)
    let_in(client, several)
    both = {f"quantity-{edition.pk}": 1 for edition in several.editions.all()}
    client.post(reverse("hold", args=[several.slug]), both)
    yield "what is held, of two editions", html(client.get(f"/drops/{several.slug}/mine/"))
    page = queries.page(slug=made.slug, now=timezone.now())
    for refusal in refusals(made):
        response = drop_views.refusal_page(visitor(), page, refusal)
        yield f"refused: {type(refusal).__name__}", html(response)


def refusals(made: Drop) -> Iterator[HoldRefused]:
    """One refusal of each class, and those whose text depends on numbers in each form."""
    edition = made.editions.all()[0].pk
    for offers in ({}, {edition: 1}, {edition: 2}):
        for held in (0, 1, 2):
            yield holds.NoneFree(offers=offers, held=held)
    for limit in (1, 2):
        yield holds.WrongQuantity(limit=limit)
    for kind in HoldRefused.__subclasses__():
        if kind not in {holds.NoneFree, holds.WrongQuantity}:
            yield kind()


def paying(client: Client) -> Iterator[Page]:
    """The checkout page, in every state of a hold and after every mistake."""
    made = drop("live", limit_per_order=2)
    hold = make_hold(drop=made)
    yield "checkout", html(client.get(address(hold)))
    several = make_hold(drop=made, index=1, quantities={edition.pk: 1 for edition in made.editions.all()})
    yield "checkout, two editions", html(client.get(address(several)))
    yield "checkout, wrong fields", html(pay(client, hold, headers={}, email="x", name="a\tb", country="XX"))
    yield "checkout, empty fields", html(pay(client, hold, headers={}, **dict.fromkeys(GOOD, "")))
    yield "checkout, no postcode", html(pay(client, hold, headers={}, postcode="", confirmation_token="x"))
    yield "checkout, another price", html(client.get(address(hold, "quote/?country=US")))
    for refusal in CheckoutRefused.__subclasses__():
        response = payment_views.refused(
            visitor(), hold=hold, token=tokens.hold_token(hold.uuid), refusal=refusal()
        )
        yield f"refused: {refusal.__name__}", html(response)
        response = payment_views.refused(
            visitor(HTTP_ACCEPT=JSON["Accept"]),
            hold=hold,
            token=tokens.hold_token(hold.uuid),
            refusal=refusal(),
        )
        yield f"refused, to the script: {refusal.__name__}", html(response)
    yield "choose again", html(client.get(reverse("change-hold", args=[tokens.hold_token(hold.uuid)])))
    for refused in (holds.ChangeRefused(), holds.Gone(), holds.NoneFree(offers={1: 1}, held=2)):
        response = rendering.render_kept(
            visitor(), hold=hold, token=tokens.hold_token(hold.uuid), refusal=refused
        )
        yield f"choose again, refused: {type(refused).__name__}", html(response)
    pause = Pause.objects.create(drop=made, began_at=timezone.now())
    yield "checkout, paused", html(client.get(address(hold)))
    pause.delete()
    yield "release?", html(client.get(address(hold, "give-back/")))
    Hold.objects.filter(pk=hold.pk).update(nth=2)
    yield "release the second?", html(client.get(address(hold, "give-back/")))
    lapse(hold)
    yield "checkout, the second lapsed", html(client.get(address(hold)))
    Hold.objects.filter(pk=hold.pk).update(nth=1)
    yield "checkout, lapsed", html(client.get(address(hold)))
    client.post(reverse("give-back", args=[tokens.hold_token(several.uuid)]))
    yield "checkout, released", html(client.get(address(several)))


def orders(client: Client) -> Iterator[Page]:
    """The order page in every state, and the email."""
    for number, (payment, hold, fields) in enumerate(order_states()):
        order = new_order(client, index=number)
        code = fields.pop("decline_code", "")
        bring(order, payment, hold, **fields)
        Attempt.objects.filter(payment__order=order).update(decline_code=code)
        yield f"order, {payment}, {hold}, {fields} {code}", html(client.get(order_address(order)))
        yield (
            f"state, {payment}, {hold}, {fields} {code}",
            html(client.get(order_address(order, "state.json"))),
        )
        if hold == "open":
            yield f"checkout again, {code}", html(client.get(address(order.hold)))
    back = urlsplit(links.return_url(order.payment.attempts.get())).path
    client.get(back)
    yield "back from the bank again", html(client.get(back))
    order = new_order(client, index=1000)
    emails.put_confirmation(order=order)
    email = Email.objects.get()
    yield "email's subject", email.subject
    yield "email's text", email.text
    yield "email's page", email.html


def new_order(client: Client, *, index: int) -> Order:
    """An order of one piece, sent to an address in brackets."""
    hold = make_hold(drop=drop("live", options=("⟦S⟧",)), index=index)
    order = make_order(client, hold)
    Order.objects.filter(pk=order.pk).update(**ADDRESS)
    return Order.objects.select_related("hold", "payment").get(pk=order.pk)


def order_states() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(payment, hold, other fields) of every status that an order may have."""
    yield "new", "paying", {}
    yield "action", "paying", {"action_ends_at": timezone.now(), "client_secret": "pi_1_secret_1"}
    yield "captured", "allocated", {}
    for reason in status.VOIDED_MESSAGES:
        yield "voided", "released", {"void_reason": reason}
    for code in ("", *status.DECLINE_MESSAGES):
        yield "created", "open", {"declines": 1, "decline_code": code}
    yield "new", "released", {}


def errors(client: Client) -> Iterator[Page]:
    """Return the error pages: for a page that isn't there, may not be seen, or is broken."""
    request = visitor()
    yield "400", html(error_views.bad_request(request, Exception()))
    yield "403", html(error_views.forbidden(request, Exception()))
    yield "404", html(error_views.not_found(request, Exception()))
    yield "500", html(error_views.server_error(request))
    yield "CSRF", html(error_views.csrf_refused(request))
    yield "cross-site", html(error_views.cross_site_refused(request))
    try:
        raise OperationalError
    except OperationalError:
        yield "503", html(error_views.server_error(request))


def visitor(**fields: str) -> HttpRequest:
    """A request for a page."""
    return RequestFactory().get("/", **fields)  # type: ignore[arg-type]
