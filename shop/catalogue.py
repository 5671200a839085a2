"""What pages show of a product: its pictures by role, its story by paragraph."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shop.models import Picture, Product

ROLE = Picture.Role


@dataclass(frozen=True)
class Gallery:
    """A product's pictures. `hero` is None only where somebody has not uploaded any."""

    hero: Picture | None
    more: list[Picture]  # the detail and the wide one, in that order
    of_variants: dict[int, Picture]  # variant id: its own hero


def gallery(*, pictures: Iterable[Picture]) -> Gallery:
    """Sort a product's pictures. Its hero is the first that is of no single variant."""
    pictures = list(pictures)
    heroes = [picture for picture in pictures if picture.role == ROLE.HERO]
    general = [picture for picture in heroes if picture.variant_id is None]
    return Gallery(
        hero=next(iter(general or heroes), None),
        more=[picture for role in (ROLE.DETAIL, ROLE.WIDE) for picture in pictures if picture.role == role][:2],
        of_variants={picture.variant_id: picture for picture in heroes if picture.variant_id},
    )


def paragraphs(product: Product) -> list[str]:
    """Split the story at its empty lines."""
    return [part.strip() for part in re.split(r"\n\s*\n", product.story) if part.strip()]
