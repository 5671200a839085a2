"""Starting, restarting and stopping local servers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis

from deploy.local.runner import environment, ports
from deploy.local.runner.programs import DATA_SERVERS, PROGRAMS, ROOT, command, procfile
from deploy.local.runner.stack import RunningStack, Stack, StackError, remove
from tests.servers import until

SECONDS = 30


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    path = ROOT / "var" / f"test-{os.getpid()}-{request.node.name[:40]}"
    yield path
    remove(path)


def runs(stack: Stack, name: str) -> bool:
    """Whether supervisor takes the program for started.

    One that ends before is started again later and later.
    """
    return bool(stack.supervisor.program_info()[name]["statename"] == "RUNNING")


def test_servers_keep_data_over_a_restart(folder: Path) -> None:
    with Stack(folder=folder, programs=DATA_SERVERS) as stack:
        first = stack.environment
        with psycopg.connect(first["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
            assert connection.execute("SELECT count(*) > 0 FROM pg_stat_statements").fetchone() == (True,)
        with Redis.from_url(first["LINE_REDIS_URL"]) as client:
            client.set("kept", 1)

    assert not environment.is_running(folder)
    with Stack(folder=folder, programs=DATA_SERVERS) as stack:
        assert stack.environment["SECRET_KEY"] == first["SECRET_KEY"]
        with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        with Redis.from_url(stack.environment["LINE_REDIS_URL"]) as client:
            assert client.get("kept") == b"1"


def test_stack_starts_from_scratch_after_its_folder_was_deleted(folder: Path) -> None:
    for _start in range(2):
        with Stack(folder=folder, programs=["postgres"]) as stack:
            connection = psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True)
            assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
            connection.execute("CREATE TABLE kept (n int)")
            connection.close()
        shutil.rmtree(folder)


def test_killed_program_is_restarted_and_logged(folder: Path) -> None:
    with Stack(folder=folder, programs=["line-redis"]) as stack:
        until(lambda: runs(stack, "line-redis"), "the first second to be over")
        killed = stack.pid("line-redis")
        stack.kill("line-redis", signal.SIGKILL)
        stack.wait_until_restarted("line-redis", pid=killed)
        output = stack.log.read_text()

    assert output.splitlines() == ["line-redis    | restarted: it had ended"]


def test_killed_edge_is_restarted_without_its_old_workers(folder: Path) -> None:
    with Stack(folder=folder, programs=["edge"]) as stack:
        until(lambda: runs(stack, "edge"), "the first second to be over")
        killed = stack.pid("edge")
        workers = [child.pid for child in psutil.Process(killed).children()]
        stack.kill("edge", signal.SIGKILL)
        stack.wait_until_restarted("edge", pid=killed)
        until(lambda: not any(psutil.pid_exists(pid) for pid in workers))
        until(lambda: psutil.Process(stack.pid("edge")).children())
        with socket.create_connection(("127.0.0.1", int(stack.environment["PORT_EDGE"])), timeout=SECONDS):
            pass

    assert workers


def test_secrets_are_readable_by_the_owner_only(folder: Path) -> None:
    with Stack(folder=folder, programs=["line-redis"]) as stack:
        assert {(folder / name).stat().st_mode & 0o777 for name in ("env", "secrets.json")} == {0o600}
        assert stack.run.stat().st_mode & 0o777 == 0o700
    assert not stack.run.exists()


def test_second_stack_with_the_same_folder_is_refused(folder: Path) -> None:
    with Stack(folder=folder, programs=["line-redis"]):
        with pytest.raises(StackError, match="is in use"):
            Stack(folder=folder, programs=["line-redis"]).start()
        with pytest.raises(StackError, match="is in use"):
            remove(folder)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != "zombie"
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


@pytest.mark.parametrize(
    ("number", "programs"),
    [(number, ["line-redis"]) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    + [(signal.SIGKILL, DATA_SERVERS)],
)
def test_no_process_is_left_when_the_launcher_ends(folder: Path, number: int, programs: list[str]) -> None:
    code = (
        "from pathlib import Path; from deploy.local.runner.processes import interruptible; import time\n"
        "from deploy.local.runner.stack import Stack\n"
        f"with interruptible(), Stack(folder=Path({str(folder)!r}), programs={programs!r}):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(600)"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    with launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"up\n"
        started = psutil.Process(launcher.pid).children(recursive=True)
        os.killpg(launcher.pid, number)
        launcher.wait(SECONDS)

    until(lambda: not any(map(is_alive, started)))
    until(lambda: not environment.is_running(folder))
    assert len(started) > len(programs) + 1


def test_remove_deletes_the_data_outside_the_folder_too(folder: Path) -> None:
    with Stack(folder=folder, programs=["postgres"]):
        home = environment.postgres_folder(folder)
        assert (home / "data/PG_VERSION").exists()

    remove(folder)

    assert not folder.exists()
    assert not home.exists()


def test_running_stack_is_visible_to_other_processes(folder: Path) -> None:
    with Stack(folder=folder, programs=["line-redis"]) as stack:
        outside = RunningStack(folder)
        assert outside.pid("line-redis") == stack.pid("line-redis")
        assert outside.missing() == []
        assert outside.is_running()
    assert not outside.is_running()


def test_free_ports_differ_and_are_not_used_for_outgoing_connections() -> None:
    found = set(ports.free().values())

    assert len(found) == len(ports.DEFAULT_PORTS)
    assert found < set(ports.FREE_RANGE)
    assert ports.FREE_RANGE.stop <= int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def test_refuse_busy_names_the_port_and_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ports.BadPort, match=rf"Port {port} is not free .*PORT_EDGE=\d+ make demo"):
            ports.refuse_busy(port_numbers={"PORT_EDGE": port}, command="make demo")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PORT_WEB": "x"}, "PORT_WEB=x is not a port"),
        ({"PORT_WEB": "8000"}, "PORT_EDGE and PORT_WEB are the same"),
    ],
)
def test_configured_refuses_invalid_ports(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ports.BadPort, match=message):
        ports.configured(environment=variables)


def test_programs_without_a_command_are_those_of_the_procfile() -> None:
    without_command = {name for name, program in PROGRAMS.items() if not program.command}

    assert without_command == set(procfile())
    assert all(command(name) for name in PROGRAMS)


def test_use_demo_environment_needs_a_running_demo_and_no_other_servers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "DEMO_FOLDER", folder)
    before: dict[str, str] = {}
    during: dict[str, str] = {}
    configured = {"DATABASE_URL": "postgresql://elsewhere/shop"}
    after: dict[str, str] = {}

    environment.use_demo_environment(before)
    with Stack(folder=folder, programs=["line-redis"]) as stack:
        environment.use_demo_environment(during)
        environment.use_demo_environment(configured)
        expected = stack.environment
    environment.use_demo_environment(after)

    assert (before, during, after) == ({}, expected, {})
    assert configured == {"DATABASE_URL": "postgresql://elsewhere/shop"}
    assert capsys.readouterr().err.count("\n") == 1
