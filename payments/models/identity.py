"""How many units a person has of a drop that limits them per person.

A person is known by the email address and, where Stripe names one, by the card or the wallet's device. Each
is kept as a keyed hash. Units are claimed in the transaction that allocates them; a void or a return frees
them.
"""

from django.db import models
from django.db.models import Q

from drops.models import Drop
from payments.models.order import Order


class Identity(models.Model):
    """What a person is known by in one drop, and how many units are claimed under it."""

    class Kind(models.TextChoices):
        EMAIL = "email"
        CARD = "card"

    drop = models.ForeignKey(Drop, models.PROTECT, related_name="identities")
    kind = models.CharField(max_length=5, choices=Kind)
    digest = models.BinaryField(max_length=32)
    units = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(
                fields=["drop", "kind", "digest"], name="one_identity_per_drop_and_digest"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {bytes(self.digest).hex()[:8]}"


class Claim(models.Model):
    """The units that one order claims under an identity; none once it was freed."""

    identity = models.ForeignKey(Identity, models.PROTECT, related_name="claims")
    order = models.ForeignKey(Order, models.PROTECT, related_name="claims")
    units = models.PositiveIntegerField()
    freed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["identity", "order"], name="one_claim_per_identity_and_order"),
            models.CheckConstraint(
                name="a_freed_claim_has_no_units", condition=Q(freed_at=None) | Q(units=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.units} of {self.order_id}"
