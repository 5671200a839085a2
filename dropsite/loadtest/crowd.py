"""A crowd of simulated shoppers against a running shop, over HTTP only.

Imports nothing of the shop: what a shopper could not know, the crowd does not know either.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from time import monotonic

from dropsite.loadtest import plans, verdicts
from dropsite.loadtest.browser import Browser, Site
from dropsite.loadtest.line import Status
from dropsite.loadtest.shopper import Pace, Shopper
from dropsite.loadtest.stories import End, Story
from dropsite.loadtest.till import Bank

BRISK = Pace(lobby=6, late=10, picking=1.5, typing=3, patience=inf, lapses=True)
CALM = Pace(lobby=26, late=90, picking=15, typing=40, patience=60, lapses=False)
PROGRESS_SECONDS = 5.0
FIRST_SECONDS, FIRST_PAUSE = 30.0, 0.5  # for the first status of a drop, and between two looks
LEEWAY_SECONDS = 5.0  # a visit ends by itself when time is up; it may be waiting for an answer

Visit = asyncio.Task[Story]


@dataclass(kw_only=True)
class Crowd:
    """`seconds` bounds the whole; who has not come to an end by then is out of time."""

    origin: str
    slug: str
    bank: Bank
    shoppers: int
    seed: int
    pace: Pace
    seconds: float
    say: Callable[[str], None] = lambda _line: None
    stories: list[Story] = field(default_factory=list)
    site: Site = field(init=False)
    status: Status | None = None  # the newest document that anybody saw
    otherwise: End = End.OUT_OF_TIME  # of who has not come to an end

    def run(self) -> None:
        """Play it to the end; the stories hold what happened."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        begun = monotonic()
        self.stories = [Story(plan) for plan in plans.draw(shoppers=self.shoppers, seed=self.seed)]
        self.site = Site(origin=self.origin, ends=begun + self.seconds)
        async with self.site:
            shoppers = [self._shopper(story, begun) for story in self.stories]
            await self._first_status(shoppers)
            visits = {asyncio.create_task(shopper.visit()) for shopper in shoppers}
            late = await self._late(visits, begun)
            for visit in late:
                visit.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            for visit in visits - late:
                visit.result()  # a fault of ours must not pass for a story
        seen = [shopper.status for shopper in shoppers if shopper.status]
        self.status = max(seen, key=lambda status: status.age, default=None)
        for story in self.stories:
            story.end = story.end or self.otherwise

    async def _first_status(self, shoppers: Sequence[Shopper]) -> None:
        """Wait, bounded, until there is something to see: a drop that was announced this second has no status yet."""
        until = monotonic() + FIRST_SECONDS
        while shoppers and monotonic() < until:
            answer = await shoppers[0].browser.once("GET", shoppers[0].status_path)
            if answer and answer.status == 200:
                return
            await asyncio.sleep(FIRST_PAUSE)

    def _shopper(self, story: Story, begun: float) -> Shopper:
        dice = Random(f"{self.seed}/{story.plan.number}/moment")
        return Shopper(
            browser=Browser(self.site, dice),
            story=story,
            slug=self.slug,
            pace=self.pace,
            bank=self.bank,
            dice=dice,
            begun=begun,
        )

    async def _late(self, visits: set[Visit], begun: float) -> set[Visit]:
        """Tell how far they are until all have ended, time is up, or something was given twice; who is late then."""
        late = visits
        while late and monotonic() < self.site.ends + LEEWAY_SECONDS:
            _done, late = await asyncio.wait(late, timeout=PROGRESS_SECONDS)
            self.say(self.progress(monotonic() - begun))
            if late and not all(verdict.ok for verdict in verdicts.grave(self.stories)):
                self.say("Something was given twice. There is no more to learn: the shoppers are sent home.")
                self.otherwise = End.SENT_HOME
                break
        return late

    def progress(self, seconds: float) -> str:
        """One line: where everybody is now."""
        now = Counter(str(story.end) if story.end else story.step for story in self.stories)
        parts = [f"{name} {count}" for name, count in sorted(now.items(), key=lambda item: (-item[1], item[0]))]
        return f"{seconds:5.0f} s  {' · '.join(parts)}"
