"""What a Celery worker is taught: to tell the size of its pool, and to bring it to one.

Both run in the worker's own loop, so that nothing comes between looking and acting.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

TELL, RESIZE = "scaling_pool", "scaling_resize_pool"

log = logging.getLogger(__name__)


def teach() -> None:
    """Register both commands. Only workers import what that takes."""
    from celery.worker.control import control_command, inspect_command  # noqa: PLC0415 of no use to web

    inspect_command(name=TELL)(tell)
    control_command(name=RESIZE, args=[("size", int)], signature="<size>")(resize)


def tell(state: Any, **_: object) -> dict[str, Any]:
    """Tell the size that the pool is to have, and the processes of it that are up."""
    pool = state.consumer.pool
    found = pool.info.get("processes")
    if not isinstance(found, list):
        return {"error": f"its pool ({type(pool).__module__}) has no processes; start it with -P prefork"}
    starting = _starting(pool)
    up = [pid for pid in found if pid not in starting]
    return {"ok": {"size": pool.num_processes, "processes": up, "pid": os.getpid()}}


def resize(state: Any, size: int, **_: object) -> dict[str, Any]:
    """Bring the pool to `size` by Celery's own commands, as far as its processes have nothing to do."""
    told = tell(state)
    if "error" in told:
        return told
    state.consumer.pool.maintain_pool()  # takes those off its list that have gone; else it does so every 5 s
    told = tell(state)
    have, processes = told["ok"]["size"], told["ok"]["processes"]
    answer = {"ok": ""}
    if size > have:
        answer = _grow(state, size - have)
    elif size < have and len(processes) == have and not _starting(state.consumer.pool):
        # else some are on their way out, and would be chosen again, or too young to hear that they are to go
        answer = _shrink(state, have - size)
    if "error" in answer:
        return answer
    if (after := state.consumer.pool.num_processes) != have:
        log.info("%s → %s processes", have, after)
    return {"ok": tell(state)["ok"] | {"before": have}}


def _starting(pool: Any) -> set[int]:
    """Give the processes that have not said yet that they are up: in those, the worker's own signal handlers stand."""
    return {process.pid for process in getattr(getattr(pool, "_pool", None), "_waiting_to_start", ())}


def _grow(state: Any, count: int) -> dict[str, Any]:
    answer = _own("pool_grow")(state, count)
    state.consumer.pool.maintain_pool()  # starts them
    return answer


def _shrink(state: Any, count: int) -> dict[str, Any]:
    """Celery ends those that are idle and then complains of those that are not, before it counts what it ended."""
    have = state.consumer.pool.num_processes
    try:
        return _own("pool_shrink")(state, count)
    except ValueError:
        if gone := have - state.consumer.pool.num_processes:
            state.consumer._update_prefetch_count(-gone)
        return {"ok": "some are busy"}


def _own(name: str) -> Callable[..., dict[str, Any]]:
    """Give a command that every worker knows."""
    from celery.worker.control import Panel  # noqa: PLC0415 as above

    command: Callable[..., dict[str, Any]] = Panel.data[name]
    return command
