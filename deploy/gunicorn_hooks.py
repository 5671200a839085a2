"""gunicorn's configuration for every fleet of the Procfile: a fleet that grows or shrinks says so in a line."""

import asyncio
import logging
from typing import Any


def is_no_cancellation(record: logging.LogRecord) -> bool:
    """Gunicorn ends its control connections before each fork, which Python 3.11 logs as a fault; they are made anew."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


logging.getLogger("asyncio").addFilter(is_no_cancellation)


def nworkers_changed(server: Any, new: int, old: int | None) -> None:
    """Called by the master whenever another number of workers is wanted; at its start there was none before."""
    if old is not None and new != old:
        print(f"{old} → {new} workers", flush=True)
