"""The shop's pages at the desk."""

from shop.admin import outbox, products

__all__ = ["outbox", "products"]
