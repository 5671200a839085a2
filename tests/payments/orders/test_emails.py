"""The texts of the confirmation email."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.template.loader import render_to_string

ORDER = {
    "number": "7KQ2-9XMD",
    "name": "Ada <L> & Co",
    "line1": "1 Loopback Lane",
    "line2": "",
    "postcode": "10115",
    "city": "Berlin",
    "region": "",
    "country": "DE",
    "currency": "EUR",
    "shipping": 490,
    "tax": 3143,
    "tax_in_price": True,
    "total": 19690,
    "language": "en",
}
LINES = [
    {"name": "0 kg S", "numbers": [37], "of": 200, "quantity": 1, "price": 9600, "sum": 9600},
    {"name": "0 kg L", "numbers": [9], "of": 200, "quantity": 1, "price": 9600, "sum": 9600},
]


def render(end: str, lines: Any = LINES, **fields: Any) -> Any:
    context = {
        "order": SimpleNamespace(**ORDER | fields),
        "lines": lines,
        "headline": ", ".join(f"No. {line['numbers'][0]} of {line['of']}" for line in lines),
        "summary": ", ".join(f"No. {line['numbers'][0]} of {line['of']}" for line in lines),
        "link": "https://shop.example/orders/1.k1.a.b/",
        "seller": "Dropsite Ltd\n1 Quay\nHamburg",
        "shop_name": "Dropsite & Sons",
        "country": "Germany",
    }
    return render_to_string(f"mail/order_placed.{end}", context)


def test_write_the_subject_in_one_line() -> None:
    assert render("subject.txt").strip() == "Order 7KQ2-9XMD confirmed – No. 37 of 200, No. 9 of 200"
    assert render("subject.txt", lines=LINES[:1]).strip() == "Order 7KQ2-9XMD confirmed – No. 37 of 200"


def test_write_the_text_with_everything_that_was_agreed() -> None:
    assert render("txt") == (
        "Order 7KQ2-9XMD is confirmed. It's yours.\n"
        "\n"
        "1 × 0 kg S, No. 37 of 200: €96\n"
        "1 × 0 kg L, No. 9 of 200: €96\n"
        "Shipping: €4.90\n"
        "Total: €196.90\n"
        "The total includes €31.43 tax.\n"
        "\n"
        "You've been charged €196.90.\n"
        "\n"
        "Shipping to:\n"
        "Ada <L> & Co\n"
        "1 Loopback Lane\n"
        "10115 Berlin\n"
        "Germany\n"
        "\n"
        "See your order at any time:\n"
        "https://shop.example/orders/1.k1.a.b/\n"
        "\n"
        "Anyone with this link can see your order, so keep it to yourself.\n"
        "\n"
        "-- \n"
        "Dropsite & Sons\n"
        "Dropsite Ltd\n"
        "1 Quay\n"
        "Hamburg\n"
        "\n"
    )


def test_write_the_html_with_the_same_and_escape_what_shoppers_entered() -> None:
    html = render("html")

    assert "Ada &lt;L&gt; &amp; Co" in html
    assert "Ada <L>" not in html
    for words in (
        "No. 37 of 200",
        "€96",
        "€4.90",
        "€196.90",
        "The total includes €31.43 tax.",
        "7KQ2-9XMD",
        "1 Quay<br>Hamburg",
    ):
        assert words in html
    assert 'href="https://shop.example/orders/1.k1.a.b/"' in html


@pytest.mark.parametrize("end", ["txt", "html"])
def test_add_the_tax_where_it_is_not_in_the_price(end: str) -> None:
    rendered = render(end, tax_in_price=False, tax=3143, total=22833)

    assert "Tax" in rendered
    assert "The total includes" not in rendered
    assert "€228.33" in rendered
