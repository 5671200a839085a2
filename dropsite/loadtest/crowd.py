"""A crowd of simulated shoppers against a running shop, over HTTP only."""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from time import monotonic

from dropsite.loadtest import assertions
from dropsite.loadtest.users import addresses, behaviour
from dropsite.loadtest.users.browser import MAX_BURST_CONNECTIONS, MAX_CONNECTIONS, Browser, Site
from dropsite.loadtest.users.payment_client import CardFrame
from dropsite.loadtest.users.sessions import Outcome, Session
from dropsite.loadtest.users.shopper import Pace, Shopper
from dropsite.loadtest.users.waiting_room import StatusDocument

BRISK_PACE = Pace(lobby=6, late=10, picking=1.5, typing=3, patience=inf, lapses=True)
LEISURELY_PACE = Pace(lobby=26, late=90, picking=15, typing=40, patience=60, lapses=False)
OTHER_OPEN_FILES = 256
PROGRESS_SECONDS = 5.0
STATUS_TIMEOUT_SECONDS = 30.0  # for the first status document of a drop
STATUS_POLL_SECONDS = 0.5
GRACE_SECONDS = 5.0  # a session ends by itself at the deadline, unless it is waiting for a response

ONE_ADDRESS = (
    "This system has no addresses of 127/8 but one, which all shoppers share. For more of them than the edge allows"
    " behind one address, start the demo with EDGE_PEOPLE_PER_ADDRESS=0."
)

Visit = asyncio.Task[Session]


@dataclass(kw_only=True)
class Crowd:
    """All shoppers of a run. Those who aren't finished after `seconds` are out of time."""

    origin: str
    slug: str
    card_frame: CardFrame
    shoppers: int
    seed: int
    pace: Pace
    seconds: float
    log: Callable[[str], None] = lambda _line: None
    sessions: list[Session] = field(default_factory=list)
    site: Site = field(init=False)
    status: StatusDocument | None = None  # the newest document that any shopper received
    unfinished_outcome: Outcome = Outcome.OUT_OF_TIME

    def run(self) -> None:
        """Play the crowd to its end; `sessions` then says what happened."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        started = monotonic()
        if addresses.is_loopback(self.origin) and not addresses.are_many():
            self.log(ONE_ADDRESS)
        behaviours = behaviour.draw(shoppers=self.shoppers, seed=self.seed)
        self.sessions = [Session(intentions) for intentions in behaviours]
        self.site = Site(
            origin=self.origin, deadline=started + self.seconds, connections=self._allow_connections()
        )
        async with self.site:
            shoppers = [self._make_shopper(session, started) for session in self.sessions]
            await self._wait_for_status(shoppers)
            visits = {asyncio.create_task(shopper.visit()) for shopper in shoppers}
            unfinished = await self._watch(visits, started)
            for visit in unfinished:
                visit.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
            for visit in visits - unfinished:
                visit.result()  # a bug in the load test must not pass for a session
        received = [shopper.status for shopper in shoppers if shopper.status]
        self.status = max(received, key=lambda status: status.version, default=None)
        for session in self.sessions:
            if session.outcome is None:
                session.outcome = self.unfinished_outcome

    def _allow_connections(self) -> int:
        """Return how many connections the crowd may use, and let this process have so many open files."""
        if not self.pace.burst:
            return MAX_CONNECTIONS
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = max(MAX_CONNECTIONS, min(self.shoppers, MAX_BURST_CONNECTIONS))
        files = max(soft, wanted + OTHER_OPEN_FILES)
        if hard != resource.RLIM_INFINITY:
            files = min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        return min(wanted, files - OTHER_OPEN_FILES)

    async def _wait_for_status(self, shoppers: Sequence[Shopper]) -> None:
        """Wait, bounded, for the first status document: a drop that has just been announced has none yet."""
        deadline = monotonic() + STATUS_TIMEOUT_SECONDS
        while shoppers and monotonic() < deadline:
            response = await shoppers[0].browser.request_once("GET", shoppers[0].status_path)
            if response and response.status == 200:
                return
            await asyncio.sleep(STATUS_POLL_SECONDS)

    def _make_shopper(self, session: Session, started: float) -> Shopper:
        rng = Random(f"{self.seed}/{session.behaviour.number}/moment")
        return Shopper(
            browser=Browser(self.site, rng),
            session=session,
            slug=self.slug,
            pace=self.pace,
            card_frame=self.card_frame,
            rng=rng,
            started=started,
        )

    async def _watch(self, visits: set[Visit], started: float) -> set[Visit]:
        """Log the progress until all visits have ended, time is up or a critical assertion fails.

        Return the visits that are unfinished then.
        """
        unfinished = visits
        while unfinished and monotonic() < self.site.deadline + GRACE_SECONDS:
            _finished, unfinished = await asyncio.wait(unfinished, timeout=PROGRESS_SECONDS)
            self.log(self.progress(monotonic() - started))
            has_failed = not all(assertion.ok for assertion in assertions.critical(self.sessions))
            if unfinished and has_failed:
                self.log("A ticket or a piece was handed out twice. The remaining shoppers are sent home.")
                self.unfinished_outcome = Outcome.SENT_HOME
                break
        return unfinished

    def progress(self, seconds: float) -> str:
        """Return one line: how many shoppers are at which step or outcome."""
        counts = Counter(str(session.outcome or session.step) for session in self.sessions)
        by_size = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        parts = [f"{name} {count}" for name, count in by_size]
        return f"{seconds:5.0f} s  {' · '.join(parts)}"
