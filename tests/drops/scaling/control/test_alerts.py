"""Alerts: one per subject, a mail each, told of once."""

import base64
import hmac
import json
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drops.scaling.control import alerts, heartbeat
from drops.scaling.control.tick import tick
from drops.scaling.models import Alert, Heartbeat
from shop.models import Mail
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import make_step, make_target

pytestmark = pytest.mark.django_db


def test_raise_opens_one_alert_per_subject_with_one_mail(settings):
    settings.OPS_MAIL = "ops@shop.example"

    alerts.raise_(about="target:1 drift", words="It is 4.")
    alerts.raise_(about="target:1 drift", words="It is 5 & <more>.")

    assert Alert.objects.get().words == "It is 5 & <more>."
    mail = Mail.objects.get()
    assert (mail.to, mail.subject) == ("ops@shop.example", f"{settings.SHOP_NAME}: It is 4.")
    assert mail.text.startswith("It is 4.")


def test_raise_again_after_its_end_is_another_alert(settings):
    settings.OPS_MAIL = "ops@shop.example"
    alerts.raise_(about="paused", words="Why.")

    assert alerts.end(about="paused") is True
    assert alerts.end(about="paused") is False
    alerts.raise_(about="paused", words="Why.")

    assert (Alert.objects.count(), Mail.objects.count()) == (2, 2)


def test_raise_without_an_address_puts_no_mail():
    alerts.raise_(about="paused", words="Why.")

    assert Mail.objects.count() == 0


def test_send_due_does_nothing_without_an_address():
    alerts.raise_(about="paused", words="Why.")

    assert alerts.send_due() == 0
    assert Alert.objects.get().tries == 0


@pytest.fixture
def receiver(settings):
    """A receiver of webhooks: `.got` is what came, `.status` what it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append((dict(self.headers), body))
            self.send_response(self.server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.status = [], 204
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


def test_send_due_tells_of_an_alert_once_and_signed(receiver, settings):
    alert = alerts.raise_(about="paused", words="Why.")

    assert (alerts.send_due(), alerts.send_due()) == (1, 0)
    pass_time(61)
    assert alerts.send_due() == 0

    [(headers, body)] = receiver.got
    said = json.loads(body)
    assert (said["type"], said["about"], said["words"], said["id"]) == ("scaling.alert", "paused", "Why.", alert.pk)
    found = {name.lower(): value for name, value in headers.items()}
    signed = f"{found['webhook-id']}.{found['webhook-timestamp']}.".encode() + body
    secret = base64.b64decode(settings.OPS_WEBHOOK_SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(secret, signed, sha256).digest()).decode()
    assert (found["webhook-id"], found["webhook-signature"]) == (f"alert-{alert.pk}", f"v1,{expected}")


def test_send_due_tries_again_later_what_was_refused(receiver):
    alerts.raise_(about="paused", words="Why.")
    receiver.status = 500

    assert (alerts.send_due(), alerts.send_due()) == (0, 0)
    row = Alert.objects.get()
    assert (row.told_at, row.tries, row.fault) == (None, 1, "It answered 500.")

    receiver.status = 200
    pass_time(11)
    assert alerts.send_due() == 1
    assert Alert.objects.get().fault == ""


def test_send_due_says_what_is_wrong_with_an_address(receiver, settings):
    settings.OPS_WEBHOOK_URL = "http://127.0.0.1:9/"
    alerts.raise_(about="paused", words="Why.")

    assert alerts.send_due() == 0
    assert Alert.objects.get().fault != ""


def test_watch_alerts_when_ticks_have_stopped(cloud, settings):
    make_step(target=make_target(cloud))
    assert heartbeat.watch() is False  # it never ticked: it is not used
    tick(who="beat")
    assert heartbeat.watch() is False

    pass_time(heartbeat.MISSED * settings.SCALING_TICK_SECONDS + 1)
    assert heartbeat.watch() is True
    assert Alert.objects.get(ended_at=None).about == "pulse"

    tick(who="command")
    assert (Alert.objects.filter(ended_at=None).count(), Heartbeat.objects.get().who) == (0, "command")


def test_watch_says_nothing_while_nothing_is_to_be_scaled(settings):
    tick(who="beat")
    pass_time(heartbeat.MISSED * settings.SCALING_TICK_SECONDS + 1)

    assert heartbeat.watch() is False
