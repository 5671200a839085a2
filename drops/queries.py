"""Reads that shape the drop's page, the front page, the archive and the API: as many queries for 30 rows as for 1."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import F, Sum
from django.utils import timezone

from drops import lifecycle, stock
from drops.lifecycle import Phase
from drops.models import Drop, Edition, Hold, HoldLine
from drops.models.drop import DropQuerySet
from drops.waitingroom.protocol import places
from shop.core.prepared import Given, Read
from shop.models import Picture, Product

PER_PAGE = 20
FROZEN_SECONDS = 5
STATE = Read(Drop.objects.with_state().filter(slug=Given("slug"), announced_at__isnull=False))
# What the front page shows of several drops at once; the earliest opening wins among equals.
FIRST = (Phase.LIVE, Phase.PAUSED, Phase.OPENING, Phase.LOBBY, Phase.ANNOUNCED)


@dataclass(frozen=True)
class EditionRow:
    """An edition as pages list it. Its variant is loaded."""

    edition: Edition
    count: stock.Count
    band: stock.Band

    @property
    def name(self) -> str:
        """The variant's axes ("M, gold"); empty for the only edition of a product without axes."""
        return self.edition.variant.name


@dataclass(frozen=True)
class DrawProof:
    """What anybody needs to redo the shuffle. Secret and seed stay None until the seal is committed."""

    commitment: bytes
    n: int | None
    secret: bytes | None
    seed: bytes | None


@dataclass(frozen=True)
class DropPage:
    """A drop with all that its page shows. Product, pictures and renditions are loaded."""

    drop: Drop
    phase: Phase
    next_change: datetime | None
    editions: list[EditionRow]
    check: DrawProof

    @property
    def product(self) -> Product:
        """What is released."""
        return self.drop.product

    @property
    def pictures(self) -> list[Picture]:
        """The product's pictures in their order, renditions loaded."""
        return list(self.drop.product.pictures.all())

    @property
    def quantity(self) -> int:
        """How many pieces the drop has in all."""
        return sum(row.edition.quantity for row in self.editions)

    @property
    def sold(self) -> int:
        """How many of them are paid for."""
        return sum(row.count.sold for row in self.editions)

    @property
    def sold_out_after(self) -> timedelta | None:
        """From its opening second until nothing was left; None if that has not come."""
        return _sold_out_after(self.drop)


@dataclass(frozen=True)
class Ended:
    """A drop of the archive. Product, pictures and renditions are loaded."""

    drop: Drop
    phase: Phase
    sold: int
    quantity: int
    sold_out_after: timedelta | None  # from its opening second; None if it did not sell out


@dataclass(frozen=True)
class Archive:
    """One page of the archive, numbered from 1."""

    drops: list[Ended]
    number: int
    pages: int


def page(*, slug: str, now: datetime) -> DropPage:
    """Read an announced drop, cancelled ones too. Raises: Drop.DoesNotExist."""
    return _pages([_with_pictures().get(slug=slug, announced_at__isnull=False)], now)[0]


def cached_page(*, slug: str) -> DropPage:
    """Read the drop's page as it was within this second, for pages of one visitor. Raises: Drop.DoesNotExist.

    What such a page leads to is guarded where it is written; reading it anew for each of a crowd is the dear part.
    """
    return _glimpse(slug, int(time.monotonic()))


