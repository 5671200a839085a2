"""`manage.py scale`: what beat's ticks do, by hand and without Celery."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from drops.models import Drop
from drops.scaling import report
from drops.scaling.accounting import measure
from drops.scaling.control import heartbeat, steps
from drops.scaling.control import tick as ticks
from drops.scaling.models import ScalePlan, Target
from drops.scaling.planning import read_inputs
from drops.scaling.planning.planner import plan
from shop.core import alerts


class Command(BaseCommand):
    requires_system_checks = []  # ops call it in a hurry
    help = "Pre-scaling: do a tick, show a drop's plan or how everything stands, bring a target back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to do."""
        acts = parser.add_subparsers(dest="act", required=True)
        tick = acts.add_parser("tick", help="do what is due, as beat does")
        tick.add_argument("--dry-run", action="store_true", help="read, say what would be done, write nothing")
        shown = acts.add_parser("plan", help="show a drop's plan with reasons and cost; nothing is written")
        shown.add_argument("--drop", required=True, metavar="SLUG")
        shown.add_argument("--expected", type=int, help="shoppers, if other than what was typed")
        status = acts.add_parser("status", help="show targets, steps, alerts and the age of the last tick")
        status.add_argument("--drop", metavar="SLUG")
        restore = acts.add_parser("restore", help="end every claim on a target and bring it back to its baseline")
        restore.add_argument("--target", required=True, metavar="NAME", help='as in the admin; "all" for every one')
        restore.add_argument("--dry-run", action="store_true", help="say what would be done, write nothing")

    def handle(self, *_args: str, act: str, **options: Any) -> None:
        """Do it; one line for each thing done."""
        try:
            print(ACTS[act](**options))
        except steps.StepRefused as refusal:
            raise CommandError(str(refusal)) from refusal


def do_tick(*, dry_run: bool, **_: Any) -> str:
    """Do one tick, measure, and send what ops must know."""
    lines = ticks.tick(who="command", dry_run=dry_run)
    if not dry_run:
        lines += measure.measure_due(now=heartbeat.database_now())
        alerts.send_due()
    return "\n".join(lines) or "Nothing is due."


def show_plan(*, drop: str, expected: int | None, **_: Any) -> str:
    """Plan a drop as of now."""
    row = drop_named(drop)
    if expected is None:
        expected = ScalePlan.objects.filter(drop=row).values_list("expected", flat=True).first()
    if not expected:
        raise CommandError(f"Nobody typed how many are expected of {drop}. Say it with --expected.")
    return report.plan_as_text(plan=plan(read_inputs.read(drop=row, expected=expected, now=heartbeat.database_now())))


def show_status(*, drop: str | None, **_: Any) -> str:
    """Show how it stands."""
    return report.status_as_text(now=timezone.now(), drop=drop_named(drop) if drop else None)


def restore(*, target: str, dry_run: bool, **_: Any) -> str:
    """End the claims on one target, or on all that are not at their baseline, and begin to bring them back."""
    rows = Target.objects.filter(baseline__isnull=False) if target == "all" else Target.objects.filter(name=target)
    if not rows and target != "all":
        raise CommandError(f"There is no target {target}. There are: {', '.join(names()) or 'none'}.")
    lines = [f"{row.name}: back to {row.baseline_size}, from {row.asked_size}" for row in rows]
    if dry_run:
        return "\n".join(lines) or "Every target stands at its baseline."
    for row in rows:
        steps.restore_now(target=row, who=None)
    return "\n".join([*lines, do_tick(dry_run=False)])


def names() -> list[str]:
    """Name every target."""
    return list(Target.objects.values_list("name", flat=True))


def drop_named(slug: str) -> Drop:
    """Find a drop."""
    row = Drop.objects.filter(slug=slug).first()
    if row is None:
        raise CommandError(f"There is no drop {slug}.")
    return row


ACTS: dict[str, Callable[..., str]] = {"tick": do_tick, "plan": show_plan, "status": show_status, "restore": restore}
