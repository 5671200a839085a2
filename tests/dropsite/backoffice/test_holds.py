"""Holds in the admin are found by their orders."""

from typing import Any

import pytest
from django.urls import reverse

from payments.models import Order
from tests.admin_clients import LogIn
from tests.factories import make_drop, make_hold

LIST = reverse("admin:drops_hold_changelist")


@pytest.mark.parametrize("term", ["7KQ2", "ada@example.com"])
def test_hold_is_found_by_its_order(log_in: LogIn, term: str) -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, index=1, state="allocated")
    make_hold(drop=drop, index=2)
    make_order(hold=hold, number="7KQ29XMD", email="ada@example.com")

    found = log_in("ops").get(LIST, {"q": term}).context["cl"].queryset

    assert list(found) == [hold]


def make_order(**fields: Any) -> Order:
    amounts = {"currency": "EUR", "subtotal": 9600, "shipping": 490, "tax": 1611, "total": 10090}
    return Order.objects.create(
        name="Ada", line1="Street 1", city="Town", country="DE", livemode=False, **amounts, **fields
    )
