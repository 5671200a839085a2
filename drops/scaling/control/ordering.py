"""What steps wait for besides the clock: data stores before workers on the way up, the reverse on the way down, and
never more connections than the database allows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from drops.models import Drop
from drops.scaling.control import steps
from drops.scaling.models import ScalePlan, Step, Target
from drops.scaling.planning import capacity, leases, read_inputs

State = Step.State
RISING = (State.PLANNED, State.REQUESTED, State.CONVERGING)


def waits_for(*, step: Step, now: datetime) -> str:
    """Say what a planned step that is due waits for; nothing: it may be requested."""
    for other in steps.live().filter(drop=step.drop, tier__lt=step.tier).order_by("tier", "pk"):
        # One that came too late, or that nobody may touch, is not waited for: the connections decide.
        late = other.needed_at <= now or other.held_back or other.target.stopped_at or not other.target.enabled
        if other.state in RISING and not late:
            return _("It waits for %(target)s, which comes first.") % {"target": other.target.name}
    if not step.target.connections:
        return ""
    size = leases.claim(step=step, target=step.target)
    return too_many_connections(drop=step.drop, sizes={step.target_id: size}, now=now)


def stays_for(*, target: Target, releasing: Sequence[Step], now: datetime) -> str:
    """Say why a target without a claim can't go back to its baseline yet; nothing: it may."""
    for step in releasing:
        others = steps.live().filter(drop=step.drop, tier__gt=step.tier, state=State.RELEASING, target__stopped_at=None)
        if other := others.order_by("-tier", "pk").first():
            return _("It waits for %(target)s, which goes first.") % {"target": other.target.name}
    if not target.connection_limit or target.baseline_size is None or not releasing:
        return ""
    return too_many_connections(drop=releasing[0].drop, sizes={target.pk: target.baseline_size}, now=now)


def too_many_connections(*, drop: Drop, sizes: Mapping[int, int], now: datetime) -> str:
    """Say by how much the fleets as they stand, with some targets of other sizes, would overrun the database."""
    standing = {target.pk: size for target in Target.objects.all() if (size := at_most(target)) is not None}
    expected = ScalePlan.objects.filter(drop=drop).values_list("expected", flat=True).first()
    known = read_inputs.read(drop=drop, expected=expected or 1, now=now)
    sums = capacity.connections(sizes={**standing, **sizes}, facts=known)
    return "" if sums.fits else _("It waits for connections to the database. %(words)s") % {"words": sums.words}


def at_most(target: Target) -> int | None:
    """Give the instances that may use connections now; of a database, those that surely give them."""
    sizes = [size for size in (target.asked_size, (target.seen or {}).get("size")) if size is not None]
    if target.connection_limit:
        sizes = [size for size in (target.asked_size, target.ready_size) if size is not None]
        return min(sizes, default=None)
    return max(sizes, default=None)
