"""The app that wires the others together: back office, load test, commands. Nothing imports it."""

from django.apps import AppConfig

from dropsite.celery import app

# `app` is imported so that web processes enqueue tasks at its broker, not at Celery's default.
__all__ = ["DropsiteConfig", "app"]


class DropsiteConfig(AppConfig):
    name = "dropsite"
