"""`manage.py rehearse`: run a simulated crowd against the running stack, then check the invariants."""

import json
import random
import time
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from drops import lifecycle
from drops.drop_actions import NotReady
from drops.lifecycle import Phase
from drops.models import Drop
from dropsite.loadtest import assertions, database_assertions, guard, rehearsal_drop, report
from dropsite.loadtest.cost.measurement import CostMeasurement
from dropsite.loadtest.crowd import BRISK_PACE, Crowd
from dropsite.loadtest.patience import Patience
from dropsite.loadtest.users.payment_client import CardFrame
from shop.core import database

# The longest that a crowd may take: on the rehearsal's own drop, and on an existing one.
OWN_DROP_SECONDS = 420
EXISTING_DROP_SECONDS = 240
MAX_UNITS = 20_000
MAX_SHOPPERS = 20_000


class Command(BaseCommand):
    help = "Run simulated shoppers against the running demo, check the invariants and report the cost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        drop = parser.add_mutually_exclusive_group(required=True)
        drop.add_argument("--drop", metavar="SLUG", help="use this announced drop")
        drop.add_argument(
            "--units", type=int, metavar="N", help="create a drop of N units, which opens within seconds"
        )
        parser.add_argument("--shoppers", type=int, default=300, metavar="N", help="size of the crowd (300)")
        parser.add_argument(
            "--arrival",
            choices=("spread", "burst"),
            default="spread",
            help="when they join: over some seconds, or all in the lobby's first second (spread)",
        )
        parser.add_argument(
            "--seed", type=int, metavar="N", help="the same seed repeats the same behaviour (random)"
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="also write the report to this file")

    def handle(
        self, *, drop: str | None, units: int | None, shoppers: int, seed: int | None, **options: Any
    ) -> None:
        refusal = guard.refuse()
        if refusal:
            raise CommandError(refusal)
        if not 1 <= shoppers <= MAX_SHOPPERS:
            raise CommandError(f"--shoppers must be from 1 to {MAX_SHOPPERS}.")
        if units is not None and not 1 <= units <= MAX_UNITS:
            raise CommandError(f"--units must be from 1 to {MAX_UNITS}.")
        if seed is None:
            seed = random.randrange(1_000_000)
        burst = options["arrival"] == "burst"
        self.patience = Patience()
        try:
            if units is None:
                found = self._find_drop(drop, before_lobby=burst)
                result = self._run(found, shoppers=shoppers, seed=seed, burst=burst, is_own_drop=False)
            else:
                result = self._run_on_own_drop(units=units, shoppers=shoppers, seed=seed, burst=burst)
        except Error as error:
            if not database.is_unavailable(error):
                raise
            raise CommandError(f"The rehearsal ended, as the database stays unavailable: {error}") from error
        if options["json"]:
            options["json"].write_text(json.dumps(report.as_json(result), indent=1) + "\n")
        self._write("\n" + report.as_text(result) + "\n")
        if result.failed:
            names = "; ".join(assertion.name for assertion in result.failed)
            raise CommandError(f"The rehearsal of {result.slug} (seed {seed}) failed: {names}.")
        self._write(report.summary(result))

    def _write(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _find_drop(self, slug: str | None, *, before_lobby: bool) -> Drop:
        """Raises: CommandError."""
        try:
            drop = Drop.objects.get(slug=slug, announced_at__isnull=False)
        except Drop.DoesNotExist:
            raise CommandError(f"No announced drop has the address /drops/{slug}/.") from None
        if before_lobby and lifecycle.phase(drop=drop, now=timezone.now()) is not Phase.ANNOUNCED:
            raise CommandError(f"The lobby of /drops/{slug}/ has opened: a burst needs one that hasn't yet.")
        return drop

    def _run_on_own_drop(self, *, units: int, shoppers: int, seed: int, burst: bool) -> report.Result:
        """Raises: CommandError."""
        try:
            drop = rehearsal_drop.create(units=units, shoppers=shoppers, burst=burst)
        except NotReady as error:
            raise CommandError(f"The rehearsal's drop can't be announced. {error}") from error
        try:
            return self._run(drop, shoppers=shoppers, seed=seed, burst=burst, is_own_drop=True)
        finally:
            self.patience.ask(lambda: rehearsal_drop.close(drop=drop))

    def _run(self, drop: Drop, *, shoppers: int, seed: int, burst: bool, is_own_drop: bool) -> report.Result:
        self._write(f"{shoppers} shoppers on {settings.SHOP_ORIGIN}/drops/{drop.slug}/, seed {seed}")
        pace, seconds = BRISK_PACE, OWN_DROP_SECONDS
        if not is_own_drop:
            pace, seconds = BRISK_PACE.hurried(), EXISTING_DROP_SECONDS
        crowd = Crowd(
            origin=settings.SHOP_ORIGIN,
            slug=drop.slug,
            card_frame=CardFrame(settings.STRIPE_API_BASE, settings.STRIPE_PUBLISHABLE_KEY),
            shoppers=shoppers,
            seed=seed,
            pace=replace(pace, burst=burst),
            seconds=seconds,
            log=self._write,
        )
        started, ask = time.monotonic(), self.patience.ask
        orders_before = database_assertions.count_paid_orders(drop=drop)
        with CostMeasurement() as measurement:
            crowd.run()
            # The cost of the last captures counts, our own waiting for them doesn't.
            with measurement.uncounted():
                made = assertions.check_sessions(crowd.sessions)
                if burst:
                    made.append(assertions.no_join_refused(crowd.site.routes))
                made.append(ask(lambda: database_assertions.wait_for_payments(drop=drop)))
        made += ask(
            lambda: database_assertions.compare(drop=drop, sessions=crowd.sessions, status=crowd.status)
        )
        made += ask(lambda: database_assertions.check_invariants(drop=drop))
        return report.Result(
            slug=drop.slug,
            seed=seed,
            seconds=time.monotonic() - started,
            sessions=crowd.sessions,
            assertions=made,
            site=crowd.site,
            open_holds=ask(lambda: database_assertions.count_open_holds(drop=drop)),
            orders=ask(lambda: database_assertions.count_paid_orders(drop=drop)) - orders_before,
            cost=measurement.cost,
            cost_unavailable=measurement.unavailable,
            database_failures=self.patience.failures,
        )
