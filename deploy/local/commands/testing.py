"""`make test`: start Postgres and two Redis with a state of their own, run pytest, leave nothing.

Each test process has a database of its own in that Postgres and a Redis database (see tests/databases.py).
Journeys use a whole shop, with servers of its own, which the first of them starts. Each of several runs at
once has a folder.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import psutil

from deploy.local.commands import lanes
from deploy.local.runner import environment, processes
from deploy.local.runner.programs import DATA_SERVERS, ROOT
from deploy.local.runner.stack import Stack, StackError, remove
from deploy.local.servers import postgres

FOLDER = ROOT / "var" / f"test-{os.getpid()}"


def clear_leftovers() -> None:
    """Remove the state of runs that were killed: the process in the folder's name is gone."""
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


def _run_pytest(arguments: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run one pytest, which has the terminal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT,
        env=dict(variables),
        preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
    )
    try:
        return process.wait()
    except processes.Interrupted:
        lanes.finish([process])
        raise


def run(
    arguments: Sequence[str],
    *,
    chosen: Sequence[str] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Run the chosen lanes, or else one pytest; the exit code, 130 when interrupted.

    `variables` go over those that tests see. Raises: StackError.
    """
    code, text = 130, ""
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
            if chosen:
                code, text = lanes.run(
                    chosen, arguments, folder=FOLDER, environment=pytest_environment(stack) | dict(variables)
                )
            else:
                code = _run_pytest(arguments, pytest_environment(stack) | dict(variables))
        finally:
            stack.stop()
            _end_strays()
            if code not in {0, lanes.NO_TESTS, 130}:
                _show_logs()
            if text:
                print(f"\n{text}", flush=True)
            for folder in _folders():
                remove(folder)
    return code


def _end_strays(seconds: float = 5) -> None:
    """End what a killed test left: every process that still has this run's number in its environment."""
    strays = [
        process for process in psutil.process_iter() if process.pid != os.getpid() and _is_ours(process)
    ]
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
    """The state folders of this run: of the data servers, of shops, and of other stacks in tests."""
    return [FOLDER, *FOLDER.parent.glob(f"{FOLDER.name}-*")]


def _show_logs(count: int = 60) -> None:
    for folder in _folders():
        log = folder / "log"
        if log.exists() and (said := log.read_text(errors="replace")):
            print(
                f"\nLast lines of {log.relative_to(ROOT)}:",
                *said.splitlines()[-count:],
                sep="\n",
                file=sys.stderr,
            )
