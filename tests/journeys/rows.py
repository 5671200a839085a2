"""Rows that journeys need and no page makes. These functions run inside the shop (see inside.py)."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.contrib.auth.models import Group, User
from django.utils import timezone

from drops.models import Drop
from drops.scaling.models import Call, ScalePlan, Share, Step, Target
from shop.models import Product

PASSWORD = "a-password-for-the-test"
MINUTE = timedelta(minutes=1)
ECS = {"region": "eu-central-1", "cluster": "journey"}


class Scaled(NamedTuple):
    """A target of the drop that is over; when its step starts, and how long it took, in minutes."""

    name: str
    provider: str
    locator: dict[str, str]
    group: str
    tier: int
    before: int
    wanted: int
    ahead: int
    took: int


SCALED = (
    Scaled(
        "Aurora, half ACUs", "aurora-serverless", ECS, "database", 0, before=4, wanted=32, ahead=9, took=3
    ),
    Scaled("Gate on ECS", "ecs", ECS | {"service": "gate"}, "gate", 1, before=4, wanted=12, ahead=6, took=2),
    Scaled("Web on ECS", "ecs", ECS | {"service": "web"}, "web", 1, before=6, wanted=24, ahead=6, took=9),
    Scaled(
        "Checkout on ECS",
        "ecs",
        ECS | {"service": "checkout"},
        "checkout",
        2,
        before=2,
        wanted=9,
        ahead=3,
        took=1,
    ),
)


def add_person(name: str, group: str) -> None:
    """Make a member of the staff, with PASSWORD, in one of the groups."""
    user, _new = User.objects.get_or_create(username=name, defaults={"is_staff": True})
    user.set_password(PASSWORD)
    user.save()
    user.groups.add(Group.objects.get(name=group))


def close_drop(slug: str) -> None:
    """Close a drop, as its closing time does."""
    Drop.objects.filter(slug=slug).update(closed_at=timezone.now())


def add_scaled_drop() -> dict[str, str]:
    """Make a drop that is over, with its steps, calls and cost. Return its id and that of the late target.

    Its targets are switched off, so that no tick touches them.
    """
    now = timezone.now()
    lobby = now - 25 * MINUTE
    needed = lobby - 10 * MINUTE
    drop = Drop.objects.create(
        slug="scaled-journey",
        title="Scaled",
        listed=False,
        product=Product.objects.all()[0],
        announced_at=now - 90 * MINUTE,
        lobby_opens_at=lobby,
        opens_at=lobby + 5 * MINUTE,
        closed_at=now - 8 * MINUTE,
        nonce=bytes(16),
        commitment=bytes(32),
    )
    lines = [_scale(drop, scaled, needed=needed, now=now) for scaled in SCALED]
    plan = {
        "slug": drop.slug,
        "expected": 20000,
        "per_second": 20,
        "demand": {},
        "lines": lines,
        "problems": [],
        "warnings": ["No target carries hooks: they stay as they are."],
        "notes": ["Arrivals: the default curve."],
        "price": "1.68",
        "always_on": "876.00",
        "ends_at": now.isoformat(),
    }
    Drop.objects.filter(pk=drop.pk).update(expected_shoppers=20000)
    ScalePlan.objects.create(
        drop=drop,
        plan=plan,
        planned_at=needed,
        verdict="no-go",
        verdict_at=needed,
        shoppers_per_second=310,
        verdict_messages=[
            "Web on ECS has 9 tasks of 24 tasks: it is under way, but later than its lead time."
        ],
    )
    return {"drop": str(drop.pk), "target": str(Target.objects.get(name="Web on ECS").pk)}


def _scale(drop: Drop, scaled: Scaled, *, needed: datetime, now: datetime) -> dict[str, Any]:
    """Make a target with its step and calls; its line of the plan."""
    starts = needed - scaled.ahead * MINUTE
    ready = starts + scaled.took * MINUTE
    target = _make_target(scaled, now=now)
    step = _make_step(drop, target, scaled, starts=starts, ready=ready, needed=needed, now=now)
    _make_calls(step, scaled, late=ready > needed)
    return {
        "target_id": target.pk,
        "target": scaled.name,
        "unit": "tasks",
        "desired_size": scaled.wanted,
        "allowed_size": scaled.wanted,
        "current_size": scaled.before,
        "tier": scaled.tier,
        "starts_at": starts.isoformat(),
        "needed_at": needed.isoformat(),
        "needs_approval": False,
        "reasons": [f"{scaled.group}: 100 % of 900/s / 40/s an instance", "with 30 % headroom"],
        "price": "0.42",
    }


def _make_target(scaled: Scaled, *, now: datetime) -> Target:
    target = Target.objects.create(
        name=scaled.name,
        provider=scaled.provider,
        locator=scaled.locator,
        resource=f"journey:{scaled.name}",
        enabled=False,
        ceiling=60,
        lead_seconds=180,
        observed={"size": scaled.before, "serving": scaled.before},
        observed_at=now,
        ready_size=scaled.before,
    )
    Share.objects.create(target=target, group=scaled.group, per_second=100)
    return target


def _make_step(
    drop: Drop,
    target: Target,
    scaled: Scaled,
    *,
    starts: datetime,
    ready: datetime,
    needed: datetime,
    now: datetime,
) -> Step:
    """Make a step that is over."""
    return Step.objects.create(
        drop=drop,
        target=target,
        tier=scaled.tier,
        state="restored",
        desired_size=scaled.wanted,
        starts_at=starts,
        needed_at=needed,
        requested_at=starts + MINUTE / 15,
        ready_at=ready,
        holding_at=drop.lobby_opens_at,
        released_at=now - 8 * MINUTE,
        ended_at=now - (2 + scaled.tier) * MINUTE,
        message="Not ready at the go / no-go." if ready > needed else "",
    )


def _make_calls(step: Step, scaled: Scaled, *, late: bool) -> None:
    """Make the call that applied the size, and for a step that came late one that failed."""
    Call.objects.create(
        target=step.target,
        step=step,
        at=step.starts_at + MINUTE / 15,
        operation="apply",
        before={"min": scaled.before},
        after={"min": scaled.wanted},
        request_id="7c9e6679-7425-40de-944b-e07fc1f90ae7",
        milliseconds=312,
        actor="beat",
    )
    if late:
        Call.objects.create(
            target=step.target,
            step=step,
            at=step.starts_at + MINUTE,
            operation="read",
            milliseconds=8004,
            actor="beat",
            error="ECS is throttling. Nothing to do: it is read again in 10 s.",
        )


def remove_scaled_drop() -> None:
    """Delete what `add_scaled_drop` made, so that other tests see this machine's own targets only."""
    targets = Target.objects.filter(name__in=[scaled.name for scaled in SCALED])
    Call.objects.filter(target__in=targets).delete()
    Step.objects.filter(target__in=targets).delete()
    ScalePlan.objects.filter(drop__slug="scaled-journey").delete()
    targets.delete()
    Drop.objects.filter(slug="scaled-journey").delete()
