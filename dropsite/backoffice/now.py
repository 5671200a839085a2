"""The "now" page: the drop of the moment and the machinery behind it, on one screen that refreshes itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Min
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drops import lifecycle
from drops.lifecycle import Phase
from drops.models import Drop, Hold, Leadership
from drops.scaling.control import heartbeat
from drops.scaling.models import ScalePlan
from dropsite.backoffice import overview
from payments.models import Attempt, Event, Payment
from shop.core.datetimes import distance
from shop.core.models import Alert, Email

BUSY_SECONDS, IDLE_SECONDS = 5, 60  # between two loads of the page; an open tab must not keep an idle shop busy
SOON = timedelta(minutes=15)
BUSY = (Phase.LIVE, Phase.PAUSED, Phase.OPENING, Phase.LOBBY)
# The drop of the moment is the first of these; among equals the earliest opening.
FIRST = (Phase.LIVE, Phase.PAUSED, Phase.OPENING, Phase.LOBBY, Phase.ANNOUNCED)
TICK = timedelta(seconds=5)  # a gatekeeper ticks a running drop each second,
SLOW_TICK = timedelta(seconds=30)  # others every ten; an ended one it leaves alone in the end
UNSENT = timedelta(seconds=10)  # from here on admission is halved
UNSETTLED = timedelta(seconds=30)
UNMAILED = timedelta(minutes=2)
PAYING = timedelta(minutes=2)


@dataclass(frozen=True)
class Age:
    """How long the oldest of its kind has waited, and how long it may."""

    name: str | Promise
    since: datetime | None
    now: datetime
    most: timedelta

    @property
    def late(self) -> bool:
        return self.since is not None and self.now - self.since > self.most

    @property
    def text(self) -> str:
        return _("none") if self.since is None else distance(max(self.now - self.since, timedelta()))


def now_page(request: HttpRequest, *, admin_site: AdminSite) -> HttpResponse:
    """Show the drop of the moment. It refreshes itself, without script."""
    if not request.user.has_perm("drops.view_drop"):
        raise PermissionDenied
    now = timezone.now()
    drop = of_the_moment(now=now)
    standing = overview.read(drop=drop, now=now) if drop is not None else None
    context = {
        **admin_site.each_context(request),
        "title": _("Now"),
        "now": now,
        "overview": standing,
        "ages": ages(now=now),
        "leader": Leadership.objects.filter(pk=1, until__gt=now).first(),
        "tick": tick(standing, now=now),
        **scaling(drop, now=now),
        "refresh_seconds": (seconds := refresh_seconds(standing)),
    }
    return TemplateResponse(request, "admin/now.html", context, headers={"Refresh": str(seconds)})


def scaling(drop: Drop | None, *, now: datetime) -> dict[str, Any]:
    """Give how pre-scaling stands: its pulse while it is needed, whether it is paused, alerts, the drop's verdict."""
    row, needed = heartbeat.read(), heartbeat.is_needed()
    most = timedelta(seconds=heartbeat.MISSED * settings.SCALING_TICK_SECONDS)
    return {
        "pulse": row,
        "pulse_age": Age(gettext_lazy("last tick of pre-scaling"), row.ticked_at if needed else None, now, most),
        "scale_plan": ScalePlan.objects.filter(drop=drop).first() if drop is not None else None,
        "alerts": Alert.objects.open(),
    }


def tick(standing: overview.Overview | None, *, now: datetime) -> Age:
    """Give how long ago the gatekeepers looked at the drop, unless it is over."""
    at, most = None, SLOW_TICK
    if standing is not None and standing.line is not None and standing.phase not in lifecycle.OVER:
        at, most = standing.line.at, TICK if standing.phase in BUSY else SLOW_TICK
    return Age(gettext_lazy("last tick"), at, now, most)


def refresh_seconds(standing: overview.Overview | None) -> int:
    """Say when the page loads itself again: soon while something happens or is about to, payments included."""
    if standing is None:
        return IDLE_SECONDS
    soon = standing.next_change is not None and standing.next_change - standing.now < SOON
    under_way = any(count for state, count in standing.holds if state in {Hold.State.OPEN, Hold.State.PAYING})
    return BUSY_SECONDS if standing.phase in BUSY or soon or under_way else IDLE_SECONDS


def of_the_moment(*, now: datetime) -> Drop | None:
    """Give the drop that runs, else the next one, else the one that ended last; listed or not. None: no drop yet."""
    drops = list(Drop.objects.announced().not_ended().with_state())
    phases = {drop.pk: lifecycle.phase(drop=drop, now=now) for drop in drops}
    coming = [drop for drop in drops if phases[drop.pk] in FIRST]
    if coming:
        return min(coming, key=lambda drop: (FIRST.index(phases[drop.pk]), drop.opens_at))
    return Drop.objects.announced().with_state().order_by("-opens_at").first()


def ages(*, now: datetime) -> list[Age]:
    """Give how long the oldest of each queue waits."""
    age = partial(Age, now=now)
    unsent = Attempt.objects.filter(state=Attempt.State.QUEUED).aggregate(at=Min("created_at"))["at"]
    unsettled = Event.objects.filter(state=Event.State.STORED).aggregate(at=Min("received_at"))["at"]
    unmailed = Email.objects.filter(sent_at=None).aggregate(at=Min("created_at"))["at"]
    paying = Payment.objects.filter(order__hold__state=Hold.State.PAYING).aggregate(at=Min("order__created_at"))["at"]
    return [
        age(gettext_lazy("oldest attempt not sent to Stripe"), unsent, most=UNSENT),
        age(gettext_lazy("oldest event of Stripe not settled"), unsettled, most=UNSETTLED),
        age(gettext_lazy("oldest mail not sent"), unmailed, most=UNMAILED),
        age(gettext_lazy("oldest hold being paid for"), paying, most=PAYING),
    ]
