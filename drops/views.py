"""Pages of drops: the drop in every phase, picking and holding, the check of the shuffle, the archive.

Public pages carry no cookie and nothing personal. The edge caches them, for a second while they can change.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from drops import holds, lifecycle, page_context, queries, tokens
from drops.lifecycle import Phase
from drops.models import Drop, Hold
from drops.queries import DropPage
from drops.refusals import HoldRefused
from drops.waitingroom.protocol import keys
from shop import theme
from shop.core import caching

CACHE_SECONDS = 1
STABLE_CACHE_SECONDS = 10  # of pages that hardly ever change
HOLD_COOKIE_SECONDS = 86_400
MAX_QUANTITY = 9_999  # in a form: a larger number is a mistake or an attack
MAX_SITEMAP_DROPS = 49_000  # a sitemap may list 50,000 pages
MAX_ID_DIGITS = 17


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """Show the drop of the moment as its own page does, and below it every other drop that is to come."""
    now = timezone.now()
    page = queries.front_page(now=now)
    if page is None:
        return caching.public(render(request, "drops/nothing.html"), seconds=CACHE_SECONDS)
    return drop_page(request, page, others=queries.other_drops(page=page, now=now))


@require_safe
def drop(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a drop in its phase."""
    return drop_page(request, page_or_404(slug))


