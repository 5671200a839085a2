"""`/metrics/scaling.json`: what an autoscaler needs, at one address. For programs on this machine, or with a token.

{"queues": {"checkout": {"oldest_seconds": 0.0, "rows": 0}, …}, "checkout_slots": {"all", "busy", "free"},
 "fleets": {"web": {"workers", "serving", "saturation", "waiting", "fault"}, …}, "targets": {name: {"ready", …}}}
"""

import hmac
import ipaddress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from drops.models import Hold
from drops.scaling import metrics
from payments.models import Attempt, Event
from shop.core import problems
from shop.core.models import Email

LAPSED = timedelta(seconds=5)  # a hold may be reclaimed so long after its end; then background is late


@require_safe
def scaling(request: HttpRequest) -> HttpResponse:
    """Answer with the figures of this moment."""
    if not is_allowed(request):
        return problems.response(
            status=403,
            detail=_("These figures are for programs on the shop's own machine. From elsewhere, set"
                     " SCALING_METRICS_TOKEN and send it: Authorization: Bearer …"),
        )  # fmt: skip
    now = timezone.now()
    figures = {
        "version": 1,
        "at": now.isoformat(),
        "queues": queues(now=now),
        "checkout_slots": metrics.slots(),
        "fleets": metrics.fleets(),
        "targets": metrics.targets(now=now),
    }
    return JsonResponse(figures, headers={"Cache-Control": "no-store"})


def is_allowed(request: HttpRequest) -> bool:
    """Say whether a program may ask: with the token if there is one, else from this machine, never through the edge."""
    if settings.SCALING_METRICS_TOKEN:
        wanted = f"Bearer {settings.SCALING_METRICS_TOKEN}".encode()
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted)
    return "X-Forwarded-For" not in request.headers and is_near(request.META.get("REMOTE_ADDR", ""))


def is_near(address: str) -> bool:
    """Say whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def queues(*, now: datetime) -> dict[str, dict[str, Any]]:
    """Tell how many rows wait for the workers of each queue, and for how long the oldest has."""
    lapsed = Hold.objects.filter(state=Hold.State.OPEN, expires_at__lt=now - LAPSED)
    return {
        "checkout": waiting(Attempt.objects.filter(state=Attempt.State.QUEUED), "created_at", now=now),
        "capture": waiting(Event.objects.filter(state=Event.State.STORED), "received_at", now=now),
        "mail": waiting(Email.objects.filter(sent_at=None, due_at__lte=now), "due_at", now=now),
        "background": waiting(lapsed, "expires_at", now=now),
    }


def waiting(rows: QuerySet[Any], since: str, *, now: datetime) -> dict[str, Any]:
    """Count rows, and give the age of the oldest; 0 if none waits."""
    found = rows.aggregate(rows=Count("pk"), since=Min(since))
    age = (now - found["since"]).total_seconds() if found["since"] else 0.0
    return {"oldest_seconds": round(max(0.0, age), 1), "rows": found["rows"]}
