"""A drop, its editions and its pauses. drops.lifecycle derives the drop's phase from these rows."""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.apps import apps
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q
from django.db.models.functions import Now
from django.utils.functional import cached_property

from shop.core.fields import ShortenedCharField
from shop.models import Product, Variant

# A drop has ended once any of these times has passed.
END_TIMES = ("sold_out_at", "closed_at", "cancelled_at", "closes_at")


class DropQuerySet(models.QuerySet["Drop"]):
    """Filters on what a drop's rows say. Times are compared with the database's clock."""

    def announced(self) -> Self:
        """Drops that shoppers may know of."""
        return self.filter(announced_at__isnull=False, cancelled_at=None)

    def cancelled(self) -> Self:
        """Drops that were called off."""
        return self.filter(cancelled_at__isnull=False)

    def shown(self) -> Self:
        """Drops of the front page, the archive and the API."""
        return self.announced().filter(listed=True)

    def not_closed(self) -> Self:
        """Announced drops that weren't closed, by hand or by the clock.

        They may be sold out: units can come back.
        """
        return self.announced().filter(Q(closes_at=None) | Q(closes_at__gt=Now()), closed_at=None)

    def ended(self, *, ago: timedelta = timedelta(0)) -> Self:
        """Drops that have been sold out, closed, cancelled or past their closing time for `ago` or longer."""
        return self.filter(end_passed(ago=ago))

    def not_ended(self) -> Self:
        """Drops that are still to come or running, and drafts."""
        return self.exclude(end_passed())

    def with_something_left(self) -> Self:
        """Drops of which a unit is free, or held but not paid for."""
        return self.filter(Exists(free_units()) | Exists(busy_holds()))

    def with_nothing_left(self) -> Self:
        """Drops of which no unit is free, or held but not paid for."""
        return self.filter(~Exists(free_units()), ~Exists(busy_holds()))

    def with_state(self) -> Self:
        """Read `paused` and `anything_left` along, so that the phase needs no further query."""
        anything_left = Exists(free_units()) | Exists(busy_holds())
        return self.annotate(paused=Exists(open_pauses()), anything_left=anything_left)


def end_passed(*, ago: timedelta = timedelta(0)) -> Q:
    """Return the condition that any of a drop's END_TIMES passed at least `ago` before now."""
    condition = Q()
    for name in END_TIMES:
        condition |= Q(**{f"{name}__lte": Now() - ago})
    return condition


