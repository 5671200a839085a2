"""Drops in the admin. dropsite.backoffice registers drops and holds, to which it adds orders and money."""

from drops.admin import waiting_room

__all__ = ["waiting_room"]
