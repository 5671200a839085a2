"""Pre-scaling as a nested app of drops."""

from django.apps import AppConfig


class ScalingConfig(AppConfig):
    name = "drops.scaling"
    label = "scaling"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "pre-scaling"
