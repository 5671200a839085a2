"""The browsers' side: stripe.js, the card frame, and a page with the test cards and the latest intents."""

import html
from collections.abc import Awaitable, Callable
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import cards, currencies
from .config import Config
from .store import Store

STATIC_FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
MAX_INTENTS_SHOWN = 50
SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Pages:
    def __init__(self, *, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._files = {
            path.name: path.read_text() for path in STATIC_FOLDER.iterdir() if path.suffix in MEDIA_TYPES
        }

    def routes(self) -> list[Route]:
        return [
            Route("/stripe.js", self._file("stripe.js")),
            Route("/frame/card.js", self._file("card.js")),
            Route("/frame/card.css", self._file("card.css")),
            Route("/frame/card", self.card_frame),
            Route("/frame/bank.css", self._file("bank.css")),
            Route("/bank.js", self._file("bank.js")),
            Route("/_sandbox/page.css", self._file("page.css")),
            Route("/_sandbox/", self.overview),
        ]

    async def card_frame(self, request: Request) -> Response:
        """The card form that stripe.js embeds in the shop's checkout page."""
        shop_origins = " ".join(self._config.shop_origins)
        body = Template(self._files["card.html"]).substitute(parents=html.escape(shop_origins))
        allowed = shop_origins or "'none'"
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            f"font-src {allowed}; frame-ancestors {allowed}; base-uri 'none'; form-action 'none'"
        )
        return html_response(body, policy)

    async def overview(self, request: Request) -> Response:
        """The test cards and the latest intents."""
        body = Template(self._files["page.html"]).substitute(
            cards="".join(_card_row(card) for card in cards.CARDS),
            intents="".join(self._intent_rows()) or '<tr><td colspan="5">No intents yet.</td></tr>',
        )
        return html_response(
            body, "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"
        )

    def _intent_rows(self) -> list[str]:
        rows = []
        latest = self._store.ids["payment_intent"][-MAX_INTENTS_SHOWN:]
        for intent_id in reversed(latest):
            intent = self._store.get("payment_intent", intent_id)
            amount = currencies.format_amount(intent["amount"], intent["currency"])
            error = intent["last_payment_error"] or {}
            metadata = ", ".join(f"{key} {value}" for key, value in intent["metadata"].items())
            rows.append(
                _table_row(intent_id, amount, intent["status"], error.get("decline_code", ""), metadata)
            )
        return rows

    def _file(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        content = self._files[name]
        media_type = MEDIA_TYPES[Path(name).suffix]
        headers = {
            "Cache-Control": "no-cache",
            "Cross-Origin-Resource-Policy": "cross-origin",
        } | SECURITY_HEADERS

        async def respond(request: Request) -> Response:
            return Response(content, headers=headers, media_type=media_type)

        return respond


def html_response(body: str, policy: str) -> Response:
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"} | SECURITY_HEADERS
    return Response(body, headers=headers, media_type="text/html")


def _card_row(card: cards.Card) -> str:
    if card.requires_authentication:
        result = "The bank requires 3-D Secure."
    elif card.decline:
        result = card.decline.message
    else:
        result = "The payment succeeds."
    number = " ".join(card.number[start : start + 4] for start in range(0, len(card.number), 4))
    return _table_row(number, card.brand, result, cards.TEST_PAYMENT_METHOD_PREFIX + card.name)


def _table_row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>\n"
