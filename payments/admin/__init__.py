"""Orders and their money at the desk: to look at. Only payments.processing changes them."""

from payments.admin import money, orders

__all__ = ["money", "orders"]
