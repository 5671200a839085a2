"""Paying over HTTP: which orders are taken, and what is refused with nothing changed."""

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from drops.models import Hold
from payments.models import Attempt, Order
from tests.payments.views.shopping import (
    GOOD,
    JSON,
    TOTAL,
    address,
    bring,
    lapse,
    make_open_hold,
    make_order,
    order_address,
    pay,
    queued,
    text,
    unchanged,
)

pytestmark = pytest.mark.django_db


def test_pay_takes_the_order_and_enqueues_it(shopper: Client) -> None:
    hold = make_open_hold()
    queued("checkout")

    answer = pay(shopper, hold)

    order = Order.objects.get(hold=hold)
    assert (answer.status_code, answer.json()) == (202, {"order": order_address(order)})
    assert (order.total, order.shipping, order.tax, order.country) == (TOTAL, 490, 1611, "DE")
    assert Hold.objects.get(pk=hold.pk).state == "paying"
    assert queued("checkout") == [order.pk]


def test_pay_without_script_leads_to_the_order(shopper: Client) -> None:
    hold = make_open_hold()

    answer = pay(shopper, hold, headers={})

    assert (answer.status_code, answer["Location"]) == (303, order_address(Order.objects.get(hold=hold)))


def test_pay_twice_makes_one_order_and_one_attempt(shopper: Client) -> None:
    hold = make_open_hold()

    first, again = pay(shopper, hold), pay(shopper, hold, confirmation_token="ctoken_2DEF")

    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, first.json())
    assert Attempt.objects.count() == 1


def test_pay_after_the_capture_returns_the_same_order(shopper: Client) -> None:
    order = make_order(shopper)
    bring(order, "captured", "allocated")

    answer = pay(shopper, order.hold)

    assert (answer.status_code, answer.json()) == (202, {"order": order_address(order)})
    assert Attempt.objects.count() == 1


def test_pay_takes_the_order_while_the_broker_is_unreachable(shopper: Client, broker: Any) -> None:
    broker("redis://127.0.0.1:1/0")

    assert pay(shopper, make_open_hold()).status_code == 202
    assert Attempt.objects.get().state == "queued"


def test_refuse_to_pay_a_total_that_was_not_shown(shopper: Client) -> None:
    hold = make_open_hold()

    answer = pay(shopper, hold, shown_total=1)

    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert "You haven't been charged." in answer.json()["detail"]
    assert unchanged(hold)


def test_refuse_the_total_of_a_different_country(shopper: Client) -> None:
    hold = make_open_hold()

    assert pay(shopper, hold, country="JP").status_code == 409
    assert unchanged(hold)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", ""),
        ("email", "ada"),
        ("email", "ada@example.com\nBcc: eve@example.com"),
        ("email", "a" * 250 + "@example.com"),
        ("name", ""),
        ("name", "   "),
        ("name", "A" * 121),
        ("name", "Ada\r\nEve"),
        ("name", "Ada\x00"),
        ("line1", ""),
        ("city", ""),
        ("postcode", ""),
        ("postcode", "1" * 17),
        ("country", ""),
        ("country", "XX"),
        ("shown_total", ""),
        ("shown_total", "-1"),
        ("shown_total", "1e3"),
        ("confirmation_token", ""),
        ("confirmation_token", "pm_1ABC"),
        ("confirmation_token", "ctoken_1 OR 1=1"),
        ("confirmation_token", "ctoken_" + "1" * 80),
    ],
)
def test_refuse_a_field_by_its_name(shopper: Client, field: str, value: Any) -> None:
    hold = make_open_hold()

    answer = pay(shopper, hold, **{field: value})

    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert unchanged(hold)


def test_show_errors_beside_their_fields_and_keep_what_was_entered(shopper: Client) -> None:
    hold = make_open_hold()

    answer = pay(shopper, hold, headers={}, email="ada", country="JP")

    page = answer.content.decode()
    assert answer.status_code == 422
    assert answer["Cache-Control"] == "no-store"
    assert "Enter a valid email address, such as ada@example.com." in page
    assert 'aria-invalid="true"' in page
    assert 'value="1 Loopback Lane"' in page
    assert "Pay €120.90" in page


def test_refuse_to_pay_for_a_lapsed_hold(shopper: Client) -> None:
    hold = make_open_hold()
    lapse(hold)

    script, page = pay(shopper, hold), pay(shopper, hold, headers={})

    assert (script.status_code, script["Content-Type"]) == (410, "application/problem+json")
    assert script.json()["detail"] == "Your hold ended before you paid. You haven't been charged."
    assert page.status_code == 410
    assert "Your hold ended at" in text(page)
    assert Order.objects.count() == 0


def test_refuse_to_pay_for_a_released_hold(shopper: Client) -> None:
    hold = make_open_hold(state="released")

    assert pay(shopper, hold).status_code == 410
    assert Order.objects.count() == 0


def test_refuse_a_changed_total_with_a_page_that_leads_back(shopper: Client) -> None:
    hold = make_open_hold()

    answer = pay(shopper, hold, headers={}, shown_total=1)

    assert answer.status_code == 409
    assert f'href="{address(hold)}"' in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"


def test_refuse_a_country_that_costs_more_once_the_order_exists(shopper: Client) -> None:
    order = make_order(shopper)
    bring(order, "created", "open", declines=1)

    answer = pay(shopper, order.hold, country="JP", shown_total=12090)

    assert answer.status_code == 409
    assert answer.json()["errors"][0]["field"] == "country"
    assert Order.objects.get().country == "DE"


@pytest.mark.parametrize("end", ["pay/", "change/", "give-back/"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_refuse_a_cross_site_post(end: str, headers: dict[str, str]) -> None:
    hold = make_open_hold()

    answer = Client(headers=headers).post(address(hold, end), GOOD)

    assert answer.status_code == 403
    assert "The form came from another site." in text(answer)
    assert unchanged(hold)


@pytest.mark.parametrize("end", ["pay/", "change/", "give-back/"])
def test_refuse_a_post_without_its_token(settings: Settings, end: str) -> None:
    hold = make_open_hold()
    careful = Client(enforce_csrf_checks=True, headers={"Origin": settings.SHOP_ORIGIN})

    page = careful.post(address(hold, end), GOOD)
    script = careful.post(address(hold, end), GOOD, headers=JSON)

    assert page.status_code == script.status_code == 403
    assert "reload the page" in text(page)
    assert script["Content-Type"] == "application/problem+json"
    assert unchanged(hold)


def test_pay_with_the_token_of_the_page(settings: Settings) -> None:
    hold = make_open_hold()
    careful = Client(enforce_csrf_checks=True, headers={"Origin": settings.SHOP_ORIGIN})
    page = careful.get(address(hold)).content.decode()
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]

    answer = careful.post(address(hold, "pay/"), {**GOOD, "csrfmiddlewaretoken": token}, headers=JSON)

    assert answer.status_code == 202


@pytest.mark.parametrize(("end", "status"), [("pay/", 303), ("give-back/", 200)])
def test_refuse_to_act_by_a_link(shopper: Client, end: str, status: int) -> None:
    hold = make_open_hold()

    answer = shopper.get(address(hold, end))

    assert answer.status_code == status
    assert answer.headers.get("Location", address(hold)) == address(hold)
    assert unchanged(hold)
