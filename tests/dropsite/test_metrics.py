"""/metrics/scaling.json and /metrics/prometheus."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from drops.models import Hold
from drops.scaling.models import Target
from dropsite import metrics
from payments.models import Event
from shop.core.models import Email
from tests.factories import make_drop, make_hold

PATH = "/metrics/scaling.json"
PROMETHEUS = "/metrics/prometheus"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_fleets(settings: Settings) -> None:
    """No fleet runs on this machine."""
    settings.RUN_DIR = ""
    settings.SCALING_METRICS_TOKEN = ""


def test_figures_are_for_this_machine(client: Client) -> None:
    answer = client.get(PATH)

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert set(answer.json()) == {"version", "at", "queues", "checkout_slots", "fleets", "targets", "clocks"}
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
@pytest.mark.parametrize("path", [PATH, PROMETHEUS])
def test_figures_are_for_nobody_else(client: Client, asked: dict[str, str], path: str) -> None:
    answer = client.get(path, **asked)  # type: ignore[arg-type]  # the environment of WSGI

    assert answer.status_code == 403
    assert "SCALING_METRICS_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("path", [PATH, PROMETHEUS])
def test_token_opens_from_anywhere_and_nothing_else_does(
    client: Client, settings: Settings, path: str
) -> None:
    settings.SCALING_METRICS_TOKEN = "s3cret-é"

    assert client.get(path, HTTP_AUTHORIZATION="Bearer s3cret-é", REMOTE_ADDR="10.0.0.7").status_code == 200
    for sent in ("Bearer s3cret", "s3cret-é", ""):
        assert client.get(path, HTTP_AUTHORIZATION=sent, REMOTE_ADDR="10.0.0.7").status_code == 403
    assert client.get(path).status_code == 403  # not even from this machine


def test_prometheus_reads_the_same_figures(client: Client) -> None:
    Event.objects.create(id="evt_1", type="x", livemode=False, payload={})
    observed = {"size": 3, "moving": False}
    target = Target.objects.create(
        name="web fleet",
        provider="webhook",
        locator={},
        resource="webhook:web",
        ceiling=4,
        lead_seconds=60,
        observed=observed,
        ready_size=2,
    )

    answer = client.get(PROMETHEUS)

    assert answer["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.content.decode())
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples["dropsite_queue_rows", "capture"] == 1
    assert samples["dropsite_checkout_slots", "free"] == client.get(PATH).json()["checkout_slots"]["free"]
    assert samples["dropsite_target_size", target.name] == 3
    assert samples["dropsite_target_ready", target.name] == 2
    assert ("dropsite_target_asked", target.name) not in samples  # nothing is wanted of it yet


def test_queues_return_the_oldest_row_of_each() -> None:
    now = timezone.now()
    drop = make_drop(phase="live", quantity=9)
    for index, seconds in enumerate([-60, 4, 65]):  # still good, may not be reclaimed yet, lapsed
        make_hold(drop=drop, index=index, expires_at=now - timedelta(seconds=seconds))
    make_hold(
        drop=drop,
        index=9,
        state=Hold.State.RELEASED,
        expires_at=now - timedelta(seconds=900),
        quantities=None,
    )
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
