"""Units and the holds that own them. Units change hands only behind the winning UPDATE on their hold row.

open ──pay──▶ paying ──authorised──▶ allocated ──capture refused, cancelled──▶ returned
│  ▲           │
│  └─declined──┤
└─▶ released ◀─┘   given back, lapsed; intent canceled or never sent
"""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from drops.models.drop import Drop, Edition


class Hold(models.Model):
    """Units set aside for one ticket: for minutes while open, for good once allocated."""

    class State(models.TextChoices):
        OPEN = "open"
        PAYING = "paying"
        ALLOCATED = "allocated"
        RELEASED = "released"
        RETURNED = "returned"

    LIVE = (State.OPEN, State.PAYING, State.ALLOCATED)

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    drop = models.ForeignKey(Drop, models.PROTECT, related_name="holds")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    nth = models.PositiveSmallIntegerField(default=1)  # which of the ticket's two holds
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()  # payable until then; reclaimable 5 s later
    ended_at = models.DateTimeField(null=True)

    # Copied from the pass that placed it.
    ticket = models.UUIDField()
    index = models.PositiveBigIntegerField()
    place = models.PositiveBigIntegerField()
    cursor = models.PositiveBigIntegerField()
    entered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["drop", "ticket"],
                condition=Q(state__in=["open", "paying", "allocated"]),
                name="one_live_hold_per_drop_and_ticket",
            ),
            models.UniqueConstraint(fields=["drop", "ticket", "nth"], name="each_hold_of_a_ticket_counts_once"),
            models.CheckConstraint(name="a_ticket_has_two_holds_at_most", condition=Q(nth__gte=1, nth__lte=2)),
            models.CheckConstraint(name="a_hold_was_called", condition=Q(place__lt=F("cursor"))),
            models.CheckConstraint(
                name="an_over_hold_has_its_end",
                condition=Q(state__in=["open", "paying"], ended_at=None)
                | Q(state__in=["allocated", "released", "returned"], ended_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["drop", "state"], name="holds_by_drop_and_state"),
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="open_holds_by_end"),
            models.Index(fields=["drop", "entered_at"], name="holds_by_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.uuid} {self.state}"


class HoldLine(models.Model):
    """How many units of one edition a hold owns, at which price; copied, so later changes don't reach it."""

    hold = models.ForeignKey(Hold, models.CASCADE, related_name="lines")
    edition = models.ForeignKey(Edition, models.PROTECT, related_name="+")
    quantity = models.PositiveSmallIntegerField()
    price = models.PositiveIntegerField()  # each, in the smallest unit of the hold's currency
    taken_back = models.PositiveSmallIntegerField(default=0)  # units that left the hold again, withheld

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["hold", "edition"], name="one_line_per_hold_and_edition"),
            models.CheckConstraint(name="a_line_holds_something", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="no_more_is_taken_back_than_was_held", condition=Q(taken_back__lte=F("quantity"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.edition}"


class Unit(models.Model):
    """One numbered piece: free, held or sold by its hold, or withheld with a reason."""

    edition = models.ForeignKey(Edition, models.PROTECT, related_name="units", db_index=False)
    number = models.PositiveIntegerField()  # 1 … quantity
    hold = models.ForeignKey(Hold, models.PROTECT, null=True, related_name="units", db_index=False)
    withheld_at = models.DateTimeField(null=True)
    withheld_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["edition_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["edition", "number"], name="one_unit_per_edition_and_number"),
            models.CheckConstraint(
                name="a_withheld_unit_is_nobodys_and_has_a_reason",
                condition=Q(withheld_at=None, withheld_reason="")
                | (Q(withheld_at__isnull=False, hold=None) & ~Q(withheld_reason="")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["edition", "number"], condition=Q(hold=None, withheld_at=None), name="free_units_by_number"
            ),
            models.Index(fields=["hold"], condition=Q(hold__isnull=False), name="units_by_hold"),
        ]

    def __str__(self) -> str:
        return f"No. {self.number}"
