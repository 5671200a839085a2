"""A stack: servers and programs on this machine, under one supervisor, with their state in one folder.

    with Stack(folder=Path("var/test-line"), programs=("line-redis", "gate")) as stack:
        stack.environment["LINE_REDIS_URL"]

The supervisor ends when the process that started it ends, even by SIGKILL (Linux); its programs end with it.
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

from deploy.local.runner import environment, ports, probes, processes
from deploy.local.runner.programs import PROGRAMS, ROOT, SHOP_PROGRAMS
from deploy.local.runner.supervisord import SupervisorClient, configuration

POLL_SECONDS = 0.1
STOP_TIMEOUT_SECONDS = 40
LOCK_TIMEOUT_SECONDS = 1
PACKAGES = ("deploy", "dropsite", "drops", "payments", "shop")


class StackError(Exception):
    """A stack couldn't do what was asked; the message says why in one sentence."""


class RunningStack:
    """A running stack, as seen from any process, such as a test or a rehearsal.

    `log` has the programs' output, each line prefixed with the program's name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "log"
        self.run = environment.run_folder(self.folder)
        self.supervisor = SupervisorClient(self.run)

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
        """Return the programs (or those of `names`) that aren't up yet.

        Raises: StackError if one has failed.
        """
        if not self.is_running():
            raise StackError(f"The supervisor has ended; its output is in {self.log}.")
        infos = self.supervisor.program_info()
        for name, info in infos.items():
            if _has_failed(name, info):
                raise StackError(f"{name} failed; its output is in {self.log}.")
        variables = self.environment
        wanted = [name for name in self.programs if names is None or name in names]
        return [name for name in wanted if not _is_up(name, infos.get(name), variables)]

    def wait_until_up(self, *, seconds: float = 120, programs: Collection[str] | None = None) -> None:
        """Return once all (or these) programs are up. Raises: StackError if one fails or the time is over."""
        deadline = time.monotonic() + seconds
        while missing := self.missing(programs):
            if time.monotonic() > deadline:
                raise StackError(f"Not up after {seconds:.0f} s: {', '.join(missing)}; see {self.log}.")
            time.sleep(POLL_SECONDS)

    def pid(self, name: str) -> int:
        """Return the id of a program's process. Raises: StackError if it has none now."""
        info = self.supervisor.program_info().get(name)
        if not info or not info["pid"]:
            raise StackError(f"{name} has no process now.")
        return int(info["pid"])

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a program. If it ends, supervisor starts it again."""
        os.kill(self.pid(name), number)

    def wait_until_restarted(self, name: str, *, pid: int, seconds: float = 60) -> None:
        """Return once the program is up in a process other than `pid`. Raises: StackError."""
        deadline = time.monotonic() + seconds
        while not self._has_other_process(name, pid) or self.missing([name]):
            if time.monotonic() > deadline:
                raise StackError(f"{name} was not restarted within {seconds:.0f} s; see {self.log}.")
            time.sleep(POLL_SECONDS)

    def _has_other_process(self, name: str, pid: int) -> bool:
        info = self.supervisor.program_info().get(name, {})
        return info.get("pid") not in {0, pid, None}


def _has_failed(name: str, info: Mapping[str, Any]) -> bool:
    if info["statename"] == "FATAL":
        return True
    runs_once = name in PROGRAMS and PROGRAMS[name].once
    return bool(runs_once and info["statename"] == "EXITED" and info["exitstatus"] != 0)


def _is_up(name: str, info: Mapping[str, Any] | None, variables: Mapping[str, str]) -> bool:
    if info is None:
        return False
    states = {"RUNNING", "EXITED"}
    if name in probes.PROBES:
        states.add("STARTING")  # supervisor calls it RUNNING after a second; its probe may succeed earlier
    return info["statename"] in states and probes.is_up(name, variables)


class Stack(RunningStack):
    """A stack that this process starts and stops."""

    def __init__(
        self,
        *,
        folder: Path,
        programs: Collection[str] = SHOP_PROGRAMS,
        port_numbers: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
        program_settings: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """`port_numbers`: as ports.DEFAULT_PORTS; free ones if None. `settings` override other variables.

        `program_settings`: {program: variables that it alone gets}.
        """
        super().__init__(folder)
        self._programs = [name for name in PROGRAMS if name in programs]
        self._port_numbers = port_numbers
        self._settings = dict(settings or {})
        self._program_settings = dict(program_settings or {})
        self._lock: IO[str] | None = None
        self._supervisord: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def is_running(self) -> bool:
        return self._supervisord is not None and self._supervisord.poll() is None

    def start(self) -> None:
        """Start everything and return at once. Raises: StackError if the folder is in use."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        self._make_run_folder()
        for package in PACKAGES:
            # Otherwise a dozen processes would compile the code at once, and keep the memory that this takes.
            compileall.compile_dir(ROOT / package, quiet=2)
        variables = self._prepare_environment()
        config = self.run / "supervisord.conf"
        config.write_text(configuration(names=self._programs, run=self.run, settings=self._program_settings))
        with open(self.log, "wb"), open(self.log, "ab") as log:
            self._supervisord = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)],
                cwd=ROOT,
                env=environment.for_programs(variables),
                stdin=self._lock,  # inherited, so the folder stays locked until the supervisor has ended
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
            )

    def _prepare_environment(self) -> dict[str, str]:
        port_numbers = self._port_numbers or ports.free()
        variables = environment.compose(folder=self.folder, port_numbers=port_numbers) | self._settings
        variables["STACK_PROGRAMS"] = ",".join(self._programs)
        environment.write(self.folder / "env", variables)
        for name in ("MEDIA_ROOT", "STATIC_ROOT"):
            Path(variables[name]).mkdir(parents=True, exist_ok=True)
        Path(variables["EDGE_ACCESS_LOG"]).unlink(missing_ok=True)  # the log is about one run
        return variables

    def _take_lock(self) -> None:
        lock = open(self.folder / "lock", "a+")  # noqa: SIM115 open as long as the stack runs
        # Not at once: environment.is_running holds the lock for a moment.
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.seek(0)
                    owner = lock.read().strip() or "unknown"
                    lock.close()
                    raise StackError(
                        f"{self.folder} is in use: a stack is running there (process {owner})."
                    ) from None
                time.sleep(POLL_SECONDS)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _make_run_folder(self) -> None:
        shutil.rmtree(self.run, ignore_errors=True)
        try:
            self.run.mkdir(mode=0o700)
        except FileExistsError:
            raise StackError(f"{self.run} belongs to another user: remove it.") from None

    def stop(self) -> None:
        """Stop everything, wait for it and remove the sockets. Calling it again does nothing."""
        if self._supervisord:
            self._supervisord.terminate()
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while self._supervisord.poll() is None:
                if time.monotonic() > deadline:
                    # The kernel then ends the programs: see processes.die_with_parent.
                    self._supervisord.kill()
                    self._supervisord.wait()
                    break
                self.supervisor.wake()
                time.sleep(POLL_SECONDS)
            self._supervisord = None
        if self._lock:
            shutil.rmtree(self.run, ignore_errors=True)
            self._lock.close()
            self._lock = None


def remove(folder: Path) -> None:
    """Delete a stopped stack's state, including Postgres data of root.

    Raises: StackError if it is running.
    """
    if environment.is_running(folder):
        raise StackError(f"{folder} is in use: stop what is running there first.")
    for path in {environment.postgres_folder(folder), environment.run_folder(folder), folder}:
        shutil.rmtree(path, ignore_errors=True)
