from django.apps import AppConfig


class DropsConfig(AppConfig):
    name = "drops"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Check the keys of the draws, so that a wrong setting is noticed at the start."""
        from drops import shuffle_keys  # noqa: PLC0415 only now are the models loaded

        shuffle_keys.keys()
