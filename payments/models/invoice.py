"""Invoices and credit notes. Their numbers have no gaps; what they say never changes."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.order import Order
from payments.models.refund import Refund


class Series(models.Model):
    """The last number given in a series of documents. Its row is locked while a number is given."""

    class Name(models.TextChoices):
        INVOICE = "invoice"
        CREDIT_NOTE = "credit note"

    name = models.CharField(primary_key=True, max_length=12, choices=Name)
    last = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "series"

    def __str__(self) -> str:
        return f"{self.name} {self.last}"


class Invoice(models.Model):
    """An invoice of a captured order, or the credit note of a refund, as it was issued."""

    series = models.ForeignKey(Series, models.PROTECT, related_name="documents")
    number = models.PositiveIntegerField()  # 1, 2, 3 … in its series
    name = models.CharField(max_length=40, unique=True)  # the number as it is printed, with the shop's prefix
    order = models.ForeignKey(Order, models.PROTECT, related_name="invoices")
    refund = models.OneToOneField(Refund, models.PROTECT, null=True, related_name="credit_note")
    issued_at = models.DateTimeField(db_default=Now())
    content = models.JSONField()  # everything that is printed: seller, buyer, lines, taxes, totals
    total = models.BigIntegerField()  # in the currency's smallest unit; negative for a credit note
    currency = models.CharField(max_length=3)

    class Meta:
        ordering = ["-issued_at", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["series", "number"], name="one_document_per_series_and_number"),
            models.UniqueConstraint(fields=["order"], condition=Q(refund=None), name="one_invoice_per_order"),
            models.CheckConstraint(
                name="a_credit_note_is_of_a_refund",
                condition=Q(series="invoice", refund=None) | Q(series="credit note", refund__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name
