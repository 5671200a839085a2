"""`manage.py repeated_tickets`: list the tickets whose index may have been given twice."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from redis.exceptions import RedisError

from drops.models import Drop
from drops.waitingroom.gatekeeper import repeats
from drops.waitingroom.gatekeeper.loop import connect


class Command(BaseCommand):
    requires_system_checks = []  # ops run it in a hurry
    help = "List the tickets and holds of indices that may have been given to two shoppers each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument("--drop", required=True, metavar="SLUG")

    def handle(self, *_args: str, drop: str, **_options: Any) -> None:
        """Print one line for each index."""
        try:
            chosen = Drop.objects.get(slug=drop)
        except Drop.DoesNotExist:
            raise CommandError(f"No drop has the address /drops/{drop}/.") from None
        try:
            rows = list(repeats.listed(drop=chosen, redis=connect(settings.LINE_REDIS_URL)))
        except RedisError as error:
            raise CommandError(f"The waiting room's Redis can't be read: {error}") from error
        if not rows:
            self.stdout.write(f"No index of drop {drop} was given twice.")
        for row in rows:
            self.stdout.write(line(row))


def line(row: repeats.RepeatedIndex) -> str:
    """Return an index with its place, its known tickets, and the holds that they placed."""
    place = "not drawn yet"
    if row.place is not None:
        place = str(row.place)
    known = ", ".join(sorted(map(str, row.tickets))) or "unknown"
    placed = ", ".join(f"{hold.uuid} ({hold.state}, ticket {hold.ticket})" for hold in row.holds) or "none"
    return f"index {row.index} · place {place} · tickets: {known} · holds: {placed}"
