"""JSON logs: what a line has, and the ids of requests and tasks."""

import json
import logging
import sys

import pytest
import structlog
from django.http import HttpRequest, HttpResponse

from dropsite import logs
from dropsite.celery import bind_task, unbind_task
from dropsite.middleware.request_id import RequestIdMiddleware


def line(message: str, *, error: bool = False) -> dict[str, str]:
    """Return a warning of the logger "shop" as a log store reads it."""
    exc_info = sys.exc_info() if error else None
    record = logging.LogRecord("shop", logging.WARNING, __file__, 1, message, None, exc_info)
    found: dict[str, str] = json.loads(logs.build_formatter().format(record))
    return found


def test_line_has_time_level_logger_and_message() -> None:
    found = line("stock is low – 3 left")

    assert found.pop("time").endswith("Z")
    assert found == {"level": "warning", "logger": "shop", "message": "stock is low – 3 left"}


def test_exception_stays_on_one_line() -> None:
    try:
        raise ValueError("no such unit")
    except ValueError:
        found = line("hold not placed", error=True)

    assert found["exception"].endswith("ValueError: no such unit")


def test_request_is_named_on_its_lines_only() -> None:
    seen: list[dict[str, str]] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(line("inside"))
        return HttpResponse()

    request = HttpRequest()
    request.META["HTTP_X_REQUEST_ID"] = "edge-12345678"
    response = RequestIdMiddleware(view)(request)

    assert response["X-Request-ID"] == "edge-12345678"
    assert seen[0]["request_id"] == "edge-12345678"
    assert "request_id" not in line("after")


def test_task_is_named_on_its_lines_only() -> None:
    class Task:
        name = "payments.confirm"

    bind_task(task_id="7f", task=Task())
    inside = line("inside")
    unbind_task()

    assert (inside["task"], inside["task_id"]) == ("payments.confirm", "7f")
    assert "task" not in line("after")


@pytest.fixture(autouse=True)
def no_context() -> None:
    """Nothing is bound before a test."""
    structlog.contextvars.clear_contextvars()
