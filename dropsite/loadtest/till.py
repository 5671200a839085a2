"""Paying as a browser does: a ConfirmationToken from the card frame's address, then the checkout page's own form."""

import asyncio
import re
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urljoin

from dropsite.loadtest import forms, picking
from dropsite.loadtest.browser import Answer, Browser, Odd
from dropsite.loadtest.plans import Card
from dropsite.loadtest.stories import Story

# Stripe's published test cards.
GOOD, DECLINED, POOR = "4242424242424242", "4000000000000002", "4000000000009995"
CARDS = {
    Card.GOOD: (GOOD,),
    Card.DECLINED_ONCE: (DECLINED, GOOD),
    Card.POOR_ONCE: (POOR, GOOD),
    Card.DECLINED_ALWAYS: (DECLINED, DECLINED, DECLINED),
}
TIMER = re.compile(r'data-ends="(?P<ends>\d+)" data-now="(?P<now>\d+)"')
FINAL = frozenset({"placed", "over"})
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 1.0, 1.4, 10.0  # between two looks at an order's state: those of order.js


class HoldOver(Exception):
    """The hold ended before the payment; no money moved."""


@dataclass(frozen=True)
class Bank:
    """Where card data goes, as the card frame does: to the sandbox, with the shop's publishable key."""

    base: str
    key: str

    async def token(self, browser: Browser, number: str) -> str:
        """The id of a new ConfirmationToken for a test card. Raises: Odd."""
        data = {
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": number,
            "payment_method_data[card][exp_month]": "12",
            "payment_method_data[card][exp_year]": "2040",
            "payment_method_data[card][cvc]": "123",
        }
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await browser.ask("POST", urljoin(self.base, "/v1/confirmation_tokens"), data=data, headers=headers)
        if answer.status != 200:
            raise Odd(f"the sandbox answered {answer.status} to a card: {answer.text[:200]}")
        return str(answer.json()["id"])


@dataclass
class Till:
    """One shopper's payment for one hold."""

    browser: Browser
    story: Story
    bank: Bank
    hold: str  # address of the checkout page
    left: float = 0.0  # seconds, by the page's timer as it was last seen; 0 where there is none

    async def page(self, *, ending: str = "/pay/") -> forms.Form:
        """A form of the checkout page, by the end of its address. Raises: HoldOver, Odd."""
        answer = await self.browser.get(self.hold)
        if answer.status == 410:
            raise HoldOver
        timer = TIMER.search(answer.text)
        self.left = float(timer["ends"]) - float(timer["now"]) if timer else 0.0
        form = forms.find(answer.text, ending=ending)
        if answer.status != 200 or form is None:
            raise Odd(f"the checkout page answered {answer.status}" + ("" if form else f" without a form to {ending}"))
        return form

    async def pay(self, form: forms.Form, number: str, *, twice: bool) -> str:
        """Press Pay (twice at once): the address of the order. Raises: HoldOver, Odd."""
        who = self.story.plan.number
        typed = {
            "email": f"shopper-{who}@rehearsal.example",
            "name": f"Shopper {who}",
            "line1": f"Rehearsal Lane {who + 1}",
            "postcode": "10115",
            "city": "Berlin",
            "country": "DE",
        }
        data = form.fields() | {name: value for name, value in typed.items() if form.named(name)}
        data["confirmation_token"] = await self.bank.token(self.browser, number)
        presses = [self.browser.post(form.action, data, page=self.hold, script=True) for _ in range(2 if twice else 1)]
        self.story.deeds["pressed Pay"] += len(presses)
        addresses = {self._order(answer) for answer in await asyncio.gather(*presses)}
        if len(addresses) > 1:
            raise Odd("Pay, pressed twice, made two orders")
        self.story.orders += addresses - set(self.story.orders)
        return addresses.pop()

    @staticmethod
    def _order(answer: Answer) -> str:
        if answer.status == 410:
            raise HoldOver
        if answer.status != 202:
            raise Odd(f"Pay answered {answer.status}: {answer.text[:200]}")
        return str(answer.json()["order"])

    async def outcome(self, order: str) -> str:
        """Wait on the order page until its state is final or the card was declined. Raises: TimeIsUp, Odd."""
        begun, pause = monotonic(), FIRST_PAUSE
        await self._order_page(order)
        while True:
            await self.browser.site.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * GROWTH)
            answer = await self.browser.get(urljoin(order, "state.json"))
            if answer.status != 200:
                raise Odd(f"the order's state answered {answer.status}")
            state = str(answer.json()["state"])
            if state in FINAL or state == "declined":
                break
        page = await self._order_page(order)
        if state == "placed":
            self.story.placed_seconds = monotonic() - begun
            self.story.pieces = picking.pieces(page.text)
            if not self.story.pieces:
                raise Odd("the order page names no piece")
        return state

    async def _order_page(self, order: str) -> Answer:
        page = await self.browser.get(order)
        if page.status != 200:
            raise Odd(f"the order page answered {page.status}")
        return page
