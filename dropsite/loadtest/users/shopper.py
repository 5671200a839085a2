"""One simulated shopper, from the drop page to the order page.

arrive ─▶ join ─▶ wait for the turn ─▶ enter ─▶ pick ─▶ hold ─▶ pay ─▶ order page
                    ▲                             │       └ let it lapse, release it, leave
                    └── pass expired, none free ──┘
"""

from dataclasses import dataclass, replace
from random import Random
from time import monotonic, time

from dropsite.loadtest.users import forms, picking, waiting_room
from dropsite.loadtest.users.behaviour import AtHold, Behaviour, Card, Leaves
from dropsite.loadtest.users.browser import Browser, OutOfTime, Response, UnexpectedPage
from dropsite.loadtest.users.payment_client import CARD_NUMBERS, CardFrame, HoldExpired, PaymentClient
from dropsite.loadtest.users.sessions import Outcome, Session

HOLDS_PER_TICKET = 2
IN_LINE = "in line"
NOTHING_FREE = "found nothing free"
MAX_DISAPPOINTMENTS = 5  # of a shopper who doesn't wait for holds to lapse
HURRIED_PATIENCE_SECONDS = 25.0
MIN_LAPSE_PAUSE_SECONDS = 4.0  # between two loads of a hold that is left to lapse
BURST_QUIET_SECONDS = 1.0  # before a burst: by then everybody has the page
TASTE_STEP = 0.37  # moves a shopper who found nothing free to another edition
REFUSED_HOLD_STATUSES = frozenset({200, 302, 303, 403, 409, 410})  # what a hold may answer when there is none


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The speed of a crowd, in seconds; `lapses`: whether it waits for its holds to lapse."""

    lobby: float  # early shoppers arrive within this period
    late: float  # late shoppers arrive within this period after the opening
    picking: float  # the longest time to think before a hold
    typing: float  # the longest time on the checkout page
    patience: float  # how long a shopper waits while nothing is free
    lapses: bool
    burst: bool = False  # everybody joins in the lobby's first second

    def hurried(self) -> "Pace":
        """Return this pace for a drop that isn't the rehearsal's own: nobody waits for a hold to lapse."""
        return replace(self, lapses=False, patience=HURRIED_PATIENCE_SECONDS)


class SessionEnded(Exception):
    """The shopper has left, or has what they came for."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass
