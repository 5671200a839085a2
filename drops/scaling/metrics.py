"""Metrics for ops' own reactive autoscaling, which works between drops and beside pre-scaling.

A fleet's saturation is the CPU time that its workers used since this process last sampled it, as a part of
what they could have used: at 1.0 a fleet can do no more. `waiting` counts connections that no worker has
accepted yet.
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
from drops.scaling.providers.local.gunicorn import Gunicorn, socket_path

FLEETS = ("gate", "web", "hooks")  # each with its control socket in RUN_DIR, if it runs on this machine
MIN_SAMPLE_SECONDS = 1.0  # between two samples: a shorter time means little


@dataclass(frozen=True)
class Sample:
    """The CPU time that a fleet had used when this process sampled it."""

    at: float
    cpu_seconds: float
    saturation: float | None


LAST_SAMPLES: dict[str, Sample] = {}  # of this process, by fleet


def slots() -> dict[str, int]:
    """Count the checkout's slots. Each hold that is open or being paid for takes one."""
    busy = Hold.objects.busy().count()
    return {"all": settings.CHECKOUT_SLOTS, "busy": busy, "free": max(0, settings.CHECKOUT_SLOTS - busy)}


def targets(*, now: datetime) -> dict[str, dict[str, Any]]:
    """Return each target's last reading; `ready` instances are serving."""
    rows = Target.objects.prefetch_related("shares").order_by("name")
    return {row.name: target_metrics(row, now=now) for row in rows}


def target_metrics(target: Target, *, now: datetime) -> dict[str, Any]:
    """Return one target's last reading."""
    observed: dict[str, Any] = target.observed or {}
    seconds_ago = None
    if target.observed_at is not None:
        seconds_ago = round((now - target.observed_at).total_seconds(), 1)
    return {
        "kind": target.provider,
        "groups": [share.group for share in target.shares.all()],
        "size": observed.get("size"),
        "ready": target.ready_size,
        "moving": observed.get("moving"),
        "asked": target.desired_size,
        "baseline": target.baseline_size,
        "stopped": target.stopped_at is not None,
        "read_seconds_ago": seconds_ago,
    }


def fleets() -> dict[str, dict[str, Any]]:
    """Return the metrics of this machine's fleets; those that don't run here are left out."""
    return {name: fleet_metrics(name) for name in FLEETS if runs_here(name)}


def runs_here(name: str) -> bool:
    """Whether a fleet has its control socket on this machine."""
    return bool(settings.RUN_DIR) and Path(socket_path(locator(name))).exists()


def locator(name: str) -> dict[str, str]:
    """Return the locator of a fleet, as the Procfile names its control socket."""
    return {"socket": f"{name}.ctl"}


def fleet_metrics(name: str) -> dict[str, Any]:
    """Return the metrics of one fleet."""
    fleet = Gunicorn(locator=locator(name))
    try:
        reading, ports = fleet.read(), fleet.ports()
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
    """Return how full a fleet was since its last sample; None for the first one, or without CPU time."""
    if reading.cpu_seconds is None:
        return None
    last = LAST_SAMPLES.get(name)
    if last is not None and at - last.at < MIN_SAMPLE_SECONDS:
        return last.saturation
    found = None
    # Less CPU time than before means that the fleet was restarted.
    if last is not None and reading.cpu_seconds >= last.cpu_seconds:
        used = (reading.cpu_seconds - last.cpu_seconds) / (at - last.at)
        found = round(used / max(1, reading.serving), 3)
    LAST_SAMPLES[name] = Sample(at, reading.cpu_seconds, found)
    return found
