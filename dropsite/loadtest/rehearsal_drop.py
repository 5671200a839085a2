"""A rehearsal's own drop: unlisted, opens within seconds, closed when the rehearsal is over."""

import io
import secrets
from datetime import timedelta

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone
from PIL import Image

from drops import drop_actions
from drops.models import Drop, Edition
from shop import picture_files
from shop.models import Picture, Product, Variant

OPENS_IN_SECONDS = 10  # after the lobby
LOBBY_IN_SECONDS = 10  # where a crowd is to join in the lobby's first second
HOLD_SECONDS = 20
LIMIT_PER_ORDER = 2
PRICE_CENTS = 4900
MAX_EDITIONS = 3
SIZES = ("S", "M", "L")
PICTURE_SIZE = (640, 800)


def create(*, units: int, shoppers: int, burst: bool = False) -> Drop:
    """Announce a drop of `units` units, divided among up to three editions, for so many shoppers.

    Its lobby is open at once, or for a burst in LOBBY_IN_SECONDS.
    """
    with transaction.atomic():
        product = find_product() or create_product()
        lobby_opens_at = timezone.now()
        if burst:
            lobby_opens_at += timedelta(seconds=LOBBY_IN_SECONDS)
        drop = Drop.objects.create(
            product=product,
            slug=f"rehearsal-{secrets.token_hex(4)}",
            title=f"Rehearsal of {product.name}",
            listed=False,
            limit_per_order=min(LIMIT_PER_ORDER, units),
            hold_seconds=HOLD_SECONDS,
            expected_shoppers=shoppers,
            lobby_opens_at=lobby_opens_at,
            opens_at=lobby_opens_at + timedelta(seconds=OPENS_IN_SECONDS),
        )
        variants = list(product.variants.all())[: min(MAX_EDITIONS, units)]
        share, remainder = divmod(units, len(variants))
        for number, variant in enumerate(variants):
            quantity = share
            if number < remainder:
                quantity += 1
            Edition.objects.create(
                drop=drop,
                variant=variant,
                price=PRICE_CENTS,
                quantity=quantity,
                limit_per_order=drop.limit_per_order,
                position=number,
            )
        return drop_actions.announce(drop=drop, actor=None)


def find_product() -> Product | None:
    """Return a product of the shop that can be announced as it is."""
    unprepared = Picture.objects.filter(renditions=None)
    return (
        Product.objects.filter(variants__isnull=False, pictures__role=Picture.Role.HERO)
        .exclude(pictures__alt="")
        .exclude(pk__in=unprepared.values("product"))
        .distinct()
        .first()
    )


def create_product() -> Product:
    """Return a small product, for a shop that has none yet."""
    product, created = Product.objects.get_or_create(
        slug="rehearsal",
        defaults={"name": "Rehearsal", "tagline": "Not for sale.", "story": "Created by a rehearsal."},
    )
    if created:
        for number, size in enumerate(SIZES):
            Variant.objects.create(
                product=product, sku=f"REHEARSAL-{size}", options={"size": size}, position=number
            )
        image = io.BytesIO()
        Image.new("RGB", PICTURE_SIZE, product.signal).save(image, "JPEG", quality=40)
        Picture.objects.create(
            product=product,
            image=ContentFile(image.getvalue(), "rehearsal.jpg"),
            alt="A plain surface in one colour.",
        )
    for picture in product.pictures.filter(renditions=None):
        picture_files.replace_upload(picture=picture)
    return product


def close(*, drop: Drop) -> None:
    """End the drop, so that no process works for it any more."""
    drop_actions.close(drop=drop, actor=None)
