"""How a product's pages look: its colours and its display face, one style element that the CSP admits by its hash."""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

from shop.models import Product, Variant

COLOUR = re.compile(r"#[0-9a-f]{6}")
FACES = {  # value of Product.Face: its family, weight and file
    Product.Face.HOST_GROTESK: ("Host Grotesk", 600, ""),
    Product.Face.ABRIL_FATFACE: ("Abril Fatface", 400, "shop/fonts/abril-fatface-latin-400-normal.woff2"),
    Product.Face.ARCHIVO_BLACK: ("Archivo Black", 400, "shop/fonts/archivo-black-latin-400-normal.woff2"),
    Product.Face.OVERPASS: ("Overpass", 700, "shop/fonts/overpass-latin-700-normal.woff2"),
    Product.Face.BARLOW_CONDENSED: ("Barlow Condensed", 600, "shop/fonts/barlow-condensed-latin-600-normal.woff2"),
}


@dataclass(frozen=True)
class Theme:
    """`css` stands in the page byte for byte, `source` is its hash as a CSP source, `font` a static file or empty."""

    css: SafeString
    source: str
    ground: str
    font: str


def of(product: Product, swatches: Iterable[Variant] = ()) -> Theme:
    """Make the look of a product; a swatch `n` is shown by class `swatch swatch-n`, n being the variant's id."""
    ground, ink, signal = (_colour(value) for value in (product.ground, product.ink, product.signal))
    family, weight, font = FACES[Product.Face(product.face)]
    scheme = "dark" if _luminance(ground) < _luminance(ink) else "light"
    css = (
        f":root{{--ground:{ground};--ink:{ink};--signal:{signal};"
        f'--face:"{family}",var(--text);--heavy:{weight};color-scheme:{scheme}}}'
    )
    css += "".join(
        f".swatch-{variant.pk}{{--swatch:{_colour(variant.swatch)}}}" for variant in swatches if variant.swatch
    )
    digest = b64encode(sha256(css.encode()).digest()).decode()
    return Theme(css=SafeString(css), source=f"'sha256-{digest}'", ground=ground, font=font)


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    product: Product,
    swatches: Iterable[Variant] = (),
    status: int = 200,
) -> HttpResponse:
    """Render a page in the product's look and let its CSP admit that one style element."""
    look = of(product, swatches)
    return dress(render(request, template, {**context, "look": look}, status=status), look=look)


def dress(response: HttpResponse, *, look: Theme) -> HttpResponse:
    """Let the response's CSP admit the look's style element, beside what else it was told to admit."""
    update = dict(getattr(response, "_csp_update", None) or {})
    update["style-src"] = [*update.get("style-src", []), look.source]
    response._csp_update = update  # type: ignore[attr-defined]  # what django-csp's own decorator sets
    return response


def _colour(value: str) -> str:
    """Return a colour that can't end the style element or the rule that it stands in."""
    if not COLOUR.fullmatch(value):
        raise ValueError(f"{value!r} is no colour")
    return value


def _luminance(colour: str) -> float:
    """Say how light a colour is, roughly, from 0 to 255: enough to tell a dark ground from a light one."""
    red, green, blue = bytes.fromhex(colour[1:])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
