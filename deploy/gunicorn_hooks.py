"""gunicorn's configuration for every fleet of the Procfile: limits, and a line when it grows or shrinks."""

import asyncio
import logging
from typing import Any

# As much as the edge lets through: what is too long gets the edge's page, which says what to do.
limit_request_line = 8_190
limit_request_fields = 8_192


def is_not_cancellation(record: logging.LogRecord) -> bool:
    """Whether a record is about anything but a cancelled task.

    Gunicorn cancels its control connections before each fork and reopens them. Python 3.11 logs an error
    then.
    """
    if record.exc_info is None:
        return True
    return not isinstance(record.exc_info[1], asyncio.CancelledError)


logging.getLogger("asyncio").addFilter(is_not_cancellation)


def nworkers_changed(server: Any, new: int, old: int | None) -> None:
    """Log a change. Gunicorn's master calls this hook; at its start, `old` is None."""
    if old is not None and new != old:
        print(f"{old} → {new} workers", flush=True)
