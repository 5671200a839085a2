"""The faults: programs that stop, a database that refuses writes, bad clients, clocks that differ."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import libfaketime  # type: ignore[import-untyped]
import psutil
import psycopg
from psycopg import sql

from deploy.local.faults.bad_clients import IDLE, LARGE, SLOW, BadClients
from deploy.local.runner.stack import RunningStack

WORKERS = ("checkout", "capture", "mail", "background")
STOPPED_SECONDS = 20.0
READ_ONLY_SECONDS = 15.0
CLOCK_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that lasts `seconds` once the drop sells; or, with `clock`, as long as the stack runs."""

    key: str
    name: str
    seconds: float = 0
    cause: Callable[[RunningStack], AbstractContextManager[None]] = lambda _stack: nullcontext()
    clock: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # {program: its variables}
    resumes_within: float | None = None  # seconds from the fault's end until the next sale
    keeps_holding: bool = False  # holds are placed all the while
    keeps_answering: bool = False  # cached pages and the status document too


@contextmanager
def stopped(program: str, stack: RunningStack) -> Iterator[None]:
    """Stop a program and its children by SIGSTOP: their sockets accept, and nobody answers."""
    root = psutil.Process(stack.pid(program))
    processes = [root, *root.children(recursive=True)]
    try:
        for process in processes:
            _send(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            _send(process, signal.SIGCONT)


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


@contextmanager
def read_only(stack: RunningStack) -> Iterator[None]:
    """Let the database refuse writes, as the old primary does after a failover; open sessions are cut.

    Sessions that begin meanwhile refuse writes for as long as they last.
    """
    with psycopg.connect(
        stack.environment["DATABASE_URL"], autocommit=True, options="-c default_transaction_read_only=off"
    ) as connection:
        database = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(database)
        )
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            yield
        finally:
            connection.execute(
                sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(database)
            )


@contextmanager
def bad_clients(stack: RunningStack) -> Iterator[None]:
    """Fill the edge with clients that take and don't give."""
    shop = urlsplit(stack.environment["SHOP_ORIGIN"])
    with BadClients(host=shop.netloc, port=shop.port or 80, path="/line/x/join") as clients:
        clients.wait()
        yield


def _shifted(seconds: int) -> dict[str, dict[str, str]]:
    """Return {worker: variables} with which its clock differs. Durations stay as they are."""
    library = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
    variables = {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{seconds:+d}s",
        "DONT_FAKE_MONOTONIC": "1",
    }
    return {program: dict(variables) for program in WORKERS}


def _stopping(key: str, name: str, program: str, *, keeps_holding: bool = False) -> Fault:
    """Return the fault of a program that is stopped while cached pages must be answered as before."""
    return Fault(
        key=key,
        name=f"{name} is stopped",
        seconds=STOPPED_SECONDS,
        cause=lambda stack: stopped(program, stack),
        keeps_holding=keeps_holding,
        keeps_answering=True,
    )


FAULTS = (
    Fault(key="none", name="no fault, the control"),
    _stopping("broker", "the broker", "broker-redis", keeps_holding=True),
    _stopping("gate", "the gate", "gate"),
    _stopping("web", "the web group", "web"),
    _stopping("postgres", "Postgres", "postgres"),
    Fault(
        key="read-only",
        name="the database refuses writes",
        seconds=READ_ONLY_SECONDS,
        cause=read_only,
        resumes_within=5,
        keeps_answering=True,
    ),
    Fault(
        key="clients",
        name=f"{IDLE} idle connections, {SLOW} slow clients and {LARGE} with oversized headers",
        seconds=STOPPED_SECONDS,
        cause=bad_clients,
        keeps_holding=True,
        keeps_answering=True,
    ),
    Fault(
        key="clocks-ahead",
        name=f"the workers' clocks are {CLOCK_SECONDS} s ahead",
        clock=_shifted(CLOCK_SECONDS),
    ),
    Fault(
        key="clocks-behind",
        name=f"the workers' clocks are {CLOCK_SECONDS} s behind",
        clock=_shifted(-CLOCK_SECONDS),
    ),
)
