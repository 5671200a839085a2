"""Choosing again from the checkout page."""

import pytest
from django.test import Client

from drops import drop_actions, holds
from drops.models import Hold, Unit
from payments.checkout import submission
from payments.checkout.refusals import ChoiceFixed, UnitsChanged
from payments.orders import line_items
from tests.factories import make_drop, make_edition, make_hold
from tests.payments.order_factory import ADDRESS, TOTAL
from tests.payments.views.shopping import address, bring, lapse, make_order, pay, text, unchanged

pytestmark = pytest.mark.django_db


def make(quantity: int = 5, limit: int = 1) -> tuple[Hold, int, int]:
    """Return a hold of one unit, its edition's id, and that of a dearer edition."""
    drop = make_drop(phase="live", quantity=quantity, limit_per_order=limit)
    dearer = make_edition(drop=drop, quantity=quantity, price=12000)
    hold = make_hold(drop=drop)
    return hold, drop.editions.order_by("pk")[0].pk, dearer.pk


def editions(hold: Hold) -> list[int]:
    return list(Unit.objects.filter(hold=hold).values_list("edition", flat=True))


def test_the_checkout_page_leads_to_the_choices_with_what_is_held(shopper: Client) -> None:
    hold, first, _dearer = make()

    assert f'href="{address(hold, "change/")}"' in shopper.get(address(hold)).content.decode()
    page = shopper.get(address(hold, "change/"))

    assert page.headers["Cache-Control"] == "no-store"
    assert f'value="{first}" required checked' in page.content.decode()
    assert "You keep what you hold until the change succeeds." in text(page)
    assert "two minutes" not in text(page)


@pytest.mark.parametrize(("editions", "limit", "offered"), [(1, 1, False), (2, 1, True), (1, 2, True)])
def test_a_drop_without_a_choice_does_not_offer_one(
    shopper: Client, editions: int, limit: int, offered: bool
) -> None:
    hold = make_hold(drop=make_drop(phase="live", editions=editions, limit_per_order=limit))

    assert ("Choose again" in text(shopper.get(address(hold)))) == offered


def test_the_choices_of_several_pieces_show_how_many_are_held(shopper: Client) -> None:
    hold, first, dearer = make(limit=3)

    page = shopper.get(address(hold, "change/")).content.decode()

    assert f'name="quantity-{first}" min="0" max="3" value="1"' in page
    assert f'name="quantity-{dearer}" min="0" max="3" value="0"' in page


def test_a_sold_out_edition_may_stay_chosen_by_who_holds_it(shopper: Client) -> None:
    hold, first, _dearer = make(quantity=1)

    assert f'value="{first}" required checked>' in shopper.get(address(hold, "change/")).content.decode()


def test_a_change_leads_back_to_the_checkout_with_the_new_price(shopper: Client) -> None:
    hold, _first, dearer = make()

    answer = shopper.post(address(hold, "change/"), {"edition": dearer})

    assert (answer.status_code, answer.headers["Location"]) == (303, address(hold))
    assert editions(hold) == [dearer]
    page = shopper.get(address(hold)).content.decode()
    assert 'name="shown_total" value="12490"' in page
    assert 'name="shown_version" value="2"' in page


def test_a_page_from_before_the_change_does_not_pay(shopper: Client) -> None:
    hold, _first, dearer = make()
    holds.change(hold=hold, quantities={dearer: 1})

    answer = pay(shopper, hold)

    assert answer.status_code == 409
    assert "What you hold has changed since this page was loaded." in answer.json()["detail"]
    assert "You haven't been charged." in answer.json()["detail"]
    assert Hold.objects.get().state == "open"
    assert pay(shopper, hold, shown_total=12490, shown_version=2).status_code == 202


@pytest.mark.parametrize("version", ["", "0", "-1", "1e3", "32768", "9" * 5000])
def test_a_version_that_no_page_shows_is_refused(shopper: Client, version: str) -> None:
    hold, _first, _dearer = make()

    assert pay(shopper, hold, shown_version=version).status_code in {409, 422}
    assert Hold.objects.get().state == "open"


def test_units_that_are_gone_leave_the_hold_as_it_was(shopper: Client) -> None:
    hold, first, dearer = make(quantity=1)
    Unit.objects.filter(edition=dearer).update(
        hold=None, withheld_at="2026-01-01T00:00Z", withheld_reason="x"
    )

    answer = shopper.post(address(hold, "change/"), {"edition": dearer})

    assert answer.status_code == 410
    assert "You still hold what you held, and you haven't been charged." in text(answer)
    assert editions(hold) == [first]


def test_in_a_pause_nobody_chooses_again(shopper: Client) -> None:
    hold, first, dearer = make()
    drop_actions.pause(drop=hold.drop, actor=None, reason="")

    answer = shopper.post(address(hold, "change/"), {"edition": dearer})

    assert answer.status_code == 409
    assert "You keep what you hold, and you haven't been charged." in text(answer)
    assert editions(hold) == [first]


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_order_that_was_begun_fixes_the_choice(shopper: Client, method: str) -> None:
    hold, first, dearer = make()
    bring(make_order(shopper, hold), "created", "open", declines=1)

    answer = getattr(shopper, method)(address(hold, "change/"), {"edition": dearer})

    assert answer.status_code == 409
    assert "You've started to pay for these pieces" in text(answer)
    assert "change/" not in shopper.get(address(hold)).content.decode()
    assert editions(hold) == [first]


def test_an_order_made_meanwhile_undoes_the_change(shopper: Client) -> None:
    hold, first, dearer = make()
    bring(make_order(shopper, hold), "created", "open", declines=1)

    with pytest.raises(ChoiceFixed):
        submission.change_units(hold=hold, quantities={dearer: 1})

    assert editions(hold) == [first]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_hold_that_is_over_shows_what_became_of_it(shopper: Client, method: str) -> None:
    hold, _first, dearer = make()
    lapse(hold)

    answer = getattr(shopper, method)(address(hold, "change/"), {"edition": dearer})

    assert (answer.status_code, answer.headers["Location"]) == (303, address(hold))
    assert shopper.get(address(hold)).status_code == 410


def test_items_that_were_read_before_the_change_are_not_priced() -> None:
    hold, _first, dearer = make()
    items = line_items.of_hold(hold=hold)
    holds.change(hold=hold, quantities={dearer: 1})

    with pytest.raises(UnitsChanged):
        submission.submit_order(
            hold=hold,
            items=items,
            address=ADDRESS,
            confirmation_token="ctoken_1ABC",
            shown_total=TOTAL,
            shown_version=2,
        )

    assert unchanged(hold)
