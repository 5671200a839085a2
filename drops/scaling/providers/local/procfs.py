"""What Linux's /proc shows of a local server: its CPU time, and connections that wait to be accepted."""

import os
from collections.abc import Iterable
from pathlib import Path

# Fields of /proc/PID/stat (see proc_pid_stat(5)), counted from the one behind the name. The last two are
# those of children that have ended.
PARENT, USER_TICKS, SYSTEM_TICKS, DEAD_USER_TICKS, DEAD_SYSTEM_TICKS = 1, 11, 12, 13, 14

LISTEN_STATE = (
    "0A"  # in /proc/net/tcp; the receive queue of such a socket counts connections not yet accepted
)


def cpu_seconds(*, master: int, workers: Iterable[int]) -> float | None:
    """Return the CPU time that a master, its workers and its former workers have used.

    None where it isn't known: without /proc, or if the processes are on another machine.
    """
    master_stat = _read_stat(master)
    worker_stats = [stat for stat in map(_read_stat, workers) if stat is not None and stat[PARENT] == master]
    if master_stat is None or not worker_stats:
        return None
    ticks = sum(
        master_stat[field] for field in (USER_TICKS, SYSTEM_TICKS, DEAD_USER_TICKS, DEAD_SYSTEM_TICKS)
    )
    ticks += sum(stat[USER_TICKS] + stat[SYSTEM_TICKS] for stat in worker_stats)
    return ticks / os.sysconf("SC_CLK_TCK")


def _read_stat(pid: int) -> list[int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    # The process's name may contain spaces and brackets, so the fields begin behind the last bracket.
    fields = text[text.rindex(")") + 2 :].split()
    # The first field is the state, a letter.
    return [0, *(int(field) for field in fields[1:])]


def waiting(*, ports: Iterable[int]) -> int | None:
    """Return how many connections to these ports wait to be accepted; None where it isn't known."""
    wanted, count, is_known = set(ports), 0, False
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _number, local_address, _remote_address, state, queues = line.split()[:5]
            if state == LISTEN_STATE and int(local_address.rpartition(":")[2], 16) in wanted:
                count += int(queues.partition(":")[2], 16)
                is_known = True
    return count if is_known else None
