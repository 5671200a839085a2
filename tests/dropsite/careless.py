"""The project's Celery application with Celery's own requests, which compare clocks: a test's control."""

from dropsite.celery import app
from dropsite.task import Task

__all__ = ["app"]

Task.Request = "celery.worker.request:Request"