class Shopper:
    """`started` is when the crowd set out, on the monotonic clock."""

    browser: Browser
    session: Session
    slug: str
    pace: Pace
    card_frame: CardFrame
    rng: Random
    started: float
    status: waiting_room.StatusDocument | None = None
    gives_up_at: float | None = None  # on the monotonic clock; None while something is free

    @property
    def behaviour(self) -> Behaviour:
        return self.session.behaviour

    @property
    def drop_path(self) -> str:
        return f"/drops/{self.slug}/"

    @property
    def status_path(self) -> str:
        return f"/line/{self.slug}/status.json"

    async def visit(self) -> Session:
        """Play the session; whatever happens is recorded in it."""
        try:
            await self._visit()
        except SessionEnded as ended:
            self.session.outcome = ended.outcome
        except OutOfTime:
            self.session.outcome = Outcome.OUT_OF_TIME
            if self.session.step == IN_LINE and not self.pace.lapses:
                # A drop that isn't the rehearsal's own goes on without us: still being in line is fine.
                self.session.outcome = Outcome.STILL_IN_LINE
        except (UnexpectedPage, KeyError, ValueError) as error:
            self.session.outcome = Outcome.UNEXPECTED_PAGE
            self.session.problems.append(f"{self.session.step}: {error}")
        return self.session

    async def _visit(self) -> None:
        """Raises: SessionEnded, always, unless something goes wrong earlier."""
        await self._arrive()
        joined_at = await self._join()
        waits_since = max(joined_at, self._opening())
        while True:
            await self._wait_for_turn()
            if self.session.turn_seconds is None:
                self.session.turn_seconds = max(0.0, monotonic() - waits_since)
            hold_url = await self._pick()
            if hold_url:
                await self._use_hold(hold_url)

    def _record(self, event: str) -> None:
        self.session.step = event
        self.session.events[event] += 1

    # -- the waiting room ------------------------------------------------------------------------------------

    async def poll_status(self) -> waiting_room.StatusDocument:
        """Return the newest status document; an older one that comes late is ignored."""
        while True:
            response = await self.browser.get(self.status_path)
            if response.status == 200:
                received = waiting_room.parse(response.json())
                if self.status is None or received.version >= self.status.version:
                    self.status = received
                return self.status
            await self.browser.site.sleep(response.retry_after(2.0))

    def _opening(self) -> float:
        """Return when the drop opens, on the monotonic clock."""
        if self.status is None:
            return monotonic()
        return monotonic() + self.status.opens - time()

    async def _arrive(self) -> None:
        """Come early or late, as intended, and load the drop page."""
        status = await self.poll_status()
        if self.pace.burst:
            await self._arrive_in_burst(status)
            return
        opening = self._opening()
        if self.behaviour.late or status.phase not in waiting_room.PHASES_BEFORE_OPENING:
            arrives_at = max(opening, self.started) + self.behaviour.arrival * self.pace.late
        else:
            period = min(self.pace.lobby, max(0.0, opening - self.started))
            arrives_at = self.started + self.behaviour.arrival * period
        await self.browser.site.sleep(max(0.0, arrives_at - monotonic()))
        await self._load_drop_page()

    async def _arrive_in_burst(self, status: waiting_room.StatusDocument) -> None:
        """Load the drop page in time, and wait with it for the lobby's first second."""
        lobby_at = monotonic() + waiting_room.lobby_second(status) - time()
        early = max(0.0, lobby_at - BURST_QUIET_SECONDS - monotonic())
        await self.browser.site.sleep(self.behaviour.arrival * early)
        await self._load_drop_page()
        await self.browser.site.sleep(max(0.0, lobby_at + self.behaviour.arrival - monotonic()))

    async def _load_drop_page(self) -> None:
        page = await self.browser.get(self.drop_path)
        if page.status != 200:
            raise UnexpectedPage(f"the drop page answered {page.status}")
        self._record("arrived")

    async def _join(self) -> float:
        """Get a ticket; return when it came, on the monotonic clock.

        Raises: SessionEnded, if the drop ended first.
        """
        client_key = f"{self.rng.getrandbits(128):032x}"
        started = monotonic()
        while not await self._try_to_join(client_key):
            if (await self.poll_status()).has_ended:
                raise SessionEnded(self._ended_outcome())
            await self.browser.site.sleep(self.rng.uniform(0.5, 1.5))
        self.session.join_seconds = monotonic() - started
        self._record("joined")
        if self.behaviour.joins_twice:
            # As if the response had been lost: only the client key identifies the shopper.
            self.browser.cookies.clear()
            self.session.events["joined again"] += 1
            await self._try_to_join(client_key)
        return monotonic()

    async def _try_to_join(self, client_key: str) -> bool:
        """Whether a ticket came; False while the lobby isn't open. Raises: SessionEnded, UnexpectedPage."""
        response = await self.browser.post(
            f"/line/{self.slug}/join", {"key": client_key}, page=self.drop_path, script=True
        )
        if response.status == 410:
            raise SessionEnded(self._ended_outcome())
        if response.status == 409:
            return False
        index = self._drop_cookie("index")
        if not response.ok or index is None:
            raise UnexpectedPage(f"join answered {response.status}")
        self.session.indices.append(int(index))
        return True

    def _drop_cookie(self, kind: str) -> str | None:
        """Return the value of one of the drop's cookies, whether or not its name has the __Host- prefix."""
        name = f"{kind}-{self.slug}"
        cookies = self.browser.cookies
        return cookies.get(name) or cookies.get(f"__Host-{name}")

    def _ended_outcome(self) -> Outcome:
        if self.status is not None and self.status.phase == "sold out":
            return Outcome.SOLD_OUT
        return Outcome.CLOSED

    async def _wait_for_turn(self) -> None:
        """Wait in line until the shopper has a pass. Raises: SessionEnded."""
        self.session.step = IN_LINE
        while True:
            status = await self.poll_status()
            if status.has_ended:
                raise SessionEnded(self._ended_outcome())
            place = None
            if self.session.index is not None:
                place = status.place_of(self.session.index)
            self.session.place = place
            if self.behaviour.leaves is Leaves.IN_LINE and place is not None:
                raise SessionEnded(Outcome.LEFT)
            self._check_patience(status)
            is_called = status.phase == "live" and place is not None and place < status.cursor
            if is_called and not status.nothing_free:
                if await self._enter(status):
                    return
            else:
                pause = waiting_room.poll_pause(status=status, place=place, now=time(), rng=self.rng)
                await self.browser.site.sleep(pause)

    def _check_patience(self, status: waiting_room.StatusDocument) -> None:
        """Raises: SessionEnded, once nothing has been free for longer than the shopper waits."""
        if status.phase != "live" or not status.nothing_free:
            self.gives_up_at = None
            return
        if self.gives_up_at is None:
            self.gives_up_at = monotonic() + self.pace.patience
        if monotonic() > self.gives_up_at:
            raise SessionEnded(Outcome.NOTHING_FREE)

    async def _enter(self, status: waiting_room.StatusDocument) -> bool:
        """Ask for a pass; False after waiting as long as the gate asked for.

        Raises: SessionEnded, UnexpectedPage.
        """
        response = await self.browser.post(f"/line/{self.slug}/enter", {}, page=self.drop_path, script=True)
        if response.ok and self._drop_cookie("pass"):
            self.session.cursor = status.cursor
            self._record("entered")
            return True
        if response.status == 410:
            await self.poll_status()
            raise SessionEnded(self._ended_outcome())
        if response.status != 409:
            raise UnexpectedPage(f"enter answered {response.status}")
        await self.browser.site.sleep(response.retry_after(3.0) * self.rng.uniform(0.9, 1.3))
        return False

    # -- the hold --------------------------------------------------------------------------------------------

    async def _pick(self) -> str | None:
        """Place a hold; return the address of the checkout page, or None to go back to the line.

        Raises: SessionEnded, UnexpectedPage.
        """
        self.session.step = "picking"
        pick_path = f"{self.drop_path}pick/"
        page = await self.browser.get(pick_path)
        if self.behaviour.leaves is Leaves.AT_PICKING:
            raise SessionEnded(Outcome.LEFT)
        form = None
        if page.status == 200:
            form = forms.find(page.text, ending="/hold/")
        if form is None:
            return await self._hold_url(page)
        await self._think(self.pace.picking)
        taste = (self.behaviour.taste + TASTE_STEP * self.session.events[NOTHING_FREE]) % 1
        data = picking.choose(form, taste=taste, greed=self.behaviour.greed)
        if not data:
            return await self._hold_url(page)
        started = monotonic()
        response = await self.browser.post(form.action, data, page=pick_path)
        self.session.hold_seconds = monotonic() - started
        offer = None
        if response.status == 409:
            offer = forms.find(response.text, ending="/hold/")
        if offer:
            self.session.events["offered fewer"] += 1
            response = await self.browser.post(offer.action, offer.default_data(), page=form.action)
        return await self._hold_url(response)

    async def _hold_url(self, response: Response) -> str | None:
        """Return the checkout page that the response redirects to; None, after a pause, if it is a refusal.

        Raises: SessionEnded, UnexpectedPage.
        """
        location = ""
        if response.status in {302, 303}:
            location = response.headers.get("Location", "")
        if "/holds/" in location:
            self._record("held")
            return location
        await self._accept_refusal(response)
        return None

    async def _accept_refusal(self, response: Response) -> None:
        """Count a refused hold (the pass expired, or nothing was free) and wait.

        Raises: SessionEnded, UnexpectedPage.
        """
        if response.status not in REFUSED_HOLD_STATUSES:
            raise UnexpectedPage(f"the hold answered {response.status}")
        self.session.events[NOTHING_FREE] += 1
        if self.session.events["held"] >= HOLDS_PER_TICKET:
            raise SessionEnded(Outcome.HOLDS_USED_UP)
        if not self.pace.lapses and self.session.events[NOTHING_FREE] > MAX_DISAPPOINTMENTS:
            raise SessionEnded(Outcome.NOTHING_FREE)
        await self.browser.site.sleep(self.rng.uniform(1.5, 3.0))

    async def _think(self, longest: float) -> None:
        await self.browser.site.sleep(longest * (0.2 + 0.8 * self.behaviour.haste))

    async def _use_hold(self, hold_url: str) -> None:
        """Pay, release the hold or let it lapse.

        Raises: SessionEnded, unless the shopper tries for a second hold.
        """
        payment = PaymentClient(self.browser, self.session, self.card_frame, hold_url)
        is_first = self.session.events["held"] == 1
        try:
            if is_first and self.behaviour.at_hold is AtHold.RELEASE:
                raise SessionEnded(await self._release(payment))
            form = await payment.load_form()
            if is_first and self.behaviour.at_hold is AtHold.LAPSE:
                await self._let_lapse(payment)
            else:
                await self._think(self.pace.typing)
                raise SessionEnded(await self._pay(payment, form))
        except HoldExpired:
            self._record("hold lapsed")
        if self.session.events["held"] >= HOLDS_PER_TICKET or not self.behaviour.tries_again:
            raise SessionEnded(Outcome.LET_LAPSE)

    async def _let_lapse(self, payment: PaymentClient) -> None:
        """Load the page again when its timer has run out, until the hold has ended.

        Raises: HoldExpired, or SessionEnded, where the crowd doesn't wait for lapses.
        """
        self.session.step = "letting the hold lapse"
        if not self.pace.lapses:
            raise SessionEnded(Outcome.LET_LAPSE)
        while True:
            await self.browser.site.sleep(max(MIN_LAPSE_PAUSE_SECONDS, payment.seconds_left))
            await payment.load_form()

    async def _release(self, payment: PaymentClient) -> Outcome:
        form = await payment.load_release_form()
        await self._think(self.pace.picking)
        response = await self.browser.post(form.action, form.default_data(), page=payment.hold_url)
        if response.status != 303:
            raise UnexpectedPage(f"releasing the hold answered {response.status}")
        self._record("gave back")
        return Outcome.RELEASED

    async def _pay(self, payment: PaymentClient, form: forms.Form) -> Outcome:
        """Pay with the shopper's cards, one after another. Raises: HoldExpired, UnexpectedPage."""
        for card_number in CARD_NUMBERS[self.behaviour.card]:
            self.session.step = "paying"
            order = await payment.pay(form, card_number, twice=self.behaviour.pays_twice)
            if self.behaviour.leaves is Leaves.AFTER_PAYING:
                return Outcome.PAID_AND_LEFT
            state = await payment.wait_for_result(order)
            if state == "placed":
                self._record("placed")
                return Outcome.PLACED
            self._record("declined")
            if state == "over":
                if self.behaviour.card is Card.DECLINED_ALWAYS:
                    return Outcome.DECLINED
                return Outcome.VOIDED
            await self._think(self.pace.typing)
            form = await payment.load_form()
        return Outcome.DECLINED
