from importlib import import_module

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Imported here because they need models, which are loaded before ready() is called.
        drop_actions = import_module("drops.drop_actions")
        cancellation = import_module("payments.orders.cancellation")
        admission = import_module("drops.admission")
        rate_limit = import_module("payments.processing.rate_limit")
        admission.register_payments(rate_limit.measure_ceiling)
        drop_actions.cancelling.connect(cancellation.consequences, dispatch_uid="payments.cancelling")
