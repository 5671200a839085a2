"""CPU and memory of a local stack's programs, read from /proc (Linux) by way of the stack's supervisor."""

import contextlib
import os
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from deploy.local.supervision import Remote
from dropsite.loadtest.bill import APART

SAMPLE_SECONDS = 1.0
MEMORY_EVERY = 4  # samples: reading the page tables of every process takes longer
SUPERVISOR = "supervisor"
MEBIBYTE_IN_KIB = 1024
TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


class Process(NamedTuple):
    """CPU seconds of the process itself, and of its children that have ended."""

    pid: int
    parent: int
    own: float
    ended: float


def running() -> dict[int, Process]:
    """All processes of the machine, by pid."""
    found = {}
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
                user, system, ended_user, ended_system = (int(field) / TICKS for field in fields[11:15])
                times = user + system, ended_user + ended_system
                found[int(entry.name)] = Process(int(entry.name), int(fields[1]), *times)
    return found


def tree(root: int, everything: dict[int, Process]) -> list[Process]:
    """A process and all that stand under it."""
    children = defaultdict(list)
    for process in everything.values():
        children[process.parent].append(process.pid)
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        if pid in everything:
            found.append(everything[pid])
            todo += children[pid]
    return found


def memory(pid: int) -> float:
    """Proportional set size in MiB: a page that several processes share is shared out among them."""
    with contextlib.suppress(OSError):
        for line in Path(PROC, str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / MEBIBYTE_IN_KIB
    return 0.0


@dataclass
class Meter:
    """Samples until `stop`. A program that is killed meanwhile keeps what it was last seen to have used."""

    remote: Remote
    first: dict[tuple[str, int], float] = field(default_factory=dict)
    last: dict[tuple[str, int], float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)  # MiB by program, when all of the stack had most
    peak: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self.sample(with_memory=True)
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()
        self.sample(with_memory=True)

    def _run(self) -> None:
        samples = 0
        while not self._ended.wait(SAMPLE_SECONDS):
            samples += 1
            self.sample(with_memory=samples % MEMORY_EVERY == 0)

    def roots(self) -> dict[str, int]:
        """{program: the pid that it was started as}."""
        return {name: info["pid"] for name, info in self.remote.all().items() if info["pid"]}

    def sample(self, *, with_memory: bool) -> None:
        """Look once."""
        everything, new = running(), not self.last
        found = {name: tree(pid, everything) for name, pid in self.roots().items()}
        held: dict[str, float] = {}
        for name, processes in (found | self._supervisor(found, everything)).items():
            if processes:
                key, seconds = (name, processes[0].pid), sum(process.own + process.ended for process in processes)
                self.first.setdefault(key, seconds if new else 0.0)  # what was started since then works for us only
                self.last[key] = max(seconds, self.last.get(key, 0.0))
                if with_memory:
                    held[name] = sum(memory(process.pid) for process in processes)
        total = sum(size for name, size in held.items() if name not in APART)
        if total > self.peak:
            self.peak, self.memory = total, held

    @staticmethod
    def _supervisor(found: dict[str, list[Process]], everything: dict[int, Process]) -> dict[str, list[Process]]:
        """The parent of them all, alone: what ended under it has been counted where it belongs."""
        for processes in found.values():
            for process in processes[:1]:
                boss = everything.get(process.parent)
                return {SUPERVISOR: [boss._replace(ended=0.0)]} if boss else {}
        return {}

    def cpu(self) -> dict[str, float]:
        """{program: CPU seconds since the start}."""
        used: dict[str, float] = defaultdict(float)
        for (name, pid), seconds in self.last.items():
            used[name] += seconds - self.first[name, pid]
        return dict(used)
