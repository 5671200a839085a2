"""Packing and shipping of paid orders, and what the law lets shoppers take back.

    to pack ─▶ packed ─▶ shipped ─▶ returned
       └──────────┴─▶ cancelled     fully refunded, contract withdrawn, dispute lost

A withdrawal is a declaration of the shopper's; what becomes of the order and its money follows from it.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.order import Order
from payments.models.refund import Refund
from shop.core.fields import ShortenedCharField


class Fulfilment(models.Model):
    """Where a paid order is on its way to its shopper. It waits while a dispute about it is open."""

    class State(models.TextChoices):
        TO_PACK = "to pack"
        PACKED = "packed"
        SHIPPED = "shipped"
        RETURNED = "returned"
        CANCELLED = "cancelled"

    order = models.OneToOneField(Order, models.PROTECT, related_name="fulfilment")
    state = models.CharField(max_length=10, choices=State, default=State.TO_PACK)
    created_at = models.DateTimeField(db_default=Now())
    packed_at = models.DateTimeField(null=True)
    shipped_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)  # if somebody told us
    ended_at = models.DateTimeField(null=True)  # returned or cancelled
    carrier = ShortenedCharField(max_length=40, blank=True)
    tracking_number = ShortenedCharField(max_length=80, blank=True)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                name="packed_and_shipped_orders_have_their_times",
                condition=(~Q(state="packed") | Q(packed_at__isnull=False))
                & (~Q(state__in=["shipped", "returned"]) | Q(shipped_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="an_ended_fulfilment_has_its_time",
                condition=Q(state__in=["returned", "cancelled"], ended_at__isnull=False)
                | Q(state__in=["to pack", "packed", "shipped"], ended_at=None),
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(state__in=["to pack", "packed"]), name="orders_to_ship"
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"


class Withdrawal(models.Model):
    """A shopper's declaration to withdraw from the contract (Art. 11a of Directive 2011/83/EU).

    It counts from the moment it was confirmed, whether or not we could find the order by what was entered.
    """

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="withdrawals")
    # As the shopper entered them.
    name = models.CharField(max_length=120)
    order_number = models.CharField(max_length=20)
    email = models.EmailField()
    pieces = ShortenedCharField(max_length=500, blank=True)  # which pieces; empty means all of them
    language = models.CharField(max_length=35, default="en")
    confirmed_at = models.DateTimeField(db_default=Now())
    handled_at = models.DateTimeField(null=True)
    handled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    refund = models.ForeignKey(Refund, models.PROTECT, null=True, related_name="withdrawals")

    class Meta:
        ordering = ["-confirmed_at"]
        indexes = [
            models.Index(fields=["confirmed_at"], condition=Q(handled_at=None), name="withdrawals_to_handle")
        ]

    def __str__(self) -> str:
        return f"{self.order_number} {self.confirmed_at}"
