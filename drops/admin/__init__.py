"""Drops at the desk. The page of a drop itself is registered by dropsite.desk, which adds what the money says."""

from drops.admin import line, stock

__all__ = ["line", "stock"]
