"""What a browser gets: stripe.js, the card frame, and a page that shows test cards and the latest intents."""

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

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
LATEST = 50


class Pages:
    def __init__(self, *, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._files = {path.name: path.read_text() for path in STATIC.iterdir() if path.suffix in TYPES}

    def routes(self) -> list[Route]:
        return [
            Route("/stripe.js", self._file("stripe.js")),
            Route("/frame/card.js", self._file("card.js")),
            Route("/frame/card.css", self._file("card.css")),
            Route("/frame/card", self.frame),
            Route("/_sandbox/page.css", self._file("page.css")),
            Route("/_sandbox/", self.page),
        ]

    async def frame(self, request: Request) -> Response:
        """The card form that stripe.js puts into the shop's checkout page."""
        parents = " ".join(self._config.shop_origins) or "'none'"
        body = Template(self._files["card.html"]).substitute(parents=html.escape(" ".join(self._config.shop_origins)))
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            f"font-src {parents}; frame-ancestors {parents}; base-uri 'none'; form-action 'none'"
        )
        return _html(body, policy)

    async def page(self, request: Request) -> Response:
        """Test cards and the latest intents."""
        body = Template(self._files["page.html"]).substitute(
            cards="".join(_card_row(card) for card in cards.CARDS),
            intents="".join(self._intent_rows()) or '<tr><td colspan="5">None yet.</td></tr>',
        )
        return _html(body, "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'")

    def _intent_rows(self) -> list[str]:
        rows = []
        for identity in self._store.order["payment_intent"][: -LATEST - 1 : -1]:
            intent = self._store.get("payment_intent", identity)
            said = ", ".join(f"{key} {value}" for key, value in intent["metadata"].items())
            reason = (intent["last_payment_error"] or {}).get("decline_code") or ""
            cells = (identity, currencies.spell(intent["amount"], intent["currency"]), intent["status"], reason, said)
            rows.append(_row(cells))
        return rows

    def _file(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        content, media_type = self._files[name], TYPES[Path(name).suffix]

        async def answer(request: Request) -> Response:
            headers = {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin"}
            return Response(content, headers=headers | SAFE, media_type=media_type)

        return answer


SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def _html(body: str, policy: str) -> Response:
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return Response(body, headers=headers | SAFE, media_type="text/html")


def _card_row(card: cards.Card) -> str:
    does = "Pays."
    if card.decline:
        does = card.decline.message
    if card.authenticate:
        does = "The bank asks for 3-D Secure."
    groups = " ".join(card.number[at : at + 4] for at in range(0, len(card.number), 4))
    return _row((groups, card.brand, does, cards.SHORTCUT + card.name))


def _row(cells: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>\n"
