"""An order: what was bought, at which price, and where it is shipped.

An order has no state of its own: its status is derived from hold and payment.
"""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from drops.models import Edition, Hold
from shop.core.fields import ShortenedCharField


class Order(models.Model):
    """A purchase at the price that its shopper agreed to, and the address to ship to."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=12, unique=True)  # for shoppers and support
    hold = models.OneToOneField(Hold, models.PROTECT, related_name="order")
    email = models.EmailField()
    name = models.CharField(max_length=120)
    line1 = models.CharField(max_length=120)
    line2 = models.CharField(max_length=120, blank=True)
    postcode = models.CharField(max_length=16, blank=True)
    city = models.CharField(max_length=80)
    region = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=2)  # ISO 3166-1 alpha-2
    district = models.CharField(max_length=80, blank=True, default="", db_default="")  # of a city, where used

    currency = models.CharField(max_length=3)
    subtotal = models.PositiveBigIntegerField()  # these five amounts are in the currency's smallest unit
    shipping = models.PositiveBigIntegerField()
    shipping_tax = models.PositiveBigIntegerField(default=0, db_default=0)  # the part of `tax` that is on it
    shipping_tax_percent = models.DecimalField(max_digits=6, decimal_places=3, default=0, db_default=0)
    tax = models.PositiveBigIntegerField()
    tax_in_price = models.BooleanField(default=True)  # contained in subtotal and shipping, not added to them
    total = models.PositiveBigIntegerField()

    language = models.CharField(max_length=35, default="en")  # as long as language tags get
    livemode = models.BooleanField()
    created_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(db_default=Now())  # by the worker that advances the order
    # Part of the order's link, so that a new link ends the old one.
    link_version = models.PositiveSmallIntegerField(default=1, db_default=1)
    erased_at = models.DateTimeField(null=True)  # since when its name, address and email are erased

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="the_total_is_the_sum_of_its_parts",
                condition=Q(tax_in_price=True, total=F("subtotal") + F("shipping"))
                | Q(tax_in_price=False, total=F("subtotal") + F("shipping") + F("tax")),
            )
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(models.Model):
    """What was bought of one edition, as it was then: no later change of the catalogue reaches it."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="lines")
    edition = models.ForeignKey(Edition, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)
    product_name = models.CharField(max_length=80)
    variant_name = ShortenedCharField(max_length=200, blank=True)  # the values of its options: "M, gold"
    options = models.JSONField(default=dict)
    sku = models.CharField(max_length=40)
    numbers = models.JSONField(default=list)  # of the units, in ascending order
    of = models.PositiveIntegerField()  # how many pieces of the edition exist
    quantity = models.PositiveSmallIntegerField()
    price = models.PositiveBigIntegerField()  # each, in the smallest unit of the order's currency
    tax_percent = models.DecimalField(max_digits=6, decimal_places=3)
    tax = models.PositiveBigIntegerField()  # on the whole line; contained in the price if the order says so

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "edition"], name="one_order_line_per_order_and_edition"),
            models.CheckConstraint(name="order_line_quantity_is_positive", condition=Q(quantity__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_name} {self.variant_name}".strip()

    @property
    def sum(self) -> int:
        """Quantity times price."""
        return self.quantity * self.price


class AddressChange(models.Model):
    """A shopper's correction of an order's address, in force once it is confirmed by the link in an email."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="address_changes")
    address = models.JSONField()  # the order's address fields: {"name": …, "line1": …}
    requested_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-requested_at"]

    def __str__(self) -> str:
        return f"{self.order_id} {self.requested_at}"
