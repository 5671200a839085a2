"""Reads the inputs of a plan: the drop, its stock, the targets, what was learned, and settings.

No network.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Max, QuerySet, Sum

from drops import admission, lifecycle
from drops.models import Drop, Edition, Unit
from drops.scaling.models import FixedGroup, ScalePlan, Share, Step, Target
from drops.scaling.planning import history, lead_times, prices, weights
from drops.scaling.planning.inputs import FixedInputs, PlanInputs, PollRule, ShareInputs, TargetInputs
from drops.scaling.providers import PROVIDERS, Provider
from drops.waitingroom.protocol.status import POLL

SINGLE_PROCESS_PROVIDERS = frozenset({"gunicorn", "celery"})  # each instance is one process
MIN_OTHER_CONNECTIONS = 10  # gatekeeper, mail, background, a shell, a migration
MAX_STEPS_READ = 20 * lead_times.MAX_MOVES  # of all targets together


class DatabaseConnections(NamedTuple):
    """How many connections the database allows to ordinary roles, and how many are open."""

    allowed: int
    used: int


def read(*, drop: Drop, expected: int, now: datetime) -> PlanInputs:
    """Return the inputs of a drop's plan, as of `now`."""
    targets, left_out = read_targets(drop=drop)
    recent, table = history.read(before=drop), prices.price_table()
    connections = database_connections()
    ours = sum(connected_instances(target) * target.connections for target in targets)
    return PlanInputs(
        slug=drop.slug,
        now=now,
        expected=expected,
        units=units_for_sale(drop),
        hold_seconds=drop.hold_seconds,
        lobby_opens_at=drop.lobby_opens_at,
        opens_at=drop.opens_at,
        closes_at=drop.closes_at,
        is_over=lifecycle.phase(drop=drop, now=now) in lifecycle.ENDED_PHASES,
        units_per_hold=recent.units_per_hold if drop.limit_per_order > 1 else 1.0,
        checkout_seconds=recent.checkout_seconds,
        checkout_reason=recent.checkout_reason,
        payments_per_second=admission.payments_per_second(),
        checkout_slots=settings.CHECKOUT_SLOTS,
        baseline_per_second=settings.READY_PER_SECOND,
        go_seconds=settings.SCALING_GO_SECONDS,
        weights=weights.learn(recent.measured),
        targets=tuple(targets),
        fixed_groups=fixed_groups(),
        approved_sizes=approved_sizes(drop),
        connections_allowed=connections.allowed,
        connections_elsewhere=max(MIN_OTHER_CONNECTIONS, connections.used - ours),
        left_out=tuple(left_out),
        polls=PollRule(min_seconds=POLL["least"], max_seconds=POLL["most"], wait_divisor=POLL["share"]),
        edge_request_price=table.edge_request.amount,
        edge_byte_price=table.edge_byte,
        prices_as_of=table.as_of,
    )


def connected_instances(target: TargetInputs) -> int:
    """Return how many instances have connections now. Of a scaled fleet that is more than its baseline."""
    return target.current_size if target.ready_size is None else target.ready_size


def units_for_sale(drop: Drop) -> int:
    """Count the units for sale, without withheld ones; before the announcement, the editions' quantities."""
    if drop.announced_at:
        return Unit.objects.filter(edition__drop=drop, withheld_at=None).count()
    return Edition.objects.filter(drop=drop).aggregate(all=Sum("quantity"))["all"] or 0


def fixed_groups() -> Mapping[str, FixedInputs]:
    """Return what ops said of the groups that aren't scaled, by group."""
    return {row.group: fixed_inputs(row) for row in FixedGroup.objects.all()}


def fixed_inputs(row: FixedGroup) -> FixedInputs:
    """Return the inputs of one fixed group."""
    per_second = None
    if row.per_second is not None:
        per_second = float(row.per_second)
    return FixedInputs(per_second=per_second, reason=row.reason)


def approved_sizes(drop: Drop) -> Mapping[int, int]:
    """Return the sizes above ops' ceilings that ops approved, by target id."""
    found = ScalePlan.objects.filter(drop=drop).values_list("approved_sizes", flat=True).first() or {}
    return {int(target): int(size) for target, size in found.items()}


