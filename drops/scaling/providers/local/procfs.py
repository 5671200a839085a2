"""What the kernel's own books (Linux) say of a server on this machine: its CPU time, and who waits for it."""

import os
from collections.abc import Iterable
from pathlib import Path

PARENT, USER, SYSTEM, DEAD_USER, DEAD_SYSTEM = 1, 11, 12, 13, 14  # fields of proc(5), counted behind the name

LISTENING = "0A"  # of the states in /proc/net/tcp; its second queue then counts who waits to be accepted


def cpu_seconds(*, master: int, workers: Iterable[int]) -> float | None:
    """Add up what a master, its workers and those that ended before them have used.

    None where it can't be told: no such books here, or the processes are on another machine.
    """
    books = _read(master)
    lives = [found for pid in workers if (found := _read(pid)) is not None and found[PARENT] == master]
    if books is None or not lives:
        return None
    ticks = sum(books[field] for field in (USER, SYSTEM, DEAD_USER, DEAD_SYSTEM))
    ticks += sum(life[USER] + life[SYSTEM] for life in lives)
    return ticks / os.sysconf("SC_CLK_TCK")


def _read(pid: int) -> list[int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    words = text[text.rindex(")") + 2 :].split()  # the name may hold blanks and brackets
    return [0, *(int(word) for word in words[1:])]  # the first is the state, a letter


def waiting(*, ports: Iterable[int]) -> int | None:
    """Count the connections to these ports that nobody has accepted yet; None where it can't be told."""
    wanted, found, told = set(ports), 0, False
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _number, local, _remote, state, queues = line.split()[:5]
            if state == LISTENING and int(local.rpartition(":")[2], 16) in wanted:
                found, told = found + int(queues.partition(":")[2], 16), True
    return found if told else None
