"""A drop, its editions and its pauses. The phase is derived from these rows by drops.lifecycle, never stored."""

import uuid
from typing import Self

from django.apps import apps
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from shop.models import Product, Variant


class DropQuerySet(models.QuerySet["Drop"]):
    """Drops by what their rows say; a guard compares with the database's clock."""

    def announced(self) -> Self:
        """Keep those that shoppers may know of."""
        return self.filter(announced_at__isnull=False, cancelled_at=None)

    def shown(self) -> Self:
        """Keep those of the front page, the archive and the API."""
        return self.announced().filter(listed=True)

    def ended(self) -> Self:
        """Keep those that are over: nothing left, closed, cancelled or past their closing time."""
        return self.filter(OVER)

    def not_ended(self) -> Self:
        """Keep those that still come or run."""
        return self.exclude(OVER)

    def with_something_left(self) -> Self:
        """Keep those of which a unit is free, or held but not paid."""
        return self.filter(Exists(free_units()) | Exists(live_holds()))

    def with_nothing_left(self) -> Self:
        """Keep those of which neither is."""
        return self.filter(~Exists(free_units()), ~Exists(live_holds()))

    def with_state(self) -> Self:
        """Read `paused` and `anything_left` along, so that their phase needs no further query."""
        return self.annotate(paused=Exists(open_pauses()), anything_left=Exists(free_units()) | Exists(live_holds()))


class Drop(models.Model):
    """One release of one product."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, models.PROTECT, related_name="drops")
    slug = models.SlugField(
        _("slug"), max_length=50, unique=True, help_text=_("The drop's address: /drops/<slug>/. Fixed once announced.")
    )
    title = models.CharField(_("title"), max_length=80)
    number = models.PositiveIntegerField(_("number"), null=True, editable=False, unique=True)  # of listed drops
    listed = models.BooleanField(
        _("listed"), default=True, help_text=_("Shown on the front page, in the archive and in the API.")
    )
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    limit_per_order = models.PositiveSmallIntegerField(
        _("limit per order"),
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("How many pieces one order may hold, all editions together."),
    )
    hold_seconds = models.PositiveIntegerField(
        _("length of a hold in seconds"), default=300, validators=[MinValueValidator(10), MaxValueValidator(3600)]
    )

    announced_at = models.DateTimeField(null=True, editable=False)
    lobby_opens_at = models.DateTimeField(_("lobby opens"), null=True, blank=True)
    opens_at = models.DateTimeField(_("opens"), null=True, blank=True)
    closes_at = models.DateTimeField(_("closes"), null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    cancelled_at = models.DateTimeField(null=True, editable=False)
    sold_out_at = models.DateTimeField(null=True, editable=False)  # first time that no unit was free or held

    sealed = models.PositiveBigIntegerField(null=True, editable=False)  # N: how many indices the shuffle covers
    nonce = models.BinaryField(max_length=16, null=True, editable=False)
    commitment = models.BinaryField(max_length=32, null=True, editable=False)

    objects = DropQuerySet.as_manager()

    class Meta:
        ordering = ["-opens_at"]
        constraints = [
            models.CheckConstraint(
                name="an_announced_drop_has_its_times_and_its_commitment",
                condition=Q(announced_at=None)
                | Q(
                    lobby_opens_at__isnull=False, opens_at__isnull=False, nonce__isnull=False, commitment__isnull=False
                ),
            ),
            models.CheckConstraint(
                name="the_lobby_opens_before_the_drop",
                condition=Q(lobby_opens_at=None) | Q(opens_at=None) | Q(lobby_opens_at__lt=F("opens_at")),
            ),
            models.CheckConstraint(
                name="a_drop_closes_after_it_opens",
                condition=Q(closes_at=None) | Q(opens_at=None) | Q(closes_at__gt=F("opens_at")),
            ),
            models.CheckConstraint(
                name="a_seal_has_its_number_and_its_time",
                condition=Q(sealed=None, sealed_at=None)
                | Q(sealed__isnull=False, sealed_at__isnull=False, announced_at__isnull=False),
            ),
            models.CheckConstraint(name="a_drop_sells_something_per_order", condition=Q(limit_per_order__gte=1)),
        ]

    def __str__(self) -> str:
        return self.title or self.slug

    @cached_property
    def paused(self) -> bool:
        """Whether a pause is open; read along by with_state()."""
        return self.pauses.filter(ended_at=None).exists()

    @cached_property
    def anything_left(self) -> bool:
        """Whether a unit is free or held but not paid; read along by with_state()."""
        return Drop.objects.with_something_left().filter(pk=self.pk).exists()


OVER = (
    Q(sold_out_at__isnull=False) | Q(closed_at__isnull=False) | Q(cancelled_at__isnull=False) | Q(closes_at__lte=Now())
)


def open_pauses() -> models.QuerySet["Pause"]:
    """Pauses of the outer drop that have not ended."""
    return Pause.objects.filter(drop=OuterRef("pk"), ended_at=None)


def free_units() -> models.QuerySet[models.Model]:
    """Units of the outer drop that anybody may still take."""
    return apps.get_model("drops", "Unit")._default_manager.filter(
        edition__drop=OuterRef("pk"), hold=None, withheld_at=None
    )


def live_holds() -> models.QuerySet[models.Model]:
    """Holds of the outer drop whose units may come back."""
    holds = apps.get_model("drops", "Hold")._default_manager
    return holds.filter(drop=OuterRef("pk"), state__in=["open", "paying"])


class Pause(models.Model):
    """A span in which nobody is let in and no open hold lapses."""

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="pauses")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["began_at"]
        constraints = [
            models.UniqueConstraint(fields=["drop"], condition=Q(ended_at=None), name="one_open_pause_per_drop")
        ]

    def __str__(self) -> str:
        return f"{self.drop} paused {self.began_at}"


class Edition(models.Model):
    """A variant in a drop, with its price and how many there are. Quantity, price and limit freeze at announcement."""

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="editions")
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="editions")
    price = models.PositiveIntegerField(_("price"), help_text=_("In the currency's smallest unit: 9600 is 96.00."))
    quantity = models.PositiveIntegerField(_("quantity"), validators=[MinValueValidator(1)])
    limit_per_order = models.PositiveSmallIntegerField(
        _("limit per order"), default=1, validators=[MinValueValidator(1)]
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["drop", "variant"], name="one_edition_per_drop_and_variant"),
            models.CheckConstraint(name="an_edition_has_a_price", condition=Q(price__gt=0)),
            models.CheckConstraint(name="an_edition_has_a_quantity", condition=Q(quantity__gt=0)),
            models.CheckConstraint(name="an_edition_sells_something_per_order", condition=Q(limit_per_order__gte=1)),
        ]

    def __str__(self) -> str:
        return str(self.variant)
