"""The "now" page: the current drop and the processes behind it, on one screen that refreshes itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Min, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from drops import lifecycle, queries
from drops.models import Drop, Hold, Leadership
from drops.scaling.control import heartbeat
from drops.scaling.models import ScalePlan
from dropsite.backoffice import overview, sessions
from payments.models import Attempt, Event, Payment
from payments.processing import rate_limit
from shop.core import clock_skew
from shop.core.datetimes import format_duration
from shop.core.models import Alert, Email

# Between two loads of the page. An open tab must not keep an idle shop busy.
BUSY_SECONDS, IDLE_SECONDS = 5, 60
SOON_LIMIT = timedelta(minutes=15)
TICK_LIMIT = timedelta(seconds=5)  # a gatekeeper ticks a running drop once a second
SLOW_TICK_LIMIT = timedelta(seconds=30)  # and every other drop every ten; it stops for ended ones
UNPROCESSED_LIMIT = timedelta(seconds=30)
UNSENT_EMAIL_LIMIT = timedelta(minutes=2)
PAYING_LIMIT = timedelta(minutes=2)


@dataclass(frozen=True)
class QueueAge:
    """The age of the oldest row of a kind, and the greatest age that is normal."""

    name: str
    since: datetime | None
    now: datetime
    most: timedelta

    @property
    def late(self) -> bool:
        return self.since is not None and self.now - self.since > self.most

    @property
    def text(self) -> str:
        if self.since is None:
            return "none"
        return format_duration(max(self.now - self.since, timedelta()))


def now_page(request: HttpRequest, *, admin_site: AdminSite) -> HttpResponse:
    """Show the current drop. The page refreshes itself, without script."""
    if not request.user.has_perm("drops.view_drop"):
        raise PermissionDenied
    now = timezone.now()
    drop = queries.drop_of_the_moment(drops=Drop.objects.announced(), now=now)
    current = None
    if drop is not None:
        current = overview.read(drop=drop, now=now)
    seconds = refresh_seconds(current)
    context = {
        **admin_site.each_context(request),
        "title": "Now",
        "now": now,
        "overview": current,
        "ages": queue_ages(now=now),
        "leader": Leadership.objects.filter(pk=1, until__gt=now).first(),
        "tick": gatekeeper_age(current, now=now),
        "alerts": open_alerts(request),
        "clocks": clock_skew.recent(),
        **scaling_context(request, drop, now=now),
        "refresh_seconds": seconds,
    }
    refresh = f"{seconds}; url={request.path}?{sessions.RELOADED}"
    return TemplateResponse(request, "admin/now.html", context, headers={"Refresh": refresh})


def open_alerts(request: HttpRequest) -> QuerySet[Alert]:
    """Return the open alerts; none for somebody who may not see alerts."""
    if not request.user.has_perm("shop.view_alert"):
        return Alert.objects.none()
    return Alert.objects.open()


def scaling_context(request: HttpRequest, drop: Drop | None, *, now: datetime) -> dict[str, Any]:
    """Return pre-scaling's heartbeat, while one is needed, and the drop's scale plan if it may be seen."""
    row = heartbeat.current()
    ticked_at = None
    if heartbeat.has_work():
        ticked_at = row.ticked_at
    scale_plan = None
    if drop is not None and request.user.has_perm("scaling.view_scaleplan"):
        scale_plan = ScalePlan.objects.filter(drop=drop).first()
    return {
        "heartbeat": row,
        "heartbeat_age": QueueAge("last pre-scaling tick", ticked_at, now, heartbeat.max_age()),
        "scale_plan": scale_plan,
    }


def gatekeeper_age(current: overview.Overview | None, *, now: datetime) -> QueueAge:
    """Return how long ago a gatekeeper last ticked the drop, unless it is over."""
    at, most = None, SLOW_TICK_LIMIT
    if current is not None and current.line is not None and current.phase not in lifecycle.ENDED_PHASES:
        at = current.line.at
        if current.phase in lifecycle.RUNNING_PHASES:
            most = TICK_LIMIT
    return QueueAge("last tick", at, now, most)


def refresh_seconds(current: overview.Overview | None) -> int:
    """Return the seconds until the page reloads: few while a drop runs, will soon, or is being paid for."""
    if current is None:
        return IDLE_SECONDS
    soon = current.next_change is not None and current.next_change - current.now < SOON_LIMIT
    busy_holds = any(count for state, count in current.holds if state in Hold.BUSY)
    if current.phase in lifecycle.RUNNING_PHASES or soon or busy_holds:
        return BUSY_SECONDS
    return IDLE_SECONDS


def queue_ages(*, now: datetime) -> list[QueueAge]:
    """Return how long the oldest row of each queue has waited."""
    age = partial(QueueAge, now=now)
    unsent = Attempt.objects.filter(state=Attempt.State.QUEUED).aggregate(at=Min("created_at"))["at"]
    unprocessed = Event.objects.filter(state=Event.State.STORED).aggregate(at=Min("received_at"))["at"]
    unsent_email = Email.objects.filter(sent_at=None).aggregate(at=Min("created_at"))["at"]
    payments = Payment.objects.filter(order__hold__state=Hold.State.PAYING)
    paying = payments.aggregate(at=Min("order__created_at"))["at"]
    return [
        age("oldest attempt not sent to Stripe", unsent, most=rate_limit.HALVE_AFTER),
        age("oldest Stripe event not processed", unprocessed, most=UNPROCESSED_LIMIT),
        age("oldest email not sent", unsent_email, most=UNSENT_EMAIL_LIMIT),
        age("oldest hold being paid for", paying, most=PAYING_LIMIT),
    ]
