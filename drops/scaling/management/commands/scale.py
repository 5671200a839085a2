"""`manage.py scale`: pre-scaling by hand, without beat or Celery."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from drops.models import Drop
from drops.scaling import report
from drops.scaling.control import heartbeat, scale_plans, target_actions, tick
from drops.scaling.models import Target
from drops.scaling.planning import planner, read_inputs
from shop.core import alerts

ALL_TARGETS = "all"
DRY_RUN_HELP = "show what would be done; change nothing"


class Command(BaseCommand):
    requires_system_checks = []  # ops run it in a hurry
    help = "Pre-scaling: run a tick, show a drop's plan or the status of all targets, restore a target."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        commands = parser.add_subparsers(dest="command", required=True)
        tick_parser = commands.add_parser("tick", help="do what is due, as beat does")
        tick_parser.add_argument("--dry-run", action="store_true", help=DRY_RUN_HELP)

        plan_parser = commands.add_parser("plan", help="show a drop's plan with reasons and cost")
        plan_parser.add_argument("--drop", required=True, metavar="SLUG")
        plan_parser.add_argument("--expected", type=int, help="shoppers (default: as entered in the admin)")

        status_parser = commands.add_parser("status", help="show targets, steps, alerts and the last tick")
        status_parser.add_argument("--drop", metavar="SLUG")

        restore_parser = commands.add_parser(
            "restore", help="end every lease on a target; restore its baseline"
        )
        names = 'as in the admin, or "all" for every scaled target'
        restore_parser.add_argument("--target", required=True, metavar="NAME", help=names)
        restore_parser.add_argument("--dry-run", action="store_true", help=DRY_RUN_HELP)

    def handle(self, *_args: str, command: str, **options: Any) -> None:
        """Run the subcommand, and print one line for each thing done."""
        if command == "tick":
            print(run_tick(dry_run=options["dry_run"]))
        elif command == "plan":
            print(show_plan(slug=options["drop"], expected=options["expected"]))
        elif command == "status":
            print(show_status(slug=options["drop"]))
        else:
            print(restore(name=options["target"], dry_run=options["dry_run"]))


def run_tick(*, dry_run: bool = False) -> str:
    """Run one tick, measure what is due, and send alerts."""
    lines = tick.run_once(actor="command", dry_run=dry_run)
    if not dry_run:
        lines += scale_plans.learn_due(now=heartbeat.database_now())
        alerts.send_due()
    return "\n".join(lines) or "Nothing is due."


def show_plan(*, slug: str, expected: int | None) -> str:
    """Plan a drop as of now."""
    drop = find_drop(slug)
    if expected is None:
        expected = drop.expected_shoppers
    if not expected:
        raise CommandError(f"No expected shoppers are entered for {slug}. Pass --expected.")
    inputs = read_inputs.read(drop=drop, expected=expected, now=heartbeat.database_now())
    return report.plan_as_text(plan=planner.make_plan(inputs))


def show_status(*, slug: str | None) -> str:
    """Show the status of one drop's steps, or of all."""
    drop = None
    if slug:
        drop = find_drop(slug)
    return report.status_as_text(now=timezone.now(), drop=drop)


def restore(*, name: str, dry_run: bool) -> str:
    """End the leases on one target, or on all that are scaled, and begin to restore their baselines."""
    targets = scaled_targets() if name == ALL_TARGETS else [find_target(name)]
    lines = [
        f"{target.name}: back to {target.baseline_size}, from {target.desired_size}" for target in targets
    ]
    if dry_run:
        return "\n".join(lines) or "Every target is at its baseline."
    for target in targets:
        try:
            target_actions.restore_now(target=target, actor=None)
        except target_actions.TargetActionRefused as refusal:
            raise CommandError(str(refusal)) from refusal
    return "\n".join([*lines, run_tick()])


def scaled_targets() -> list[Target]:
    """Return the targets that aren't at their baselines."""
    return list(Target.objects.filter(baseline__isnull=False))


def find_target(name: str) -> Target:
    """Return the target of that name."""
    target = Target.objects.filter(name=name).first()
    if target is None:
        names = ", ".join(Target.objects.values_list("name", flat=True)) or "none"
        raise CommandError(f"There is no target “{name}”. Targets: {names}.")
    return target


def find_drop(slug: str) -> Drop:
    """Return the drop with that slug."""
    drop = Drop.objects.filter(slug=slug).first()
    if drop is None:
        raise CommandError(f"There is no drop “{slug}”.")
    return drop
