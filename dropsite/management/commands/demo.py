"""`manage.py demo`: load the demo shop and announce its next drop. Only under DEMO=1."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dropsite.demo import loading


class Command(BaseCommand):
    """Safe to run again: what exists is kept, and the next product's drop is announced."""

    help = "Load the demo shop, close any demo drop that is still running and announce the next one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--opens-in", type=float, default=60, metavar="SECONDS", help="time until the drop opens (60)"
        )
        parser.add_argument(
            "--lobby-before",
            type=float,
            default=30,
            metavar="SECONDS",
            help="time from the lobby's opening to the drop's (30)",
        )
        parser.add_argument(
            "--closes-after",
            type=float,
            default=600,
            metavar="SECONDS",
            help="time from the drop's opening to its end (600)",
        )
        parser.add_argument(
            "--expected",
            type=int,
            default=settings.SCALING_EXPECT,
            metavar="SHOPPERS",
            help="pre-scale for this many shoppers; 0: don't pre-scale (SCALING_EXPECT)",
        )

    def handle(
        self,
        *_args: str,
        opens_in: float,
        lobby_before: float,
        closes_after: float,
        expected: int,
        **_options: Any,
    ) -> None:
        if not settings.DEMO:
            raise CommandError(
                "This command fills the shop with the demo's products, so it runs under DEMO=1 only."
            )
        if not 0 < lobby_before < opens_in:
            raise CommandError("--lobby-before must be greater than 0 and less than --opens-in.")
        if closes_after <= 0:
            raise CommandError("--closes-after must be greater than 0.")
        loading.load()
        drop = loading.announce_next(
            opens_in=timedelta(seconds=opens_in),
            lobby_before=timedelta(seconds=lobby_before),
            closes_after=timedelta(seconds=closes_after),
            expected=expected,
        )
        print(f"{drop.slug} opens at {drop.opens_at:%H:%M:%S} UTC")
