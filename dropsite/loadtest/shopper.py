"""One simulated shopper, from the drop page to the order page, over HTTP and nothing else.

arrive ─▶ join ─▶ wait as told ─▶ enter ─▶ pick ─▶ hold ─▶ pay ─▶ order page
                    ▲                        │       └ lapse, give back, walk away
                    └── pass over, none free ┘
"""

from dataclasses import dataclass, replace
from random import Random
from time import monotonic, time

from dropsite.loadtest import forms, line, picking
from dropsite.loadtest.browser import Answer, Browser, Odd, TimeIsUp
from dropsite.loadtest.plans import AtHold, Card, Leaves, Plan
from dropsite.loadtest.stories import End, Story
from dropsite.loadtest.till import CARDS, Bank, HoldOver, Till

HOLDS = 2  # of one ticket, in its life
IN_LINE = "in line"
NOTHING = "found nothing free"
DISAPPOINTMENTS = 5  # so often does one who does not wait for lapses find nothing free
HURRIED_PATIENCE = 25.0
LAPSE_PAUSE = 4.0  # at least, between two looks at a hold that is left to lapse


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a crowd lives, in seconds; `lapses` says whether it waits for the end of its holds."""

    lobby: float  # those who come early come within this span
    late: float  # those who come late come within this span after the opening
    picking: float  # the longest thought before a hold
    typing: float  # the longest time on the checkout page
    patience: float  # how long one waits when nothing is free
    lapses: bool

    def hurried(self) -> "Pace":
        """The same on somebody else's drop: no hold is waited for to lapse."""
        return replace(self, lapses=False, patience=HURRIED_PATIENCE)


