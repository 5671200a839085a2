"""{% picture hero sizes="100vw" first=True %}: a picture in every format and width that there is."""

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from shop import images
from shop.models import Picture

register = template.Library()


@register.simple_tag
def picture(picture: Picture, *, sizes: str, first: bool = False) -> SafeString:
    """Render <picture>; `first` fetches it before everything else, other ones wait until they are near.

    It stays with the object: several pages may show the picture that was read once.
    """
    shown: dict[tuple[str, bool], SafeString] = vars(picture).setdefault("shown", {})
    if (sizes, first) not in shown:
        context = {"choice": images.choice(picture), "sizes": sizes, "first": first}
        shown[sizes, first] = render_to_string("shop/picture.html", context)
    return shown[sizes, first]
