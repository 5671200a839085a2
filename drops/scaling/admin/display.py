"""How the admin shows providers, sizes, states, times, and the status of a target."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from drops.scaling.models import Target
from drops.scaling.providers import PROVIDERS

EMPTY_VALUES: tuple[object, ...] = (None, "", {}, [])


def provider_name(key: str) -> str:
    """Return a provider's name, or its key if it no longer exists."""
    if key not in PROVIDERS:
        return key
    return PROVIDERS[key].name


def credentials(key: str) -> str:
    """Return where a provider's credentials come from. They are never entered in the admin."""
    if key not in PROVIDERS or not PROVIDERS[key].credentials:
        return ""
    return f"Credentials are never stored here. They come from: {PROVIDERS[key].credentials}"


def size(*, target: Target, count: int | None) -> str:
    """Return a size in the provider's unit: "4 tasks"; a dash for None."""
    if count is None:
        return "–"
    if target.provider not in PROVIDERS:
        return str(count)
    return PROVIDERS[target.provider](locator=target.locator).format_size(count)


def time(moment: datetime) -> str:
    """Return a moment for a table, in the shop's time zone."""
    return date_format(timezone.localtime(moment), "j M, H:i:s")


def state(value: Any) -> str:
    """Return a state or another small mapping on one line: "min 2, max 10"."""
    if value in EMPTY_VALUES:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key} {state(part)}" for key, part in value.items() if part not in EMPTY_VALUES)
    if isinstance(value, list):
        return ", ".join(state(part) for part in value)
    return str(value)


def target_status(*, target: Target) -> tuple[str, str]:
    """Return the status of a target: a key for its colour, and its label."""
    if not target.enabled:
        return "off", "disabled"
    if target.provider not in PROVIDERS:
        return "stopped", "unknown provider"
    if target.stopped_at:
        return "stopped", "stopped"
    if target.error:
        return "trouble", "failing"
    return _size_status(target)


def _size_status(target: Target) -> tuple[str, str]:
    """Return the status of a target without faults."""
    if target.baseline is None and not target.observed:
        return "off", "not read yet"
    if target.baseline is None:
        return "rest", "at baseline"
    if target.desired_size is not None and target.desired_size == target.baseline_size:
        return "moving", "returning to baseline"
    return "scaled", "scaled"
