"""{% picture hero sizes="100vw" first=True %}: a picture in every format and width that there is."""

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from shop import images
from shop.models import Picture

register = template.Library()


@register.simple_tag
def picture(picture: Picture, *, sizes: str, first: bool = False) -> SafeString:
    """Render <picture>. With `first` it is fetched before everything else; without, once it is near.

    Of a picture that no page may show, nothing is rendered.
    """
    if not images.is_servable(picture):
        return SafeString("")
    if (sizes, first) not in picture.markup:
        context = {"image": images.image_set(picture), "sizes": sizes, "first": first}
        picture.markup[sizes, first] = render_to_string("shop/picture.html", context)
    return picture.markup[sizes, first]
