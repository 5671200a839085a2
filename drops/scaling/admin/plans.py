"""Plans for the admin's templates: times and prices formatted, and what needs approval."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from drops.scaling.admin import display
from drops.scaling.models import ScalePlan, Step
from drops.scaling.planning.planner import Plan


@dataclass(frozen=True)
class PendingApproval:
    """A step beyond ops' ceiling, with the price of the whole step."""

    step: Step
    price: str


def plan_context(plan: Plan) -> dict[str, Any]:
    """Return a plan for the template."""
    return _formatted(plan.as_json())


def stored_plan_context(*, scale_plan: ScalePlan) -> dict[str, Any] | None:
    """Return the plan of the last tick for the template; None if there is none yet."""
    if not scale_plan.plan:
        return None
    return _formatted(scale_plan.plan)


def _formatted(plan: dict[str, Any]) -> dict[str, Any]:
    """Add formatted times and prices to a plan's JSON."""
    lines = [
        line
        | {
            "starts_text": display.time(parse_moment(line["starts_at"])),
            "price_text": format_price(line["price"]),
        }
        for line in plan["lines"]
    ]
    needed_at = None
    if lines:
        needed_at = parse_moment(lines[0]["needed_at"])
    return plan | {
        "lines": lines,
        "needed_at": needed_at,
        "price_text": format_price(plan.get("price")),
        "always_on_text": format_price(plan.get("always_on")),
    }


def parse_moment(text: str) -> datetime:
    """Return a moment that JSON holds."""
    return datetime.fromisoformat(text)


def format_price(amount: Decimal | str | float | None) -> str:
    """Return an amount in US dollars, as in the price table; fractions of a cent are shown."""
    if amount is None:
        return "not known"
    dollars = Decimal(str(amount))
    if 0 < dollars < Decimal("0.01"):
        return f"${dollars:,.4f}"
    return f"${dollars:,.2f}"


def cost_context(*, scale_plan: ScalePlan) -> dict[str, Any] | None:
    """Return the measured cost for the template; None before it is measured."""
    if not scale_plan.cost:
        return None
    cost: dict[str, Any] = scale_plan.cost
    items = [
        item
        | {
            "price_text": format_price(item["price"]),
            "hours": item["instance_seconds"] / 3600,
            "since_text": display.time(parse_moment(item["since"])),
            "until_text": display.time(parse_moment(item["until"])),
        }
        for item in cost["items"]
    ]
    context = cost | {"items": items, "at": parse_moment(cost["measured_at"])}
    for key in ("capacity", "edge", "polls_price", "total", "per_order", "always_on"):
        context[f"{key}_text"] = format_price(cost[key])
    return context


def pending_approvals(*, steps: Sequence[Step], scale_plan: ScalePlan) -> list[PendingApproval]:
    """Return the steps that need approval from ops, each with its price."""
    prices = {line["target_id"]: line["price"] for line in (scale_plan.plan or {}).get("lines", [])}
    return [
        PendingApproval(step, format_price(prices.get(step.target_id)))
        for step in steps
        if step.needs_approval and step.state not in Step.OVER
    ]


def fingerprint(approvals: Sequence[PendingApproval]) -> str:
    """Return what identifies the sizes that a page showed, so that exactly these are approved."""
    return ",".join(f"{approval.step.target_id}:{approval.step.desired_size}" for approval in approvals)
