"""Supervisor, which keeps the programs of a stack running: its configuration, and a client for its API."""

import http.client
import os
import pwd
import socket
import sys
import xmlrpc.client
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.local.runner.programs import GROUP_PRIORITIES, PROGRAMS, Program

# Name and password only silence a warning: the socket is in a folder of mode 700.
MAIN_SECTIONS = """\
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

[eventlistener:log-prefixer]
command={python} -m deploy.local.runner.log_prefixer
events=PROCESS_LOG,PROCESS_STATE
buffer_size=2000
stdout_logfile=NONE
stderr_logfile=NONE
"""

GROUP_SECTION = """
[group:{name}]
programs={programs}
priority={priority}
"""

PROGRAM_SECTION = """
[program:{name}]
command={python} -m deploy.local.runner.run_when_ready {name}
stopsignal={stop_signal}
stopwaitsecs=10
stopasgroup={stop_as_group}
killasgroup=true
autorestart={restart}
exitcodes=0
startsecs={start_seconds}
startretries=20
redirect_stderr=true
stdout_logfile=NONE
stdout_events_enabled=true
environment={environment}
"""


def _user_line() -> str:
    """Return the setting without which supervisor warns root; empty for an account without a name."""
    try:
        return f"user={pwd.getpwuid(os.geteuid()).pw_name}\n"
    except KeyError:
        return ""


def _program_section(name: str, program: Program, python: str, settings: Mapping[str, str]) -> str:
    restart, start_seconds, stop_as_group = "true", 1, "false"
    if program.once:
        # It is a child of the process that waited for its needs: both get the signal.
        restart, start_seconds, stop_as_group = "false", 0, "true"
    return PROGRAM_SECTION.format(
        name=name,
        python=python,
        stop_signal=program.stop,
        restart=restart,
        start_seconds=start_seconds,
        stop_as_group=stop_as_group,
        environment=",".join(f'{key}="{value}"' for key, value in settings.items()),
    )


def configuration(*, names: Collection[str], run: Path, settings: Mapping[str, Mapping[str, str]]) -> str:
    """Return supervisord's configuration file for a stack of these programs, with its sockets in `run`.

    `settings`: {program: variables that it alone gets}, without `%` and `"`, which supervisor would expand.
    """
    python = sys.executable.replace("%", "%%")  # supervisor expands %(…)s
    parts = [MAIN_SECTIONS.format(run=run, user=_user_line(), python=python)]
    parts += [_program_section(name, PROGRAMS[name], python, settings.get(name, {})) for name in names]
    for group, priority in GROUP_PRIORITIES.items():
        members = [name for name in names if PROGRAMS[name].group == group]
        if members:
            parts.append(GROUP_SECTION.format(name=group, programs=",".join(members), priority=priority))
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
        self._connection = host, connection  # the base class closes this one
        return connection


class SupervisorClient:
    """A client of a stack's supervisor. `name` is a program's name without its group."""

    def __init__(self, run: Path) -> None:
        self.path = run / "s.sock"

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of supervisor's XML-RPC. Raises: OSError, HTTPException, xmlrpc.client.Error."""
        with xmlrpc.client.ServerProxy(
            "http://stack:stack@localhost", transport=_Transport(self.path)
        ) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def program_info(self) -> dict[str, Mapping[str, Any]]:
        """Return {program: supervisor's information about it}; empty while supervisor doesn't answer."""
        try:
            return {info["name"]: info for info in self.call("getAllProcessInfo")}
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError):
            return {}

    def wake(self) -> None:
        """Make supervisor check for signals and ended programs now. By itself it does so once a second."""
        with suppress(OSError, http.client.HTTPException, xmlrpc.client.Error):
            self.call("getState")

    def start(self, name: str) -> None:
        """Start a program, without waiting until it is up."""
        self.call("startProcess", f"{PROGRAMS[name].group}:{name}", False)

    def stop(self, name: str) -> None:
        """Stop a program and wait for its end; it isn't restarted."""
        self.call("stopProcess", f"{PROGRAMS[name].group}:{name}", True)
