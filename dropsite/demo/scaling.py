"""The demo's scale targets: this machine's own gate and web fleets, and the checkout workers.

Sizes and lead times are those of one small machine. The throughput of an instance is calculated from the CPU
time that a rehearsal used in its group on two cores, rounded down; measure your own machine with `manage.py
rehearse`. This machine has no hourly price, so each worker is priced like a task at AWS, which gives the cost
pages something to show.
"""

from dataclasses import dataclass

from django.conf import settings

from drops.scaling.models import FixedGroup, Group, Share, Target
from drops.scaling.planning import prices
from drops.scaling.providers import PROVIDERS


@dataclass(frozen=True)
class DemoTarget:
    """A target and the group that it carries."""

    name: str
    provider: str
    locator: dict[str, str]
    group: Group
    per_second: int  # what one worker or process can do
    floor: int  # during a drop; a single worker that dies would take its group down
    ceiling: int
    lead_seconds: int
    pools: int  # database pools of one instance, each of settings.DATABASE_POOL_SIZE connections


TARGETS = (
    DemoTarget(
        name="gate fleet",
        provider="gunicorn",
        locator={"socket": "gate.ctl"},
        group=Group.GATE,
        per_second=6000,
        floor=2,
        ceiling=3,
        lead_seconds=8,
        pools=0,
    ),
    DemoTarget(
        name="web fleet",
        provider="gunicorn",
        locator={"socket": "web.ctl"},
        group=Group.WEB,
        per_second=100,
        floor=2,
        ceiling=3,
        lead_seconds=12,
        pools=1,
    ),
    DemoTarget(
        name="checkout pool",
        provider="celery",
        locator={"worker": "checkout@%h"},
        group=Group.CHECKOUT,
        per_second=6,
        floor=2,
        ceiling=4,
        lead_seconds=8,
        pools=1,
    ),
)

# The groups that the demo doesn't scale. One process of each serves the demo's crowd.
FIXED_GROUPS = (Group.EDGE, Group.HOOKS, Group.CAPTURE, Group.DATABASE, Group.LINE_REDIS)


def load() -> None:
    """Create the targets that don't exist.

    The resource is always updated: it contains the machine's host name, which may have changed.
    """
    for item in TARGETS:
        resource = PROVIDERS[item.provider].resource(item.locator)
        target, created = Target.objects.update_or_create(
            name=item.name,
            defaults={"resource": resource},
            create_defaults={
                "resource": resource,
                "provider": item.provider,
                "locator": item.locator,
                "floor": item.floor,
                "ceiling": item.ceiling,
                "lead_seconds": item.lead_seconds,
                "price_per_hour": prices.price_table().hourly["ecs"].amount,
                "connections": item.pools * settings.DATABASE_POOL_SIZE,
            },
        )
        if created:
            Share.objects.create(target=target, group=item.group, per_second=item.per_second)
    for group in FIXED_GROUPS:
        FixedGroup.objects.get_or_create(group=group, defaults={"reason": "one machine, enough for the demo"})
