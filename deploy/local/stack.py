"""A stack: servers and programs of the shop on this machine, under one supervisor, with its state in one folder.

    with Stack(folder=Path("var/test-line"), programs=("line-redis", "gate")) as stack:
        stack.environment["LINE_REDIS_URL"]

The supervisor ends when whoever started it does, kill -9 included (Linux); its programs end with it.
"""

import compileall
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from deploy.local import environment, ports, postgres, probes, processes
from deploy.local.programs import PROGRAMS, ROOT, SHOP
from deploy.local.supervision import Remote, configuration

POLL_SECONDS = 0.1
STOP_SECONDS = 40
CODE = ("deploy", "dropsite", "drops", "payments", "shop")


class StackError(Exception):
    """A stack could not do what was asked; the message says why in one sentence."""


class Running:
    """A stack that runs, as seen from any process: by a test, by a rehearsal. `log` has all output, prefixed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "log"
        self.run = environment.run_folder(self.folder)
        self.remote = Remote(self.run)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the programs were started with."""
        return environment.read(self.folder / "env")

    @property
    def programs(self) -> tuple[str, ...]:
        return tuple(self.environment["STACK_PROGRAMS"].split(","))

    def is_running(self) -> bool:
        return environment.is_running(self.folder)

    def missing(self, names: Collection[str] | None = None) -> list[str]:
        """The programs (or these of them) that do not do their work yet. Raises: StackError if one never will."""
        if not self.is_running():
            raise StackError(f"The supervisor has ended; its output is in {self.log}.")
        known, variables = self.remote.all(), self.environment
        for name, info in known.items():
            if _has_failed(name, info):
                raise StackError(f"{name} failed; its output is in {self.log}.")
        asked = [name for name in self.programs if names is None or name in names]
        return [name for name in asked if not _is_up(name, known.get(name), variables)]

    def wait_until_up(self, *, seconds: float = 120, programs: Collection[str] | None = None) -> None:
        """Return once all (or these) programs do their work. Raises: StackError when one fails or time is up."""
        until = time.monotonic() + seconds
        while missing := self.missing(programs):
            if time.monotonic() > until:
                raise StackError(f"Not up after {seconds:.0f} s: {', '.join(missing)}; see {self.log}.")
            time.sleep(POLL_SECONDS)

    def pid(self, name: str) -> int:
        """The process of a program. Raises: StackError if it has none now."""
        info = self.remote.all().get(name)
        if not info or not info["pid"]:
            raise StackError(f"{name} has no process now.")
        return int(info["pid"])

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a program, which supervisor then starts again."""
        os.kill(self.pid(name), number)

    def wait_until_restarted(self, name: str, *, pid: int, seconds: float = 60) -> None:
        """Return once the program has another process than `pid` and does its work. Raises: StackError."""
        until = time.monotonic() + seconds
        while self.remote.all().get(name, {}).get("pid") in {0, pid, None} or self.missing([name]):
            if time.monotonic() > until:
                raise StackError(f"{name} was not restarted in {seconds:.0f} s; see {self.log}.")
            time.sleep(POLL_SECONDS)


def _has_failed(name: str, info: Mapping[str, Any]) -> bool:
    if name not in PROGRAMS or not PROGRAMS[name].once:
        return bool(info["statename"] == "FATAL")
    return bool(info["statename"] == "FATAL" or (info["statename"] == "EXITED" and info["exitstatus"] != 0))


def _is_up(name: str, info: Mapping[str, Any] | None, variables: Mapping[str, str]) -> bool:
    return info is not None and info["statename"] in {"RUNNING", "EXITED"} and probes.is_up(name, variables)


class Stack(Running):
    """The same, started and ended by us."""

    def __init__(
        self,
        *,
        folder: Path,
        programs: Collection[str] = SHOP,
        ports_: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`ports_`: of ports.USUAL; by default free ones. `settings` go over the variables that are made here."""
        super().__init__(folder)
        self._programs = [name for name in PROGRAMS if name in programs]
        self._ports = ports_
        self._settings = dict(settings or {})
        self._lock: IO[str] | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def is_running(self) -> bool:
        return self._supervisor is not None and self._supervisor.poll() is None

    def start(self) -> None:
        """Start everything and return at once. Raises: StackError if the folder is in use."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        self._make_run()
        for package in CODE:  # else a dozen processes do at their first start, and keep the memory that it took
            compileall.compile_dir(ROOT / package, quiet=2)
        variables = environment.compose(folder=self.folder, ports=self._ports or ports.free()) | self._settings
        variables["STACK_PROGRAMS"] = ",".join(self._programs)
        environment.write(self.folder / "env", variables)
        for name in ("MEDIA_ROOT", "STATIC_ROOT"):
            Path(variables[name]).mkdir(parents=True, exist_ok=True)
        Path(variables["EDGE_ACCESS_LOG"]).unlink(missing_ok=True)  # it is of one run
        conf = self.run / "supervisord.conf"
        conf.write_text(configuration(names=self._programs, run=self.run))
        with open(self.log, "wb"), open(self.log, "ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(conf)],
                cwd=ROOT,
                env=environment.of_programs(variables),
                stdin=self._lock,  # so the folder stays taken until the supervisor has gone, however we end
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
            )

    def _take_lock(self) -> None:
        lock = open(self.folder / "lock", "a+")  # noqa: SIM115 held as long as the stack runs
        until = time.monotonic() + 1  # somebody who only looks holds it for a moment
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    lock.seek(0)
                    owner = lock.read().strip() or "?"
                    lock.close()
                    raise StackError(f"{self.folder} is in use: a stack runs there (process {owner}).") from None
                time.sleep(POLL_SECONDS)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _make_run(self) -> None:
        shutil.rmtree(self.run, ignore_errors=True)
        try:
            self.run.mkdir(mode=0o700)
        except FileExistsError:
            raise StackError(f"{self.run} belongs to somebody else: remove it.") from None

    def stop(self) -> None:
        """Stop everything, wait for it, and remove the sockets. May be called again."""
        if self._supervisor:
            self._supervisor.terminate()
            try:
                self._supervisor.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()  # the programs have asked the kernel to end them with it
                self._supervisor.wait()
            self._supervisor = None
        if self._lock:
            shutil.rmtree(self.run, ignore_errors=True)
            self._lock.close()
            self._lock = None


def remove(folder: Path) -> None:
    """Delete a stopped stack's state, root's Postgres data included. Raises: StackError if it runs."""
    if environment.is_running(folder):
        raise StackError(f"{folder} is in use: stop what runs there first.")
    for path in {postgres.home_of(folder), environment.run_folder(folder), folder}:
        shutil.rmtree(path, ignore_errors=True)