class Drop(models.Model):
    """One release of one product."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, models.PROTECT, related_name="drops")
    slug = models.SlugField(
        max_length=50, unique=True, help_text="The drop's address: /drops/<slug>/. Fixed once announced."
    )
    title = models.CharField(max_length=80)
    number = models.PositiveIntegerField(null=True, editable=False, unique=True)  # of listed drops
    listed = models.BooleanField(
        default=True, help_text="Shown on the front page, in the archive and in the API."
    )
    currency = models.CharField(max_length=3, default="EUR")
    limit_per_order = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text="The maximum number of pieces in one order, all editions together.",
    )
    limit_per_person = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The maximum number of pieces for one person in all their orders. Empty: no limit.",
    )
    hold_seconds = models.PositiveIntegerField(
        "length of a hold in seconds",
        default=300,
        validators=[MinValueValidator(10), MaxValueValidator(3600)],
    )

    # How many people will join in total: the counter's lease and the scale plan follow it. null: unknown.
    expected_shoppers = models.PositiveIntegerField(null=True, editable=False)

    # Shipping and tax as they were at the announcement, in the form that shop.tariffs describes.
    tariff = models.JSONField(null=True, editable=False)

    announced_at = models.DateTimeField(null=True, editable=False)
    lobby_opens_at = models.DateTimeField("lobby opens", null=True, blank=True)
    opens_at = models.DateTimeField("opens", null=True, blank=True)
    closes_at = models.DateTimeField("closes", null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    cancelled_at = models.DateTimeField(null=True, editable=False)
    sold_out_at = models.DateTimeField(null=True, editable=False)  # since when no unit has been free or held

    sealed = models.PositiveBigIntegerField(null=True, editable=False)  # N, the size of the shuffle
    nonce = models.BinaryField(max_length=16, null=True, editable=False)
    commitment = models.BinaryField(max_length=32, null=True, editable=False)
    shuffle_key_id = models.CharField(max_length=20, default="", db_default="", blank=True, editable=False)
    secret = models.BinaryField(
        max_length=32, null=True, editable=False
    )  # stored at the seal, public from then on

    objects = DropQuerySet.as_manager()

    class Meta:
        ordering = ["-opens_at"]
        constraints = [
            models.CheckConstraint(
                name="announced_drop_has_times_and_commitment",
                condition=Q(announced_at=None)
                | Q(
                    lobby_opens_at__isnull=False,
                    opens_at__isnull=False,
                    nonce__isnull=False,
                    commitment__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="lobby_opens_before_drop",
                condition=Q(lobby_opens_at=None) | Q(opens_at=None) | Q(lobby_opens_at__lt=F("opens_at")),
            ),
            models.CheckConstraint(
                name="drop_closes_after_it_opens",
                condition=Q(closes_at=None) | Q(opens_at=None) | Q(closes_at__gt=F("opens_at")),
            ),
            models.CheckConstraint(
                name="sealed_drop_has_size_and_time",
                condition=Q(sealed=None, sealed_at=None)
                | Q(sealed__isnull=False, sealed_at__isnull=False, announced_at__isnull=False),
            ),
            models.CheckConstraint(
                name="secret_is_what_the_drop_has_committed_to",
                condition=Q(secret=None)
                | Q(sealed__isnull=False, commitment=Func(F("secret"), function="sha256")),
            ),
            models.CheckConstraint(
                name="drop_limit_per_order_is_positive", condition=Q(limit_per_order__gte=1)
            ),
            models.CheckConstraint(
                name="drop_limit_per_person_is_positive",
                condition=Q(limit_per_person=None) | Q(limit_per_person__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.slug

    @property
    def ends_at(self) -> datetime | None:
        """The time at which the drop ended, or will by its closing time; None if neither is known."""
        times = [getattr(self, name) for name in END_TIMES]
        return min((at for at in times if at is not None), default=None)

    @cached_property
    def paused(self) -> bool:
        """Whether a pause is open; read along by with_state()."""
        return self.pauses.filter(ended_at=None).exists()

    @cached_property
    def anything_left(self) -> bool:
        """Whether a unit is free, or held but not paid for; read along by with_state()."""
        return Drop.objects.with_something_left().filter(pk=self.pk).exists()


def open_pauses(drop: str = "pk") -> models.QuerySet["Pause"]:
    """Return the pauses, not ended yet, of the outer query's drop, whose id is in its field `drop`."""
    return Pause.objects.filter(drop=OuterRef(drop), ended_at=None)


# Unit and Hold are looked up by name: their module imports this one.
def free_units() -> models.QuerySet[Any]:
    """Return the units of the outer query's drop that anybody may still take."""
    units: models.QuerySet[Any] = apps.get_model("drops", "Unit").objects.free()
    return units.filter(edition__drop=OuterRef("pk"))


def busy_holds() -> models.QuerySet[Any]:
    """Return the holds of the outer query's drop whose units may come back."""
    holds: models.QuerySet[Any] = apps.get_model("drops", "Hold").objects.busy()
    return holds.filter(drop=OuterRef("pk"))


class Pause(models.Model):
    """A span in which nobody is admitted and no open hold lapses."""

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="pauses")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    reason = ShortenedCharField(max_length=200, blank=True)

    class Meta:
        ordering = ["began_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["drop"], condition=Q(ended_at=None), name="one_open_pause_per_drop"
            )
        ]

    def __str__(self) -> str:
        return f"{self.drop} paused {self.began_at}"


class Edition(models.Model):
    """A variant in a drop, with its price, quantity and limit, which the announcement fixes."""

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="editions")
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="editions")
    price = models.PositiveBigIntegerField(help_text="In the currency's smallest unit: 9600 is 96.00.")
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    limit_per_order = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["drop", "variant"], name="one_edition_per_drop_and_variant"),
            models.CheckConstraint(name="edition_price_is_positive", condition=Q(price__gt=0)),
            models.CheckConstraint(name="edition_quantity_is_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="edition_limit_per_order_is_positive", condition=Q(limit_per_order__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return str(self.variant)