def cached_fixed_parts(*, drop_id: UUID) -> Drop:
    """Read what announcing has fixed, up to five seconds old: the drop, its product with pictures, its editions."""
    return _frozen(drop_id, int(time.monotonic() // FROZEN_SECONDS))


def clear_cache() -> None:
    """Read anew from now on, whatever was read a moment ago."""
    _glimpse.cache_clear()
    _frozen.cache_clear()


@lru_cache(maxsize=64)
def _glimpse(slug: str, _second: int) -> DropPage:
    drop = STATE.get(slug=slug)
    fixed = cached_fixed_parts(drop_id=drop.pk)
    drop.product = fixed.product
    vars(drop)["_prefetched_objects_cache"] = {"editions": fixed.editions.all()}
    return _pages([drop], timezone.now())[0]


@lru_cache(maxsize=64)
def _frozen(drop_id: UUID, _span: int) -> Drop:
    return (
        Drop.objects.select_related("product")
        .prefetch_related("editions__variant", "product__pictures__renditions")
        .get(pk=drop_id)
    )


def front_page(*, now: datetime) -> DropPage | None:
    """Read the drop of the moment: live, else in its lobby, else the next announced, else the newest that has ended."""
    drops = list(Drop.objects.shown().not_ended().with_state())
    phases = {drop.pk: lifecycle.phase(drop=drop, now=now) for drop in drops}
    coming = [drop for drop in drops if phases[drop.pk] in FIRST]
    coming.sort(key=lambda drop: (FIRST.index(phases[drop.pk]), drop.opens_at))
    wanted = _with_pictures().filter(pk=coming[0].pk) if coming else _with_pictures().shown().order_by("-opens_at")[:1]
    return next(iter(_pages(list(wanted), now)), None)


def archive(*, page: int, now: datetime) -> Archive:
    """Read a page of what has ended, newest first. Raises: django.core.paginator.InvalidPage."""
    read = Paginator(_with_pictures().shown().ended().order_by("-opens_at", "slug"), PER_PAGE).page(page)
    drops = list(read.object_list)
    made, sold = _made(drops), _sold(drops)
    rows = [
        Ended(
            drop=drop,
            phase=lifecycle.phase(drop=drop, now=now),
            sold=sold.get(drop.pk, 0),
            quantity=made.get(drop.pk, 0),
            sold_out_after=_sold_out_after(drop),
        )
        for drop in drops
    ]
    return Archive(drops=rows, number=page, pages=read.paginator.num_pages)


def open_drops(*, now: datetime) -> list[DropPage]:
    """Read what is shown and has not ended, soonest first, for the API: pictures are not loaded."""
    return _pages(list(_with_editions().shown().not_ended().order_by("opens_at", "slug")), now)


def open_drop(*, slug: str, now: datetime) -> DropPage:
    """Read one shown drop for the API, ended ones too: pictures are not loaded. Raises: Drop.DoesNotExist."""
    return _pages([_with_editions().shown().get(slug=slug)], now)[0]


def draw_proof(*, drop: Drop) -> DrawProof:
    """Tell what of the shuffle is public by now. `drop` is announced."""
    commitment, nonce = bytes(drop.commitment or b""), bytes(drop.nonce or b"")
    if drop.sealed is None:
        return DrawProof(commitment=commitment, n=None, secret=None, seed=None)
    secret = places.secret(bytes.fromhex(settings.SHUFFLE_KEY), drop.pk, nonce)
    return DrawProof(
        commitment=commitment, n=drop.sealed, secret=secret, seed=places.seed(drop.pk, secret, drop.sealed)
    )


def _with_editions() -> DropQuerySet:
    return Drop.objects.with_state().select_related("product").prefetch_related("editions__variant")


def _with_pictures() -> DropQuerySet:
    return _with_editions().prefetch_related("product__pictures__renditions")


def _pages(drops: Sequence[Drop], now: datetime) -> list[DropPage]:
    counts = stock.counts_of(drops=drops)
    return [
        DropPage(
            drop=drop,
            phase=lifecycle.phase(drop=drop, now=now),
            next_change=lifecycle.next_change(drop=drop, now=now),
            editions=[_row(edition, drop, counts.get(edition.pk, stock.NOTHING)) for edition in drop.editions.all()],
            check=draw_proof(drop=drop),
        )
        for drop in drops
    ]


def _row(edition: Edition, drop: Drop, count: stock.Count) -> EditionRow:
    edition.drop = drop
    edition.variant.product = drop.product
    return EditionRow(edition=edition, count=count, band=stock.band(count))


def _made(drops: Sequence[Drop]) -> dict[UUID, int]:
    """Pieces by drop id."""
    rows = Edition.objects.filter(drop__in=drops).order_by().values("drop").annotate(sum=Sum("quantity"))
    return dict(rows.values_list("drop", "sum"))


def _sold(drops: Sequence[Drop]) -> dict[UUID, int]:
    """Paid pieces by drop id; none is left out. From the holds' lines: the units of old drops are not read."""
    lines = HoldLine.objects.filter(hold__drop__in=drops, hold__state=Hold.State.ALLOCATED).order_by()
    rows = lines.values("hold__drop").annotate(sum=Sum(F("quantity") - F("taken_back")))
    return dict(rows.values_list("hold__drop", "sum"))


def _sold_out_after(drop: Drop) -> timedelta | None:
    return drop.sold_out_at - drop.opens_at if drop.sold_out_at and drop.opens_at else None
