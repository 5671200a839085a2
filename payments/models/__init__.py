"""Orders, their payments and attempts, Stripe's events, the ledger, the buckets of the rate limit."""

from payments.models.ledger import Bucket, Event, LedgerEntry
from payments.models.order import Attempt, Order, Payment

__all__ = ["Attempt", "Bucket", "Event", "LedgerEntry", "Order", "Payment"]
