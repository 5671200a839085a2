"""Rows of money: orders, their payment and its attempts, Stripe's events, the ledger, the rate limit's buckets."""

from payments.models.ledger import Bucket, Event, LedgerEntry
from payments.models.order import Attempt, Order, Payment

__all__ = ["Attempt", "Bucket", "Event", "LedgerEntry", "Order", "Payment"]
