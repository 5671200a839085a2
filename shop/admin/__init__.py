"""The shop's pages in the admin."""

from shop.admin import alerts, audit_log, emails, products

__all__ = ["alerts", "audit_log", "emails", "products"]