class Over(Exception):
    """The visit has come to its end."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


@dataclass
class Shopper:
    """`begun` is when the crowd set out, on the monotonic clock."""

    browser: Browser
    story: Story
    slug: str
    pace: Pace
    bank: Bank
    dice: Random
    begun: float
    status: line.Status | None = None
    bored_at: float | None = None  # on the monotonic clock; None while something is free

    @property
    def plan(self) -> Plan:
        return self.story.plan

    async def visit(self) -> Story:
        """Live through it; whatever happens is in the story."""
        try:
            await self._visit()
        except Over as over:
            self.story.end = over.end
        except TimeIsUp:
            waits = self.story.step == IN_LINE and not self.pace.lapses  # that drop goes on without us
            self.story.end = End.STILL_IN_LINE if waits else End.OUT_OF_TIME
        except (Odd, KeyError, ValueError) as odd:
            self.story.end = End.ODD
            self.story.faults.append(f"{self.story.step}: {odd}")
        return self.story

    async def _visit(self) -> None:
        await self._arrive()
        joined = await self._join()
        since = max(joined, self._opening())
        while True:
            await self._turn()
            if self.story.turn_seconds is None:
                self.story.turn_seconds = max(0.0, monotonic() - since)
            hold = await self._hold()
            if hold:
                await self._decide(hold)

    @property
    def status_path(self) -> str:
        return f"/line/{self.slug}/status.json"

    def _step(self, name: str) -> None:
        self.story.step = name
        self.story.deeds[name] += 1

    # -- the line ------------------------------------------------------------------------------------------------

    async def look(self) -> line.Status:
        """The newest status document; an older one that comes late is ignored."""
        while True:
            answer = await self.browser.get(self.status_path)
            if answer.status == 200:
                seen = line.read(answer.json())
                if self.status is None or seen.age >= self.status.age:
                    self.status = seen
                return self.status
            await self.browser.site.sleep(answer.retry_after(2.0))

    def _opening(self) -> float:
        """When the drop opens, on the monotonic clock."""
        return monotonic() + (self.status.opens - time() if self.status else 0.0)

    async def _arrive(self) -> None:
        """Come early or late, as planned, and look at the drop page."""
        status = await self.look()
        opening = self._opening()
        if self.plan.late or status.phase not in line.BEFORE:
            at = max(opening, self.begun) + self.plan.arrives * self.pace.late
        else:
            at = self.begun + self.plan.arrives * min(self.pace.lobby, max(0.0, opening - self.begun))
        await self.browser.site.sleep(max(0.0, at - monotonic()))
        page = await self.browser.get(f"/drops/{self.slug}/")
        if page.status != 200:
            raise Odd(f"the drop page answered {page.status}")
        self._step("arrived")

    async def _join(self) -> float:
        """Get a ticket; the moment it came. Raises: Over, if the drop ended first."""
        key = f"{self.dice.getrandbits(128):032x}"
        begun = monotonic()
        while not await self._ask_to_join(key):
            if (await self.look()).over:
                raise Over(self._ended())
            await self.browser.site.sleep(self.dice.uniform(0.5, 1.5))
        self.story.join_seconds = monotonic() - begun
        self._step("joined")
        if self.plan.joins_twice:
            self.browser.cookies.clear()  # the answer never came: only the client key tells who asks
            self.story.deeds["joined again"] += 1
            await self._ask_to_join(key)
        return monotonic()

    async def _ask_to_join(self, key: str) -> bool:
        answer = await self.browser.post(
            f"/line/{self.slug}/join", {"key": key}, page=f"/drops/{self.slug}/", script=True
        )
        if answer.status == 410:
            raise Over(self._ended())
        cookie = self._cookie("index")
        if not answer.good or cookie is None:
            if answer.status == 409:
                return False
            raise Odd(f"join answered {answer.status}")
        self.story.indices.append(int(cookie))
        return True

    def _cookie(self, kind: str) -> str | None:
        """The value of one of the drop's cookies, whatever prefix its name has."""
        name = f"{kind}-{self.slug}"
        return next((value for key, value in self.browser.cookies.items() if key.removeprefix("__Host-") == name), None)

    def _ended(self) -> End:
        return End.SOLD_OUT if self.status and self.status.phase == "sold out" else End.CLOSED

    async def _turn(self) -> None:
        """Wait in the line until the pass is there. Raises: Over."""
        self.story.step = IN_LINE
        while True:
            status = await self.look()
            if status.over:
                raise Over(self._ended())
            place = None if self.story.index is None else status.place(self.story.index)
            self.story.place = place
            if self.plan.leaves is Leaves.IN_LINE and place is not None:
                raise Over(End.LEFT)
            self._be_patient(status)
            called = status.phase == "live" and place is not None and place < status.cursor
            if not called or status.nothing_free:
                await self.browser.site.sleep(line.pause(status=status, place=place, now=time(), dice=self.dice))
            elif await self._enter(status):
                return

    def _be_patient(self, status: line.Status) -> None:
        """Raises: Over, once nothing has been free for longer than the shopper waits."""
        if status.phase != "live" or not status.nothing_free:
            self.bored_at = None
            return
        self.bored_at = self.bored_at or monotonic() + self.pace.patience
        if monotonic() > self.bored_at:
            raise Over(End.NOTHING_FREE)

    async def _enter(self, status: line.Status) -> bool:
        """Ask for the pass; False after the wait that the gate asked for."""
        answer = await self.browser.post(f"/line/{self.slug}/enter", {}, page=f"/drops/{self.slug}/", script=True)
        if answer.good and self._cookie("pass"):
            self.story.cursor = status.cursor
            self._step("entered")
            return True
        if answer.status == 410:
            await self.look()
            raise Over(self._ended())
        if answer.status != 409:
            raise Odd(f"enter answered {answer.status}")
        await self.browser.site.sleep(answer.retry_after(3.0) * self.dice.uniform(0.9, 1.3))
        return False

    # -- the hold ------------------------------------------------------------------------------------------------

    async def _hold(self) -> str | None:
        """Pick and set units aside: the address of the checkout page, or None to go back to the line."""
        self.story.step = "picking"
        pick = f"/drops/{self.slug}/pick/"
        page = await self.browser.get(pick)
        if self.plan.leaves is Leaves.AT_PICKING:
            raise Over(End.LEFT)
        form = forms.find(page.text, ending="/hold/") if page.status == 200 else None
        if form is None:
            return await self._held(page)
        await self._think(self.pace.picking)
        taste = (self.plan.taste + 0.37 * self.story.deeds[NOTHING]) % 1
        wanted = picking.choose(form, taste=taste, greed=self.plan.greed)
        if not wanted:
            return await self._held(page)
        begun = monotonic()
        answer = await self.browser.post(form.action, wanted, page=pick)
        self.story.hold_seconds = monotonic() - begun
        offer = forms.find(answer.text, ending="/hold/") if answer.status == 409 else None
        if offer:
            self.story.deeds["offered fewer"] += 1
            answer = await self.browser.post(offer.action, offer.fields(), page=form.action)
        return await self._held(answer)

    async def _held(self, answer: Answer) -> str | None:
        """The checkout page that the answer leads to, or None after a while, if it does not. Raises: Over, Odd."""
        address = answer.headers.get("Location", "") if answer.status in {302, 303} else ""
        if "/holds/" not in address:
            await self._not_now(answer)
            return None
        self._step("held")
        return address

    async def _not_now(self, answer: Answer) -> None:
        """No hold this time: the pass is over, or nothing was free. Raises: Over, Odd."""
        if answer.status not in {200, 302, 303, 403, 409, 410}:
            raise Odd(f"the hold answered {answer.status}")
        self.story.deeds[NOTHING] += 1
        if self.story.deeds["held"] >= HOLDS:
            raise Over(End.REFUSED)
        if not self.pace.lapses and self.story.deeds[NOTHING] > DISAPPOINTMENTS:
            raise Over(End.NOTHING_FREE)
        await self.browser.site.sleep(self.dice.uniform(1.5, 3.0))

    async def _think(self, longest: float) -> None:
        await self.browser.site.sleep(longest * (0.2 + 0.8 * self.plan.haste))

    async def _decide(self, hold: str) -> None:
        """With units set aside: pay, or let them go. Raises: Over, unless the shopper tries for a second hold."""
        till = Till(self.browser, self.story, self.bank, hold)
        first = self.story.deeds["held"] == 1
        try:
            if first and self.plan.at_hold is AtHold.GIVE_BACK:
                raise Over(await self._give_back(till))
            form = await till.page()
            if first and self.plan.at_hold is AtHold.LAPSE:
                await self._let_lapse(till)
            else:
                await self._think(self.pace.typing)
                raise Over(await self._pay(till, form))
        except HoldOver:
            self._step("hold lapsed")
        if self.story.deeds["held"] >= HOLDS or not self.plan.tries_again:
            raise Over(End.LET_LAPSE)

    async def _let_lapse(self, till: Till) -> None:
        """Look again when the timer has run out. Raises: HoldOver once the page says so; Over, where nobody waits."""
        self.story.step = "letting the hold lapse"
        if not self.pace.lapses:
            raise Over(End.LET_LAPSE)
        while True:
            await self.browser.site.sleep(max(LAPSE_PAUSE, till.left))
            await till.page()

    async def _give_back(self, till: Till) -> End:
        form = await till.page(ending="/give-back/")
        await self._think(self.pace.picking)
        answer = await self.browser.post(form.action, form.fields(), page=till.hold)
        if answer.status != 303:
            raise Odd(f"giving back answered {answer.status}")
        self._step("gave back")
        return End.GAVE_BACK

    async def _pay(self, till: Till, form: forms.Form) -> End:
        """Pay with the planned cards, one after another. Raises: HoldOver, Odd."""
        for number in CARDS[self.plan.card]:
            self.story.step = "paying"
            order = await till.pay(form, number, twice=self.plan.pays_twice)
            if self.plan.leaves is Leaves.AFTER_PAYING:
                return End.PAID_AND_LEFT
            state = await till.outcome(order)
            if state == "placed":
                self._step("placed")
                return End.PLACED
            self._step("declined")
            if state == "over":
                return End.DECLINED if self.plan.card is Card.DECLINED_ALWAYS else End.MONEY_BACK
            await self._think(self.pace.typing)
            form = await till.page()
        return End.DECLINED
