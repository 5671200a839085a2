"""`make test`: start the whole shop with a state of its own, run pytest against it, leave nothing.

Unit tests use the database test_shop, which pytest-django makes, and database 1 of the line's Redis; journeys
use the running shop, with its own database and database 0. Several runs at once each take a folder.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import psutil

from deploy.local import demo, environment, processes
from deploy.local.programs import DATA, ROOT
from deploy.local.stack import Stack, remove

FOLDER = ROOT / "var" / f"test-{os.getpid()}"


def clear_leftovers() -> None:
    """Remove the state of runs that were killed before they could: the process in the folder's name is gone."""
    for folder in (ROOT / "var").glob("test-*"):
        number = folder.name.split("-")[1]
        if number.isdigit() and not psutil.pid_exists(int(number)) and not environment.is_running(folder):
            remove(folder)


def pytest_environment(stack: Stack) -> dict[str, str]:
    """What the tests themselves see: the stack's servers, a Redis database of their own, and where the stack is."""
    variables = environment.of_programs(stack.environment)
    return variables | {
        "LINE_REDIS_URL": stack.environment["LINE_REDIS_URL"].removesuffix("/0") + "/1",
        "DATABASE_POOL_SIZE": "32",  # a race has a connection for each of its threads
        "RUN_DIR": str(stack.folder),
        "TEST_STACK": str(stack.folder),
        "TMPDIR": str(stack.run / "tmp"),  # what tests leave there goes with the stack
    }


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
    stack = Stack(folder=FOLDER, settings=demo.SIZES)
    with processes.interruptible():
        try:
            stack.start()
            (stack.run / "tmp").mkdir()
            stack.wait_until_up(programs=[*DATA, "release"])  # pages need the static files that it collects
            code = _pytest(stack, words)
        finally:
            stack.stop()
            if code not in {0, 130}:
                print(f"\nWhat the servers said last:\n{_last_lines(stack)}", file=sys.stderr)
            remove(FOLDER)
    return code


def _last_lines(stack: Stack, count: int = 60) -> str:
    return "\n".join(stack.log.read_text(errors="replace").splitlines()[-count:])
