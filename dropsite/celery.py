"""The Celery application. Queues are groups of their own; what is due is a row, and beat only looks for it."""

import os

from celery import Celery
from celery.signals import task_postrun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dropsite.settings")

app = Celery("dropsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_postrun.connect
def give_connection_back(**_: object) -> None:
    """Hand the task's connection back to the pool, which replaces a broken one. See CELERY_DB_REUSE_MAX."""
    close_old_connections()
