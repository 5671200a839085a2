"""Figures for ops' own reactive scaling, which works between drops and beside this: what stands, and how full it is.

A fleet's saturation is the part of its processes' time that they used a CPU, since this process last looked: 1.0 is a
fleet that can do no more. `waiting` are connections that no worker has taken yet.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from drops.models import Hold
from drops.scaling.models import Target
from drops.scaling.providers import ProviderError, Reading
from drops.scaling.providers.local import procfs
from drops.scaling.providers.local.gunicorn import Gunicorn, path_of

FLEETS = ("gate", "web", "hooks")  # each with its control socket in RUN_DIR, where it runs on this machine
LEAST_SECONDS = 1.0  # between two looks: less says nothing


@dataclass(frozen=True)
class Look:
    """What a fleet had used when this process looked at it."""

    at: float
    cpu_seconds: float
    saturation: float | None


LOOKS: dict[str, Look] = {}  # what this process saw last, by fleet


def slots() -> dict[str, int]:
    """Count the checkout's slots: holds that are open or being paid for take one each."""
    busy = Hold.objects.busy().count()
    return {"all": settings.CHECKOUT_SLOTS, "busy": busy, "free": max(0, settings.CHECKOUT_SLOTS - busy)}


def targets(*, now: datetime) -> dict[str, dict[str, Any]]:
    """Tell of each target what was last read of it; `ready` serves."""
    rows = Target.objects.prefetch_related("shares").order_by("name")
    return {row.name: of_target(row, now=now) for row in rows}


def of_target(row: Target, *, now: datetime) -> dict[str, Any]:
    """Tell of one target."""
    seen: dict[str, Any] = row.seen or {}
    return {
        "kind": row.kind,
        "groups": [share.group for share in row.shares.all()],
        "size": seen.get("size"),
        "ready": row.ready_size,
        "moving": seen.get("moving"),
        "asked": row.asked_size,
        "baseline": row.baseline_size,
        "stopped": row.stopped_at is not None,
        "read_seconds_ago": None if row.seen_at is None else round((now - row.seen_at).total_seconds(), 1),
    }


def fleets() -> dict[str, dict[str, Any]]:
    """Look at the fleets of this machine; those that do not run here are left out."""
    return {name: of_fleet(name) for name in FLEETS if runs_here(name)}


def runs_here(name: str) -> bool:
    """Say whether a fleet has its control socket here."""
    return bool(settings.RUN_DIR) and Path(path_of(where(name))).exists()


def where(name: str) -> dict[str, str]:
    """Give where the Procfile puts the control socket of a fleet."""
    return {"socket": f"{name}.ctl"}


def of_fleet(name: str) -> dict[str, Any]:
    """Look at one fleet."""
    kind = Gunicorn(where=where(name))
    try:
        reading, ports = kind.read(), kind.ports()
    except ProviderError as fault:
        return {"workers": None, "serving": None, "saturation": None, "waiting": None, "fault": str(fault)}
    return {
        "workers": reading.size,
        "serving": reading.serving,
        "saturation": saturation(name, reading, at=time.monotonic()),
        "waiting": procfs.waiting(ports=ports),
        "fault": "",
    }


def saturation(name: str, reading: Reading, *, at: float) -> float | None:
    """Say how full a fleet was since the last look; None at the first one, or where its CPU time can't be told."""
    if reading.cpu_seconds is None:
        return None
    last = LOOKS.get(name)
    if last is not None and at - last.at < LEAST_SECONDS:
        return last.saturation
    found = None
    if last is not None and reading.cpu_seconds >= last.cpu_seconds:  # less: it was started anew
        used = (reading.cpu_seconds - last.cpu_seconds) / (at - last.at)
        found = round(used / max(1, reading.serving), 3)
    LOOKS[name] = Look(at, reading.cpu_seconds, found)
    return found
