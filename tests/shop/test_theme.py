"""Themes: one style element, allowed by its hash."""

from base64 import b64encode
from hashlib import sha256

import pytest

from shop import theme
from shop.core import theme_css
from shop.models import Product, Variant


def make_product(**fields: str) -> Product:
    return Product(
        **{"ground": "#434a52", "ink": "#f4f1e8", "signal": "#ffc20a", "face": "overpass"} | fields
    )


def test_build_makes_one_style_of_colours_and_typeface() -> None:
    found = theme.build(make_product())

    assert found.css == (
        ':root{--ground:#434a52;--ink:#f4f1e8;--signal:#ffc20a;--face:"Overpass",var(--text);--heavy:700;'
        "color-scheme:dark}"
    )
    assert found.source == f"'sha256-{b64encode(sha256(found.css.encode()).digest()).decode()}'"
    assert found.font == "shop/fonts/overpass-latin-700-normal.woff2"


def test_build_sets_a_light_scheme_for_a_light_ground() -> None:
    assert "color-scheme:light" in theme.build(make_product(ground="#ffffff", ink="#000000")).css


def test_every_choice_has_its_typeface() -> None:
    assert set(theme_css.TYPEFACES) == set(Product.Face)


def test_build_adds_the_colours_of_swatches() -> None:
    gold, plain = Variant(pk=7, swatch="#d8b04c"), Variant(pk=8)

    css = theme.build(make_product(), [gold, plain]).css

    assert ".swatch-7{--swatch:#d8b04c}" in css
    assert "swatch-8" not in css


@pytest.mark.parametrize("colour", ["red", "#fff", "#ffffff}", "</style>", ""])
def test_build_refuses_everything_but_a_colour(colour: str) -> None:
    with pytest.raises(ValueError, match="is not a colour"):
        theme.build(make_product(ground=colour))
