"""Fleets and pools that really run, for the tests of what pre-scales them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.runner.ports import free_port
from drops.waitingroom.protocol.config import ROOT
from tests.servers import until

SECONDS = 40

# Loading it takes until the file that it names is there: a worker that is started and does not serve yet.
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
def run(*words: str, folder: Path, stop: int = signal.SIGTERM, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as long as the block; what it says lies in folder/log."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=os.environ | variables, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def gunicorn(folder: Path, *, kind: str = "gthread", workers: int = 1, port: bool = False) -> Iterator[Path]:
    """A fleet with a control socket; its path. Workers load once folder/may-load exists."""
    (folder / "served.py").write_text(APP)
    (folder / "may-load").touch()
    path = folder / "fleet.ctl"
    app = "served:asgi" if kind == "asgi" else "served:wsgi"
    words = ["gunicorn", app, "-k", kind, "-w", str(workers), "--pythonpath", str(folder), "--log-level", "warning"]
    words += ["-b", f"127.0.0.1:{free_port()}" if port else f"unix:{folder}/http", "--graceful-timeout", "2"]
    words += ["--control-socket", str(path), "-c", "python:deploy.gunicorn_hooks"]
    if kind == "gthread":
        words += ["--threads", "2"]
    with run(*words, folder=folder, MAY_LOAD=str(folder / "may-load")):
        until(path.exists, "the fleet's control socket")
        yield path


# Leaves a file when the worker is ready; keeps a process busy until one is there, and another from starting.
TASK = """\
import os, time
from celery import shared_task
from celery.signals import worker_ready

@worker_ready.connect
def say_so(**_):
    open(os.environ["READY"], "w").close()  # a ping that comes before is lost, and waited for

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
def celery(folder: Path, name: str, *, pool: str = "prefork", words: Sequence[str] = ()) -> Iterator[str]:
    """A worker of this shop's own app, with one process and a queue of that name; its name in full."""
    (folder / "busy_tasks.py").write_text(TASK)
    command = ["celery", "-q", "--skip-checks", "-A", "dropsite", "worker", "-P", pool, "-Q", name, "-c", "1"]
    command += ["-n", f"{name}@%h", "--without-gossip", "--without-mingle", "-I", "busy_tasks", "-l", "WARNING"]
    near = {"SLOW": str(folder / "slow"), "READY": str(folder / "ready"), "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    near["PYTHONWARNINGS"] = "ignore:You're running the worker"
    with run(*command, *words, folder=folder, stop=signal.SIGQUIT, **near):
        node = f"{name}@{socket.gethostname()}"
        until((folder / "ready").exists, f"the worker {node}")
        yield node
