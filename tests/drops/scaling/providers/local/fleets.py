"""Real gunicorn fleets and Celery workers, for the tests of the providers that scale them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from deploy.local.runner.ports import free_port
from drops.waitingroom.protocol.config import ROOT
from tests.servers import until

STOP_SECONDS = 40

# Loading waits for the file that MAY_LOAD names: until then a worker has started, but is not ready.
APP = """\
import os, time
while not os.path.exists(os.environ["MAY_LOAD"]):
    time.sleep(0.02)

def wsgi(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
"""


@contextmanager
def run(
    *command: str, folder: Path, stop: int = signal.SIGTERM, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as long as the block; its output is in folder/log."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=os.environ | variables, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def accepts(path: Path) -> bool:
    """Whether a server listens on the socket. It exists a moment before."""
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


@contextmanager
def gunicorn(folder: Path, *, kind: str = "gthread", workers: int = 1, port: bool = False) -> Iterator[Path]:
    """Run a fleet with a control socket; yield its path. Workers load once folder/may-load exists."""
    (folder / "served.py").write_text(APP)
    (folder / "may-load").touch()
    path = folder / "fleet.ctl"
    app = "served:asgi" if kind == "asgi" else "served:wsgi"
    command = [
        "gunicorn",
        app,
        "-k",
        kind,
        "-w",
        str(workers),
        "--pythonpath",
        str(folder),
        "--log-level",
        "warning",
    ]
    command += [
        "-b",
        f"127.0.0.1:{free_port()}" if port else f"unix:{folder}/http",
        "--graceful-timeout",
        "2",
    ]
    command += ["--control-socket", str(path), "-c", "python:deploy.gunicorn_hooks"]
    if kind == "gthread":
        command += ["--threads", "2"]
    with run(*command, folder=folder, MAY_LOAD=str(folder / "may-load")):
        until(lambda: accepts(path), "the fleet's control socket")
        yield path


# Creates a file when the worker is ready. Other files keep a process busy, or keep it from starting.
TASK = """\
import os, time
from celery import shared_task
from celery.signals import worker_ready

@worker_ready.connect
def report_ready(**_):
    open(os.environ["READY"], "w").close()  # an earlier ping would be lost

def start_slowly():
    while os.path.exists(os.environ["SLOW"]):
        time.sleep(0.02)

os.register_at_fork(after_in_child=start_slowly)

@shared_task(name="tests.stay_busy", ignore_result=True)
def stay_busy(begun, until):
    open(begun, "w").close()
    while not os.path.exists(until):
        time.sleep(0.02)
"""


@contextmanager
def celery(folder: Path, name: str, *, pool: str = "prefork", options: Sequence[str] = ()) -> Iterator[str]:
    """Run a worker of the shop's app, with one process and a queue of that name; yield its full name."""
    (folder / "busy_tasks.py").write_text(TASK)
    command = ["celery", "-q", "--skip-checks", "-A", "dropsite", "worker", "-P", pool, "-Q", name, "-c", "1"]
    command += [
        "-n",
        f"{name}@%h",
        "--without-gossip",
        "--without-mingle",
        "-I",
        "busy_tasks",
        "-l",
        "WARNING",
    ]
    variables = {
        "SLOW": str(folder / "slow"),
        "READY": str(folder / "ready"),
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
    }
    variables["PYTHONWARNINGS"] = "ignore:You're running the worker"
    with run(*command, *options, folder=folder, stop=signal.SIGQUIT, **variables):
        node = f"{name}@{socket.gethostname()}"
        until((folder / "ready").exists, f"the worker {node}")
        yield node
