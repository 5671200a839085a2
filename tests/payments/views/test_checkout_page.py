"""The checkout page, and where its address redirects to later."""

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from drops.models import Hold, Pause, Unit
from tests.factories import make_drop, make_edition, make_hold, make_variant
from tests.payments.views.shopping import (
    address,
    bring,
    lapse,
    make_open_hold,
    make_order,
    order_address,
    text,
)

pytestmark = pytest.mark.django_db


def test_show_what_is_held_until_when_and_what_it_costs(shopper: Client) -> None:
    hold = make_open_hold()
    number = Unit.objects.get(hold=hold).number

    answer = shopper.get(address(hold))

    assert answer.status_code == 200
    shown = text(answer)
    assert f"No. {number} of 500" in shown
    assert f"No. {number} is held for you until " in shown
    assert "Shipping €4.90" in shown
    assert "Pay €100.90" in shown
    assert "The total includes €16.11 tax (19%)." in shown
    assert 'name="shown_total" value="10090"' in answer.content.decode()


def test_show_every_edition_of_a_hold(shopper: Client) -> None:
    drop = make_drop(phase="live", editions=0)
    small, large = (
        make_edition(
            drop=drop, variant=make_variant(product=drop.product, options={"size": size}), quantity=1
        )
        for size in "SL"
    )
    hold = make_hold(drop=drop, quantities={small.pk: 1, large.pk: 1})

    shown = text(shopper.get(address(hold)))

    assert f"No. 1 of 1, {drop.product.name} S No. 1 of 1, {drop.product.name} L" in shown
    assert "S No. 1 and L No. 1 are held for you until" in shown
    assert "Pay €196.90" in shown


def test_personal_pages_are_not_cached_and_send_no_referrer(shopper: Client) -> None:
    hold = make_open_hold()

    for where in (
        address(hold),
        address(hold, "quote/?country=DE"),
        order_address(make_order(shopper, hold)),
    ):
        answer = shopper.get(where)

        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "same-origin"


def test_csp_allows_the_sandboxs_card_form_and_nothing_inline(shopper: Client, settings: Settings) -> None:
    settings.STRIPE_JS_URL = "http://127.0.0.1:8004/stripe.js"
    settings.STRIPE_JS_ORIGIN = "http://127.0.0.1:8004"

    policy = shopper.get(address(make_open_hold()))["Content-Security-Policy"]

    for directive in ("script-src 'self'", "frame-src", "connect-src 'self'"):
        assert f"{directive} http://127.0.0.1:8004;" in policy + ";"
    assert "unsafe" not in policy


def test_csp_allows_stripes_card_form(shopper: Client, settings: Settings) -> None:
    settings.STRIPE_JS_ORIGIN = "https://js.stripe.com"

    policy = shopper.get(address(make_open_hold()))["Content-Security-Policy"]

    assert "script-src 'self' https://js.stripe.com https://*.js.stripe.com" in policy
    assert "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com" in policy
    assert "connect-src 'self' https://api.stripe.com" in policy
    assert "unsafe" not in policy


def test_reload_with_a_different_country_without_script(shopper: Client) -> None:
    answer = shopper.get(address(make_open_hold(), "?country=JP"))

    assert "Pay €120.90" in text(answer)
    assert '<option value="JP" selected>' in answer.content.decode()


def test_fall_back_to_the_home_country(shopper: Client) -> None:
    assert "Pay €100.90" in text(shopper.get(address(make_open_hold(), "?country=XX")))


def test_quote_a_different_country_for_the_script(shopper: Client) -> None:
    assert shopper.get(address(make_open_hold(), "quote/?country=FR")).json() == {
        "subtotal": "€96",
        "shipping": "€12.90",
        "tax": "The total includes €17.39 tax (19%).",
        "total": "€108.90",
        "pay": "Pay €108.90",
        "amount": 10890,
        "currency": "eur",
    }


