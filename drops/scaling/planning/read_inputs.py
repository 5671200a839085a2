"""Reads what a plan is made from: the drop, its stock, the targets, what was learned of them, settings. No network."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, QuerySet, Sum
from django.utils.translation import gettext as _

from drops import admission, lifecycle
from drops.models import Drop, Edition, Unit
from drops.scaling.models import ScalePlan, Share, Step, Target
from drops.scaling.planning import history, lead_times, prices, weights
from drops.scaling.planning.inputs import Part, PlanInputs, TargetInputs, Weight
from drops.scaling.providers import PROVIDERS, Provider
from drops.waitingroom.protocol.status import POLL

__all__ = ["Part", "PlanInputs", "TargetInputs", "Weight", "read"]

ONE_CORE = frozenset({"gunicorn", "celery"})  # kinds that count single processes
LEAST_ELSEWHERE = 10  # connections: gatekeeper, mail, background, a shell, a migration


def read(*, drop: Drop, expected: int, now: datetime) -> PlanInputs:
    """Read all facts of a drop's plan, as of `now`."""
    targets, left_out = read_targets(drop=drop)
    recent, table = history.read(before=drop), prices.table()
    allowed, used = connections()
    ours = sum(standing(target) * target.connections for target in targets)
    phase = lifecycle.phase(drop=drop, now=now)
    return PlanInputs(
        slug=drop.slug,
        now=now,
        expected=expected,
        units=units_of(drop),
        hold_seconds=drop.hold_seconds,
        lobby_opens_at=drop.lobby_opens_at,
        opens_at=drop.opens_at,
        closes_at=drop.closes_at,
        over=phase in lifecycle.ENDED_PHASES,
        units_per_hold=recent.units_per_hold if drop.limit_per_order > 1 else 1.0,
        checkout_seconds=recent.checkout_seconds,
        checkout_reason=recent.checkout_reason,
        payments_per_second=admission.payments_per_second(),
        checkout_slots=settings.CHECKOUT_SLOTS,
        baseline_per_second=settings.READY_PER_SECOND,
        go_seconds=settings.SCALING_GO_SECONDS,
        weights=weights.learn(recent.measured),
        targets=tuple(targets),
        approved=approved(drop),
        connections_allowed=allowed,
        connections_elsewhere=max(LEAST_ELSEWHERE, used - ours),
        left_out=tuple(left_out),
        polls=(POLL["least"], POLL["most"], POLL["share"]),
        edge_request_price=table.edge_request.price,
        edge_byte_price=table.edge_byte,
        prices_as_of=table.as_of,
    )


def standing(target: TargetInputs) -> int:
    """Give the instances that have connections now, as last read: a grown fleet is not somebody else's."""
    return target.current_size if target.ready_size is None else target.ready_size


def units_of(drop: Drop) -> int:
    """Count what is for sale: units once they are there, without those withheld; before, what the editions say."""
    if drop.announced_at:
        return Unit.objects.filter(edition__drop=drop, withheld_at=None).count()
    return Edition.objects.filter(drop=drop).aggregate(all=Sum("quantity"))["all"] or 0


def approved(drop: Drop) -> Mapping[int, int]:
    """Read the sizes beyond their ceilings that ops said yes to."""
    found = ScalePlan.objects.filter(drop=drop).values_list("approved_sizes", flat=True).first() or {}
    return {int(target): int(size) for target, size in found.items()}


def connections() -> tuple[int, int]:
    """Ask the database how many connections it allows to ordinary roles, and how many are open now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true), '0')::int,"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
        )
        allowed, used = cursor.fetchone()
    return int(allowed), int(used)


def read_targets(*, drop: Drop) -> tuple[list[TargetInputs], list[str]]:
    """Read the enabled targets that can be planned with, and a sentence for each that can't."""
    found, left_out = [], []
    by_others = dict(
        Step.objects.filter(state__in=Step.LEASES)
        .exclude(drop=drop)
        .values_list("target")
        .annotate(Max("desired_size"))
    )
    rows = Target.objects.filter(enabled=True).prefetch_related("shares").order_by("pk")
    moves = last_moves(rows)
    for row in rows:
        kind = PROVIDERS.get(row.provider)
        if kind is None:
            words = _("%(target)s: there is no kind “%(kind)s”. It is left out; choose its kind again on its page.")
            left_out.append(words % {"target": row.name, "kind": row.provider})
        elif not row.shares.all():
            words = _("%(target)s carries no group: it is left out. Add a share to it on its page.")
            left_out.append(words % {"target": row.name})
        else:
            found.append(of_target(row, kind, moves.get(row.pk, []), by_others.get(row.pk, 0)))
    return found, left_out


def last_moves(targets: QuerySet[Target]) -> dict[int, list[float]]:
    """Read how long each target took from the demand until it was READY, the newest move first."""
    moved: dict[int, list[float]] = {}
    rows = (
        Step.objects.filter(target__in=targets, ready_at__isnull=False, calls__operation="apply")
        .order_by("-ready_at")
        .distinct()
        .values_list("target", "requested_at", "ready_at")
    )
    for target, requested_at, ready_at in rows[: lead_times.LAST * 20]:
        if requested_at and ready_at:
            moved.setdefault(target, []).append((ready_at - requested_at).total_seconds())
    return moved


def of_target(row: Target, kind: type[Provider], seconds: list[float], by_others: int) -> TargetInputs:
    """Give the facts of one target."""
    lead_seconds, lead_reason = lead_times.lead(seconds=seconds, least=row.lead_seconds)
    price, price_reason = price_of(row, kind)
    return TargetInputs(
        id=row.pk,
        name=row.name,
        unit=str(_(kind.unit)),
        resource=row.resource or f"target:{row.pk}",
        tier=kind.tier,
        current_size=size_without_us(row),
        ready_size=row.ready_size,
        floor=row.floor,
        ceiling=row.ceiling,
        ops_ceiling=row.ops_ceiling,
        headroom_percent=row.headroom_percent,
        zones=row.zones,
        lead_seconds=lead_seconds,
        lead_reason=lead_reason,
        parts=tuple(part_of(share) for share in row.shares.all()),
        connections=row.connections,
        connection_limit=row.connection_limit,
        price_per_hour=price,
        price_reason=price_reason,
        one_core=row.provider in ONE_CORE,
        stopped=row.stopped_reason,
        lowest_by_others=by_others,
    )


def part_of(share: Share) -> Part:
    """Give the facts of one share."""
    return Part(group=share.group, percent=share.percent, per_second=float(share.per_second))


def size_without_us(row: Target) -> int:
    """Give the size that a target has when no drop claims it: its baseline, else as last read, else its floor."""
    if row.baseline_size is not None:
        return row.baseline_size
    seen: dict[str, Any] = row.observed or {}
    return int(seen.get("size", row.floor))


def price_of(row: Target, kind: type[Provider]) -> tuple[Decimal | None, str]:
    """Give the price of one instance an hour, and where it is from; None if nobody knows."""
    if row.price_per_hour is not None:
        return row.price_per_hour, f"${row.price_per_hour} an hour, as set"
    table = prices.table()
    entry = table.hourly.get(kind.price_key)
    if entry is None:
        return None, ""
    words = _("$%(price)s an hour: %(of)s (%(date)s)")
    return entry.price, words % {"price": entry.price, "of": entry.of, "date": table.as_of}
