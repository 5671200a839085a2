"""The price of an order: the pure rules, and the quote for a hold."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.checkout import pricing
from payments.orders import line_items
from shop import shipping, tax
from tests.factories import make_drop, make_hold


@pytest.mark.parametrize(
    ("gross", "percent", "within"), [(11900, 19, 1900), (100, 19, 16), (1, 19, 0), (9600, 0, 0)]
)
def test_contained_returns_the_tax_within_a_price(gross: int, percent: int, within: int) -> None:
    assert tax.contained(gross=gross, percent=Decimal(percent)) == within


@given(st.integers(0, 10**9), st.decimals(0, 50, places=1))
def test_contained_tax_and_net_add_up_to_the_gross(gross: Any, percent: Any) -> None:
    within = tax.contained(gross=gross, percent=percent)

    net = gross - within
    assert abs(Decimal(within) - net * percent / 100) <= Decimal("0.5") * (1 + percent / 100)


def test_zone_is_home_for_the_sellers_own_country_only() -> None:
    assert shipping.zone(country="DE", home="DE") == "home"
    assert shipping.zone(country="DE", home="AT") == "europe"
    assert shipping.zone(country="US", home="DE") == "world"


def test_zone_refuses_a_country_that_we_do_not_ship_to() -> None:
    with pytest.raises(KeyError):
        shipping.zone(country="XX", home="DE")


@pytest.mark.django_db
def test_quote_adds_lines_and_shipping_as_they_were_copied() -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, quantities={drop.editions.get().pk: 2})
    drop.editions.update(price=1)

    quote = pricing.quote(items=line_items.of_hold(hold=hold), currency=hold.currency, country="FR")

    assert (quote.subtotal, quote.shipping, quote.tax, quote.total) == (19200, 1290, 3272, 20490)
