"""The programs of a local stack: what each runs, what it waits for, and how it is stopped.

The Procfile says how the shop's own programs are started. Here are the programs that only exist locally, and
what a Procfile can't express: group, needs, signal. Groups stop in the order front, app, data.
"""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
GROUP_PRIORITIES = {"data": 10, "app": 30, "front": 40}  # supervisor's: the highest stops first


class Program(NamedTuple):
    """`needs` are programs that must be up first (see probes.py), as far as they are part of the stack."""

    group: str
    needs: tuple[str, ...] = ()
    stop: str = "TERM"
    once: bool = False  # runs to its end and isn't restarted; others may need its success
    command: str = ""  # a shell command; empty: the Procfile's command of that name


PROGRAMS = {
    "postgres": Program("data", stop="INT", command="python -m deploy.local.servers.postgres"),
    "line-redis": Program("data", command="python -m deploy.local.servers.valkey line-redis"),
    "broker-redis": Program("data", command="python -m deploy.local.servers.valkey broker-redis"),
    "mail-catcher": Program("data", command="python -m deploy.local.servers.mail_catcher"),
    "sandbox": Program(
        "data",
        command="gunicorn deploy.local.stripe_sandbox.app:app -k asgi --asgi-lifespan on -w 1"
        " -b 127.0.0.1:$PORT_SANDBOX --keep-alive 65 --graceful-timeout 2 --log-level warning"
        " --control-socket $RUN_DIR/sandbox.ctl",
    ),
    "release": Program("app", needs=("postgres",), once=True),
    "demo": Program("app", needs=("release", "line-redis"), once=True, command="exec python manage.py demo"),
    "gate": Program("app", needs=("release", "line-redis")),
    "web": Program("app", needs=("release", "line-redis")),
    "hooks": Program("app", needs=("release", "line-redis")),
    "gatekeeper": Program("app", needs=("release", "line-redis", "demo")),
    "checkout": Program("app", needs=("release", "broker-redis"), stop="QUIT"),
    "capture": Program("app", needs=("release", "broker-redis"), stop="QUIT"),
    "mail": Program("app", needs=("release", "broker-redis"), stop="QUIT"),
    "background": Program("app", needs=("release", "broker-redis"), stop="QUIT"),
    "beat": Program("app", needs=("release", "broker-redis")),
    "edge": Program("front", needs=("release", "demo", "web", "gate"), stop="QUIT"),
    "crowd": Program("front", needs=("demo", "edge"), once=True, command="exec python manage.py crowd"),
}

DATA_SERVERS = ("postgres", "line-redis", "broker-redis")
SHOP_PROGRAMS = tuple(name for name in PROGRAMS if name not in {"demo", "crowd"})


def procfile(path: Path = ROOT / "Procfile") -> dict[str, str]:
    """Return {name: shell command} of a Procfile."""
    lines = {}
    for line in path.read_text().splitlines():
        name, colon, command = line.partition(":")
        if colon and not line.startswith("#"):
            lines[name.strip()] = command.strip()
    return lines


def command(name: str) -> str:
    """Return the shell command that starts a program."""
    return PROGRAMS[name].command or procfile()[name]
