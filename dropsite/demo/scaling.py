"""What the demo's pre-scaling moves: this machine's own gate and web fleets, and the checkout's pool.

Sizes and lead times are those of one small machine. What one instance can do is reckoned from the CPU that a rehearsal
bills to its group on two cores, rounded down; a machine of one's own is measured with `manage.py rehearse`. Nobody
sends a bill for this one: so that there is something to look at, each worker is priced as a task at AWS would be.
"""

from dataclasses import dataclass

from django.conf import settings

from drops.scaling import prices
from drops.scaling.models import Group, Share, Target
from drops.scaling.targets import KINDS


@dataclass(frozen=True)
class Scaled:
    """A target with the group that it carries. `per_second` is what one worker or process can do."""

    name: str
    kind: str
    where: dict[str, str]
    group: Group
    per_second: int
    floor: int  # of a drop: alone, a worker that dies takes its group along
    ceiling: int
    lead_seconds: int
    pools: int  # database connections of one: pools of settings.DATABASE_POOL_SIZE


TARGETS = (
    Scaled("gate fleet", "gunicorn", {"socket": "gate.ctl"}, Group.GATE, 6000, 2, 3, 8, pools=0),
    Scaled("web fleet", "gunicorn", {"socket": "web.ctl"}, Group.WEB, 100, 2, 3, 12, pools=1),
    Scaled("checkout pool", "celery", {"worker": "checkout@%h"}, Group.CHECKOUT, 6, 2, 4, 8, pools=1),
)


def load() -> None:
    """Write the targets, as far as they are not there. The name of a machine may have changed since."""
    for item in TARGETS:
        target, new = Target.objects.update_or_create(
            name=item.name,
            defaults={"resource": KINDS[item.kind].resource(item.where)},
            create_defaults={
                "resource": KINDS[item.kind].resource(item.where),
                "kind": item.kind,
                "where": item.where,
                "floor": item.floor,
                "ceiling": item.ceiling,
                "lead_seconds": item.lead_seconds,
                "price_per_hour": prices.table().hourly["ecs"].price,
                "connections": item.pools * settings.DATABASE_POOL_SIZE,
            },
        )
        if new:
            Share.objects.create(target=target, group=item.group, per_second=item.per_second)
