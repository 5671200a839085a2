"""Pages of drops: the drop in every phase, picking and holding, the check of the shuffle, the archive.

What anybody may see is public: no cookie, no word of one visitor, kept by the edge for a second while it can change.
"""

from typing import Any

from django.conf import settings
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from drops import holds, page_context, queries, tokens
from drops.lifecycle import Phase
from drops.models import Drop, Hold
from drops.queries import DropPage
from drops.refusals import HoldRefused
from drops.waitingroom.protocol import keys
from shop import theme
from shop.core import caching

LONGEST = 10  # seconds that a page is kept when only a rare act can change it
OPEN = (Phase.LIVE, Phase.PAUSED)
HOLD_COOKIE_SECONDS = 86_400
MOST = 9_999  # of anything that a form may ask for; more is a mistake or mischief


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """Show the drop of the moment, exactly as its own page does."""
    page = queries.front_page(now=timezone.now())
    if page is None:
        return caching.public(render(request, "drops/nothing.html"), seconds=1)
    return shown(request, page)


@require_safe
def drop(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a drop in its phase."""
    return shown(request, found(slug))


@require_safe
def check(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what the draw was made of, for the browser to redo it."""
    page = found(slug)
    response = theme.page(request, "drops/check.html", page_context.check_page(page), product=page.product)
    return caching.public(response, seconds=seconds(page))


@require_safe
def mine(request: HttpRequest, slug: str) -> HttpResponse:
    """Tell the browser that holds something what it holds; asked only by those with the hint cookie."""
    hold = own_hold(request, slug)
    if hold is None:
        response: HttpResponse = JsonResponse({}, status=404)
        response.delete_cookie(keys.cookie("held", slug, settings.SECURE_COOKIES), samesite="Lax")
        return caching.private(response)
    ends = hold.expires_at.timestamp() if hold.state == Hold.State.OPEN else None
    return caching.private(JsonResponse({"url": checkout(hold), "text": held_text(hold), "ends": ends}))


@require_safe
def pick(request: HttpRequest, slug: str) -> HttpResponse:
    """Let somebody whose turn it is choose; who holds something already goes on to paying for it."""
    page = glimpsed(slug)
    hold = own_hold(request, slug)
    if hold is not None:
        return caching.private(redirect(checkout(hold)))
    if page.phase not in OPEN:
        return caching.private(redirect("drop", slug=slug))
    try:
        admit = tokens.read_pass(request=request, drop=page.drop, now=timezone.now())
    except HoldRefused as refusal:
        return refused(request, page, refusal)
    context = {**page_context.drop_page(page), **page_context.choices(page), "ends": admit.ends}
    swatches = page_context.swatches(page)
    return caching.private(theme.page(request, "drops/pick.html", context, product=page.product, swatches=swatches))


@require_POST
def hold(request: HttpRequest, slug: str) -> HttpResponse:
    """Set aside what was chosen."""
    page = glimpsed(slug)
    try:
        admit = tokens.read_pass(request=request, drop=page.drop, now=timezone.now())
        placed = holds.place(drop=page.drop, admit=admit, wanted=wanted(request.POST, limit=page.drop.limit_per_order))
    except HoldRefused as refusal:
        return refused(request, page, refusal)
    response = redirect(checkout(placed))
    response.status_code = 303
    token = tokens.hold_token(placed.uuid)
    for kind, value, hidden in (("hold", token, True), ("held", "1", False)):
        response.set_cookie(
            keys.cookie(kind, slug, settings.SECURE_COOKIES), value, max_age=HOLD_COOKIE_SECONDS,
            httponly=hidden, secure=settings.SECURE_COOKIES, samesite="Lax",
        )  # fmt: skip
    return caching.private(response)


@require_safe
def archive(request: HttpRequest, page: int = 1) -> HttpResponse:
    """List what has ended, newest first."""
    try:
        read = queries.archive(page=page, now=timezone.now())
    except InvalidPage:
        raise Http404 from None
    return caching.public(render(request, "drops/archive.html", {"archive": read}), seconds=1)


@require_safe
def how(request: HttpRequest) -> HttpResponse:
    """Tell how a drop works."""
    return caching.public(render(request, "drops/how.html"), seconds=LONGEST)


def found(slug: str) -> DropPage:
    """Read the page of an announced drop. Raises Http404."""
    try:
        return queries.page(slug=slug, now=timezone.now())
    except Drop.DoesNotExist:
        raise Http404 from None


def glimpsed(slug: str) -> DropPage:
    """Read the page of an announced drop, up to a second old. Raises Http404."""
    try:
        return queries.cached_page(slug=slug)
    except Drop.DoesNotExist:
        raise Http404 from None


def shown(request: HttpRequest, page: DropPage) -> HttpResponse:
    """Render the page that everybody gets."""
    response = theme.page(request, "drops/drop.html", page_context.drop_page(page), product=page.product)
    return caching.public(response, seconds=seconds(page))


def seconds(page: DropPage) -> int:
    """Say how long the edge may keep the page. One second never passes a change by more than the edge's own second."""
    return LONGEST if page.phase in {Phase.CLOSED, Phase.CANCELLED} else 1


def wanted(form: QueryDict, *, limit: int) -> dict[int, int]:
    """Read {edition id: quantity} from a form. Raises WrongQuantity, ForeignEdition for what no form of ours sends."""
    asked = {name.removeprefix("quantity-"): form.get(name, "") for name in form if name.startswith("quantity-")}
    if "edition" in form:
        asked[form.get("edition", "")] = "1"
    result = {}
    for edition, text in asked.items():
        if not (edition.isascii() and edition.isdigit() and len(edition) < 18):
            raise holds.ForeignEdition
        digits = text.strip() or "0"
        if not (digits.isascii() and digits.isdigit() and int(digits[:9]) <= MOST):
            raise holds.WrongQuantity(limit=limit)
        if int(digits):
            result[int(edition)] = int(digits)
    if not result:
        raise holds.WrongQuantity(limit=limit)
    return result


def own_hold(request: HttpRequest, slug: str) -> Hold | None:
    """Give the live hold that this browser's cookie authorises; None without one."""
    token = request.COOKIES.get(keys.cookie("hold", slug, settings.SECURE_COOKIES), "")
    try:
        uuid = tokens.read_token("hold", token)
    except tokens.InvalidToken:
        return None
    live = Hold.objects.filter(uuid=uuid, drop__slug=slug, state__in=Hold.LIVE).first()
    if live and live.state == Hold.State.OPEN and live.expires_at <= timezone.now():
        return live if page_context.paused_at(live.drop) else None  # in a pause nothing lapses
    return live


def checkout(hold: Hold) -> str:
    """Give the address of a hold's own page."""
    return reverse("checkout", args=[tokens.hold_token(hold.uuid)])


def held_text(hold: Hold) -> str:
    """Say which units a hold owns."""
    numbers = list(hold.units.values_list("number", flat=True))
    listed = ", ".join(number_format(number, force_grouping=True) for number in numbers)
    if hold.state == Hold.State.ALLOCATED:
        return ngettext("Yours: No. %(n)s", "Yours: No. %(n)s", len(numbers)) % {"n": listed}
    return ngettext("Held for you: No. %(n)s", "Held for you: No. %(n)s", len(numbers)) % {"n": listed}


def refused(request: HttpRequest, page: DropPage, refusal: HoldRefused) -> HttpResponse:
    """Answer with why there is no hold, and what to do next: a smaller quantity, or back to the page."""
    links = [{"url": reverse("drop", args=[page.drop.slug]), "text": _("Back to the drop")}]
    context: dict[str, Any] = {"title": refusal.title, "reason": refusal.reason, "links": links}
    if isinstance(refusal, holds.NoneFree) and refusal.offers:
        context["offer"] = {
            "url": reverse("hold", args=[page.drop.slug]),
            "text": _("Hold %(n)s instead") % {"n": sum(refusal.offers.values())},
            "fields": {f"quantity-{edition}": quantity for edition, quantity in refusal.offers.items()},
        }
    elif isinstance(refusal, holds.NoneFree | holds.Gone | holds.WrongQuantity | holds.ForeignEdition):
        links.insert(0, {"url": reverse("pick", args=[page.drop.slug]), "text": _("Choose again")})
    return caching.private(theme.page(request, "refusal.html", context, product=page.product, status=refusal.status))
