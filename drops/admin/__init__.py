"""Drops in the admin. dropsite.backoffice registers drops and holds, to which it adds orders and money."""

from drops.admin import products, waiting_room

__all__ = ["products", "waiting_room"]
