"""Alerts: one per subject, each sent once by email and once by webhook."""

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db.models import F

from shop.core import alerts
from shop.core.models import Alert, Email

pytestmark = pytest.mark.django_db


def raise_alert(*, subject: str, message: str) -> Alert:
    return alerts.raise_alert(source="scaling", subject=subject, message=message)


def pass_seconds(seconds: int) -> None:
    """Let time pass without waiting: what is due later moves back."""
    Alert.objects.update(due_at=F("due_at") - timedelta(seconds=seconds))


def test_raise_opens_one_alert_per_subject_with_one_email(settings: Any) -> None:
    settings.OPS_MAIL = "ops@shop.example"

    raise_alert(subject="target:1 drift", message="It is 4.")
    raise_alert(subject="target:1 drift", message="It is 5 & <more>.")

    assert Alert.objects.get().message == "It is 5 & <more>."
    mail = Email.objects.get()
    assert (mail.to, mail.subject) == ("ops@shop.example", f"{settings.SHOP_NAME}: It is 4.")
    assert mail.text.startswith("It is 4.")


@pytest.mark.parametrize(
    ("message", "html"),
    [
        ("Plain.", "<p>Plain.</p><p><a "),
        ("One.\nTwo.\n\nThree.", "<p>One.</p>\n<p>Two.</p>\n<p>Three.</p><p><a "),
        ("5 & <more>", "<p>5 &amp; &lt;more&gt;</p><p><a "),
        ("<p>raw</p>", "<p>&lt;p&gt;raw&lt;/p&gt;</p><p><a "),
    ],
)
def test_raise_writes_paragraphs_that_mail_programs_render(settings: Any, message: str, html: str) -> None:
    settings.OPS_MAIL = "ops@shop.example"
    raise_alert(subject="paused", message=message)

    assert Email.objects.get().html.startswith(html)


def test_raise_after_resolve_opens_a_new_alert(settings: Any) -> None:
    settings.OPS_MAIL = "ops@shop.example"
    raise_alert(subject="paused", message="Why.")

    assert alerts.resolve(subject="paused") is True
    assert alerts.resolve(subject="paused") is False
    raise_alert(subject="paused", message="Why.")

    assert (Alert.objects.count(), Email.objects.count()) == (2, 2)


def test_raise_without_an_address_writes_no_email() -> None:
    raise_alert(subject="paused", message="Why.")

    assert Email.objects.count() == 0


def test_send_due_without_an_address_does_nothing() -> None:
    raise_alert(subject="paused", message="Why.")

    assert alerts.send_due() == 0
    assert Alert.objects.get().tries == 0


@pytest.fixture
def receiver(settings: Any) -> Iterator[Any]:
    """A receiver of webhooks: `.got` is what came, `.status` what it answers."""

    class Receiver(ThreadingHTTPServer):
        got: list[tuple[dict[str, str], bytes]]
        status: int

    class Handler(BaseHTTPRequestHandler):
        server: Receiver

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append((dict(self.headers), body))
            self.send_response(self.server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = Receiver(("127.0.0.1", 0), Handler)
    server.got = []
    server.status = 204
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.DEMO = True
    settings.SCALING_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.OPS_WEBHOOK_URL = f"http://127.0.0.1:{server.server_port}/"
    settings.OPS_WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_send_due_sends_an_alert_once_and_signed(receiver: Any, settings: Any) -> None:
    alert = raise_alert(subject="paused", message="Why.")

    assert (alerts.send_due(), alerts.send_due()) == (1, 0)
    pass_seconds(61)
    assert alerts.send_due() == 0

    [(headers, body)] = receiver.got
    said = json.loads(body)
    assert said == {
        "type": "scaling.alert",
        "id": alert.pk,
        "about": "paused",
        "words": "Why.",
        "at": Alert.objects.get().created_at.isoformat(),
        "ended_at": None,
        "drop": None,
        "target": None,
    }
    found = {name.lower(): value for name, value in headers.items()}
    signed = f"{found['webhook-id']}.{found['webhook-timestamp']}.".encode() + body
    secret = base64.b64decode(settings.OPS_WEBHOOK_SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(secret, signed, sha256).digest()).decode()
    assert (found["webhook-id"], found["webhook-signature"]) == (f"alert-{alert.pk}", f"v1,{expected}")


def test_send_due_tries_a_refused_alert_again_later(receiver: Any) -> None:
    raise_alert(subject="paused", message="Why.")
    receiver.status = 500

    assert (alerts.send_due(), alerts.send_due()) == (0, 0)
    row = Alert.objects.get()
    assert (row.sent_at, row.tries, row.last_error) == (None, 1, "The receiver answered 500.")

    receiver.status = 200
    pass_seconds(11)
    assert alerts.send_due() == 1
    assert Alert.objects.get().last_error == ""


def test_send_due_keeps_the_error_of_an_address(receiver: Any, settings: Any) -> None:
    settings.OPS_WEBHOOK_URL = "http://127.0.0.1:9/"
    raise_alert(subject="paused", message="Why.")

    assert alerts.send_due() == 0
    assert Alert.objects.get().last_error != ""


def test_webhook_body_names_source_details_and_end() -> None:
    alerts.raise_alert(source="payments", subject="money", message="Why.", details={"drop": "0-kg"})
    alerts.resolve(subject="money")
    alert = Alert.objects.get()

    said = json.loads(alerts.webhook_body(alert))

    assert alert.resolved_at is not None
    assert (said["type"], said["drop"], said["target"], said["ended_at"]) == (
        "payments.alert",
        "0-kg",
        None,
        alert.resolved_at.isoformat(),
    )


@pytest.mark.usefixtures("transactional_db")
def test_four_workers_that_see_one_fault_open_one_alert(race: Any, settings: Any) -> None:
    settings.OPS_MAIL = "ops@shop.example"

    race(4, lambda _worker: raise_alert(subject="paused", message="Why.").pk)

    assert (Alert.objects.count(), Email.objects.count()) == (1, 1)
