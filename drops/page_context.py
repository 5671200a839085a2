"""Template contexts for a drop's pages, made from what drops.queries reads."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from drops import lifecycle
from drops.lifecycle import Phase
from drops.models import Drop, Hold, Pause
from drops.queries import DropPage, EditionRow
from shop import catalogue, images
from shop.core import money
from shop.models import Variant

# What a page may change into without a reload: every phase, and the steps of a shopper with a ticket.
STATES = (
    *(phase.value for phase in Phase if phase != Phase.DRAFT),
    "joined",
    "drawing",
    "unplaced",
    "waiting",
    "called",
    "turn",
)


def drop_page(page: DropPage) -> dict[str, Any]:
    """Return the context of a drop's page."""
    gallery = catalogue.gallery(pictures=page.pictures)
    context: dict[str, Any] = {
        "page": page,
        "drop": page.drop,
        "product": page.product,
        "phase": page.phase.value,
        "gallery": gallery,
        "social_image": "",
        "paragraphs": catalogue.paragraphs(page.product),
        "price": price_range(page),
        "lists_editions": len(page.editions) > 1 or page.phase in lifecycle.RUNNING_PHASES,
        "commitment": page.proof.commitment.hex(),
        "states": STATES,
        "line_url": line_url(page.drop),
        "cookie_prefix": "",
        "upcoming_phases": [phase.value for phase in lifecycle.UPCOMING_PHASES],
        "running_phases": [phase.value for phase in lifecycle.RUNNING_PHASES],
        "ended_phases": [phase.value for phase in lifecycle.ENDED_PHASES],
        "sold_out_after": page.sold_out_after,
        "missed_out": 0,
        "paused_at": None,
    }
    if gallery.hero:
        context["social_image"] = images.absolute_url(gallery.hero)
    if settings.SECURE_COOKIES:
        context["cookie_prefix"] = "__Host-"
    if page.phase in lifecycle.ENDED_PHASES:
        context["states"] = ()
    if page.phase == Phase.SOLD_OUT:
        context["missed_out"] = count_missed_out(page.drop)
    if page.phase == Phase.PAUSED:
        context["paused_at"] = paused_at(page.drop)
    return context


def line_url(drop: Drop) -> str:
    """Return the address of a drop's line, which is the gate's."""
    return f"/line/{drop.slug}/"


def enter_again(drop: Drop) -> dict[str, Any]:
    """Return the form, for refusal.html, by which a shopper enters again: at once if there is room."""
    return {"url": f"{line_url(drop)}enter", "text": _("Enter again"), "fields": {}}


def card(page: DropPage) -> dict[str, Any]:
    """Return the context of a drop's card, which leads to its own page."""
    return {
        "drop": page.drop,
        "product": page.product,
        "phase": page.phase.value,
        "picture": catalogue.gallery(pictures=page.pictures).hero,
        "price": price_range(page),
        "quantity": page.quantity,
    }


def check_page(page: DropPage) -> dict[str, Any]:
    """Return the context of the page that verifies the draw; the numbers in hex are for doing it by hand."""
    numbers = {"drop_hex": page.drop.id.hex, "n_hex": f"{page.proof.n or 0:08x}"}
    return {**drop_page(page), "check": page.proof, **numbers}


def price_range(page: DropPage) -> str:
    """Return what a piece costs: the price, or "from" the lowest of several."""
    prices = {row.edition.price for row in page.editions}
    if not prices:
        return ""
    lowest = money.format_amount(amount=min(prices), currency=page.drop.currency)
    if len(prices) == 1:
        return lowest
    return _("from %(price)s") % {"price": lowest}


def count_missed_out(drop: Drop) -> int:
    """Return how many tickets got nothing: all of them, less the holds that were paid for."""
    served = Hold.objects.filter(drop=drop, state=Hold.State.ALLOCATED).count()
    return max(0, drop.checkpoint.joined - served)


def paused_at(drop: Drop) -> datetime | None:
    """Return when the open pause of the drop began; None if it isn't paused."""
    return Pause.objects.filter(drop=drop, ended_at=None).values_list("began_at", flat=True).first()


def swatches(page: DropPage) -> list[Variant]:
    """Return the variants that have a colour of their own."""
    return [row.edition.variant for row in page.editions if row.edition.variant.swatch]


def choices(page: DropPage, *, held: Mapping[int, int] | None = None) -> dict[str, Any]:
    """Return the context for choosing: radio buttons if an order has one piece, else number fields.

    Chosen at first is what the shopper holds, {variant id: quantity}, else one piece that is free.
    """
    several = page.drop.limit_per_order > 1
    rows = [choice(row, page=page) for row in page.editions]
    free = [row["id"] for row in rows if row["free"]]
    may_come_back = [row["id"] for row in rows if not row["gone"]]
    first = next(iter(free + may_come_back), None)
    for row in rows:
        row["chosen"] = int(row["id"] == first)
        if held:
            row["chosen"] = held.get(row["variant"].pk, 0)
        row["gone"] = row["gone"] and not row["chosen"]  # what the shopper holds may stay chosen
    return {
        "several": several,
        "rows": rows,
        "limit": page.drop.limit_per_order,
        "minutes": max(1, round(page.drop.hold_seconds / 60)),
    }


def choice(row: EditionRow, *, page: DropPage) -> dict[str, Any]:
    """Return the context of one edition. One that is all held may be chosen: units may come back by then."""
    return {
        "id": row.edition.pk,
        "name": row.name or page.product.name,
        "price": money.format_amount(amount=row.edition.price, currency=page.drop.currency),
        "band": row.band,
        "held": row.count.held,
        "free": row.count.free,
        "gone": row.band == "gone",
        "limit": min(row.edition.limit_per_order, page.drop.limit_per_order),
        "variant": row.edition.variant,
    }
