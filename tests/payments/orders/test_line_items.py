"""The line items of a hold or an order."""

import pytest
from django.db.models.functions import Now

from drops import queries
from drops.models import Hold
from payments.models import OrderLine
from payments.orders import line_items
from shop.models import Product, Variant
from tests.factories import make_drop, make_edition, make_hold, make_product, make_variant
from tests.payments.order_factory import submit

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([37], "No. 37 of 2,500"),
        ([37, 1041], "No. 37 and No. 1,041 of 2,500"),
        ([3, 9, 12], "No. 3, No. 9 and No. 12 of 2,500"),
    ],
)
def test_numbered_lists_the_numbers_of_pieces(numbers: list[int], words: str) -> None:
    assert line_items.numbered(numbers=numbers, of=2500) == words


def test_of_hold_follows_the_order_of_the_drops_editions() -> None:
    drop = make_drop(phase="live", editions=0, product=make_product(name="0 kg"), limit_per_order=3)
    large, small = (
        make_edition(drop=drop, variant=make_variant(product=drop.product, options={"size": size}), **fields)
        for size, fields in {"L": {"quantity": 1, "position": 2}, "S": {"quantity": 2, "position": 1}}.items()
    )
    hold = make_hold(drop=drop, quantities={large.pk: 1, small.pk: 2})

    held = line_items.of_hold(hold=hold)

    assert [(line.name, line.numbers, line.of, line.quantity, line.sum) for line in held] == [
        ("0 kg S", [1, 2], 2, 2, 19200),
        ("0 kg L", [1], 1, 1, 9600),
    ]
    assert line_items.headline(lines=held) == "S No. 1 and No. 2 of 2 and L No. 1 of 1"
    assert line_items.pieces(lines=held) == "S No. 1, S No. 2 and L No. 1"


def test_of_order_keeps_what_was_bought_whatever_is_renamed() -> None:
    drop = make_drop(phase="live", editions=0, product=make_product(name="0 kg"), limit_per_order=3)
    variant = make_variant(product=drop.product, options={"size": "S"}, sku="KG-S")
    edition = make_edition(drop=drop, variant=variant, quantity=2)
    order = submit(make_hold(drop=drop, quantities={edition.pk: 2}), "ctoken_1", total=2 * 9600 + 490)
    before = line_items.of_order(order=order)

    Product.objects.update(name="1 kg")
    Variant.objects.update(options={"size": "XXL", "colour": "red"}, sku="KG-XXL")
    queries.clear_cache()

    assert line_items.of_order(order=order) == before
    assert [(line.name, line.edition, line.numbers, line.of, line.sum) for line in before] == [
        ("0 kg S", "S", [1, 2], 2, 19200)
    ]
    line = OrderLine.objects.get()
    assert (line.sku, line.options, line.tax) == ("KG-S", {"size": "S"}, 3066)
    assert line.tax + order.shipping_tax == order.tax
    assert line_items.of_hold(hold=order.hold)[0].name == "1 kg XXL, red"


@pytest.mark.parametrize(
    ("state", "numbers"), [("paying", [1]), ("allocated", [1]), ("released", []), ("returned", [])]
)
def test_of_order_names_no_numbers_that_may_be_somebody_elses(state: str, numbers: list[int]) -> None:
    order = submit(make_hold(drop=make_drop(phase="live", quantity=1)), "ctoken_1")
    Hold.objects.update(state=state, ended_at=None if state == "paying" else Now())
    order.hold.refresh_from_db()

    assert line_items.of_order(order=order)[0].numbers == numbers


def test_of_order_falls_back_to_the_hold_of_an_order_without_lines() -> None:
    order = submit(make_hold(drop=make_drop(phase="live")), "ctoken_1")
    OrderLine.objects.all().delete()

    assert line_items.of_order(order=order) == line_items.of_hold(hold=order.hold)


def test_of_hold_has_quantities_without_numbers_once_the_units_have_left() -> None:
    hold = make_hold(drop=make_drop(phase="live"), state="released")

    assert [(line.numbers, line.words) for line in line_items.of_hold(hold=hold)] == [([], "1")]


@pytest.mark.parametrize(
    ("count", "heading", "sentence"),
    [
        (1, "No. 1 of 40", "No. 1"),
        (
            6,
            "No. 1, No. 2, No. 3, No. 4, No. 5 and No. 6 of 40",
            "No. 1, No. 2, No. 3, No. 4, No. 5 and No. 6",
        ),
        (7, "No. 1, No. 2, No. 3, No. 4, No. 5, No. 6 and 1 more", "7 pieces"),
        (20, "No. 1, No. 2, No. 3, No. 4, No. 5, No. 6 and 14 more", "20 pieces"),
        (1041, "No. 1, No. 2, No. 3, No. 4, No. 5, No. 6 and 1,035 more", "1,041 pieces"),
    ],
)
def test_many_pieces_fit_into_a_heading_and_a_sentence(count: int, heading: str, sentence: str) -> None:
    numbers = list(range(1, count + 1))
    line = line_items.LineItem(
        edition_id=1,
        variant_id=1,
        name="0 kg",
        edition="S",
        numbers=numbers,
        of=40,
        quantity=count,
        price=1,
        currency="EUR",
    )

    assert line_items.summary(lines=[line], max_numbers=line_items.MAX_NUMBERS) == heading
    assert line_items.pieces(lines=[line]) == sentence