def database_connections() -> DatabaseConnections:
    """Ask the database about its connections."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int -"
            " current_setting('superuser_reserved_connections')::int -"
            " coalesce(current_setting('reserved_connections', true), '0')::int, (SELECT count(*) FROM"
            " pg_stat_activity WHERE backend_type = 'client backend')"
        )
        allowed, used = cursor.fetchone()
    return DatabaseConnections(int(allowed), int(used))


def read_targets(*, drop: Drop) -> tuple[list[TargetInputs], list[str]]:
    """Return the enabled targets that can be planned, and a sentence for each that can't."""
    found, left_out = [], []
    other_leases = Step.objects.filter(state__in=Step.LEASES).exclude(drop=drop)
    other_sizes = dict(other_leases.values_list("target").annotate(Max("desired_size")))
    rows = Target.objects.filter(enabled=True).prefetch_related("shares").order_by("pk")
    moves = last_moves(rows)
    for row in rows:
        provider = PROVIDERS.get(row.provider)
        if provider is None:
            left_out.append(
                f"{row.name} is left out: there is no provider “{row.provider}”. Disable it, or add it"
                " again with another provider."
            )
        elif not row.shares.all():
            left_out.append(f"{row.name} is left out: it carries no group. Add one on its page.")
        else:
            found.append(target_inputs(row, provider, moves.get(row.pk, []), other_sizes.get(row.pk, 0)))
    return found, left_out


def last_moves(targets: QuerySet[Target]) -> dict[int, list[float]]:
    """Return the seconds that each target took from the request until it was ready, newest move first."""
    moves: dict[int, list[float]] = {}
    rows = (
        # Without an applied size, nothing was moved: the target was ready already.
        Step.objects.filter(target__in=targets, ready_at__isnull=False, calls__operation="apply")
        .order_by("-ready_at")
        .distinct()
        .values_list("target", "requested_at", "ready_at")
    )
    for target, requested_at, ready_at in rows[:MAX_STEPS_READ]:
        if requested_at and ready_at:
            moves.setdefault(target, []).append((ready_at - requested_at).total_seconds())
    return moves


def target_inputs(
    row: Target, provider: type[Provider], seconds: list[float], other_leases_size: int
) -> TargetInputs:
    """Return the inputs of one target. `seconds`: its last moves."""
    lead_seconds, lead_reason = lead_times.learned_lead_time(seconds=seconds, minimum=row.lead_seconds)
    price, price_reason = price_per_hour(row, provider)
    return TargetInputs(
        id=row.pk,
        name=row.name,
        unit=str(provider.unit),
        resource=row.resource or f"target:{row.pk}",
        tier=provider.tier,
        current_size=size_without_lease(row),
        ready_size=row.ready_size,
        floor=row.floor,
        ceiling=row.ceiling,
        ops_ceiling=row.ops_ceiling,
        headroom_percent=row.headroom_percent,
        zones=row.zones,
        lead_seconds=lead_seconds,
        lead_reason=lead_reason,
        shares=tuple(share_inputs(share) for share in row.shares.all()),
        connections=row.connections,
        connection_limit=row.connection_limit,
        price_per_hour=price,
        price_reason=price_reason,
        is_single_process=row.provider in SINGLE_PROCESS_PROVIDERS,
        stopped_reason=row.stopped_reason,
        other_leases_size=other_leases_size,
    )


def share_inputs(share: Share) -> ShareInputs:
    """Return the inputs of one share."""
    return ShareInputs(group=share.group, percent=share.percent, per_second=float(share.per_second))


def size_without_lease(row: Target) -> int:
    """Return the size that a target has without a lease: its baseline, or its observed size, or its floor."""
    if row.baseline_size is not None:
        return row.baseline_size
    observed: dict[str, Any] = row.observed or {}
    return int(observed.get("size", row.floor))


def price_per_hour(row: Target, provider: type[Provider]) -> tuple[Decimal | None, str]:
    """Return the price of one instance per hour, and where it comes from; None if it isn't known."""
    if row.price_per_hour is not None:
        return row.price_per_hour, f"${row.price_per_hour} an hour, as set"
    table = prices.price_table()
    entry = table.hourly.get(provider.price_key)
    if entry is None:
        return None, ""
    return entry.amount, f"${entry.amount} an hour: {entry.description} ({table.as_of})"
