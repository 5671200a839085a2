"""Reads for a drop's page, the front page, the archive and the API. The number of queries is constant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Condition
from uuid import UUID

from cachetools import TTLCache, cached
from django.core.paginator import Paginator
from django.db.models import F, Sum, prefetch_related_objects
from django.utils import timezone

from drops import lifecycle, shuffle_keys, stock
from drops.lifecycle import Phase
from drops.models import Drop, Edition, Hold, HoldLine
from drops.models.drop import DropQuerySet
from drops.waitingroom.protocol import places
from shop import images
from shop.models import Picture, Product

DROPS_PER_PAGE = 20
MAX_CACHED_DROPS = 64
PAGE_CACHE_SECONDS = 1
FIXED_PARTS_CACHE_SECONDS = 5
PICTURES = "product__pictures__renditions"


@dataclass(frozen=True)
class EditionRow:
    """An edition as pages list it. Its variant is loaded."""

    edition: Edition
    count: stock.UnitCounts
    band: stock.Band

    @property
    def name(self) -> str:
        """The variant's options ("M, gold"); empty for the only variant of a product without options."""
        return self.edition.variant.name


@dataclass(frozen=True)
class DrawProof:
    """The numbers that verify the shuffle. All but the commitment are None until the seal is committed."""

    commitment: bytes
    n: int | None
    secret: bytes | None
    seed: bytes | None


@dataclass(frozen=True)
class DropPage:
    """A drop with everything that its page shows. Product, pictures and renditions are loaded."""

    drop: Drop
    phase: Phase
    next_change: datetime | None
    editions: list[EditionRow]
    proof: DrawProof

    @property
    def product(self) -> Product:
        """The product that is released."""
        return self.drop.product

    @property
    def pictures(self) -> list[Picture]:
        """The product's pictures in their order, renditions loaded."""
        return list(self.drop.product.pictures.all())

    @property
    def quantity(self) -> int:
        """The number of pieces in the drop, all editions together."""
        return sum(row.edition.quantity for row in self.editions)

    @property
    def sold(self) -> int:
        """The number of pieces that are paid for."""
        return sum(row.count.sold for row in self.editions)

    @property
    def sold_out_after(self) -> timedelta | None:
        """From its opening until nothing was left; None if it hasn't sold out."""
        return _sold_out_after(self.drop)


@dataclass(frozen=True)
class EndedDrop:
    """A drop of the archive. Product, pictures and renditions are loaded."""

    drop: Drop
    phase: Phase
    sold: int
    quantity: int
    sold_out_after: timedelta | None  # from its opening; None if it didn't sell out

    @property
    def picture(self) -> Picture | None:
        """The product's first picture."""
        return next(iter(images.servable(self.drop.product.pictures.all())), None)


@dataclass(frozen=True)
class Archive:
    """One page of the archive, numbered from 1."""

    drops: list[EndedDrop]
    number: int
    pages: int


def page(*, slug: str, now: datetime) -> DropPage:
    """Read an announced drop, cancelled ones too. Raises Drop.DoesNotExist."""
    return _page(_with_pictures().get(slug=slug, announced_at__isnull=False), now)


# `condition` has one thread read while the others wait for what it found.
@cached(TTLCache(MAX_CACHED_DROPS, PAGE_CACHE_SECONDS), condition=Condition())
def cached_page(*, slug: str) -> DropPage:
    """Read an announced drop as it was up to a second ago, for pages of one visitor.

    Reading it again for everybody would be most of what their requests cost. Whatever such a page leads to is
    checked again where it is written. Raises Drop.DoesNotExist.
    """
    drop = Drop.objects.with_state().get(slug=slug, announced_at__isnull=False)
    fixed = cached_fixed_parts(drop_id=drop.pk)
    drop.product = fixed.product
    return _page(drop, timezone.now(), editions=fixed.editions.all())


@cached(TTLCache(MAX_CACHED_DROPS, FIXED_PARTS_CACHE_SECONDS), condition=Condition())
def cached_fixed_parts(*, drop_id: UUID) -> Drop:
    """Read what the announcement fixed: the drop, its editions, its product with pictures.

    It is up to five seconds old, and shared between threads: change nothing in it.
    """
    drops = Drop.objects.select_related("product").prefetch_related("editions__variant", PICTURES)
    return drops.get(pk=drop_id)


def clear_cache() -> None:
    """Forget what was read a moment ago."""
    cached_page.cache_clear()
    cached_fixed_parts.cache_clear()


def drop_of_the_moment(*, drops: DropQuerySet, now: datetime) -> Drop | None:
    """Read that one of the drops that is running, else the next to open, else the last to have opened."""
    candidates = list(drops.not_ended().with_state().order_by("opens_at", "pk"))
    current = lifecycle.drop_of_the_moment(drops=candidates, now=now)
    return current or drops.with_state().order_by("-opens_at").first()


def front_page(*, now: datetime) -> DropPage | None:
    """Read the drop of the moment among those shown; None if there is none yet."""
    drop = drop_of_the_moment(drops=Drop.objects.shown().select_related("product"), now=now)
    if drop is None:
        return None
    prefetch_related_objects([drop], "editions__variant", PICTURES)
    return _page(drop, now)


