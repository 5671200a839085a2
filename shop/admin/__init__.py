"""The shop in the admin. drops.admin registers products, to which it adds their drops."""

from shop.admin import alerts, audit_log, emails, sign_ins

__all__ = ["alerts", "audit_log", "emails", "sign_ins"]
