"""CPU and memory of a local stack's programs, read from /proc (Linux only).

The stack's supervisor says which processes they are.
"""

import contextlib
import os
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from deploy.local.runner.supervisord import SupervisorClient
from dropsite.loadtest.cost.figures import NOT_THE_SHOP

SAMPLE_SECONDS = 1.0
SAMPLES_PER_MEMORY_READING = 4  # reading the page tables of every process is slow
SUPERVISOR = "supervisor"
KIB_PER_MIB = 1024
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


class Process(NamedTuple):
    """A process with the CPU seconds of itself and of its children that have ended."""

    pid: int
    parent: int
    own_seconds: float
    ended_children_seconds: float


Trees = dict[str, list[Process]]  # {program: its processes, the first one first}


def running_processes() -> dict[int, Process]:
    """Return all processes of the machine, by pid."""
    processes = {}
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended in the meantime
                processes[int(entry.name)] = _read_process(int(entry.name))
    return processes


def _read_process(pid: int) -> Process:
    stat = Path(PROC, str(pid), "stat").read_bytes()
    fields = stat.rpartition(b")")[2].split()  # the name before it may contain spaces
    parent = int(fields[1])
    user, system, children_user, children_system = (int(ticks) / TICKS_PER_SECOND for ticks in fields[11:15])
    return Process(pid, parent, user + system, children_user + children_system)


def process_tree(root: int, processes: dict[int, Process]) -> list[Process]:
    """Return a process and all its descendants; the process comes first."""
    children = defaultdict(list)
    for process in processes.values():
        children[process.parent].append(process.pid)
    tree = []
    pids = [root]
    while pids:
        pid = pids.pop()
        if pid in processes:
            tree.append(processes[pid])
            pids += children[pid]
    return tree


def read_memory_mib(pid: int) -> float:
    """Return the proportional set size: a page that several processes share is divided among them."""
    with contextlib.suppress(OSError):
        for line in Path(PROC, str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / KIB_PER_MIB
    return 0.0


@dataclass
class ProcessSampler:
    """Samples every second until `stop`. Of a killed program, the last sample before its end counts."""

    supervisor: SupervisorClient
    first_seconds: dict[tuple[str, int], float] = field(default_factory=dict)  # CPU by program and pid
    last_seconds: dict[tuple[str, int], float] = field(default_factory=dict)
    memory_mib: dict[str, float] = field(default_factory=dict)  # by program, when the shop used most
    peak_mib: float = 0.0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self.sample(with_memory=True)
        self._thread = threading.Thread(target=self._run, name="process sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()
        self.sample(with_memory=True)

    def _run(self) -> None:
        samples = 0
        while not self._stopping.wait(SAMPLE_SECONDS):
            samples += 1
            self.sample(with_memory=samples % SAMPLES_PER_MEMORY_READING == 0)

    def program_pids(self) -> dict[str, int]:
        """Return {program: the pid of its first process}."""
        return {name: info["pid"] for name, info in self.supervisor.program_info().items() if info["pid"]}

    def sample(self, *, with_memory: bool) -> None:
        """Read the CPU time, and the memory if asked for, of every program."""
        processes = running_processes()
        trees = {name: process_tree(pid, processes) for name, pid in self.program_pids().items()}
        trees |= _supervisor_tree(trees, processes)
        trees = {name: tree for name, tree in trees.items() if tree}
        self._record_cpu(trees)
        if with_memory:
            self._record_memory(trees)

    def _record_cpu(self, trees: Trees) -> None:
        is_first_sample = not self.last_seconds
        for name, tree in trees.items():
            key = (name, tree[0].pid)
            seconds = sum(process.own_seconds + process.ended_children_seconds for process in tree)
            if is_first_sample:
                self.first_seconds[key] = seconds
            else:
                # A process that is missing in the first sample was started later, so all its time counts.
                self.first_seconds.setdefault(key, 0.0)
            self.last_seconds[key] = max(seconds, self.last_seconds.get(key, 0.0))

    def _record_memory(self, trees: Trees) -> None:
        sizes = {name: sum(read_memory_mib(process.pid) for process in tree) for name, tree in trees.items()}
        total = sum(size for name, size in sizes.items() if name not in NOT_THE_SHOP)
        if total > self.peak_mib:
            self.peak_mib = total
            self.memory_mib = sizes

    def cpu_seconds(self) -> dict[str, float]:
        """Return {program: CPU seconds since the start}."""
        used: dict[str, float] = defaultdict(float)
        for (name, pid), seconds in self.last_seconds.items():
            used[name] += seconds - self.first_seconds[name, pid]
        return dict(used)


def _supervisor_tree(trees: Trees, processes: dict[int, Process]) -> Trees:
    """Return the supervisor, which started all programs, without its children: those count separately."""
    for tree in trees.values():
        if tree:
            supervisor = processes.get(tree[0].parent)
            if supervisor is None:
                return {}
            return {SUPERVISOR: [supervisor._replace(ended_children_seconds=0.0)]}
    return {}
