"""What the templates of a drop's pages are given: the read of drops.queries in the words and shapes of a page."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from drops.lifecycle import COMING, OVER, Phase
from drops.models import Drop, Hold, Pause
from drops.queries import DropPage, EditionRow
from shop import catalogue, images
from shop.core import money
from shop.models import Variant

RUNNING = (Phase.LOBBY, Phase.OPENING, Phase.LIVE, Phase.PAUSED)
# What a page may turn into without being loaded again: every phase, and where somebody with a ticket stands.
STATES = (*(phase.value for phase in Phase if phase != Phase.DRAFT), "joined", "drawing", "waiting", "turn")


def drop_page(page: DropPage) -> dict[str, Any]:
    """Shape the page of a drop in its phase."""
    gallery = catalogue.gallery(pictures=page.pictures)
    return {
        "page": page,
        "drop": page.drop,
        "product": page.product,
        "phase": page.phase.value,
        "gallery": gallery,
        "card": images.absolute(gallery.hero) if gallery.hero else "",
        "paragraphs": catalogue.paragraphs(page.product),
        "price": price_range(page),
        "listed": len(page.editions) > 1 or page.phase in RUNNING,
        "commitment": page.check.commitment.hex(),
        "states": STATES if page.phase not in OVER else (),
        "line_url": f"/line/{page.drop.slug}/",  # the gate's
        "cookie_prefix": "__Host-" if settings.SECURE_COOKIES else "",
        "coming": [phase.value for phase in COMING],
        "running": [phase.value for phase in RUNNING],
        "over": [phase.value for phase in OVER],
        "took": page.sold_out_after,
        "missed": missed(page.drop) if page.phase == Phase.SOLD_OUT else 0,
        "paused_at": paused_at(page.drop) if page.phase == Phase.PAUSED else None,
    }


def check_page(page: DropPage) -> dict[str, Any]:
    """Shape what anybody needs to redo the draw; the numbers in hex are for the commands by hand."""
    numbers = {"drop_hex": page.drop.id.hex, "n_hex": f"{page.check.n or 0:08x}"}
    return {**drop_page(page), "check": page.check, **numbers}


def price_range(page: DropPage) -> str:
    """Write what a piece costs: one price, or the least of several."""
    prices = [row.edition.price for row in page.editions]
    if not prices:
        return ""
    least = money.text(amount=min(prices), currency=page.drop.currency)
    return least if min(prices) == max(prices) else _("from %(price)s") % {"price": least}


def missed(drop: Drop) -> int:
    """Count the tickets that got nothing: those given, less the holds that were paid for."""
    served = Hold.objects.filter(drop=drop, state=Hold.State.ALLOCATED).count()
    return max(0, drop.checkpoint.joined - served)


def paused_at(drop: Drop) -> Any:
    """Tell since when the drop is paused."""
    return Pause.objects.filter(drop=drop, ended_at=None).values_list("began_at", flat=True).first()


def swatches(page: DropPage) -> list[Variant]:
    """List the variants that have a colour of their own."""
    return [row.edition.variant for row in page.editions if row.edition.variant.swatch]


def choices(page: DropPage) -> dict[str, Any]:
    """Shape the page on which somebody whose turn it is picks. One piece: a radio row each; more: numbers."""
    several = page.drop.limit_per_order > 1
    rows = [choice(row, page=page) for row in page.editions]
    best = [row["id"] for row in rows if row["free"]] + [row["id"] for row in rows if not row["gone"]]
    return {
        "several": several,
        "rows": rows,
        "first": next(iter(best), None),
        "limit": page.drop.limit_per_order,
        "minutes": max(1, round(page.drop.hold_seconds / 60)),
    }


def choice(row: EditionRow, *, page: DropPage) -> dict[str, Any]:
    """Shape one edition to pick. What is held may be asked for: the answer says how many people are deciding."""
    return {
        "id": row.edition.pk,
        "name": row.name or page.product.name,
        "price": money.text(amount=row.edition.price, currency=page.drop.currency),
        "band": row.band,
        "held": row.count.held,
        "free": row.count.free,
        "gone": row.band == "gone",
        "limit": min(row.edition.limit_per_order, page.drop.limit_per_order),
        "variant": row.edition.variant,
    }