def other_drops(*, page: DropPage, now: datetime) -> list[DropPage]:
    """Read the shown drops beside the front page's that haven't ended, in the order in which they open."""
    rows = _with_pictures().shown().not_ended().exclude(pk=page.drop.pk).order_by("opens_at", "slug")
    drops = [row for row in rows if lifecycle.phase(drop=row, now=now) not in lifecycle.ENDED_PHASES]
    counts = stock.counts_of(drops=drops)
    return [_build_page(drop, now, editions=drop.editions.all(), counts=counts) for drop in drops]


def public_slugs(*, most: int) -> list[str]:
    """Return the slugs of the shown drops, ended ones too, newest first."""
    return list(Drop.objects.shown().order_by("-opens_at", "slug").values_list("slug", flat=True)[:most])


def archive(*, page: int, now: datetime) -> Archive:
    """Read a page of the drops that have ended, newest first. Raises django.core.paginator.InvalidPage."""
    ended = _with_pictures().shown().ended().order_by("-opens_at", "slug")
    paginator = Paginator(ended, DROPS_PER_PAGE)
    drops = list(paginator.page(page).object_list)
    quantities, sold = _quantities(drops), _sold(drops)
    rows = [
        EndedDrop(
            drop=drop,
            phase=lifecycle.phase(drop=drop, now=now),
            sold=sold.get(drop.pk, 0),
            quantity=quantities.get(drop.pk, 0),
            sold_out_after=_sold_out_after(drop),
        )
        for drop in drops
    ]
    return Archive(drops=rows, number=page, pages=paginator.num_pages)


def open_drops(*, now: datetime) -> list[DropPage]:
    """Read the shown drops that haven't ended, soonest first, for the API: pictures are not loaded."""
    drops = list(_with_editions().shown().not_ended().order_by("opens_at", "slug"))
    counts = stock.counts_of(drops=drops)
    return [_build_page(drop, now, editions=drop.editions.all(), counts=counts) for drop in drops]


def open_drop(*, slug: str, now: datetime) -> DropPage:
    """Read one shown drop for the API, ended ones too: pictures are not loaded. Raises Drop.DoesNotExist."""
    return _page(_with_editions().shown().get(slug=slug), now)


def draw_proof(*, drop: Drop) -> DrawProof:
    """Return what is public of an announced drop's shuffle by now."""
    commitment = bytes(drop.commitment or b"")
    if drop.sealed is None:
        return DrawProof(commitment=commitment, n=None, secret=None, seed=None)
    try:
        secret = shuffle_keys.secret_of(drop)
    except shuffle_keys.ShuffleKeyUnusable:  # sealed before secrets were stored, and the key has gone since
        return DrawProof(commitment=commitment, n=drop.sealed, secret=None, seed=None)
    return DrawProof(
        commitment=commitment, n=drop.sealed, secret=secret, seed=places.seed(drop.pk, secret, drop.sealed)
    )


def _with_editions() -> DropQuerySet:
    return Drop.objects.with_state().select_related("product").prefetch_related("editions__variant")


def _with_pictures() -> DropQuerySet:
    return _with_editions().prefetch_related(PICTURES)


def _page(drop: Drop, now: datetime, *, editions: Iterable[Edition] | None = None) -> DropPage:
    """Read the drop's counts and build its page; `editions` if they are at hand, else the drop's own."""
    counts = stock.counts(drop=drop)
    if editions is None:
        editions = drop.editions.all()
    return _build_page(drop, now, editions=editions, counts=counts)


def _build_page(
    drop: Drop, now: datetime, *, editions: Iterable[Edition], counts: dict[int, stock.UnitCounts]
) -> DropPage:
    return DropPage(
        drop=drop,
        phase=lifecycle.phase(drop=drop, now=now),
        next_change=lifecycle.next_change(drop=drop, now=now),
        editions=[_row(edition, counts.get(edition.pk, stock.NO_UNITS)) for edition in editions],
        proof=draw_proof(drop=drop),
    )


def _row(edition: Edition, count: stock.UnitCounts) -> EditionRow:
    return EditionRow(edition=edition, count=count, band=stock.band(count))


def _quantities(drops: Sequence[Drop]) -> dict[UUID, int]:
    """Return how many pieces each drop has, by drop id."""
    rows = Edition.objects.filter(drop__in=drops).order_by().values("drop").annotate(sum=Sum("quantity"))
    return dict(rows.values_list("drop", "sum"))


def _sold(drops: Sequence[Drop]) -> dict[UUID, int]:
    """Return how many pieces of each drop are paid for, by drop id. A drop that sold none is left out."""
    # The lines of holds are far fewer rows than the units of old drops.
    lines = HoldLine.objects.filter(hold__drop__in=drops, hold__state=Hold.State.ALLOCATED).order_by()
    rows = lines.values("hold__drop").annotate(sum=Sum(F("quantity") - F("withheld")))
    return dict(rows.values_list("hold__drop", "sum"))


def _sold_out_after(drop: Drop) -> timedelta | None:
    if drop.sold_out_at is None or drop.opens_at is None:
        return None
    return drop.sold_out_at - drop.opens_at
