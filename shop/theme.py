"""Themes of product pages: one style element with the product's colours, which the CSP allows by its hash."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import shortcuts
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from shop.core import csp, theme_css
from shop.models import Product, Variant


@dataclass(frozen=True)
class Theme:
    """A page's theme.

    `css` is in the page byte for byte; `source` allows it; `font` is a static file or empty.
    """

    css: SafeString
    source: str
    ground: str
    font: str


def build(product: Product, swatches: Iterable[Variant] = ()) -> Theme:
    """Return a product's theme. The swatch of variant n is shown by the classes `swatch swatch-n`."""
    typeface = theme_css.TYPEFACES[product.face]
    css = theme_css.root_css(ground=product.ground, ink=product.ink, signal=product.signal, typeface=typeface)
    for variant in swatches:
        if variant.swatch:
            css += f".swatch-{variant.pk}{{--swatch:{theme_css.checked(variant.swatch)}}}"
    return Theme(
        css=SafeString(css), source=theme_css.csp_source(css), ground=product.ground, font=typeface.file
    )


def render(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    product: Product,
    swatches: Iterable[Variant] = (),
    status: int = 200,
) -> HttpResponse:
    """Render a page in the product's theme, with a CSP that allows its style element."""
    theme = build(product, swatches)
    response = shortcuts.render(request, template, {**context, "theme": theme}, status=status)
    return csp.allow(response, {"style-src": [theme.source]})
