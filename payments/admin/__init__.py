"""The admin pages of orders and their money, read-only. Only payments.processing changes them."""

from payments.admin import money, orders

__all__ = ["money", "orders"]
