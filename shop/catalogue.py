"""A product as pages show it: its pictures by role, its story by paragraph."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shop import images
from shop.models import Picture, Product


@dataclass(frozen=True)
class Gallery:
    """A product's pictures, without originals. `hero` is None only if it has no other picture."""

    hero: Picture | None
    more: list[Picture]  # up to two others: details before wide ones
    of_variants: dict[int, Picture]  # by variant id: its own hero


def gallery(*, pictures: Iterable[Picture]) -> Gallery:
    """Sort a product's pictures. Its hero is the first one that doesn't belong to a single variant."""
    pictures = images.servable(pictures)
    heroes = [picture for picture in pictures if picture.role == Picture.Role.HERO]
    general = [picture for picture in heroes if picture.variant_id is None]
    details = [picture for picture in pictures if picture.role == Picture.Role.DETAIL]
    wide = [picture for picture in pictures if picture.role == Picture.Role.WIDE]
    return Gallery(
        hero=next(iter(general or heroes), None),
        more=[*details, *wide][:2],
        of_variants={picture.variant_id: picture for picture in heroes if picture.variant_id},
    )


def paragraphs(product: Product) -> list[str]:
    """Return the story's paragraphs, which empty lines separate."""
    return [part.strip() for part in re.split(r"\n\s*\n", product.story) if part.strip()]
