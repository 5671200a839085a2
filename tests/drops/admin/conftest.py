from tests.admin_clients import desk

__all__ = ["desk"]
