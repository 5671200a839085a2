"""Facts for tests of what is pure: plain functions with boring defaults."""

from datetime import UTC, datetime, timedelta
from typing import Any

from drops.scaling.planning.inputs import Part, PlanInputs, TargetInputs
from drops.scaling.planning.weights import DEFAULTS

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
LOBBY = NOW + timedelta(hours=2)


def make_target(**fields: Any) -> TargetInputs:
    """A fleet of web workers, two now, that carries all of the web group."""
    name = fields.get("name", "web fleet")
    boring: dict[str, Any] = {
        "id": 1,
        "name": name,
        "unit": "workers",
        "resource": f"somewhere:{name}",
        "tier": 1,
        "current_size": 2,
        "ready_size": None,
        "floor": 1,
        "ceiling": 100,
        "ops_ceiling": None,
        "headroom_percent": 0,
        "zones": 1,
        "lead_seconds": 60,
        "lead_reason": "as set",
        "parts": (Part(group="web", percent=100, per_second=30.0),),
    }
    return TargetInputs(**boring | fields)


def make_facts(**fields: Any) -> PlanInputs:
    """Facts of a drop of 500 units and 20,000 shoppers whose lobby opens in two hours, for ten minutes."""
    boring: dict[str, Any] = {
        "slug": "0-kg",
        "now": NOW,
        "expected": 20_000,
        "units": 500,
        "hold_seconds": 300,
        "lobby_opens_at": LOBBY,
        "opens_at": LOBBY + timedelta(minutes=10),
        "weights": DEFAULTS,
        "targets": (make_target(),),
        "connections_allowed": 97,
    }
    return PlanInputs(**boring | fields)