@require_safe
def check(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what the draw was made from, so that the browser can verify it."""
    page = page_or_404(slug)
    response = theme.render(request, "drops/check.html", page_context.check_page(page), product=page.product)
    return caching.public(response, seconds=cache_seconds(page))


@require_safe
def mine(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer what this browser holds. Only browsers with the hint cookie ask."""
    hold = hold_of(request, slug)
    if hold is None:
        response: HttpResponse = JsonResponse({}, status=404)
        response.delete_cookie(keys.cookie("held", slug, settings.SECURE_COOKIES), samesite="Lax")
        return caching.private(response)
    ends = None
    if hold.state == Hold.State.OPEN:
        ends = hold.expires_at.timestamp()
    mine = {"url": hold_url(hold), "text": held_text(hold), "ends": ends, "note": held_note(hold)}
    return caching.private(JsonResponse(mine))


@require_safe
def pick(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a shopper whose turn it is choose. One who holds something already goes on to its page."""
    page = cached_page_or_404(slug)
    hold = hold_of(request, slug)
    if hold is not None:
        return caching.private(redirect(hold_url(hold)))
    if page.phase not in lifecycle.SELLING_PHASES:
        return caching.private(redirect("drop", slug=slug))
    now = timezone.now()
    try:
        pass_ = tokens.read_pass(request=request, drop=page.drop, now=now)
        earlier = holds.of_ticket(drop=page.drop, ticket=pass_.ticket)
        for hold in earlier:
            # The ticket may have held something in another browser. One ticket is one hold.
            if is_current(hold, now=now):
                return to_hold(hold, slug)
        if len(earlier) >= Hold.MAX_PER_TICKET:
            raise holds.UsedUp
    except HoldRefused as refusal:
        return refusal_page(request, page, refusal)
    context = {**page_context.drop_page(page), **page_context.choices(page), "ends": pass_.ends}
    context |= {"nth": len(earlier) + 1, "most": Hold.MAX_PER_TICKET}
    context["seconds"] = max(1, pass_.ends - int(now.timestamp()))  # until a page without script loads again
    swatches = page_context.swatches(page)
    response = theme.render(request, "drops/pick.html", context, product=page.product, swatches=swatches)
    return caching.private(response)


@require_http_methods(["GET", "HEAD", "POST"])
def hold(request: HttpRequest, slug: str) -> HttpResponse:
    """Hold what was chosen. A shopper who holds something goes on to its page, whatever is refused.

    A different choice, made on a page from before the hold, is a change of that hold. A reload of the address
    leads to the choices.
    """
    if request.method != "POST":
        return caching.private(redirect("pick", slug=slug))
    page = cached_page_or_404(slug)
    try:
        if page.phase == Phase.CANCELLED:
            raise holds.DropCancelled
        if page.phase == Phase.CLOSED:
            raise holds.DropEnded
        pass_ = tokens.read_pass(request=request, drop=page.drop, now=timezone.now())
        quantities = read_quantities(request.POST, limit=page.drop.limit_per_order)
        placed = holds.place(drop=page.drop, pass_=pass_, quantities=quantities)
    except holds.OtherUnitsHeld as earlier:
        return to_change(earlier.hold, slug)
    except HoldRefused as refusal:
        held = hold_of(request, slug)
        if held is None:
            return refusal_page(request, page, refusal)
        placed = held
    return to_hold(placed, slug)


@require_safe
def archive(request: HttpRequest, page: int = 1) -> HttpResponse:
    """List the drops that have ended, newest first."""
    try:
        read = queries.archive(page=page, now=timezone.now())
    except InvalidPage:
        raise Http404 from None
    return caching.public(render(request, "drops/archive.html", {"archive": read}), seconds=CACHE_SECONDS)


@require_safe
def sitemap(request: HttpRequest) -> HttpResponse:
    """List the public pages for search engines."""
    drops = queries.public_slugs(most=MAX_SITEMAP_DROPS)
    response = render(request, "drops/sitemap.xml", {"slugs": drops}, content_type="application/xml")
    return caching.public(response, seconds=STABLE_CACHE_SECONDS)


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Tell search engines where the sitemap is, and what is one visitor's."""
    response = render(request, "drops/robots.txt", content_type="text/plain")
    return caching.public(response, seconds=STABLE_CACHE_SECONDS)


@require_safe
def how(request: HttpRequest) -> HttpResponse:
    """Explain how a drop works."""
    return caching.public(render(request, "drops/how.html"), seconds=STABLE_CACHE_SECONDS)


def page_or_404(slug: str) -> DropPage:
    """Read the page of an announced drop. Raises Http404."""
    try:
        return queries.page(slug=slug, now=timezone.now())
    except Drop.DoesNotExist:
        raise Http404 from None


def cached_page_or_404(slug: str) -> DropPage:
    """Read the page of an announced drop as it was up to a second ago. Raises Http404."""
    try:
        return queries.cached_page(slug=slug)
    except Drop.DoesNotExist:
        raise Http404 from None


def drop_page(request: HttpRequest, page: DropPage, *, others: Sequence[DropPage] = ()) -> HttpResponse:
    """Render a drop's page, which is the same for everybody, with cards of `others` below it."""
    context = {**page_context.drop_page(page), "others": [page_context.card(other) for other in others]}
    response = theme.render(request, "drops/drop.html", context, product=page.product)
    return caching.public(response, seconds=cache_seconds(page))


def cache_seconds(page: DropPage) -> int:
    """Return how long the edge may cache a drop's page. A sold-out drop may change: a unit can come back."""
    if page.phase in {Phase.CLOSED, Phase.CANCELLED}:
        return STABLE_CACHE_SECONDS
    return CACHE_SECONDS


def read_quantities(form: QueryDict, *, limit: int) -> dict[int, int]:
    """Read {edition id: quantity} from a form; `limit` is what a refusal names.

    Raises ForeignEdition, WrongQuantity for values that no form of ours sends.
    """
    values = {}
    for name in form:
        if name.startswith("quantity-"):
            values[name.removeprefix("quantity-")] = form.get(name, "")
    if "edition" in form:
        values[form.get("edition", "")] = "1"
    quantities = {}
    for edition, value in values.items():
        if not is_number(edition) or len(edition) > MAX_ID_DIGITS:
            raise holds.ForeignEdition
        digits = value.strip() or "0"
        if not is_number(digits) or len(digits) > MAX_ID_DIGITS or int(digits) > MAX_QUANTITY:
            raise holds.WrongQuantity(limit=limit)
        if int(digits):
            quantities[int(edition)] = int(digits)
    if not quantities:
        raise holds.WrongQuantity(limit=limit)
    return quantities


def is_number(text: str) -> bool:
    """Whether the text is one or more of the digits 0 to 9."""
    return text.isascii() and text.isdigit()


def hold_of(request: HttpRequest, slug: str) -> Hold | None:
    """Return the live hold that this browser's cookie authorises, unless it has lapsed; None without one."""
    token = request.COOKIES.get(keys.cookie("hold", slug, settings.SECURE_COOKIES), "")
    try:
        uuid = tokens.read_hold_token(token)
    except tokens.InvalidToken:
        return None
    hold = Hold.objects.with_drop_state().filter(uuid=uuid, drop__slug=slug).first()
    if hold is None or not is_current(hold, now=timezone.now()):
        return None
    return hold


def is_current(hold: Hold, *, now: datetime) -> bool:
    """Whether the hold owns its units and hasn't lapsed."""
    return hold.state in Hold.LIVE and (hold.state != Hold.State.OPEN or hold.is_payable(now=now))


def to_hold(hold: Hold, slug: str) -> HttpResponse:
    """Redirect to the hold's own page."""
    return remember_hold(HttpResponseRedirect(hold_url(hold), status=303), hold, slug)


def to_change(hold: Hold, slug: str) -> HttpResponse:
    """Redirect the form to the address that changes the hold, which another app provides."""
    address = reverse(settings.HOLD_CHANGE_URL_NAME, args=[tokens.hold_token(hold.uuid)])
    return remember_hold(HttpResponseRedirect(address, status=307), hold, slug)


def remember_hold(response: HttpResponse, hold: Hold, slug: str) -> HttpResponse:
    """Let this browser find its hold again."""
    # The page's script can't read the first cookie. The second one tells it that there is a hold to ask for.
    set_cookie(response, "hold", slug, tokens.hold_token(hold.uuid), httponly=True)
    set_cookie(response, "held", slug, "1", httponly=False)
    return caching.private(response)


def hold_url(hold: Hold) -> str:
    """Return the address of a hold's own page, which another app provides."""
    return reverse(settings.HOLD_URL_NAME, args=[tokens.hold_token(hold.uuid)])


def set_cookie(response: HttpResponse, kind: str, slug: str, value: str, *, httponly: bool) -> None:
    """Set one of the cookies that a browser with a hold has."""
    response.set_cookie(
        keys.cookie(kind, slug, settings.SECURE_COOKIES),
        value,
        max_age=HOLD_COOKIE_SECONDS,
        httponly=httponly,
        secure=settings.SECURE_COOKIES,
        samesite="Lax",
    )


def held_text(hold: Hold) -> str:
    """Return a hold's units as text: their numbers, or how many pieces if they are of several editions."""
    if hold.cancelled:
        return _("Your order")  # its page says what becomes of the money
    units = list(hold.units.values_list("edition_id", "number"))
    bought = hold.state == Hold.State.ALLOCATED
    if len({edition for edition, _number in units}) > 1:
        text = _("Yours: %(n)s pieces") if bought else _("Held for you: %(n)s pieces")
        return text % {"n": len(units)}
    listed = ", ".join(number_format(number, force_grouping=True) for _edition, number in units)
    text = _("Yours: No. %(n)s") if bought else _("Held for you: No. %(n)s")
    return text % {"n": listed}


def held_note(hold: Hold) -> str:
    """Return what the holder should know where the drop's page says that it has ended, or nothing."""
    if hold.state != Hold.State.OPEN or Drop.objects.not_closed().filter(pk=hold.drop_id).exists():
        return ""
    return _("You can still pay for what you hold.")


def refusal_page(request: HttpRequest, page: DropPage, refusal: HoldRefused) -> HttpResponse:
    """Explain why there is no hold, and what to do next: enter again, take fewer, or go back to the page."""
    links = [{"url": reverse("drop", args=[page.drop.slug]), "text": _("Back to the drop")}]
    context: dict[str, Any] = {"title": refusal.title, "reason": refusal.reason, "links": links}
    if isinstance(refusal, tokens.NoPass | tokens.PassEnded) and page.phase in lifecycle.SELLING_PHASES:
        context["offer"] = page_context.enter_again(page.drop)
    elif isinstance(refusal, holds.NoneFree) and refusal.offers:
        context["offer"] = {
            "url": reverse("hold", args=[page.drop.slug]),
            "text": _("Hold %(n)s instead") % {"n": sum(refusal.offers.values())},
            "fields": {f"quantity-{edition}": quantity for edition, quantity in refusal.offers.items()},
        }
    elif isinstance(refusal, holds.NoneFree | holds.Gone | holds.WrongQuantity | holds.ForeignEdition):
        links.insert(0, {"url": reverse("pick", args=[page.drop.slug]), "text": _("Choose again")})
    response = theme.render(request, "refusal.html", context, product=page.product, status=refusal.status)
    return caching.private(response)
