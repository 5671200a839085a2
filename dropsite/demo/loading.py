"""Loading the demo shop. Safe to run again at any time: rows are found by slug, SKU or text, and left as they are.

A run closes the demo's drop that still runs and announces one of the next product, so that there is always one to wait
for.
"""

import os
from datetime import timedelta
from pathlib import Path

from django.contrib.auth.models import Group, User
from django.core.files import File
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from drops import announcing
from drops.models import Drop, Edition
from drops.scaling import preparing
from dropsite.demo import scaling
from dropsite.demo.products import ITEMS, Item, Shot
from shop.models import Picture, Product, Rendition, Variant

PICTURES = Path(__file__).resolve().parent / "pictures"
RENDITIONS = [  # suffix, media type, width; the JPEG of 1280 is the picture itself
    ("avif", "image/avif", 640),
    ("avif", "image/avif", 1280),
    ("webp", "image/webp", 640),
    ("webp", "image/webp", 1280),
    ("jpg", "image/jpeg", 640),
]


def load() -> None:
    """Load products with pictures, the two people of the admin, and what is pre-scaled."""
    for item in ITEMS:
        load_item(item=item)
    scaling.load()
    load_people(password=os.environ["DEMO_ADMIN_PASSWORD"])


def announce_next(*, opens_in: timedelta, lobby_before: timedelta, closes_after: timedelta, expected: int) -> Drop:
    """Close the demo's drops that still run, then announce one of the next product; `expected` shoppers, if any."""
    for drop in ours().filter(announcing.RUNNING):
        announcing.close(drop=drop, who=None)
    had = ours().count()
    item = ITEMS[had % len(ITEMS)]
    with transaction.atomic():
        drop = draft(
            item=item,
            slug=free_slug(item=item),
            opens_in=opens_in,
            lobby_before=lobby_before,
            closes_after=closes_after,
        )
        drop = announcing.announce(drop=drop, who=None)
    if expected:
        preparing.expect(drop=drop, expected=expected, who=None)
    return drop


def ours() -> QuerySet[Drop]:
    """Find the drops that the demo has announced: listed ones of its own products."""
    return Drop.objects.filter(product__slug__in=[item.slug for item in ITEMS], listed=True, announced_at__isnull=False)


def free_slug(*, item: Item) -> str:
    """Give the first of 0-kg, 0-kg-2, 0-kg-3 … that no drop has."""
    taken = set(Drop.objects.filter(slug__startswith=item.slug).values_list("slug", flat=True))
    if item.slug not in taken:
        return item.slug
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{item.slug}-{n}") not in taken)


def draft(
    *, item: Item, slug: str, opens_in: timedelta, lobby_before: timedelta, closes_after: timedelta | None = None
) -> Drop:
    """Write a drop of an item with all its editions, not announced yet."""
    product = Product.objects.get(slug=item.slug)
    opens_at = timezone.now() + opens_in
    drop = Drop.objects.create(
        product=product,
        slug=slug,
        title=item.name,
        opens_at=opens_at,
        lobby_opens_at=opens_at - lobby_before,
        closes_at=opens_at + closes_after if closes_after else None,
    )
    for position, piece in enumerate(item.pieces):
        variant = Variant.objects.get(sku=piece.sku)
        Edition.objects.create(drop=drop, variant=variant, price=item.price, quantity=piece.quantity, position=position)
    return drop


def load_item(*, item: Item) -> None:
    """Write a product with its variants and pictures, as far as they are not there."""
    ground, ink, signal = item.colours
    fields = {"name": item.name, "claim": item.claim, "story": item.story, "facts": item.facts, "face": item.face}
    colours = {"ground": ground, "ink": ink, "signal": signal}
    product, _new = Product.objects.get_or_create(slug=item.slug, defaults=fields | colours)
    for position, piece in enumerate(item.pieces):
        Variant.objects.get_or_create(
            sku=piece.sku,
            defaults={"product": product, "axes": piece.axes, "swatch": piece.swatch, "position": position},
        )
    for position, shot in enumerate(item.shots):
        if not Picture.objects.filter(product=product, alt=shot.alt).exists():
            load_shot(product=product, shot=shot, position=position)


def load_shot(*, product: Product, shot: Shot, position: int) -> None:
    """Store a picture and its renditions."""
    variant = Variant.objects.filter(sku=shot.sku).first()
    with transaction.atomic():
        picture = Picture(product=product, variant=variant, role=shot.role, alt=shot.alt, position=position)
        with open(PICTURES / f"{shot.file}-1280.jpg", "rb") as file:
            picture.image.save(f"{shot.file}-1280.jpg", File(file))
        for suffix, kind, width in RENDITIONS:
            name = f"{shot.file}-{width}.{suffix}"
            with open(PICTURES / name, "rb") as file:
                Rendition(picture=picture, type=kind, width=width).image.save(name, File(file))


def load_people(*, password: str) -> None:
    """Make the superuser `admin` and the merchandiser `merch`, both with that password."""
    if not User.objects.filter(username="admin").exists():
        User.objects.create_superuser("admin", "admin@localhost", password)
    merchandiser, new = User.objects.get_or_create(
        username="merch", defaults={"is_staff": True, "email": "merch@localhost"}
    )
    if new:
        merchandiser.set_password(password)
        merchandiser.save()
    merchandiser.groups.add(Group.objects.get(name="merchandisers"))
