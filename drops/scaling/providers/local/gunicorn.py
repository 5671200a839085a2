"""A gunicorn fleet on this machine, through its control socket: web, hooks, gate.

`worker add N` is relative, so each call reads the size first and sends the difference; if the response is
lost, the size is read again before anything is sent again. gunicorn closes and recreates the socket at each
fork, so lost responses are common right after workers were added.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from gunicorn.ctl.protocol import ControlProtocol, make_request
from gunicorn.ctl.protocol import ProtocolError as ControlProtocolError

from drops.scaling.providers.base import (
    Applied,
    ApplyRefused,
    BadLocator,
    Field,
    OutcomeUnclear,
    Provider,
    Reading,
    State,
)
from drops.scaling.providers.local import procfs

RESPONSE_SECONDS = 2.0
RETRY_SECONDS = 4.0  # in all: while a fleet adds workers, its socket is briefly away
RETRY_DELAY_SECONDS = 0.05
SHOW_ATTEMPTS = 5
CHANGED_MEANWHILE = "changed size during iteration"
MAX_HEARTBEAT_AGE_SECONDS = 10  # a running worker has a heartbeat each second
MAX_SOCKET_PATH_BYTES = 107

Result = TypeVar("Result")


class Gunicorn(Provider):
    """`locator`: {"socket": "web.ctl"}. State: {"workers": n}."""

    name: ClassVar[str] = "gunicorn on this machine"
    unit: ClassVar[str] = "workers"
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "socket",
            "control socket",
            "The value of --control-socket: a file in RUN_DIR, such as web.ctl, or an absolute path.",
        ),
    )
    lead_seconds: ClassVar[int] = 5
    credentials: ClassVar[str] = "None: the socket belongs to the user that gunicorn runs as."

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Check the socket's name. Raises BadLocator."""
        name = locator.get("socket")
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            raise BadLocator({"socket": "Enter gunicorn's control socket, such as web.ctl."})
        if not name.startswith("/") and (not settings.RUN_DIR or Path(name).name != name):
            raise BadLocator(
                {"socket": "Enter the name of a file in RUN_DIR, which must be set, or an absolute path."}
            )
        if len(os.fsencode(socket_path(locator))) > MAX_SOCKET_PATH_BYTES:
            raise BadLocator(
                {
                    "socket": f"A socket's path may have at most {MAX_SOCKET_PATH_BYTES} bytes. Use a shorter RUN_DIR."
                }
            )

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return the socket's real path."""
        return f"gunicorn:{os.path.realpath(socket_path(locator))}"

    def read(self) -> Reading:
        """Read the desired number of workers, and how many have a recent heartbeat."""
        desired, master, workers = self._retrying(_read_workers)
        ready = [worker for worker in workers if is_ready(worker)]
        return Reading(
            state={"workers": desired},
            size=desired,
            serving=len(ready),
            moving=len(workers) != desired,
            message=f"{len(ready)} of {len(workers)} workers are ready",
            cpu_seconds=procfs.cpu_seconds(master=master, workers=[worker["pid"] for worker in workers]),
        )

    def ports(self) -> list[int]:
        """Return the TCP ports that the fleet listens on."""
        return self._retrying(_read_ports)

    def state_for(self, size: int, *, baseline: State) -> State:
        """Return at least one worker: gunicorn never removes the last."""
        return {"workers": max(1, size)}

    def apply(self, state: State, *, key: str) -> Applied:
        """Add or remove as many workers as the fleet has too few or too many."""
        before, after = self._retrying(lambda connection: _resize(connection, int(state["workers"])))
        return Applied(message=f"{before} → {after} workers")

    def _retrying(self, talk: Callable[[socket.socket], Result]) -> Result:
        """Return the result of a conversation; start it again while the socket is away.

        Raises ProviderError.
        """
        path = socket_path(self.locator)
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                with _connect(path) as connection:
                    return talk(connection)
            except PermissionError as error:
                raise ApplyRefused(
                    f"The socket {path} can't be used: permission denied. Run the Celery workers as gunicorn's user."
                ) from error
            except (OSError, ControlProtocolError, ValueError, KeyError, TypeError) as error:
                if time.monotonic() > deadline:
                    raise OutcomeUnclear(
                        f"No gunicorn responds at {path} ({type(error).__name__}). Check that it is running"
                        " with --control-socket."
                    ) from error
            time.sleep(RETRY_DELAY_SECONDS)


def socket_path(locator: Mapping[str, Any]) -> str:
    """Return the full path of the control socket: a bare name is a file in RUN_DIR."""
    return str(Path(settings.RUN_DIR, str(locator["socket"]).strip()))


def is_ready(worker: Mapping[str, Any]) -> bool:
    """Whether a worker has a recent heartbeat. While it boots, gunicorn shows an age far below 0."""
    age = worker["last_heartbeat"]
    return age is not None and 0 <= age < MAX_HEARTBEAT_AGE_SECONDS


def _connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(RESPONSE_SECONDS)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: socket.socket, command: str) -> dict[str, Any]:
    """Return gunicorn's response.

    Raises ApplyRefused if gunicorn refuses the command, and whatever a broken connection or response raises.
    """
    connection.sendall(ControlProtocol.encode_message(make_request(1, command)))
    response = ControlProtocol.read_message(connection)
    if response["status"] != "ok":
        raise ApplyRefused(f"gunicorn refused “{command}”: {response['error']}")
    return dict(response["data"])


def _show(connection: socket.socket, what: str) -> dict[str, Any]:
    """Return what gunicorn shows. Raises as `_send` does."""
    # Gunicorn goes through its table of workers while its main thread may be changing it.
    for _attempt in range(SHOW_ATTEMPTS - 1):
        try:
            return _send(connection, f"show {what}")
        except ApplyRefused as refused:
            if CHANGED_MEANWHILE not in str(refused):
                raise
    return _send(connection, f"show {what}")


def _read_workers(connection: socket.socket) -> tuple[int, int, list[dict[str, Any]]]:
    """Return the desired number of workers, the master's process id, and the workers."""
    stats, workers = _show(connection, "stats"), _show(connection, "workers")
    return int(stats["workers_target"]), int(stats["pid"]), list(workers["workers"])


def _resize(connection: socket.socket, desired: int) -> tuple[int, int]:
    """Return the number of workers before and after."""
    # Read first: after a lost response it is unknown whether the last command took effect.
    before = int(_show(connection, "stats")["workers_target"])
    if before == desired:
        return before, before
    verb = "add" if desired > before else "remove"
    response = _send(connection, f"worker {verb} {abs(desired - before)}")
    return before, int(response["total"])


def _read_ports(connection: socket.socket) -> list[int]:
    listeners = _send(connection, "show listeners")["listeners"]
    tcp = [listener for listener in listeners if str(listener["type"]).startswith("tcp")]
    return [int(listener["address"].rpartition(":")[2]) for listener in tcp]
