"""A simulated shopper at the page of a hold that has ended meanwhile."""

import asyncio
from random import Random
from time import monotonic
from urllib.parse import urlsplit

import pytest

from dropsite.loadtest.users import behaviour
from dropsite.loadtest.users.browser import Browser, Site, UnexpectedPage
from dropsite.loadtest.users.payment_client import CardFrame, HoldExpired, PaymentClient
from dropsite.loadtest.users.sessions import Session
from tests.servers import QuietHandler, ThreadedServer

PATH = "/holds/t/"


class Handler(QuietHandler):
    """Leads from the question to the hold's page, which answers with `status`."""

    status = 410

    def do_GET(self) -> None:  # noqa: N802 http.server's name
        leads_away = urlsplit(self.path).path == f"{PATH}give-back/"
        self.send_response(303 if leads_away else self.status)
        if leads_away:
            self.send_header("Location", PATH)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.mark.parametrize(
    ("status", "raised"), [(410, HoldExpired), (200, UnexpectedPage), (404, UnexpectedPage)]
)
def test_releasing_an_ended_hold_ends_at_its_own_page(
    status: int, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "status", status)
    server = ThreadedServer(Handler)

    async def release() -> None:
        async with Site(origin=server.origin, deadline=monotonic() + 20) as site:
            session = Session(behaviour.draw(shoppers=1, seed=1)[0])
            card_frame = CardFrame(api_base=server.origin, publishable_key="pk_test_x")
            browser = Browser(site, Random(1))
            await PaymentClient(browser, session, card_frame, PATH).load_release_form()

    try:
        with pytest.raises(raised):
            asyncio.run(release())
    finally:
        server.close()
