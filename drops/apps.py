from django.apps import AppConfig


class DropsConfig(AppConfig):
    name = "drops"
    default_auto_field = "django.db.models.BigAutoField"
