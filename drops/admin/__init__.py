"""Drops at the desk. The page of a drop itself is registered by dropsite.backoffice, which adds what the money says."""

from drops.admin import stock, waiting_room

__all__ = ["stock", "waiting_room"]
