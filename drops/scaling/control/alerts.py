"""Pre-scaling's alerts: those of shop.core that name a drop or a target in their details."""

from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Now

from drops.models import Drop
from drops.scaling.models import Target
from shop.core import alerts
from shop.core.alerts import resolve
from shop.core.models import Alert

__all__ = ["about_drops", "open_alerts", "raise_alert", "resolve", "resolve_for_drops", "resolve_for_target"]

SOURCE = "scaling"


def raise_alert(
    *, subject: str, message: str, drop: Drop | None = None, target: Target | None = None
) -> Alert:
    """Open the alert, or update the message of the one that is open."""
    details = {}
    if drop is not None:
        details["drop"] = drop.slug
    if target is not None:
        details["target"] = target.name
    return alerts.raise_alert(source=SOURCE, subject=subject, message=message, details=details)


def open_alerts() -> QuerySet[Alert]:
    """Return pre-scaling's open alerts, the newest first."""
    return Alert.objects.open().filter(source=SOURCE)


def about_drops() -> QuerySet[Alert]:
    """Return the open alerts that are to be resolved once their drop has ended."""
    return open_alerts().filter(details__has_key="drop")


def resolve_for_drops(*, drops: QuerySet[Drop]) -> int:
    """Resolve the alerts about these drops, and return how many there were."""
    rows = about_drops().alias(drop_slug=KT("details__drop")).filter(drop_slug__in=drops.values("slug"))
    return rows.update(resolved_at=Now())


def resolve_for_target(*, target: Target) -> int:
    """Resolve the alerts about a target, and return how many there were."""
    return open_alerts().filter(details__target=target.name).update(resolved_at=Now())
