from importlib import import_module

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_delete

from shop.core import database


class ShopConfig(AppConfig):
    name = "shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Watch each database connection, and files of rows that are deleted, in every kind of process."""
        connection_created.connect(database.watch_statements, dispatch_uid="watch statements")
        picture_files = import_module("shop.picture_files")  # which needs the models
        for model in ("Picture", "Rendition"):
            post_delete.connect(
                picture_files.note_deleted_row,
                sender=self.get_model(model),
                dispatch_uid=f"files of {model}",
            )
