"""Words of pre-scaling at the desk: kinds, sizes, states, and how a target stands."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from drops.scaling.models import Target
from drops.scaling.providers import PROVIDERS


def kind(key: str) -> str:
    """Name a kind; one that is not there any more by its key."""
    return _(PROVIDERS[key].name) if key in PROVIDERS else key


def credentials(key: str) -> str:
    """Say where the kind's credentials come from; they are never typed at the desk."""
    if key not in PROVIDERS or not PROVIDERS[key].credentials:
        return ""
    return _("Credentials are never kept here. They come from: %(where)s") % {"where": _(PROVIDERS[key].credentials)}


def size(*, target: Target, count: int | None) -> str:
    """Write a size as its kind counts: "4 tasks"; a dash for none."""
    if count is None:
        return "–"
    return PROVIDERS[target.kind](where=target.where).words(count) if target.kind in PROVIDERS else str(count)


def time(moment: datetime) -> str:
    """Write a moment for a table, in the desk's zone."""
    return date_format(timezone.localtime(moment), "j M, H:i:s")


def state(value: Any) -> str:
    """Write a state or another small mapping on one line: "min 2, max 10"."""
    if value in (None, "", {}, []):
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key} {state(part)}" for key, part in value.items() if part not in (None, "", {}, []))
    if isinstance(value, list):
        return ", ".join(state(part) for part in value)
    return str(value)


def standing(*, target: Target) -> tuple[str, str]:
    """Tell how a target stands: a key for its colour, and a few words."""
    if not target.enabled:
        return "off", _("switched off")
    if target.kind not in PROVIDERS:
        return "stopped", _("of no kind that is known")
    if target.stopped_at:
        return "stopped", _("stopped")
    if target.fault:
        return "trouble", _("in trouble")
    if target.baseline is not None:
        back = target.asked_size is not None and target.asked_size == target.baseline_size
        return ("moving", _("going back")) if back else ("scaled", _("scaled"))
    return ("rest", _("at rest")) if target.seen else ("off", _("not read yet"))
