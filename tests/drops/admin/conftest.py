from tests.admin_clients import log_in

__all__ = ["log_in"]
