"""The Celery application.

Each queue is a group of its own; what is due is a row, which a tick of beat looks for.
"""

import logging
import logging.config
import os
from typing import Any

import structlog
from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun
from django.conf import settings
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dropsite.settings")

app = Celery("dropsite", task_cls="dropsite.task:Task")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def use_our_logging(*, loglevel: int | str, **_: object) -> None:
    """Log like the other processes; the option -l sets the level of Celery's own loggers."""
    logging.config.dictConfig(settings.LOGGING)
    logging.getLogger("celery").setLevel(loglevel)


@task_prerun.connect
def bind_task(*, task_id: str, task: Any, **_: object) -> None:
    """Add the task to every line that it logs."""
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect
def unbind_task(**_: object) -> None:
    """Forget the task for the lines that follow."""
    structlog.contextvars.clear_contextvars()


@task_postrun.connect
def return_connection(**_: object) -> None:
    """Return the task's connection to the pool, which replaces a broken one. See CELERY_DB_REUSE_MAX."""
    close_old_connections()
