"""Ways out of a hold: how many are left, asked before one is released, and what comes after it has ended."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from drops.models import Drop, Hold, Pause, Unit
from tests.factories import make_drop, make_hold
from tests.payments.views.shopping import address, bring, lapse, make_open_hold, make_order, text

pytestmark = pytest.mark.django_db

ENTER_AGAIN = '<button type="submit">Enter again</button>'


def nth_hold(nth: int) -> Hold:
    """Return the open first or second hold of a ticket."""
    drop = make_drop(phase="live", quantity=9)
    for _ in range(nth - 1):
        make_hold(drop=drop, state=Hold.State.RELEASED)
    return make_hold(drop=drop)


@pytest.mark.parametrize("nth", [1, 2])
def test_checkout_says_which_hold_it_is(shopper: Client, nth: int) -> None:
    assert f"This is hold {nth} of 2." in text(shopper.get(address(nth_hold(nth))))


@pytest.mark.parametrize(
    ("nth", "says"), [(1, "You can hold once more."), (2, "You can't hold again after that.")]
)
def test_ask_before_releasing(shopper: Client, nth: int, says: str) -> None:
    hold = nth_hold(nth)
    number = Unit.objects.get(hold=hold).number
    assert f'href="{address(hold, "give-back/")}"' in shopper.get(address(hold)).content.decode()

    answer = shopper.get(address(hold, "give-back/"))

    page = answer.content.decode()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert f"Release No. {number}? This is hold {nth} of 2. {says}" in text(answer)
    assert f'<form method="post" action="{address(hold, "give-back/")}">' in page
    assert "csrfmiddlewaretoken" in page
    assert re.search(f'href="{address(hold)}">Cancel<', page)
    assert Hold.objects.get(pk=hold.pk).state == "open"


def test_ask_nothing_about_a_hold_that_has_ended(shopper: Client) -> None:
    hold = make_open_hold()
    lapse(hold)

    answer = shopper.get(address(hold, "give-back/"))

    assert (answer.status_code, answer["Location"]) == (303, address(hold))


def test_ask_nothing_about_a_hold_that_is_being_paid_for(shopper: Client) -> None:
    order = make_order(shopper)

    answer = shopper.get(address(order.hold, "give-back/"))

    assert (answer.status_code, answer["Location"]) == (303, address(order.hold))


def test_ask_about_a_hold_after_a_decline(shopper: Client) -> None:
    order = make_order(shopper)
    bring(order, "created", "open", declines=1)

    assert shopper.get(address(order.hold, "give-back/")).status_code == 200


def test_ask_in_a_pause(shopper: Client) -> None:
    hold = make_open_hold()
    lapse(hold)
    Pause.objects.create(drop=hold.drop, began_at=timezone.now())

    assert shopper.get(address(hold, "give-back/")).status_code == 200


@pytest.mark.parametrize("state", ["released", "lapsed"])
@pytest.mark.parametrize(
    ("nth", "says", "offered"),
    [
        (1, "You keep your place, and can hold once more.", True),
        (2, "What you held has been released. It was hold 2 of 2.", False),
    ],
)
def test_ended_hold_leads_to_the_next_one_if_there_is_one(
    shopper: Client, state: str, nth: int, says: str, offered: bool
) -> None:
    hold = nth_hold(nth)
    if state == "released":
        shopper.post(address(hold, "give-back/"))
    else:
        lapse(hold)

    answer = shopper.get(address(hold))

    assert answer.status_code == 410
    assert says in text(answer)
    assert (ENTER_AGAIN in answer.content.decode()) is offered
    assert (f'action="/line/{hold.drop.slug}/enter"' in answer.content.decode()) is offered


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("closed", "What you held has been released, and the drop has ended."),
        ("past its closing time", "What you held has been released, and the drop has ended."),
        ("sold out", "What you held has been released, and nothing is left right now."),
    ],
)
def test_ended_hold_of_a_drop_that_is_over_promises_no_place(shopper: Client, how: str, says: str) -> None:
    hold = make_open_hold()
    lapse(hold)
    now = timezone.now()
    if how == "closed":
        Drop.objects.filter(pk=hold.drop_id).update(closed_at=now)
    elif how == "past its closing time":
        Drop.objects.filter(pk=hold.drop_id).update(closes_at=now - timedelta(seconds=1))
    else:
        Hold.objects.filter(pk=hold.pk).update(state="released", ended_at=now)
        Unit.objects.filter(edition__drop=hold.drop).update(
            hold=None, withheld_at=now, withheld_reason="sample"
        )

    answer = shopper.get(address(hold))

    assert says in text(answer)
    assert "keep your place" not in text(answer)
    assert ENTER_AGAIN not in answer.content.decode()


def test_open_hold_of_a_closed_drop_can_be_paid_for(shopper: Client) -> None:
    hold = make_open_hold()
    Drop.objects.filter(pk=hold.drop_id).update(closed_at=timezone.now())

    assert "is held for you until" in text(shopper.get(address(hold)))
    assert make_order(shopper, hold).hold.state == "paying"
