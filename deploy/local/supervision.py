"""Supervisor, which keeps the programs of a stack running: its configuration, and how it is asked."""

import http.client
import os
import pwd
import socket
import sys
import xmlrpc.client
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from deploy.local.programs import GROUPS, PROGRAMS, Program

# Name and password only silence a warning: the socket lies in a folder of mode 700.
HEAD = """\
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
loglevel=error
pidfile={run}/supervisord.pid
{user}
[unix_http_server]
file={run}/s.sock
chmod=0700
username=stack
password=stack

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[eventlistener:prefix]
command={python} -m deploy.local.prefix
events=PROCESS_LOG,PROCESS_STATE
buffer_size=2000
stdout_logfile=NONE
stderr_logfile=NONE
"""

GROUP = """
[group:{name}]
programs={programs}
priority={priority}
"""

PROGRAM = """
[program:{name}]
command={python} -m deploy.local.after {name}
stopsignal={stop}
stopwaitsecs=10
stopasgroup={together}
killasgroup=true
autorestart={restart}
exitcodes=0
startsecs={least}
startretries=20
redirect_stderr=true
stdout_logfile=NONE
stdout_events_enabled=true
"""


def _user() -> str:
    """Supervisor warns a root that names no user; an account without a name can name none."""
    try:
        return f"user={pwd.getpwuid(os.geteuid()).pw_name}\n"
    except KeyError:
        return ""


def _program(name: str, program: Program, python: str) -> str:
    # What runs once is a child of the one that waited for its needs: both are told to stop.
    restart, least, together = ("false", 0, "true") if program.once else ("true", 1, "false")
    return PROGRAM.format(name=name, python=python, stop=program.stop, restart=restart, least=least, together=together)


def configuration(*, names: Collection[str], run: Path) -> str:
    """The file for supervisord: a stack of these programs, with its sockets in `run`."""
    python = sys.executable.replace("%", "%%")
    parts = [HEAD.format(run=run, user=_user(), python=python)]
    parts += [_program(name, PROGRAMS[name], python) for name in names]
    for group, priority in GROUPS.items():
        members = [name for name in names if PROGRAMS[name].group == group]
        if members:
            parts.append(GROUP.format(name=group, programs=",".join(members), priority=priority))
    return "".join(parts)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=15)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self.path)
        except OSError:
            self.sock.close()
            raise


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        self._extra_headers = self.get_host_info(host)[1]  # name and password
        connection = _Connection(self.path)
        self._connection = host, connection  # what `close` closes
        return connection


class Remote:
    """The supervisor of a stack, asked over its socket. `name` is a program's bare name."""

    def __init__(self, run: Path) -> None:
        self.path = run / "s.sock"

    def ask(self, method: str, *words: object) -> Any:
        """Call a method of supervisor's XML-RPC. Raises: OSError, HTTPException, xmlrpc.client.Error."""
        with xmlrpc.client.ServerProxy("http://stack:stack@localhost", transport=_Transport(self.path)) as proxy:
            return getattr(proxy.supervisor, method)(*words)

    def all(self) -> dict[str, Mapping[str, Any]]:
        """{program: what supervisor knows of it}; empty as long as supervisor does not answer."""
        try:
            return {info["name"]: info for info in self.ask("getAllProcessInfo")}
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError):
            return {}

    def start(self, name: str) -> None:
        """Does not wait until it is up."""
        self.ask("startProcess", f"{PROGRAMS[name].group}:{name}", False)

    def stop(self, name: str) -> None:
        """Ends it for good: it is not restarted."""
        self.ask("stopProcess", f"{PROGRAMS[name].group}:{name}", True)
