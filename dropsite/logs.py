"""Structured logs: one JSON object a line for a log store, or plain lines for people (LOG_FORMAT).

Every line has `time` (UTC), `level`, `logger` and `message`. While a request or a task runs, it also has its
`request_id`, or its `task` and `task_id`.
"""

import logging
from typing import Any

import structlog
from structlog.typing import Processor

TEXT_FORMAT = "%(levelname)s %(name)s %(message)s"
PROCESSORS: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.format_exc_info,
    structlog.processors.EventRenamer("message"),
)


def build_formatter() -> logging.Formatter:
    """Return a formatter that renders records of the standard library as JSON."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=PROCESSORS,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def build_config(*, level: str, log_format: str) -> dict[str, Any]:
    """Return Django's LOGGING for a level and a format, "json" or "text"."""

    def console(at: str) -> dict[str, Any]:
        return {"handlers": ["console"], "level": at, "propagate": False}

    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": build_formatter}, "text": {"format": TEXT_FORMAT}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": log_format}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": console(level),
            # A bad request is answered with a page that says so; it isn't an event for the log.
            "django.request": console("ERROR"),
            "django.security.csrf": console("ERROR"),
            # The pool would log every failed attempt while Postgres is down; a failed request logs it once.
            "psycopg.pool": console("ERROR"),
            # Somebody pays for a fleet that grows, so its changes are logged at every level.
            "drops.scaling": console("INFO"),
        },
    }
