"""Figures for autoscalers and monitoring, read at the moment of the request.

/metrics/scaling.json  for KEDA's metrics-api scaler and its like
    {"queues": {"checkout": {"oldest_seconds": 0.0, "rows": 0}, …}, "checkout_slots": {"all", "busy", "free"},
     "fleets": {"web": {"workers", "serving", "saturation", "waiting", "fault"}, …},
     "targets": {name: {"ready", …}}, "clocks": {machine: {"skew_seconds"}, …}}
/metrics/prometheus    the same figures in Prometheus' text format

For programs on this machine, or with SCALING_METRICS_TOKEN as a bearer token. The edge passes neither.
"""

import hmac
import ipaddress
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from drops.models import Hold
from drops.scaling import metrics
from payments.models import Attempt, Event
from shop.core import clock_skew, problems
from shop.core.models import Email

REFUSAL = (
    "These figures are for programs on the shop's own machine."
    " From elsewhere, set SCALING_METRICS_TOKEN and send it: Authorization: Bearer …"
)
FLEET_FIGURES = {
    "workers": "Worker processes of a fleet on this machine",
    "serving": "Worker processes with a fresh heartbeat",
    "saturation": "Share of their time for which the workers used a CPU",
    "waiting": "Connections that no worker has accepted yet",
}
TARGET_FIGURES = {
    "size": "Size that was last read",
    "ready": "Size that was last read and able to serve",
    "asked": "Size that pre-scaling wants",
    "baseline": "Size between drops",
    "stopped": "1 if pre-scaling has stopped because of drift",
    "read_seconds_ago": "Seconds since the target was last read",
}

CLOCK_TEXT = "Seconds by which a machine's clock is ahead of the database's"


class FiguresCollector(Collector):
    """The figures of `read_figures` as gauges."""

    def __init__(self, figures: dict[str, Any]) -> None:
        self.figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        queues = self.figures["queues"]
        yield gauge(
            "queue_oldest_seconds", "Age of the oldest row that waits", "queue", queues, "oldest_seconds"
        )
        yield gauge("queue_rows", "Rows that wait for a queue's workers", "queue", queues, "rows")
        slots = GaugeMetricFamily("dropsite_checkout_slots", "Checkout slots", labels=["state"])
        for state in ("busy", "free"):
            slots.add_metric([state], self.figures["checkout_slots"][state])
        yield slots
        for name, text in FLEET_FIGURES.items():
            yield gauge(f"fleet_{name}", text, "fleet", self.figures["fleets"], name)
        for name, text in TARGET_FIGURES.items():
            yield gauge(f"target_{name}", text, "target", self.figures["targets"], name)
        clocks = self.figures["clocks"]
        yield gauge("clock_skew_seconds", CLOCK_TEXT, "machine", clocks, "skew_seconds")


def gauge(
    name: str, text: str, label: str, rows: dict[str, dict[str, Any]], figure: str
) -> GaugeMetricFamily:
    """Return one figure of several rows, by their names. A row that doesn't know it is left out."""
    family = GaugeMetricFamily(f"dropsite_{name}", text, labels=[label])
    for row_name, row in rows.items():
        if row[figure] is not None:
            family.add_metric([row_name], float(row[figure]))
    return family


@require_safe
def scaling(request: HttpRequest) -> HttpResponse:
    """Return the figures as JSON."""
    if not is_allowed(request):
        return problems.response(status=403, detail=REFUSAL)
    now = timezone.now()
    figures = {"version": 1, "at": now.isoformat(), **read_figures(now=now)}
    return JsonResponse(figures, headers={"Cache-Control": "no-store"})


@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """Return the figures in Prometheus' text format."""
    if not is_allowed(request):
        return problems.response(status=403, detail=REFUSAL)
    registry = CollectorRegistry()
    registry.register(FiguresCollector(read_figures(now=timezone.now())))
    body = generate_latest(registry)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def read_figures(*, now: datetime) -> dict[str, Any]:
    """Read every figure at `now`."""
    return {
        "queues": queues(now=now),
        "checkout_slots": metrics.slots(),
        "fleets": metrics.fleets(),
        "targets": metrics.targets(now=now),
        "clocks": {row.machine: {"skew_seconds": row.skew_seconds} for row in clock_skew.recent()},
    }


def is_allowed(request: HttpRequest) -> bool:
    """Whether a program may ask: with the token if one is set, otherwise from this machine, past the edge."""
    if settings.SCALING_METRICS_TOKEN:
        expected = f"Bearer {settings.SCALING_METRICS_TOKEN}".encode()
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected)
    return "X-Forwarded-For" not in request.headers and is_loopback(request.META.get("REMOTE_ADDR", ""))


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def queues(*, now: datetime) -> dict[str, dict[str, Any]]:
    """Return, for each queue, how many rows wait for its workers and for how long the oldest has waited."""
    lapsed = Hold.objects.lapsed(ago=Hold.RECLAIM_AFTER)
    return {
        "checkout": backlog(Attempt.objects.filter(state=Attempt.State.QUEUED), "created_at", now=now),
        "capture": backlog(Event.objects.filter(state=Event.State.STORED), "received_at", now=now),
        "mail": backlog(Email.objects.filter(sent_at=None, due_at__lte=now), "due_at", now=now),
        "background": backlog(lapsed, "expires_at", now=now),
    }


def backlog(rows: QuerySet[Any], since: str, *, now: datetime) -> dict[str, Any]:
    """Return the number of rows and the age of the oldest in seconds; 0 if there is none."""
    found = rows.aggregate(rows=Count("pk"), since=Min(since))
    age = 0.0
    if found["since"]:
        age = max(0.0, (now - found["since"]).total_seconds())
    return {"oldest_seconds": round(age, 1), "rows": found["rows"]}
