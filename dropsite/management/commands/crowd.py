"""`manage.py crowd`: the demo's visitors, so that somebody who tries the shop is not alone in the line."""

import os
import random
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from drops import lifecycle, listing
from drops.models import Drop
from dropsite.loadtest import guard
from dropsite.loadtest.crowd import CALM, Crowd
from dropsite.loadtest.stories import End
from dropsite.loadtest.till import Bank

USUAL = "150"
WAIT_SECONDS = 300  # for a drop to be announced, and for its lobby
STAY_SECONDS = 900


class Command(BaseCommand):
    help = "Send DEMO_CROWD simulated shoppers to the demo's next drop; ends when they have gone."

    def handle(self, **_options: Any) -> None:
        refusal = guard.refusal(demo=settings.DEMO, api=settings.STRIPE_API_BASE, origin=settings.SHOP_ORIGIN)
        if refusal:
            raise CommandError(refusal)
        size = os.environ.get("DEMO_CROWD") or USUAL
        if not size.isdigit():
            raise CommandError(f"DEMO_CROWD={size} is no number of shoppers.")
        drop = self._next() if int(size) else None
        if drop:
            self._play(drop, int(size))

    def _next(self) -> Drop | None:
        """The drop of the front page, once its lobby is open; None if none comes."""
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            page = listing.front(now=timezone.now())
            if page and page.phase in {lifecycle.Phase.LOBBY, lifecycle.Phase.OPENING, lifecycle.Phase.LIVE}:
                return page.drop
            time.sleep(1)
        return None

    def _play(self, drop: Drop, size: int) -> None:
        self._say(f"{size} simulated shoppers come to {drop.title}.")
        bank = Bank(settings.STRIPE_API_BASE, settings.STRIPE_PUBLISHABLE_KEY)
        crowd = Crowd(
            origin=settings.SHOP_ORIGIN, slug=drop.slug, bank=bank, shoppers=size, seed=random.randrange(1_000_000),
            pace=CALM, seconds=STAY_SECONDS,
        )  # fmt: skip
        crowd.run()
        have = sum(story.end in {End.PLACED, End.PAID_AND_LEFT} for story in crowd.stories)
        self._say(f"The simulated shoppers have gone; {have} of {size} bought something.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
