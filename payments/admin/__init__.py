"""The admin pages of orders and their money. Only payments.processing changes them."""

from payments.admin import money, orders, refunds

__all__ = ["money", "orders", "refunds"]
