"""Pre-scaling's alerts: those of shop.core, with the names of a drop and a target as their details."""

from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Now

from drops.models import Drop
from drops.scaling.models import Target
from shop.core import alerts
from shop.core.alerts import resolve
from shop.core.models import Alert

__all__ = ["about_drops", "raise_alert", "resolve", "resolve_of_drops", "resolve_of_target"]

SOURCE = "scaling"


def raise_alert(*, subject: str, message: str, drop: Drop | None = None, target: Target | None = None) -> Alert:
    """Open the alert, or update the message of the one that is open."""
    details = {}
    if drop is not None:
        details["drop"] = drop.slug
    if target is not None:
        details["target"] = target.name
    return alerts.raise_alert(source=SOURCE, subject=subject, message=message, details=details)


def about_drops() -> QuerySet[Alert]:
    """Return the open alerts that are to be resolved once their drop has ended."""
    return Alert.objects.open().filter(source=SOURCE, details__has_key="drop")


def resolve_of_drops(*, drops: QuerySet[Drop]) -> int:
    """Resolve the alerts about these drops, and return how many there were."""
    rows = about_drops().alias(drop_slug=KT("details__drop")).filter(drop_slug__in=drops.values("slug"))
    return rows.update(resolved_at=Now())


def resolve_of_target(*, target: Target) -> int:
    """Resolve the alerts about a target, and return how many there were."""
    rows = Alert.objects.open().filter(source=SOURCE, details__target=target.name)
    return rows.update(resolved_at=Now())
