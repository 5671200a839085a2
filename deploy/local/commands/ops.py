"""`make verify-ops`: run the tests marked `ops` on Debian's own nginx and Postgres, not on the wheels'.

A deployment has the servers of its distribution, which are older than ours. Their packages are unpacked, not
installed: nothing on this machine changes. It takes Debian or Ubuntu, and root, because servers then run as
nobody.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from deploy.local.commands import testing
from deploy.local.runner import ports, processes
from deploy.local.servers import postgres

START_SECONDS = 30
POLL_SECONDS = 0.1


class OpsError(Exception):
    """The checks can't run here; the message says why in one sentence."""


def run(arguments: Sequence[str]) -> int:
    """Return pytest's exit code. Raises: OpsError, StackError."""
    if os.geteuid():
        raise OpsError("make verify-ops needs root: it runs servers as nobody.")
    if not shutil.which("apt-get"):
        raise OpsError(
            "make verify-ops needs Debian or Ubuntu: it takes their packages of nginx and Postgres."
        )
    folder = Path(tempfile.mkdtemp(prefix="dropsite-ops-", dir="/var/tmp"))
    folder.chmod(0o755)
    with processes.interruptible():
        try:
            nginx = unpack("nginx", folder=folder) / "usr/sbin"
            programs = find_programs(unpack(postgres_package(), folder=folder))
            for program in (nginx / "nginx", programs / "postgres"):
                print(
                    subprocess.check_output(
                        [program, "-V"], stderr=subprocess.STDOUT, text=True
                    ).splitlines()[0]
                )
            with run_postgres(programs, folder=folder) as url:
                variables = {"DATABASE_URL": url, "PATH": f"{nginx}{os.pathsep}{os.environ['PATH']}"}
                return testing.run(["-m", "ops", *arguments], variables=variables)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 130


def postgres_package() -> str:
    """Return the name of the package that `postgresql` stands for, such as postgresql-17.

    Raises: OpsError.
    """
    said = _apt("apt-cache", "depends", "postgresql")
    for line in said.splitlines():
        if (name := line.partition("Depends:")[2].strip()).startswith("postgresql-"):
            return name
    raise OpsError("apt-cache knows no package of Postgres: apt-get update")


def unpack(package: str, *, folder: Path) -> Path:
    """Download a package and return the folder where its files lie. Raises: OpsError."""
    target = folder / package
    target.mkdir()
    _apt("apt-get", "download", package, cwd=target)
    for file in target.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", file, target], check=True)
    return target


def find_programs(unpacked: Path) -> Path:
    """Return the folder of Postgres's programs."""
    return next(unpacked.glob("usr/lib/postgresql/*/bin"))


def _apt(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise OpsError(f"{' '.join(command)} failed: {done.stdout.strip()}")
    return done.stdout


@contextmanager
def run_postgres(programs: Path, *, folder: Path) -> Iterator[str]:
    """Run a server with the options of our own, as long as the block; its address."""
    user, data, port = postgres.other_user(), folder / "data", ports.free_port()
    data.mkdir(mode=0o700)
    os.chown(data, user["user"], user["group"])
    initdb: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "shop",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]
    subprocess.run([*initdb, "--no-sync"], check=True, cwd=folder, stdout=subprocess.DEVNULL, **user)
    options = [f"--{name}={value}" for name, value in {**postgres.OPTIONS, **postgres.UNSAFE_OPTIONS}.items()]
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, f"--port={port}", "--log_min_messages=fatal", *options],
        cwd=folder,
        **user,
    )
    try:
        address = f"postgresql://shop@127.0.0.1:{port}"
        _wait_for(f"{address}/postgres", server)
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE shop")
        yield f"{address}/shop"
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise OpsError(f"Debian's Postgres doesn't start with our options. ({error})") from error
            time.sleep(POLL_SECONDS)
        else:
            return
