"""Orders and their money at the desk: to look at. What changes them is the settlement."""

from payments.admin import money, orders

__all__ = ["money", "orders"]
