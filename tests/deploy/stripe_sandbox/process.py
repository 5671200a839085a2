"""A sandbox process, a small shop that receives its webhooks, and a bounded wait."""

import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import requests
import stripe

from tests.servers import until

SECRET_KEY = "sk_test_sandboxsandbox0001"
PUBLISHABLE_KEY = "pk_test_sandboxsandbox0001"
CARD = {
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": "4242 4242 4242 4242",
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "40",
    "payment_method_data[card][cvc]": "123",
}
WEBHOOK_SECRET = "whsec_sandbox"
SHOP_ORIGIN = "http://shop.localhost:8000"
ROOT = Path(__file__).parents[3]

Found = TypeVar("Found")

stripe.enable_telemetry = False


class SandboxProcess:
    """gunicorn with the sandbox, on a free port and a folder of its own; `with` starts and ends it.

    The port is held here, so that nobody else has it between a kill and the next start.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.held = socket.socket()
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.held.bind(("127.0.0.1", 0))
        self.port = int(self.held.getsockname()[1])
        self.base = f"http://127.0.0.1:{self.port}"
        self.web = requests.Session()
        self.web.trust_env = False  # a proxy is honoured for 127.0.0.1 too
        self.process: subprocess.Popen[bytes] | None = None
        self.environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
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
        self.stripe_http = stripe.RequestsClient(timeout=(2, 15), session=self.web)
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
            self.kill()  # it must bear that, and a gentle stop takes its time
        self.web.close()
        self.held.close()

    def start(self) -> None:
        self.process = self.launch()
        until(self._answers)

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process without waiting for it; it leads a group of its own."""
        command = [sys.executable, "-m", "gunicorn", "deploy.local.stripe_sandbox.app:app", "-k", "asgi", "-w", "1"]
        command += ["--asgi-lifespan", "on", "--reuse-port", "-b", f"127.0.0.1:{self.port}", "--graceful-timeout", "2"]
        command += ["--no-control-socket", "--log-level", "error"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log, start_new_session=True)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        """Kill -9 of the server and its worker at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        self.process = None

    def order(self, what: str, **fields: Any) -> Any:
        """Use the control surface: `order("faults", kind="lag", seconds=1)`."""
        answer = self.web.post(f"{self.base}/_sandbox/{what}", json=fields, timeout=10)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def clear(self) -> None:
        self.web.delete(f"{self.base}/_sandbox/faults", timeout=10)

    def state(self) -> Any:
        return self.web.get(f"{self.base}/_sandbox/state", timeout=10).json()

    def token(self, shortcut: str = "pm_card_visa") -> str:
        made = self.client.v1.test_helpers.confirmation_tokens.create({"payment_method": shortcut})
        return made.id

    def live_token(self) -> str:
        """A token made with the publishable key of the other mode."""
        form = {"key": PUBLISHABLE_KEY.replace("_test_", "_live_"), **CARD}
        return str(self.web.post(f"{self.base}/v1/confirmation_tokens", data=form, timeout=5).json()["id"])

    def intent(self, **fields: Any) -> stripe.PaymentIntent:
        params: Any = {
            "amount": 9600,
            "currency": "eur",
            "capture_method": "manual",
            "allowed_payment_method_types": ["card"],
        }
        return self.client.v1.payment_intents.create(params | fields)

    def confirmed(self, shortcut: str = "pm_card_visa", **fields: Any) -> stripe.PaymentIntent:
        intent = self.intent(**fields)
        return self.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": self.token(shortcut)})

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.web.get(f"{self.base}/_sandbox/state", timeout=2).ok
        except requests.ConnectionError:
            return False


class Receiver:
    """A shop's webhook address. Answers with the next of `statuses`, and 200 when there is none left."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        """Signature header and raw body, in order of arrival."""
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.headers["Stripe-Signature"], body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/stripe/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()

    def events(self) -> list[stripe.Event]:
        """What arrived, each with its signature checked."""
        checker = stripe.StripeClient(SECRET_KEY)
        return [checker.construct_event(body, mark, WEBHOOK_SECRET) for mark, body in list(self.got)]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]
