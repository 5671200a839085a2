from importlib import import_module

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Imported here because they need models, which are loaded before ready() is called.
        drop_actions = import_module("drops.drop_actions")
        cancellation = import_module("payments.orders.cancellation")
        drop_actions.cancelling.connect(cancellation.consequences, dispatch_uid="payments.cancelling")
