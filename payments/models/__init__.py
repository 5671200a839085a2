"""Orders and what becomes of them: payment, fulfilment, refunds, disputes, documents; and the ledger."""

from payments.models.dispute import Dispute, FraudWarning
from payments.models.fulfilment import Fulfilment, Withdrawal
from payments.models.identity import Claim, Identity
from payments.models.invoice import Invoice, Series
from payments.models.ledger import BalanceTransaction, Bucket, Event, LedgerEntry, Reconciliation
from payments.models.order import AddressChange, Order, OrderLine
from payments.models.payment import Attempt, Payment
from payments.models.refund import Refund, RefundLine

__all__ = [
    "AddressChange",
    "Attempt",
    "BalanceTransaction",
    "Bucket",
    "Claim",
    "Dispute",
    "Event",
    "FraudWarning",
    "Fulfilment",
    "Identity",
    "Invoice",
    "LedgerEntry",
    "Order",
    "OrderLine",
    "Payment",
    "Reconciliation",
    "Refund",
    "RefundLine",
    "Series",
    "Withdrawal",
]
