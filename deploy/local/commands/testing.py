"""`make test`: start Postgres and two Redis with a state of their own, run pytest, leave nothing.

Each test process has a database of its own in that Postgres and a Redis database (see tests/databases.py). Journeys
use a whole shop, with servers of its own, which the first of them starts. Several runs at once each take a folder.

Lanes (see tests/lanes.py) run side by side, since most of their time is waiting. What each has to say is printed when
it ends; the last line adds them up.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from deploy.local.runner import environment, processes
from deploy.local.runner.programs import DATA_SERVERS, ROOT
from deploy.local.runner.stack import Stack, StackError, remove
from deploy.local.servers import postgres

FOLDER = ROOT / "var" / f"test-{os.getpid()}"
POLL_SECONDS = 0.1
NO_TESTS = 5  # pytest's exit code when nothing was selected
FINISH_SECONDS = 20  # for pytest to end its fixtures when it is interrupted


class Lane(NamedTuple):
    """How many processes run a lane's tests, how those are spread, and the first of its Redis databases."""

    processes: int
    spread: str
    redis_base: int


CORES = os.cpu_count() or 2
LANES = {
    "unit": Lane(processes=min(CORES, 4), spread="load", redis_base=1),
    # By file: the tests of a module often share a server.
    "servers": Lane(processes=3, spread="loadfile", redis_base=5),
    "journeys": Lane(processes=2, spread="loadfile", redis_base=8),  # a whole shop each
}


@dataclass
class Run:
    """A pytest that runs, and where it leaves its output and its counts."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path
    summary: Path
    began: float
    seconds: float | None = None

    def counts(self) -> Counter[str]:
        """How many tests passed, failed …; nothing if pytest broke off before it knew."""
        if not self.summary.exists():
            return Counter()
        return Counter(json.loads(self.summary.read_text()))


def clear_leftovers() -> None:
    """Remove the state of runs that were killed before they could: the process in the folder's name is gone."""
    for folder in (ROOT / "var").glob("test-*"):
        number = folder.name.split("-")[1]
        if number.isdigit() and not psutil.pid_exists(int(number)) and not environment.is_running(folder):
            remove(folder)


def pytest_environment(stack: Stack) -> dict[str, str]:
    """What the tests themselves see: the data servers, and where a whole shop may be started."""
    kept = {name: value for name, value in stack.environment.items() if name not in postgres.UNSAFE}
    return environment.for_programs(kept) | {
        "DATABASE_POOL_SIZE": "32",  # a race has a connection for each of its threads
        "RUN_DIR": str(stack.folder),
        **postgres.DISPOSABLE,
        "TEST_RUN": str(os.getpid()),
        "TEST_STACK": f"{FOLDER}-shop",
        "TMPDIR": str(stack.run / "tmp"),  # what tests leave there goes with the stack
    }


def _collect_static(stack: Stack) -> subprocess.Popen[bytes]:
    """Start to collect the static files, which pages need; it takes as long as Postgres does to start."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=ROOT,
        env=environment.for_programs(stack.environment),
        preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
    )


def _start(stack: Stack, words: Sequence[str], **variables: str) -> subprocess.Popen[bytes]:
    """A pytest that has the terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env=pytest_environment(stack) | variables,
        preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
    )


def _start_lane(stack: Stack, name: str, words: Sequence[str]) -> Run:
    """A pytest of one lane, whose output goes to a file."""
    lane = LANES[name]
    output, summary = FOLDER / f"{name}.output", FOLDER / f"{name}.summary"
    spread = ["--lane", name, "-n", str(lane.processes), "--dist", lane.spread, "--no-loadscope-reorder"]
    variables = {"TEST_LANE": name, "TEST_REDIS_BASE": str(lane.redis_base), "TEST_SUMMARY": str(summary)}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", *spread, *words],
            cwd=ROOT,
            env=pytest_environment(stack) | variables,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # Ctrl-C reaches only this process, which then tells each lane once
            preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
        )
    return Run(name=name, process=process, output=output, summary=summary, began=time.monotonic())


def _finish(started: Sequence[subprocess.Popen[bytes]]) -> None:
    """Have them end their fixtures; kill those that take too long."""
    for process in started:
        process.send_signal(signal.SIGINT)
    until = time.monotonic() + FINISH_SECONDS
    for process in started:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _run_one(stack: Stack, words: Sequence[str]) -> int:
    process = _start(stack, words)
    try:
        return process.wait()
    except processes.Interrupted:
        _finish([process])
        raise


