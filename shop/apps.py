from django.apps import AppConfig
from django.db.backends.signals import connection_created

from shop.core import database


class ShopConfig(AppConfig):
    name = "shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Watch each database connection, in every kind of process."""
        connection_created.connect(database.watch_statements, dispatch_uid="watch statements")