def test_refuse_to_quote_a_country_that_we_do_not_ship_to(shopper: Client) -> None:
    answer = shopper.get(address(make_open_hold(), "quote/?country=XX"))

    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["field"] == "country"


def test_checkout_says_in_a_pause_that_the_hold_stays(shopper: Client) -> None:
    hold = make_open_hold()
    lapse(hold)
    Pause.objects.create(drop=hold.drop, began_at=timezone.now())

    answer = shopper.get(address(hold))

    assert answer.status_code == 200
    assert "The drop is paused." in text(answer)
    assert "data-ends" not in answer.content.decode()


def test_checkout_says_without_script_that_paying_needs_it(shopper: Client) -> None:
    page = shopper.get(address(make_open_hold())).content.decode()

    noscript = "".join(re.findall(r"<noscript>(.*?)</noscript>", page, re.DOTALL))
    assert re.search(r'<p class="[^"]*without-script">Paying needs JavaScript', page)
    assert 'name="country"' in noscript
    assert re.search(r'<button type="submit" id="button" disabled>', page)


def test_checkout_takes_one_query(shopper: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    hold = make_open_hold()
    shopper.get(address(hold))  # what announcing fixed is remembered for a while

    with django_assert_num_queries(1):  # the hold, its order, its lines, a pause
        shopper.get(address(hold))


def test_keep_the_checkout_small(shopper: Client) -> None:
    page = shopper.get(address(make_open_hold()))
    scripts = [finders.find(f"shop/js/{name}.js") for name in ("clock", "hold", "checkout", "order")]

    assert len(gzip.compress(page.content)) <= 20_000
    assert sum(len(gzip.compress(Path(str(script)).read_bytes())) for script in scripts) <= 8_000


@pytest.mark.parametrize(
    ("payment", "hold"), [("new", "paying"), ("captured", "allocated"), ("voided", "returned")]
)
def test_checkout_redirects_to_the_order_once_it_is_paid_for(
    shopper: Client, payment: str, hold: str
) -> None:
    order = make_order(shopper)
    bring(order, payment, hold)

    answer = shopper.get(address(order.hold))

    assert (answer.status_code, answer["Location"]) == (303, order_address(order))
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("state", ["released", "lapsed"])
def test_checkout_says_that_the_hold_ended(shopper: Client, settings: Settings, state: str) -> None:
    hold = make_open_hold(**({"state": "released"} if state == "released" else {}))
    if state == "lapsed":
        lapse(hold)

    answer = shopper.get(address(hold))

    assert (answer.status_code, answer["Cache-Control"]) == (410, "no-store")
    assert re.search(
        r"Your hold ended at \d\d:\d\d CES?T\. What you held has been released\. You keep your place, "
        r"and can hold once more\. You haven't been charged\.",
        text(answer),
    )
    assert f'href="/drops/{hold.drop.slug}/"' in answer.content.decode()
    assert answer.cookies[f"held-{hold.drop.slug}"]["max-age"] == 0


def test_release_frees_the_unit_and_redirects_to_the_drop(shopper: Client) -> None:
    hold = make_open_hold()

    answer = shopper.post(address(hold, "give-back/"))

    assert (answer.status_code, answer["Location"]) == (303, f"/drops/{hold.drop.slug}/")
    assert Hold.objects.get(pk=hold.pk).state == "released"
    assert Unit.objects.filter(hold=hold).count() == 0
    assert answer.cookies[f"hold-{hold.drop.slug}"]["max-age"] == 0


def test_release_twice_does_nothing_more(shopper: Client) -> None:
    hold = make_open_hold()
    shopper.post(address(hold, "give-back/"))

    assert shopper.post(address(hold, "give-back/")).status_code == 303


def test_release_leaves_a_hold_alone_that_is_being_paid_for(shopper: Client) -> None:
    order = make_order(shopper)

    answer = shopper.post(address(order.hold, "give-back/"))

    assert (answer.status_code, answer["Location"]) == (303, order_address(order))
    assert Hold.objects.get(pk=order.hold_id).state == "paying"
