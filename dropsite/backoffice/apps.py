"""Django's admin app, with the back office as its site."""

from importlib import import_module

from django.apps import apps
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class BackOfficeConfig(AdminConfig):
    default_site = "dropsite.backoffice.site.BackOffice"

    def ready(self) -> None:
        super().ready()
        # Imported here because they need models, which are loaded before ready() is called.
        groups = import_module("dropsite.backoffice.groups")
        import_module("dropsite.backoffice.drops")
        import_module("dropsite.backoffice.holds")
        import_module("dropsite.backoffice.people")
        post_migrate.connect(
            groups.create_groups,
            sender=apps.get_app_config("payments"),
            dispatch_uid="dropsite.backoffice.groups",
        )
