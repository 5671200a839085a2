"""Inputs of plans for tests: plain functions with usual defaults."""

from datetime import UTC, datetime, timedelta
from typing import Any

from drops.scaling.planning.inputs import PlanInputs, ShareInputs, TargetInputs
from drops.scaling.planning.weights import DEFAULT_WEIGHTS

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
LOBBY = NOW + timedelta(hours=2)


def make_target(**fields: Any) -> TargetInputs:
    """Return a fleet of two web workers that carries all of the web group."""
    name = fields.get("name", "web fleet")
    usual: dict[str, Any] = {
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
        "shares": (ShareInputs(group="web", percent=100, per_second=30.0),),
    }
    return TargetInputs(**usual | fields)


def make_inputs(**fields: Any) -> PlanInputs:
    """Return the inputs of a drop of 500 units and 20,000 shoppers, with a ten-minute lobby in two hours."""
    usual: dict[str, Any] = {
        "slug": "0-kg",
        "now": NOW,
        "expected": 20_000,
        "units": 500,
        "hold_seconds": 300,
        "lobby_opens_at": LOBBY,
        "opens_at": LOBBY + timedelta(minutes=10),
        "weights": DEFAULT_WEIGHTS,
        "targets": (make_target(),),
        "connections_allowed": 97,
    }
    return PlanInputs(**usual | fields)
