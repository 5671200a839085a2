"""Units and the holds that own them. Units change hands only behind the winning UPDATE on their hold row.

open ──pay──▶ paying ──authorised──▶ allocated ──capture refused, cancelled──▶ returned
│  ▲            │       open ──change──▶ open, with the next version
│  └─declined───┤
└──▶ released ◀─┘   by the shopper, lapsed; intent canceled or never sent
"""

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Greatest, Now
from django.utils.functional import cached_property

from drops.models.drop import Drop, Edition, Pause, open_pauses
from shop.core.fields import ShortenedCharField


class HoldQuerySet(models.QuerySet["Hold"]):
    """Filters on the state of holds. Times are compared with the database's clock."""

    def live(self) -> Self:
        """Holds that own their units, or are about to: a ticket has one of them at most."""
        return self.filter(state__in=Hold.LIVE)

    def busy(self) -> Self:
        """Holds that are open or being paid for. Each takes a checkout slot, and its units may come back."""
        return self.filter(state__in=Hold.BUSY)

    def lapsed(self, *, ago: timedelta = timedelta(0)) -> Self:
        """Open holds that were not paid for in time, for longer than `ago`. None lapses in a pause."""
        return self.filter(~drop_is_paused(), state=Hold.State.OPEN, expires_at__lt=Now() - ago)

    def of_cancelled_drops(self) -> Self:
        """Open holds whose drop was cancelled."""
        return self.filter(state=Hold.State.OPEN, drop__cancelled_at__isnull=False)

    def with_drop_state(self) -> Self:
        """Read `paused` and `cancelled` along: whether the hold's drop is."""
        return self.annotate(paused=drop_is_paused(), cancelled=drop_is_cancelled())


def drop_is_paused() -> Exists:
    """Return the condition that the drop of a hold is paused."""
    return Exists(open_pauses("drop"))


def drop_is_cancelled() -> Exists:
    """Return the condition that the drop of a hold is cancelled."""
    return Exists(Drop.objects.cancelled().filter(pk=OuterRef("drop")))


def time_to_pay() -> Greatest:
    """Return a hold's `expires_at`, but no less than MIN_PAY_SECONDS from now, for an UPDATE."""
    return Greatest(F("expires_at"), Now() + timedelta(seconds=Hold.MIN_PAY_SECONDS))


