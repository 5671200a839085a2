"""`manage.py crowd`: the demo's visitors, so that a person who tries the shop isn't alone in the line."""

import os
import random
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from drops import lifecycle, queries
from drops.models import Drop
from dropsite.loadtest import guard
from dropsite.loadtest.crowd import LEISURELY_PACE, Crowd
from dropsite.loadtest.users.payment_client import CardFrame
from dropsite.loadtest.users.sessions import Outcome
from shop.core import database

DEFAULT_SHOPPERS = "150"
WAIT_SECONDS = 300  # for a drop to be announced, and for its lobby
CROWD_SECONDS = 900
POLL_SECONDS = 1


class Command(BaseCommand):
    help = "Send DEMO_CROWD simulated shoppers to the demo's next drop, and exit when they have left."

    def handle(self, **_options: Any) -> None:
        refusal = guard.refuse()
        if refusal:
            raise CommandError(refusal)
        shoppers = os.environ.get("DEMO_CROWD") or DEFAULT_SHOPPERS
        if not shoppers.isdigit():
            raise CommandError(f"DEMO_CROWD={shoppers} is not a number of shoppers.")
        if int(shoppers) == 0:
            return
        drop = self._wait_for_drop()
        if drop:
            self._run(drop, int(shoppers))

    def _wait_for_drop(self) -> Drop | None:
        """Return the front page's drop once its lobby is open; None if there is none in time."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            page = self._front_page()
            if page and page.phase in {lifecycle.Phase.LOBBY, lifecycle.Phase.OPENING, lifecycle.Phase.LIVE}:
                return page.drop
            time.sleep(POLL_SECONDS)
        return None

    def _front_page(self) -> queries.DropPage | None:
        """Return the front page; None, too, while the database can't be read."""
        try:
            return queries.front_page(now=timezone.now())
        except Error as error:
            if not database.is_unavailable(error):
                raise
            return None

    def _run(self, drop: Drop, shoppers: int) -> None:
        self._write(f"{shoppers} simulated shoppers are coming to the drop {drop.title}.")
        crowd = Crowd(
            origin=settings.SHOP_ORIGIN,
            slug=drop.slug,
            card_frame=CardFrame(settings.STRIPE_API_BASE, settings.STRIPE_PUBLISHABLE_KEY),
            shoppers=shoppers,
            seed=random.randrange(1_000_000),
            pace=LEISURELY_PACE,
            seconds=CROWD_SECONDS,
        )
        crowd.run()
        buyers = sum(session.outcome in {Outcome.PLACED, Outcome.PAID_AND_LEFT} for session in crowd.sessions)
        self._write(f"The simulated shoppers have left; {buyers} of {shoppers} bought something.")

    def _write(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
