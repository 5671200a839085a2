"""Plans as the desk shows them: stored ones read back from JSON, prices in words, what waits for a yes from ops."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from drops.scaling.admin import words
from drops.scaling.models import ScalePlan, Step
from drops.scaling.planning.planner import Plan


@dataclass(frozen=True)
class Waiting:
    """A step beyond ops' ceiling, with the price of the whole move."""

    step: Step
    price: str


def shown(plan: Plan) -> dict[str, Any]:
    """Put a plan into what the template shows."""
    return readable(plan.as_json())


def stored(*, scale_plan: ScalePlan) -> dict[str, Any] | None:
    """Put the plan of the last tick into what the template shows; None if there was none yet."""
    return readable(scale_plan.plan) if scale_plan.plan else None


def readable(plan: dict[str, Any]) -> dict[str, Any]:
    """Turn times and prices of a plan's JSON into what people read."""
    lines = [
        line | {"starts_words": words.time(moment(line["starts_at"])), "price_words": price(line["price"])}
        for line in plan["lines"]
    ]
    return plan | {
        "lines": lines,
        "needed_at": moment(plan["lines"][0]["needed_at"]) if lines else None,
        "price_words": price(plan.get("price")),
        "always_on_words": price(plan.get("always_on")),
    }


def moment(text: str) -> datetime:
    """Read a moment as JSON keeps it."""
    return datetime.fromisoformat(text)


def price(sum_: Decimal | str | float | None) -> str:
    """Write a sum in US dollars, as the price table is; fractions of a cent are not hidden."""
    if sum_ is None:
        return _("not known")
    dollars = Decimal(str(sum_))
    digits = 4 if 0 < dollars < Decimal("0.01") else 2
    return f"${dollars:,.{digits}f}"


def bill(*, scale_plan: ScalePlan) -> dict[str, Any] | None:
    """Put what was measured into what the template shows; None before that."""
    if not scale_plan.bill:
        return None
    found: dict[str, Any] = scale_plan.bill
    items = [
        item
        | {
            "price_words": price(item["price"]),
            "hours": item["instance_seconds"] / 3600,
            "since_words": words.time(moment(item["since"])),
            "until_words": words.time(moment(item["until"])),
        }
        for item in found["items"]
    ]
    sums = ("capacity", "edge", "polls_price", "total", "per_order", "always_on")
    return (
        found
        | {"items": items, "at": moment(found["measured_at"])}
        | {f"{key}_words": price(found[key]) for key in sums}
    )


def waiting(*, steps: Sequence[Step], scale_plan: ScalePlan) -> list[Waiting]:
    """Give the steps that ops have to say yes to, each with its price."""
    prices = {line["target_id"]: line["price"] for line in (scale_plan.plan or {}).get("lines", [])}
    return [
        Waiting(step, price(prices.get(step.target_id)))
        for step in steps
        if step.held_back and step.state not in Step.OVER
    ]


def mark(waits: Sequence[Waiting]) -> str:
    """Name what was shown, so that a yes is given to that and to nothing else."""
    return ",".join(f"{wait.step.target_id}:{wait.step.wanted}" for wait in waits)
