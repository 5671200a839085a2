"""Numbers typed into a draft arrive as meant, and are shown as shoppers will see them."""

from typing import Any

import pytest
from django.test import Client

from drops.models import Drop
from tests.admin_clients import LogIn, errors
from tests.drops.admin.test_drops import ADD, form, page
from tests.factories import make_product, make_variant


def create(client: Client, *, currency: str, **edition: Any) -> Any:
    product = make_product(pictures=1)
    sent = form(
        product=product,
        currency=currency,
        editions=[{"variant": make_variant(product=product).pk, "limit_per_order": 1, **edition}],
    )
    return client.post(ADD, sent)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("currency", "price", "amount", "shown"),
    [
        ("JPY", "70,000", 70_000, "¥70,000"),
        ("JPY", "1.000", 1_000, "¥1,000"),
        ("EUR", "1.000,50", 100_050, "€1,000.50"),
        ("EUR", "96", 9_600, "€96"),
        ("INR", "1,00,000.00", 10_000_000, "₹100,000"),
    ],
)
def test_draft_and_confirmation_show_the_price_as_shoppers_see_it(
    log_in: LogIn, currency: str, price: str, amount: int, shown: str
) -> None:
    client = log_in("merchandisers")
    assert create(client, currency=currency, price=price, quantity="1.000").status_code == 302

    drop = Drop.objects.get()
    edition = drop.editions.get()
    assert (edition.price, edition.quantity) == (amount, 1_000)
    assert f"<p>{shown}</p>" in client.get(page(drop)).content.decode()
    assert f'<td class="n">{shown}</td>' in client.get(page(drop, "announce")).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("price", ["1,000", "1.000", "70,000", "€9.999"])
def test_draft_with_a_price_of_two_readings_is_not_saved(log_in: LogIn, price: str) -> None:
    answer = create(log_in("merchandisers"), currency="EUR", price=price)

    assert answer.status_code == 200
    assert "can mean" in str(errors(answer))
    assert not Drop.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("currency", "price", "shown"), [("EUR", "1.000,50", "€1,000.50"), ("JPY", "70,000", "¥70,000")]
)
def test_draft_that_is_refused_shows_the_prices_that_were_entered(
    log_in: LogIn, currency: str, price: str, shown: str
) -> None:
    answer = create(log_in("merchandisers"), currency=currency, price=price, quantity="none")

    assert list(errors(answer)) == ["editions-0-quantity"]
    assert f"<p>{shown}</p>" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quantity", "1.5"),
        ("quantity", "9" * 4_400),
        ("quantity", "99999999999"),
        ("limit_per_order", "1,5"),
        ("price", "9" * 30),
        ("position", "-1"),
    ],
)
def test_draft_with_an_impossible_number_is_refused(log_in: LogIn, name: str, text: str) -> None:
    assert create(log_in("merchandisers"), currency="EUR", **{name: text}).status_code == 200
    assert not Drop.objects.exists()
