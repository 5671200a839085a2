"""Addresses with a token that isn't ours."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from drops import tokens
from drops.models import Hold
from drops.waitingroom.protocol import tickets
from payments.orders import links
from tests.payments.views.shopping import make_open_hold, make_order

pytestmark = pytest.mark.django_db


def forged_tokens() -> Any:
    hold = make_open_hold()
    mine = tokens.hold_token(hold.uuid)
    return {
        "another letter": mine[:-1] + ("A" if mine[-1] != "A" else "B"),
        "cut short": mine[:-5],
        "no token": "x",
        "another purpose": tickets.sign("order", "", hold.uuid.bytes, tokens.keyring("hold")),
        "another scope": tickets.sign("hold", hold.drop.slug, hold.uuid.bytes, tokens.keyring("hold")),
        "another key": tickets.sign("hold", "", hold.uuid.bytes, tickets.Keyring.parse("k1:" + "00" * 32)),
        "a ticket's": tickets.sign("hold", "", b"\0" * 20, tokens.keyring("hold")),
        "no hold's": tokens.hold_token(uuid4()),
        "too long": mine + "A" * 500,
    }


@pytest.mark.parametrize("end", ["", "pay/", "quote/", "change/", "give-back/"])
def test_find_nothing_behind_a_forged_hold_address(shopper: Client, end: str) -> None:
    ask = shopper.post if end in {"pay/", "give-back/"} else shopper.get
    for name, token in forged_tokens().items():
        assert (name, ask(f"/holds/{token}/{end}").status_code) == (name, 404)
    assert Hold.objects.filter(state="open").count() == 1


@pytest.mark.parametrize("end", ["", "state.json"])
def test_find_nothing_behind_a_forged_order_address(shopper: Client, end: str) -> None:
    order = make_order(shopper)
    foreign = {
        "the hold's": tokens.hold_token(order.hold.uuid),
        "no order's": links.order_token(uuid4()),
        "signed as a hold's": tickets.sign("hold", "", order.uuid.bytes, tokens.keyring("hold")),
    }
    for name, token in foreign.items():
        assert (name, shopper.get(f"/orders/{token}/{end}").status_code) == (name, 404)