class Hold(models.Model):
    """Units set aside for one ticket: for minutes while open, for good once allocated."""

    class State(models.TextChoices):
        OPEN = "open"
        PAYING = "paying"
        ALLOCATED = "allocated"
        RELEASED = "released"
        RETURNED = "returned"

    BUSY = (State.OPEN, State.PAYING)
    LIVE = (State.OPEN, State.PAYING, State.ALLOCATED)
    ENDED = (State.ALLOCATED, State.RELEASED, State.RETURNED)  # with `ended_at`
    MAX_PER_TICKET = 2
    MIN_PAY_SECONDS = 120  # left on an open hold after a pause or a declined payment
    RECLAIM_AFTER = timedelta(seconds=5)  # from `expires_at` until another shopper may take the units

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    drop = models.ForeignKey(Drop, models.PROTECT, related_name="holds")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    nth = models.PositiveSmallIntegerField(default=1)  # the ticket's first hold or its second
    version = models.PositiveSmallIntegerField(
        default=1, db_default=1
    )  # increases with each change of its units
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()  # payable until then
    ended_at = models.DateTimeField(null=True)

    # Copied from the pass that placed it.
    ticket = models.UUIDField()
    index = models.PositiveBigIntegerField()
    place = models.PositiveBigIntegerField()
    cursor = models.PositiveBigIntegerField()
    entered_at = models.DateTimeField()

    objects = HoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["drop", "ticket"],
                condition=Q(state__in=["open", "paying", "allocated"]),
                name="one_live_hold_per_drop_and_ticket",
            ),
            models.UniqueConstraint(fields=["drop", "ticket", "nth"], name="holds_of_a_ticket_are_numbered"),
            models.CheckConstraint(name="ticket_has_two_holds_at_most", condition=Q(nth__gte=1, nth__lte=2)),
            models.CheckConstraint(name="held_place_was_called", condition=Q(place__lt=F("cursor"))),
            models.CheckConstraint(
                name="ended_hold_has_ended_at",
                condition=Q(state__in=["open", "paying"], ended_at=None)
                | Q(state__in=["allocated", "released", "returned"], ended_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["drop", "state"], name="holds_by_drop_and_state"),
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="open_holds_by_expiry"),
            models.Index(fields=["drop", "entered_at"], name="holds_by_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.uuid} {self.state}"

    @cached_property
    def paused(self) -> bool:
        """Whether the hold's drop is paused; read along by with_drop_state()."""
        return Pause.objects.filter(drop=self.drop_id, ended_at=None).exists()

    @cached_property
    def cancelled(self) -> bool:
        """Whether the hold's drop is cancelled; read along by with_drop_state()."""
        return Drop.objects.cancelled().filter(pk=self.drop_id).exists()

    @property
    def is_over_by_cancellation(self) -> bool:
        """Whether the hold was released because its drop was cancelled."""
        if self.state != Hold.State.RELEASED or not self.cancelled:
            return False
        return Drop.objects.filter(pk=self.drop_id, cancelled_at__lte=self.ended_at).exists()

    def is_payable(self, *, now: datetime) -> bool:
        """Whether the hold may still be paid for. Good enough for a page: the UPDATE in holds.pay decides."""
        in_time = self.state == Hold.State.OPEN and (self.expires_at > now or self.paused)
        return in_time and not self.cancelled


class HoldLine(models.Model):
    """A line item: a number of units of one edition, at a price that later changes don't reach."""

    hold = models.ForeignKey(Hold, models.CASCADE, related_name="lines")
    edition = models.ForeignKey(Edition, models.PROTECT, related_name="+")
    quantity = models.PositiveSmallIntegerField()
    price = models.PositiveBigIntegerField()  # each, in the smallest unit of the hold's currency
    withheld = models.PositiveSmallIntegerField(default=0)  # units that left the hold again

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["hold", "edition"], name="one_line_per_hold_and_edition"),
            models.CheckConstraint(name="hold_line_quantity_is_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="withheld_is_at_most_quantity", condition=Q(withheld__lte=F("quantity"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.edition}"


FREE = Q(hold=None, withheld_at=None)


class UnitQuerySet(models.QuerySet["Unit"]):
    """Filters on the state of units."""

    def free(self) -> Self:
        """Units that anybody may take."""
        return self.filter(FREE)


class Unit(models.Model):
    """One numbered piece: free, held or sold by its hold, or withheld with a reason."""

    edition = models.ForeignKey(Edition, models.PROTECT, related_name="units", db_index=False)
    number = models.PositiveIntegerField()  # 1 … quantity
    hold = models.ForeignKey(Hold, models.PROTECT, null=True, related_name="units", db_index=False)
    withheld_at = models.DateTimeField(null=True)
    withheld_reason = ShortenedCharField(max_length=200, blank=True)

    objects = UnitQuerySet.as_manager()

    class Meta:
        ordering = ["edition_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["edition", "number"], name="one_unit_per_edition_and_number"),
            models.CheckConstraint(
                name="withheld_unit_has_a_reason_and_no_hold",
                condition=Q(withheld_at=None, withheld_reason="")
                | (Q(withheld_at__isnull=False, hold=None) & ~Q(withheld_reason="")),
            ),
        ]
        indexes = [
            models.Index(fields=["edition", "number"], condition=FREE, name="free_units_by_number"),
            models.Index(fields=["hold"], condition=Q(hold__isnull=False), name="units_by_hold"),
        ]

    def __str__(self) -> str:
        return f"No. {self.number}"
