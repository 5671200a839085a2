"""/metrics/scaling.json."""

from datetime import timedelta

import pytest
from django.utils import timezone

from drops.models import Hold
from dropsite import metrics
from payments.models import Event
from shop.core.models import Email
from tests.factories import make_drop, make_hold

PATH = "/metrics/scaling.json"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nowhere(settings):
    """No fleet runs here."""
    settings.RUN_DIR = ""
    settings.SCALING_METRICS_TOKEN = ""


def test_figures_are_for_this_machine(client):
    answer = client.get(PATH)

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert set(answer.json()) == {"version", "at", "queues", "checkout_slots", "fleets", "targets"}
    nothing = {"oldest_seconds": 0.0, "rows": 0}
    assert answer.json()["queues"] == {
        "checkout": nothing,
        "capture": nothing,
        "mail": nothing,
        "background": nothing,
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"REMOTE_ADDR": "10.0.0.7"},
        {"REMOTE_ADDR": ""},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},  # the edge names who asked it
        {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "},
    ],
)
def test_figures_are_for_nobody_else(client, asked):
    answer = client.get(PATH, **asked)

    assert answer.status_code == 403
    assert "SCALING_METRICS_TOKEN" in answer.json()["detail"]


def test_token_opens_from_anywhere_and_nothing_else_does(client, settings):
    settings.SCALING_METRICS_TOKEN = "s3cret-é"
    far = {"REMOTE_ADDR": "10.0.0.7"}

    assert client.get(PATH, HTTP_AUTHORIZATION="Bearer s3cret-é", **far).status_code == 200
    for given in ("Bearer s3cret", "s3cret-é", ""):
        assert client.get(PATH, HTTP_AUTHORIZATION=given, **far).status_code == 403
    assert client.get(PATH).status_code == 403  # from this machine neither


def test_queues_tell_the_oldest_row_of_each():
    now = timezone.now()
    drop = make_drop(phase="live", quantity=9)
    for index, seconds in enumerate([-60, 4, 65]):  # still good, may not be reclaimed yet, lapsed
        make_hold(drop=drop, index=index, expires_at=now - timedelta(seconds=seconds))
    make_hold(drop=drop, index=9, state=Hold.State.RELEASED, expires_at=now - timedelta(seconds=900), wanted=None)
    for seconds, sent in [(-30, None), (20, None), (90, None), (500, now)]:
        mail = Email.objects.create(kind="test", about=f"{seconds}", to="a@b.example", sent_at=sent)
        Email.objects.filter(pk=mail.pk).update(due_at=now - timedelta(seconds=seconds))
    Event.objects.create(id="evt_1", type="x", livemode=False, payload={})
    Event.objects.update(received_at=now - timedelta(seconds=7))

    assert metrics.queues(now=now) == {
        "checkout": {"oldest_seconds": 0.0, "rows": 0},
        "capture": {"oldest_seconds": 7.0, "rows": 1},
        "mail": {"oldest_seconds": 90.0, "rows": 2},
        "background": {"oldest_seconds": 65.0, "rows": 1},
    }
