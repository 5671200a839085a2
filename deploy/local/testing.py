"""`make test`: start Postgres and two Redis with a state of their own, run pytest, leave nothing.

Each test process has a database of its own in that Postgres and a Redis database (see tests/databases.py). Journeys
use a whole shop, with servers of its own, which the first of them starts. Several runs at once each take a folder.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import psutil

from deploy.local import environment, postgres, processes
from deploy.local.programs import DATA_SERVERS, ROOT
from deploy.local.stack import Stack, StackError, remove

FOLDER = ROOT / "var" / f"test-{os.getpid()}"
SHOP_FOLDER = FOLDER.with_name(f"{FOLDER.name}-shop")


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
        "TEST_RUN": str(os.getpid()),
        "TEST_STACK": str(SHOP_FOLDER),
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


def _pytest(stack: Stack, words: Sequence[str]) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env=pytest_environment(stack),
        preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
    )
    try:
        return process.wait()
    except processes.Interrupted:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def run(words: Sequence[str]) -> int:
    """The exit code of pytest; 130 when interrupted. Raises: StackError."""
    code = 130
    clear_leftovers()
    stack = Stack(folder=FOLDER, programs=DATA_SERVERS, settings=postgres.UNSAFE)
    with processes.interruptible():
        try:
            stack.start()
            (stack.run / "tmp").mkdir()
            collecting = _collect_static(stack)
            stack.wait_until_up()
            if collecting.wait():
                raise StackError("The static files could not be collected.")
            code = _pytest(stack, words)
        finally:
            stack.stop()
            if code not in {0, 130}:
                _show_logs()
            for folder in (FOLDER, SHOP_FOLDER):
                remove(folder)
    return code


def _show_logs(count: int = 60) -> None:
    for folder in (FOLDER, SHOP_FOLDER):
        log = folder / "log"
        if log.exists() and (said := log.read_text(errors="replace")):
            print("\nWhat the servers said last:", *said.splitlines()[-count:], sep="\n", file=sys.stderr)
