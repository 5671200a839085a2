from base64 import b64encode
from hashlib import sha256

import pytest
from django.http import HttpResponse

from shop import theme
from shop.models import Product, Variant

UPDATE = "_csp_update"  # where django-csp looks for what a response adds to the policy


def make_product(**fields: str) -> Product:
    return Product(**{"ground": "#434a52", "ink": "#f4f1e8", "signal": "#ffc20a", "face": "overpass"} | fields)


def test_makes_one_style_of_colours_and_face() -> None:
    found = theme.of(make_product())

    assert found.css == (
        ':root{--ground:#434a52;--ink:#f4f1e8;--signal:#ffc20a;--face:"Overpass",var(--text);--heavy:700;'
        "color-scheme:dark}"
    )
    assert found.source == f"'sha256-{b64encode(sha256(found.css.encode()).digest()).decode()}'"
    assert found.font == "shop/fonts/overpass-latin-700-normal.woff2"


def test_a_light_ground_is_light() -> None:
    assert "color-scheme:light" in theme.of(make_product(ground="#ffffff", ink="#000000")).css


def test_every_face_is_there() -> None:
    assert set(theme.FACES) == set(Product.Face)


def test_gives_swatches_their_colours() -> None:
    gold, plain = Variant(pk=7, swatch="#d8b04c"), Variant(pk=8)

    css = theme.of(make_product(), [gold, plain]).css

    assert ".swatch-7{--swatch:#d8b04c}" in css
    assert "swatch-8" not in css


@pytest.mark.parametrize("colour", ["red", "#fff", "#ffffff}", "</style>", ""])
def test_lets_nothing_but_a_colour_into_the_style(colour: str) -> None:
    with pytest.raises(ValueError, match="is no colour"):
        theme.of(make_product(ground=colour))


def test_admits_the_style_beside_what_was_admitted() -> None:
    response = HttpResponse()
    setattr(response, UPDATE, {"style-src": ["x"], "frame-src": ["y"]})
    found = theme.of(make_product())

    theme.dress(response, look=found)

    assert getattr(response, UPDATE) == {"style-src": ["x", found.source], "frame-src": ["y"]}
