"""Pre-scaling as a nested app of drops."""

from importlib import import_module

from django.apps import AppConfig


class ScalingConfig(AppConfig):
    name = "drops.scaling"
    label = "scaling"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "pre-scaling"

    def ready(self) -> None:
        # Imported here because they need models, which are loaded before ready() is called.
        drop_actions = import_module("drops.drop_actions")
        scale_plans = import_module("drops.scaling.control.scale_plans")
        holds = import_module("drops.holds")
        drop_actions.announced.connect(scale_plans.replan_drop, dispatch_uid="drops.scaling.announced")
        holds.units_withheld.connect(scale_plans.replan_after_commit, dispatch_uid="drops.scaling.withheld")
