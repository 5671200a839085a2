"""Django's admin app with the desk as its site."""

from importlib import import_module

from django.apps import apps
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class DeskConfig(AdminConfig):
    default_site = "dropsite.backoffice.site.Desk"

    def ready(self) -> None:
        super().ready()
        groups, _drops = (
            import_module("dropsite.backoffice.groups"),
            import_module("dropsite.backoffice.drops"),
        )  # they need models
        post_migrate.connect(
            groups.make, sender=apps.get_app_config("payments"), dispatch_uid="dropsite.backoffice.groups"
        )