def _run_lanes(stack: Stack, names: Sequence[str], words: Sequence[str]) -> int:
    runs = [_start_lane(stack, name, words) for name in names]
    print(f"{', '.join(names)}: side by side; each is printed when it ends.", flush=True)
    try:
        while waiting := [run for run in runs if run.seconds is None]:
            for run in waiting:
                if run.process.poll() is not None:
                    run.seconds = time.monotonic() - run.began
                    _print_output(run)
            time.sleep(POLL_SECONDS)
    except processes.Interrupted:
        unfinished = [run for run in runs if run.seconds is None]
        _finish([run.process for run in unfinished])
        for run in unfinished:
            _print_output(run)
        raise
    return _sum_up(runs)


def _print_output(run: Run) -> None:
    print(f"\n==== {run.name}\n{run.output.read_text(errors='replace').rstrip()}", flush=True)


def describe(counts: Mapping[str, int]) -> str:
    """Counts as pytest words them: `12 passed, 0 failed, 1 skipped`. Both of the first are always there."""
    errors = counts.get("error", 0)
    shown = {"passed": counts.get("passed", 0), "failed": counts.get("failed", 0)}
    shown |= {name: counts[name] for name in ("skipped", "xfailed", "xpassed") if counts.get(name)}
    shown |= {"errors" if errors > 1 else "error": errors} if errors else {}
    return ", ".join(f"{number} {name}" for name, number in shown.items())


def _sum_up(runs: Sequence[Run]) -> int:
    """Print a line for each lane and one for all; the exit code: 1 if a lane failed."""
    print("\n==== all lanes")
    total: Counter[str] = Counter()
    for run in runs:
        counts = run.counts()
        total += counts
        broken = run.process.returncode not in {0, 1, NO_TESTS}
        ended = f" and broke off with exit code {run.process.returncode}" if broken else ""
        print(f"{run.name:<10}{describe(counts)} in {run.seconds:.0f} s{ended}")
    seconds = time.monotonic() - min(run.began for run in runs)
    print(f"{describe(total)} in {seconds:.0f} s", flush=True)
    codes = {run.process.returncode for run in runs}
    if codes == {NO_TESTS}:
        return NO_TESTS
    return 0 if codes <= {0, NO_TESTS} else 1


def run(words: Sequence[str], *, lanes: Sequence[str] = ()) -> int:
    """The exit code: pytest's, or that of all lanes; 130 when interrupted. Raises: StackError."""
    code = 130
    clear_leftovers()
    stack = Stack(folder=FOLDER, programs=DATA_SERVERS, settings=postgres.UNSAFE | postgres.DISPOSABLE)
    with processes.interruptible():
        try:
            stack.start()
            (stack.run / "tmp").mkdir()
            collecting = _collect_static(stack)
            stack.wait_until_up()
            if collecting.wait():
                raise StackError("The static files could not be collected.")
            code = _run_lanes(stack, lanes, words) if lanes else _run_one(stack, words)
        finally:
            stack.stop()
            _end_strays()
            if code not in {0, NO_TESTS, 130}:
                _show_logs()
            for folder in _folders():
                remove(folder)
    return code


def _end_strays(seconds: float = 5) -> None:
    """End what a killed test left: every process that still has this run's number in its environment."""
    strays = [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_ours(process)]
    for process in strays:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(strays, timeout=seconds)


def _is_ours(process: psutil.Process) -> bool:
    try:
        return process.environ().get("TEST_RUN") == str(os.getpid())
    except (psutil.Error, OSError):
        return False  # it has ended, or belongs to somebody else


def _folders() -> list[Path]:
    """The state folders of this run: that of the data servers, and those of shops and of other stacks in tests."""
    return [FOLDER, *FOLDER.parent.glob(f"{FOLDER.name}-*")]


def _show_logs(count: int = 60) -> None:
    for folder in _folders():
        log = folder / "log"
        if log.exists() and (said := log.read_text(errors="replace")):
            print(f"\nLast lines of {log.relative_to(ROOT)}:", *said.splitlines()[-count:], sep="\n", file=sys.stderr)
