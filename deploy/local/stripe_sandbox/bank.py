"""The bank's page for 3-D Secure: one button confirms the payment, the other refuses it.

It is shown in a frame over the shop's page, or as a page of its own that leads back to the `return_url`.
"""

import html
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from . import confirmation, currencies, objects
from .config import Config
from .delivery import WebhookSender
from .errors import ApiError
from .objects import StripeObject
from .pages import html_response
from .store import Store, Transaction

TEMPLATE = Template((Path(__file__).parent / "static/bank.html").read_text())
OVER = "This payment isn't waiting for your confirmation any more."


class Bank:
    def __init__(self, *, config: Config, store: Store, webhooks: WebhookSender) -> None:
        self._config = config
        self._store = store
        self._webhooks = webhooks

    def routes(self) -> list[Route]:
        return [Route("/bank/{intent}/{source}", self.page, methods=["GET", "POST"])]

    async def page(self, request: Request) -> Response:
        """Ask for the confirmation, or take the answer."""
        intent = self._waiting_intent(request)
        if intent is None:
            return self._render(f"<p>{html.escape(OVER)}</p>", status=410)
        if request.method == "GET":
            amount = currencies.format_amount(intent["amount"], intent["currency"])
            return self._render(
                f"<p>Pay {html.escape(amount)} to {html.escape(intent['description'] or 'the shop')}?</p>"
                '<form method="post"><button name="result" value="confirmed">Confirm</button>'
                '<button name="result" value="refused">Refuse</button></form>'
            )
        succeeds = parse_qs(await request.body()).get(b"result") == [b"confirmed"]
        action = intent["next_action"]
        transaction = Transaction(self._store, request_id=objects.new_id("req_", 14))
        intent = confirmation.authenticate(
            transaction, intent, account=self._config.secret_key, succeeds=succeeds
        )
        self._store.commit(transaction)
        await self._store.wal.flush()
        self._webhooks.send(transaction.pending_events)
        if action["type"] == "redirect_to_url":
            return RedirectResponse(_way_back(action["redirect_to_url"]["return_url"], intent), 303)
        # The script tells the page around the frame.
        return self._render("<p>Thank you.</p>", script='<script src="/bank.js" defer></script>')

    def _waiting_intent(self, request: Request) -> StripeObject | None:
        """Return the intent of the address if it still waits for this very confirmation."""
        try:
            intent = self._store.get("payment_intent", request.path_params["intent"])
        except ApiError:
            return None
        source = request.path_params["source"]
        action = intent["next_action"] or {}
        known = action.get("use_stripe_sdk", {}).get("source") or action.get("redirect_to_url", {}).get(
            "url", ""
        )
        return intent if known.rpartition("/")[2] == source else None

    def _render(self, content: str, *, script: str = "", status: int = 200) -> Response:
        parents = " ".join(self._config.shop_origins) or "'none'"
        body = TEMPLATE.substitute(content=content, script=script)
        policy = (
            "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; "
            f"form-action 'self' {parents}; frame-ancestors {parents}"
        )
        response = html_response(body, policy)
        response.status_code = status
        return response


def _way_back(return_url: str, intent: StripeObject) -> str:
    """Return the shop's address with what Stripe adds to it."""
    added = urlencode(
        {
            "payment_intent": intent["id"],
            "payment_intent_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if intent["status"] != "requires_payment_method" else "failed",
        }
    )
    return f"{return_url}{'&' if urlsplit(return_url).query else '?'}{added}"
