"""Paying as a browser does: a ConfirmationToken from the sandbox, then the checkout page's own form."""

import asyncio
import re
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urljoin

from dropsite.loadtest.users import forms, picking
from dropsite.loadtest.users.behaviour import Card
from dropsite.loadtest.users.browser import Browser, Response, UnexpectedPage
from dropsite.loadtest.users.sessions import Session

# Stripe's published test cards.
GOOD_NUMBER = "4242424242424242"
DECLINED_NUMBER = "4000000000000002"
INSUFFICIENT_FUNDS_NUMBER = "4000000000009995"
CARD_NUMBERS = {  # in the order in which a shopper tries them
    Card.GOOD: (GOOD_NUMBER,),
    Card.DECLINED_ONCE: (DECLINED_NUMBER, GOOD_NUMBER),
    Card.INSUFFICIENT_FUNDS_ONCE: (INSUFFICIENT_FUNDS_NUMBER, GOOD_NUMBER),
    Card.DECLINED_ALWAYS: (DECLINED_NUMBER, DECLINED_NUMBER, DECLINED_NUMBER),
}
TIMER = re.compile(r'data-ends="(?P<ends>\d+)" data-now="(?P<now>\d+)"')
FINAL_STATES = frozenset({"placed", "over"})
# Between two polls of an order's state, as in order.js.
FIRST_PAUSE_SECONDS = 1.0
PAUSE_GROWTH = 1.4
MAX_PAUSE_SECONDS = 10.0


class HoldExpired(Exception):
    """The hold ended before the payment; no money moved."""


@dataclass(frozen=True)
class CardFrame:
    """Sends card data to the sandbox with the shop's publishable key, as the card form's frame does."""

    api_base: str
    publishable_key: str

    async def create_token(self, browser: Browser, card_number: str) -> str:
        """Return the id of a new ConfirmationToken for a test card. Raises: OutOfTime, UnexpectedPage."""
        data = {
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": card_number,
            "payment_method_data[card][exp_month]": "12",
            "payment_method_data[card][exp_year]": "2040",
            "payment_method_data[card][cvc]": "123",
        }
        url = urljoin(self.api_base, "/v1/confirmation_tokens")
        headers = {"Authorization": f"Bearer {self.publishable_key}"}
        response = await browser.request("POST", url, data=data, headers=headers)
        if response.status != 200:
            raise UnexpectedPage(f"the sandbox answered {response.status} to a card: {response.text[:200]}")
        return str(response.json()["id"])


@dataclass
class PaymentClient:
    """One shopper's payment for one hold."""

    browser: Browser
    session: Session
    card_frame: CardFrame
    hold_url: str  # the checkout page
    seconds_left: float = 0.0  # by the page's timer when it was last loaded; 0 where there is none

    async def load_form(self) -> forms.Form:
        """Return the checkout page's form to pay. Raises: HoldExpired, OutOfTime, UnexpectedPage."""
        return await self._load_form(self.hold_url, ending="/pay/")

    async def load_release_form(self) -> forms.Form:
        """Return the form of the page that asks whether to release the hold.

        Raises: HoldExpired, OutOfTime, UnexpectedPage.
        """
        return await self._load_form(f"{self.hold_url}give-back/", ending="/give-back/")

    async def _load_form(self, url: str, *, ending: str) -> forms.Form:
        response = await self.browser.get(url)
        if response.status == 303:  # the hold has ended meanwhile, which its own page says
            response = await self.browser.get(urljoin(url, response.headers["Location"]))
        if response.status == 410:
            raise HoldExpired
        if response.status != 200:
            raise UnexpectedPage(f"the page of a hold answered {response.status}")
        self.seconds_left = 0.0
        timer = TIMER.search(response.text)
        if timer:
            self.seconds_left = float(timer["ends"]) - float(timer["now"])
        form = forms.find(response.text, ending=ending)
        if form is None:
            raise UnexpectedPage(f"the page of a hold has no form to {ending}")
        return form

    async def pay(self, form: forms.Form, card_number: str, *, twice: bool) -> str:
        """Press Pay, or press it twice at once; return the order's address.

        Raises: HoldExpired, OutOfTime, UnexpectedPage.
        """
        data = form.default_data()
        data |= {name: value for name, value in self._address().items() if form.enabled(name)}
        data["confirmation_token"] = await self.card_frame.create_token(self.browser, card_number)
        presses = 1 + int(twice)
        self.session.events["pressed Pay"] += presses
        responses = await asyncio.gather(
            *(self.browser.post(form.action, data, page=self.hold_url, script=True) for _ in range(presses))
        )
        orders = {_order_url(response) for response in responses}
        if len(orders) > 1:
            raise UnexpectedPage("Pay, pressed twice, created two orders")
        # A second try with another card leads to the same order, which is listed once.
        self.session.orders += orders - set(self.session.orders)
        return orders.pop()

    def _address(self) -> dict[str, str]:
        """Return what this shopper types into the checkout form."""
        number = self.session.behaviour.number
        return {
            "email": f"shopper-{number}@rehearsal.example",
            "name": f"Shopper {number}",
            "line1": f"Rehearsal Lane {number + 1}",
            "postcode": "10115",
            "city": "Berlin",
            "country": "DE",
        }

    async def wait_for_result(self, order: str) -> str:
        """Poll the order page until its state is final or the card was declined; return the state.

        Raises: OutOfTime, UnexpectedPage.
        """
        started = monotonic()
        pause = FIRST_PAUSE_SECONDS
        await self._load_order(order)
        state = ""
        while state not in FINAL_STATES and state != "declined":
            await self.browser.site.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, pause * PAUSE_GROWTH)
            response = await self.browser.get(urljoin(order, "state.json"))
            if response.status != 200:
                raise UnexpectedPage(f"the order's state answered {response.status}")
            state = str(response.json()["state"])
        page = await self._load_order(order)
        if state == "placed":
            self.session.placed_seconds = monotonic() - started
            self.session.pieces = picking.parse_pieces(page.text)
            if not self.session.pieces:
                raise UnexpectedPage("the order page lists no piece")
        return state

    async def _load_order(self, order: str) -> Response:
        response = await self.browser.get(order)
        if response.status != 200:
            raise UnexpectedPage(f"the order page answered {response.status}")
        return response


def _order_url(response: Response) -> str:
    if response.status == 410:
        raise HoldExpired
    if response.status != 202:
        raise UnexpectedPage(f"Pay answered {response.status}: {response.text[:200]}")
    return str(response.json()["order"])
