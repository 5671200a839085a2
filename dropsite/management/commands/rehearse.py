"""`manage.py rehearse`: a simulated crowd against the running stack, then the books."""

import json
import random
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from drops.announcing import NotReady
from drops.models import Drop
from dropsite.loadtest import cost, guard, report, rows, verdicts
from dropsite.loadtest import drop as own
from dropsite.loadtest.crowd import BRISK, Crowd
from dropsite.loadtest.till import Bank

OWN_SECONDS, SECONDS = 420, 240  # the longest that a crowd may take: on its own drop, on another's
MOST_UNITS = 20_000
MOST_SHOPPERS = 20_000


class Command(BaseCommand):
    help = "Play a crowd of shoppers against the running demo, check the books, and tell what it cost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--drop", metavar="SLUG", help="a drop that is there")
        which.add_argument("--units", type=int, metavar="N", help="a drop of its own, of N units, opening in seconds")
        parser.add_argument("--shoppers", type=int, default=300, metavar="N", help="how many come (300)")
        parser.add_argument("--seed", type=int, metavar="N", help="the same seed, the same behaviour (random)")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")

    def handle(self, *, drop: str | None, units: int | None, shoppers: int, seed: int | None, **options: Any) -> None:
        refusal = guard.refusal(demo=settings.DEMO, api=settings.STRIPE_API_BASE, origin=settings.SHOP_ORIGIN)
        if refusal:
            raise CommandError(refusal)
        if not 1 <= shoppers <= MOST_SHOPPERS or (units is not None and not 1 <= units <= MOST_UNITS):
            raise CommandError(f"A rehearsal has 1 to {MOST_SHOPPERS} shoppers and 1 to {MOST_UNITS} units.")
        seed = random.randrange(1_000_000) if seed is None else seed
        target = self._drop(drop, units)
        try:
            result = self._play(target, shoppers=shoppers, seed=seed, lapses=units is not None)
        finally:
            if units is not None:
                own.close(drop=target)
        if options["json"]:
            options["json"].write_text(json.dumps(report.as_json(result), indent=1) + "\n")
        self._say("\n" + report.as_text(result) + "\n")
        if result.failed:
            names = "; ".join(verdict.name for verdict in result.failed)
            raise CommandError(f"The rehearsal of {target.slug} (seed {seed}) failed: {names}.")
        self._say(report.summary(result))

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _drop(self, slug: str | None, units: int | None) -> Drop:
        """The drop to rehearse on. Raises: CommandError."""
        if units is not None:
            try:
                return own.make(units=units)
            except NotReady as refused:
                raise CommandError(f"The rehearsal's drop can't be announced. {refused}") from refused
        try:
            return Drop.objects.get(slug=slug, announced_at__isnull=False)
        except Drop.DoesNotExist:
            raise CommandError(f"No announced drop has the address /drops/{slug}/.") from None

    def _play(self, drop: Drop, *, shoppers: int, seed: int, lapses: bool) -> report.Result:
        self._say(f"{shoppers} shoppers on {settings.SHOP_ORIGIN}/drops/{drop.slug}/, seed {seed}")
        pace = BRISK if lapses else BRISK.hurried()
        bank = Bank(settings.STRIPE_API_BASE, settings.STRIPE_PUBLISHABLE_KEY)
        crowd = Crowd(
            origin=settings.SHOP_ORIGIN, slug=drop.slug, bank=bank, shoppers=shoppers, seed=seed, pace=pace,
            seconds=OWN_SECONDS if lapses else SECONDS, say=self._say,
        )  # fmt: skip
        begun, had, tab, bill, reason = time.monotonic(), rows.placed(drop=drop), cost.Tab(), None, ""
        try:
            tab.start()
        except cost.Unknown as unknown:
            reason = str(unknown)
        crowd.run()
        with tab.uncounted():
            found = [*verdicts.judge(crowd.stories), rows.settle(drop=drop)]
        if not reason:
            bill = tab.stop()
        found += rows.compare(drop=drop, stories=crowd.stories, status=crowd.status)
        return report.Result(
            slug=drop.slug, seed=seed, seconds=time.monotonic() - begun, stories=crowd.stories,
            verdicts=[*found, *rows.check_books(drop=drop)], site=crowd.site,
            still_open=rows.left_open(drop=drop), orders=rows.placed(drop=drop) - had, bill=bill, no_bill=reason,
        )  # fmt: skip
