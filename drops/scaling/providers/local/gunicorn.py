"""A gunicorn fleet on this machine, over its control socket: web, hooks, gate.

`worker add N` is relative, so what is asked for is made of what is read: read, send the difference, and if the answer
is lost, read again before anything is sent again. The socket is closed and made anew at each fork, so a lost answer is
usual right after workers were added.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
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

SECONDS = 2.0  # that one answer may take
PATIENCE_SECONDS = 4.0  # in all: a fleet that adds workers has no socket for moments
AGAIN_SECONDS = 0.05
LIVE_SECONDS = 10  # a worker says it is alive each second; one that boots never did
LONGEST_PATH = 107  # bytes of a Unix socket's path

Answer = TypeVar("Answer")


class Gunicorn(Provider):
    """`locator`: {"socket": "web.ctl"}. State: {"workers": n}."""

    name: ClassVar[str] = gettext_noop("gunicorn on this machine")
    unit: ClassVar[str] = gettext_noop("workers")
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "socket",
            gettext_noop("control socket"),
            gettext_noop("What --control-socket names: a file in RUN_DIR, such as web.ctl, or a whole path."),
        ),
    )
    lead_seconds: ClassVar[int] = 5
    credentials: ClassVar[str] = gettext_noop("None: the socket belongs to the user that gunicorn runs as.")

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Look at the name of the socket. Raises: BadWhere."""
        name = locator.get("socket")
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            raise BadLocator({"socket": _("Name gunicorn's control socket, such as web.ctl.")})
        if not name.startswith("/") and (not settings.RUN_DIR or Path(name).name != name):
            raise BadLocator({"socket": _("Give a file's name in RUN_DIR, which must be set, or a path from / on.")})
        if len(os.fsencode(path_of(locator))) > LONGEST_PATH:
            raise BadLocator({"socket": _("This path is too long for a socket: 107 bytes are the most. Move RUN_DIR.")})

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name the socket by its real path."""
        return f"gunicorn:{os.path.realpath(path_of(locator))}"

    def read(self) -> Reading:
        """Count the workers that are wanted, and those that have said of late that they live."""
        target, master, workers = self._patiently(_look)
        live = [worker for worker in workers if is_live(worker)]
        return Reading(
            state={"workers": target},
            size=target,
            serving=len(live),
            moving=len(workers) != target,
            message=_("%(live)s of %(all)s workers serve") % {"live": len(live), "all": len(workers)},
            cpu_seconds=procfs.cpu_seconds(master=master, workers=[worker["pid"] for worker in workers]),
        )

    def ports(self) -> list[int]:
        """Give the TCP ports that the fleet listens on."""
        return self._patiently(_ports)

    def state_for(self, size: int, *, baseline: State) -> State:
        """Ask for one worker at least: gunicorn keeps the last."""
        return {"workers": max(1, size)}

    def apply(self, state: State, *, key: str) -> Applied:
        """Send what is missing to that many workers, or what is too many."""
        before, after = self._patiently(lambda connection: _bring_to(connection, int(state["workers"])))
        return Applied(message=_("%(before)s → %(after)s workers") % {"before": before, "after": after})

    def _patiently(self, talk: Callable[[socket.socket], Answer]) -> Answer:
        """Hold a conversation; begin it anew while the socket is being made anew. Raises: Faulty."""
        path, until = path_of(self.locator), time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with _dial(path) as connection:
                    return talk(connection)
            except PermissionError as error:
                raise ApplyRefused(
                    _("The socket %(path)s may not be used: run the workers as gunicorn's user.") % {"path": path}
                ) from error
            except (OSError, ControlProtocolError, ValueError, KeyError, TypeError) as error:
                if time.monotonic() > until:
                    raise OutcomeUnclear(
                        _("No gunicorn answers at %(path)s (%(error)s). Look whether it runs, with --control-socket.")
                        % {"path": path, "error": type(error).__name__}
                    ) from error
            time.sleep(AGAIN_SECONDS)


def path_of(locator: Mapping[str, Any]) -> str:
    """Give the whole path of the control socket: a bare name lies in RUN_DIR."""
    return str(Path(settings.RUN_DIR, str(locator["socket"]).strip()))


def is_live(worker: Mapping[str, Any]) -> bool:
    """Say whether a worker serves: its heart has beaten of late. One that still boots shows one far below 0."""
    beat = worker["last_heartbeat"]
    return beat is not None and 0 <= beat < LIVE_SECONDS


def _dial(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: socket.socket, command: str) -> dict[str, Any]:
    """Raises: Refused if gunicorn says no; whatever a broken connection or garbage raises."""
    connection.sendall(ControlProtocol.encode_message(make_request(1, command)))
    answer = ControlProtocol.read_message(connection)
    if answer["status"] != "ok":
        raise ApplyRefused(
            _("gunicorn refused “%(command)s”: %(error)s") % {"command": command, "error": answer["error"]}
        )
    return dict(answer["data"])


def _look(connection: socket.socket) -> tuple[int, int, list[dict[str, Any]]]:
    stats, workers = _send(connection, "show stats"), _send(connection, "show workers")
    return int(stats["workers_target"]), int(stats["pid"]), list(workers["workers"])


def _bring_to(connection: socket.socket, wanted: int) -> tuple[int, int]:
    """Read first: after a lost answer nobody knows whether the last command was heard."""
    before = int(_send(connection, "show stats")["workers_target"])
    if before == wanted:
        return before, before
    word = "add" if wanted > before else "remove"
    return before, int(_send(connection, f"worker {word} {abs(wanted - before)}")["total"])


def _ports(connection: socket.socket) -> list[int]:
    listeners = _send(connection, "show listeners")["listeners"]
    return [int(one["address"].rpartition(":")[2]) for one in listeners if str(one["type"]).startswith("tcp")]
