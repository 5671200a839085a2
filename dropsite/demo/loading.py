"""Load the demo shop and announce its drops.

Safe to run again at any time: rows are found by slug, SKU or alternative text, and left as they are. Each run
closes the demo's running drop and announces one of the next product, so there is always a drop to wait for.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from django.contrib.auth.models import Group, User
from django.core.files import File
from django.db import transaction
from django.utils import timezone

from drops import drop_actions
from drops.models import Drop, Edition
from drops.models.drop import DropQuerySet
from drops.scaling.control import scale_plans
from dropsite.demo import scaling
from dropsite.demo.products import ITEMS, Item, Shot
from shop.models import Picture, Product, Rendition, Variant

PICTURES = Path(__file__).resolve().parent / "pictures"


class Format(NamedTuple):
    """One of the files that are kept of every shot."""

    suffix: str
    media_type: str
    width: int


RENDITIONS = (  # the JPEG of 1280 pixels is the picture itself
    Format("avif", "image/avif", 640),
    Format("avif", "image/avif", 1280),
    Format("webp", "image/webp", 640),
    Format("webp", "image/webp", 1280),
    Format("jpg", "image/jpeg", 640),
)


def load() -> None:
    """Load the products with their pictures, the scale targets, and the admin's two users."""
    for item in ITEMS:
        load_item(item=item)
    scaling.load()
    load_users(password=os.environ["DEMO_ADMIN_PASSWORD"])


def announce_next(
    *, opens_in: timedelta, lobby_before: timedelta, closes_after: timedelta, expected: int
) -> Drop:
    """Close the demo's running drops, then announce one of the next product.

    Pre-scale it for `expected` shoppers, unless that is 0.
    """
    for drop in announced_drops().not_closed():
        drop_actions.close(drop=drop, actor=None)
    item = ITEMS[announced_drops().count() % len(ITEMS)]
    with transaction.atomic():
        drop = create_drop(
            item=item,
            slug=free_slug(item=item),
            opens_in=opens_in,
            lobby_before=lobby_before,
            closes_after=closes_after,
        )
        drop = drop_actions.announce(drop=drop, actor=None)
    if expected:
        scale_plans.set_expected(drop=drop, expected=expected, actor=None)
    return drop


def announced_drops() -> DropQuerySet:
    """Return the drops that the demo has announced: listed ones of its own products."""
    slugs = [item.slug for item in ITEMS]
    return Drop.objects.filter(product__slug__in=slugs, listed=True, announced_at__isnull=False)


def free_slug(*, item: Item) -> str:
    """Return the first of 0-kg, 0-kg-2, 0-kg-3 … that no drop has."""
    taken = set(Drop.objects.filter(slug__startswith=item.slug).values_list("slug", flat=True))
    slug = item.slug
    number = 1
    while slug in taken:
        number += 1
        slug = f"{item.slug}-{number}"
    return slug


def create_drop(
    *,
    item: Item,
    slug: str,
    opens_in: timedelta,
    lobby_before: timedelta,
    closes_after: timedelta | None = None,
) -> Drop:
    """Return a new drop of an item with all its editions, not announced yet."""
    product = Product.objects.get(slug=item.slug)
    opens_at = timezone.now() + opens_in
    closes_at = None
    if closes_after:
        closes_at = opens_at + closes_after
    drop = Drop.objects.create(
        product=product,
        slug=slug,
        title=item.name,
        opens_at=opens_at,
        lobby_opens_at=opens_at - lobby_before,
        closes_at=closes_at,
    )
    for position, piece in enumerate(item.pieces):
        variant = Variant.objects.get(sku=piece.sku)
        Edition.objects.create(
            drop=drop, variant=variant, price=item.price, quantity=piece.quantity, position=position
        )
    return drop


def load_item(*, item: Item) -> None:
    """Create a product with its variants and pictures, as far as they don't exist."""
    ground, ink, signal = item.colours
    product, _created = Product.objects.get_or_create(
        slug=item.slug,
        defaults={
            "name": item.name,
            "tagline": item.tagline,
            "story": item.story,
            "facts": item.facts,
            "face": item.face,
            "ground": ground,
            "ink": ink,
            "signal": signal,
        },
    )
    for position, piece in enumerate(item.pieces):
        Variant.objects.get_or_create(
            sku=piece.sku,
            defaults={
                "product": product,
                "options": piece.options,
                "swatch": piece.swatch,
                "position": position,
            },
        )
    for position, shot in enumerate(item.shots):
        if not Picture.objects.filter(product=product, alt=shot.alt).exists():
            load_shot(product=product, shot=shot, position=position)


def load_shot(*, product: Product, shot: Shot, position: int) -> None:
    """Store a picture and its renditions."""
    variant = Variant.objects.filter(sku=shot.sku).first()
    with transaction.atomic():
        picture = Picture(product=product, variant=variant, role=shot.role, alt=shot.alt, position=position)
        name = f"{shot.file}-1280.jpg"
        with open(PICTURES / name, "rb") as file:
            picture.image.save(name, File(file))
        for suffix, media_type, width in RENDITIONS:
            name = f"{shot.file}-{width}.{suffix}"
            rendition = Rendition(picture=picture, type=media_type, width=width)
            with open(PICTURES / name, "rb") as file:
                rendition.image.save(name, File(file))


def load_users(*, password: str) -> None:
    """Create the superuser `admin` and the merchandiser `merch`, both with this password."""
    if not User.objects.filter(username="admin").exists():
        User.objects.create_superuser("admin", "admin@localhost", password)
    merchandiser, created = User.objects.get_or_create(
        username="merch", defaults={"is_staff": True, "email": "merch@localhost"}
    )
    if created:
        merchandiser.set_password(password)
        merchandiser.save()
    merchandiser.groups.add(Group.objects.get(name="merchandisers"))
