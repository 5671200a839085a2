"""The sandbox as a process of its own, and a small shop that receives its webhooks."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import stripe

from tests.servers import QuietHandler, ThreadedServer, until

SECRET_KEY = "sk_test_sandboxsandbox0001"
PUBLISHABLE_KEY = "pk_test_sandboxsandbox0001"
CARD_FORM = {
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": "4242 4242 4242 4242",
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "40",
    "payment_method_data[card][cvc]": "123",
}
WEBHOOK_SECRET = "whsec_sandbox"
SHOP_ORIGIN = "http://shop.localhost:8000"
INHERITED = ("PATH", "HOME", "LANG", "TEST_RUN")
ROOT = Path(__file__).parents[3]

stripe.enable_telemetry = False


class SandboxProcess:
    """gunicorn with the sandbox, on a free port and with a folder of its own; `with` starts and kills it.

    A socket here is bound to the port too, so that it stays ours between a kill and the next start.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.reserved_socket = socket.socket()
        self.reserved_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.reserved_socket.bind(("127.0.0.1", 0))
        self.port = int(self.reserved_socket.getsockname()[1])
        self.base = f"http://127.0.0.1:{self.port}"
        self.http = requests.Session()
        self.http.trust_env = False  # else a proxy would be used for 127.0.0.1 too
        self.process: subprocess.Popen[bytes] | None = None
        self.environ = {name: os.environ[name] for name in INHERITED if name in os.environ} | {
            "DEMO": "1",
            "PYTHONPATH": str(ROOT),
            "SANDBOX_DIR": str(folder / "state"),
            "SANDBOX_SECRET_KEY": SECRET_KEY,
            "SANDBOX_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "SANDBOX_ORIGIN": self.base,
            "SANDBOX_SHOP_ORIGINS": SHOP_ORIGIN,
            "SANDBOX_RATE": "100000",
            "SANDBOX_RATE_PER_ENDPOINT": "100000",
            "SANDBOX_WEBHOOK_RETRY_SECONDS": "0.05",
            **settings,
        }
        self.stripe_http = stripe.RequestsClient(timeout=(2, 15), session=self.http)
        self.client = self.client_with(SECRET_KEY)

    def client_with(self, key: str) -> stripe.StripeClient:
        return stripe.StripeClient(
            key, base_addresses={"api": self.base}, max_network_retries=0, http_client=self.stripe_http
        )

    def __enter__(self) -> "SandboxProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.kill()  # safe at any time, and faster than a graceful stop
        self.http.close()
        self.reserved_socket.close()

    def start(self) -> None:
        self.process = self.launch()
        until(self._is_up)

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process, as the leader of a process group, without waiting for it."""
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "deploy.local.stripe_sandbox.app:app",
            "-k",
            "asgi",
            "-w",
            "1",
        ]
        command += [
            "--asgi-lifespan",
            "on",
            "--reuse-port",
            "-b",
            f"127.0.0.1:{self.port}",
            "--keep-alive",
            "65",
            "--graceful-timeout",
            "2",
        ]
        command += ["--no-control-socket", "--log-level", "error"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        """Kill the server and its worker at once with SIGKILL."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        self.process = None

    def control(self, path: str, **fields: Any) -> Any:
        """Call the control API: `control("faults", kind="lag", seconds=1)`."""
        response = self.http.post(f"{self.base}/_sandbox/{path}", json=fields, timeout=10)
        assert response.status_code == 201, response.text
        return response.json()

    def clear_faults(self) -> None:
        self.http.delete(f"{self.base}/_sandbox/faults", timeout=10)

    def state(self) -> Any:
        return self.http.get(f"{self.base}/_sandbox/state", timeout=10).json()

    def token(self, payment_method: str = "pm_card_visa") -> str:
        return self.client.v1.test_helpers.confirmation_tokens.create({"payment_method": payment_method}).id

    def live_token(self) -> str:
        """A token created with the publishable key of live mode."""
        form = {"key": PUBLISHABLE_KEY.replace("_test_", "_live_"), **CARD_FORM}
        return str(self.http.post(f"{self.base}/v1/confirmation_tokens", data=form, timeout=5).json()["id"])

    def intent(self, **fields: Any) -> stripe.PaymentIntent:
        params: Any = {
            "amount": 9600,
            "currency": "eur",
            "capture_method": "manual",
            "allowed_payment_method_types": ["card"],
        }
        return self.client.v1.payment_intents.create(params | fields)

    def confirmed_intent(self, payment_method: str = "pm_card_visa", **fields: Any) -> stripe.PaymentIntent:
        intent = self.intent(**fields)
        token = self.token(payment_method)
        return self.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})

    def answer_bank(self, intent_id: str, result: str = "confirmed") -> requests.Response:
        """Press a button on the bank's page, as the shopper does: "confirmed" or "refused"."""
        action: Any = self.client.v1.payment_intents.retrieve(intent_id).to_dict()["next_action"]
        url = f"{self.base}/bank/{intent_id}/{action.get('use_stripe_sdk', {}).get('source')}"
        if action["type"] == "redirect_to_url":
            url = action["redirect_to_url"]["url"]
        return self.http.post(url, data={"result": result}, allow_redirects=False, timeout=5)

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.http.get(f"{self.base}/_sandbox/state", timeout=2).ok
        except requests.ConnectionError:
            return False


StartSandbox = Callable[..., SandboxProcess]
"""The type of the fixture `start_sandbox`: takes settings, returns the running sandbox."""


class WebhookReceiver(ThreadedServer):
    """A shop's webhook endpoint. Responds with the next of `statuses`, and with 200 when none is left."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        """Stripe-Signature header and raw body of each request, in order of arrival."""
        self.statuses: list[int] = []
        self.connections = 0
        receiver = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:  # noqa: N802 http.server's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((self.headers["Stripe-Signature"], body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

        super().__init__(Handler)
        self.url = f"{self.origin}/webhooks/stripe/"

    def events(self) -> list[stripe.Event]:
        """The received events, after checking their signatures."""
        client = stripe.StripeClient(SECRET_KEY)
        return [
            client.construct_event(body, signature, WEBHOOK_SECRET) for signature, body in list(self.received)
        ]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]
