"""Payments, attempts, Stripe's events and the ledger, read-only."""

from django.contrib import admin

from payments.models import Attempt, Event, LedgerEntry, Payment
from shop.admin.base import ReadOnlyAdmin
from shop.core import money


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin[Payment]):
    list_display = (
        "order",
        "state",
        "decision",
        "intent_id",
        "declines",
        "changed_at",
        "captured_at",
        "refund_due_at",
    )
    list_filter = ("state", "decision", ("refund_due_at", admin.EmptyFieldListFilter), "livemode")
    list_select_related = ("order",)
    search_fields = ("order__number", "order__email", "intent_id", "charge_id")
    ordering = ("-changed_at",)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin[Attempt]):
    list_display = ("uuid", "payment_order", "state", "created_at", "sent_at", "ended_at", "decline_code")
    list_filter = ("state", "decline_code")
    list_select_related = ("payment__order",)
    search_fields = ("uuid", "payment__order__number", "confirmation_token")
    ordering = ("-created_at",)

    @admin.display(description="order", ordering="payment__order__number")
    def payment_order(self, attempt: Attempt) -> str:
        return attempt.payment.order.number


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    list_display = ("id", "type", "state", "reason", "intent_id", "received_at", "processed_at")
    list_filter = ("state", "type", "livemode")
    search_fields = ("id", "intent_id")
    ordering = ("-received_at",)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin[LedgerEntry]):
    list_display = ("at", "order", "kind", "sum", "stripe_id", "livemode")
    list_filter = ("kind", "currency", "livemode")
    list_select_related = ("order",)
    search_fields = ("order__number", "stripe_id")
    ordering = ("-at",)

    @admin.display(description="amount", ordering="amount")
    def sum(self, entry: LedgerEntry) -> str:
        return money.format_amount(amount=entry.amount, currency=entry.currency)
