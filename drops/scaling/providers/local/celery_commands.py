"""Two remote-control commands for Celery workers: report the size of the pool, and resize it.

Celery has no public way to resize a pool to an absolute size or to see which processes are up, so this reads
private parts of its pool; a test on real workers fails if an upgrade changes them. Both commands run in the
worker's own loop, so that nothing happens between looking and acting.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

REPORT, RESIZE = "scaling_pool", "scaling_resize_pool"  # the commands' names at the broker

log = logging.getLogger(__name__)


def register() -> None:
    """Register both commands in this worker."""
    # Imported here, because only workers need it.
    from celery.worker.control import control_command, inspect_command  # noqa: PLC0415

    inspect_command(name=REPORT)(report)
    control_command(name=RESIZE, args=[("size", int)], signature="<size>")(resize)


def report(state: Any, **_: object) -> dict[str, Any]:
    """Return the pool's desired size, and those of its processes that are up."""
    pool = state.consumer.pool
    processes = pool.info.get("processes")
    if not isinstance(processes, list):
        return {"error": f"its pool ({type(pool).__module__}) has no processes; start it with -P prefork"}
    starting = _starting(pool)
    up = [pid for pid in processes if pid not in starting]
    return {"ok": {"size": pool.num_processes, "processes": up, "pid": os.getpid()}}


def resize(state: Any, size: int, **_: object) -> dict[str, Any]:
    """Resize the pool to `size` by Celery's own commands, as far as its processes are idle."""
    pool = state.consumer.pool
    found = report(state)
    if "error" in found:
        return found
    # Removes processes that have ended from the pool's list, which Celery itself does every 5 s.
    pool.maintain_pool()
    found = report(state)
    before, processes = found["ok"]["size"], found["ok"]["processes"]
    result = {"ok": ""}
    if size > before:
        result = _grow(state, size - before)
    elif size < before and len(processes) == before and not _starting(pool):
        # Otherwise some processes are already ending, and would be chosen again, or are starting, and would
        # miss the signal to stop.
        result = _shrink(state, before - size)
    if "error" in result:
        return result
    after = pool.num_processes
    if after != before:
        log.info("%s → %s processes", before, after)
    return {"ok": report(state)["ok"] | {"before": before}}


def _starting(pool: Any) -> set[int]:
    """Return the processes that haven't reported that they are up: they have the worker's signal handlers."""
    return {process.pid for process in getattr(getattr(pool, "_pool", None), "_waiting_to_start", ())}


def _grow(state: Any, count: int) -> dict[str, Any]:
    result = _builtin_command("pool_grow")(state, count)
    state.consumer.pool.maintain_pool()  # starts the processes
    return result


def _shrink(state: Any, count: int) -> dict[str, Any]:
    before = state.consumer.pool.num_processes
    try:
        return _builtin_command("pool_shrink")(state, count)
    except ValueError:
        # Celery stops the idle processes, then raises because of the busy ones, and skips its own count of
        # prefetched messages. So that is corrected here.
        stopped = before - state.consumer.pool.num_processes
        if stopped:
            state.consumer._update_prefetch_count(-stopped)
        return {"ok": "some are busy"}


def _builtin_command(name: str) -> Callable[..., dict[str, Any]]:
    """Return a command that every worker has."""
    from celery.worker.control import Panel  # noqa: PLC0415 only workers need it

    command: Callable[..., dict[str, Any]] = Panel.data[name]
    return command
