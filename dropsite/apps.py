"""The app that wires the others together: back office, load test, commands. Nothing imports it."""

from django.apps import AppConfig

from dropsite.celery import app

__all__ = ["DropsiteConfig", "app"]  # tasks that web hands out go to this Celery app's broker, not to Celery's default


class DropsiteConfig(AppConfig):
    name = "dropsite"
