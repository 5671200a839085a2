"""{% picture hero sizes="100vw" first=True %}: a picture in every format and width that there is."""

from typing import Any

from django import template

from shop import images
from shop.models import Picture

register = template.Library()


@register.inclusion_tag("shop/picture.html")
def picture(picture: Picture, *, sizes: str, first: bool = False) -> dict[str, Any]:
    """Render <picture>; `first` fetches it before everything else, other ones wait until they are near."""
    return {"choice": images.choice(picture), "sizes": sizes, "first": first}
