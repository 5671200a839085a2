"""Starting, restarting and ending local servers."""

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

from deploy.local import environment, ports, postgres
from deploy.local.programs import DATA_SERVERS, PROGRAMS, ROOT, command, procfile
from deploy.local.stack import RunningStack, Stack, StackError, remove
from tests.servers import until

SECONDS = 30


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    path = ROOT / "var" / f"test-{os.getpid()}-{request.node.name[:40]}"
    yield path
    remove(path)


def test_servers_keep_what_was_written_over_a_restart(folder):
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


def test_state_that_was_deleted_by_hand_begins_anew(folder):
    for _start in range(2):
        with Stack(folder=folder, programs=["postgres"]) as stack:
            connection = psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True)
            assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
            connection.execute("CREATE TABLE kept (n int)")
            connection.close()
        shutil.rmtree(folder)


def test_killed_program_is_restarted_and_said_so(folder):
    with Stack(folder=folder, programs=["line-redis"]) as stack:
        killed = stack.pid("line-redis")
        stack.kill("line-redis", signal.SIGKILL)
        stack.wait_until_restarted("line-redis", pid=killed)
        said = stack.log.read_text()

    assert said.splitlines() == ["line-redis    | restarted: it had ended"]


def test_killed_edge_comes_back_and_its_old_workers_are_gone(folder):
    with Stack(folder=folder, programs=["edge"]) as stack:
        killed = stack.pid("edge")
        workers = [child.pid for child in psutil.Process(killed).children()]
        stack.kill("edge", signal.SIGKILL)
        stack.wait_until_restarted("edge", pid=killed)
        until(lambda: not any(psutil.pid_exists(pid) for pid in workers))
        until(lambda: psutil.Process(stack.pid("edge")).children())
        with socket.create_connection(("127.0.0.1", int(stack.environment["PORT_EDGE"])), timeout=SECONDS):
            pass

    assert workers


def test_secrets_are_for_the_owner_only(folder):
    with Stack(folder=folder, programs=["line-redis"]) as stack:
        assert {(folder / name).stat().st_mode & 0o777 for name in ("env", "secrets.json")} == {0o600}
        assert stack.run.stat().st_mode & 0o777 == 0o700
    assert not stack.run.exists()


def test_second_stack_on_the_same_folder_is_refused(folder):
    with Stack(folder=folder, programs=["line-redis"]):
        with pytest.raises(StackError, match="is in use"):
            Stack(folder=folder, programs=["line-redis"]).start()
        with pytest.raises(StackError, match="is in use"):
            remove(folder)


@pytest.mark.parametrize(
    ("number", "programs"),
    [(number, ["line-redis"]) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    + [(signal.SIGKILL, DATA_SERVERS)],
)
def test_no_process_is_left_however_the_launcher_ends(folder, number, programs):
    code = (
        "from pathlib import Path; from deploy.local.processes import interruptible; import time\n"
        "from deploy.local.stack import Stack\n"
        f"with interruptible(), Stack(folder=Path({str(folder)!r}), programs={programs!r}):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(600)"
    )
    launcher = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    with launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"up\n"
        started = psutil.Process(launcher.pid).children(recursive=True)
        os.killpg(launcher.pid, number)
        launcher.wait(SECONDS)

    until(lambda: not [process for process in started if process.is_running() and process.status() != "zombie"])
    until(lambda: not environment.is_running(folder))
    assert len(started) > len(programs) + 1


def test_removed_state_is_gone_wherever_it_lay(folder):
    with Stack(folder=folder, programs=["postgres"]):
        home = postgres.home_of(folder)
        assert (home / "data/PG_VERSION").exists()

    remove(folder)

    assert not folder.exists()
    assert not home.exists()


def test_running_stack_is_seen_from_outside(folder):
    with Stack(folder=folder, programs=["line-redis"]) as stack:
        seen = RunningStack(folder)
        assert (seen.pid("line-redis"), seen.missing(), seen.is_running()) == (stack.pid("line-redis"), [], True)
    assert not seen.is_running()


def test_free_ports_differ_and_are_none_that_connections_get_from_the_kernel():
    found = set(ports.free().values())

    assert len(found) == len(ports.DEFAULT_PORTS)
    assert found < set(ports.FREE_RANGE)
    assert ports.FREE_RANGE.stop <= int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def test_busy_port_is_named_with_its_setting():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ports.BadPort, match=rf"Port {port} is not free .*PORT_EDGE=\d+ make demo"):
            ports.refuse_busy(port_numbers={"PORT_EDGE": port}, command="make demo")


@pytest.mark.parametrize(
    ("given", "said"),
    [({"PORT_WEB": "x"}, "PORT_WEB=x is not a port"), ({"PORT_WEB": "8000"}, "PORT_EDGE and PORT_WEB are the same")],
)
def test_senseless_ports_are_refused(given, said):
    with pytest.raises(ports.BadPort, match=said):
        ports.configured(environment=given)


def test_every_line_of_the_procfile_is_run_and_no_other():
    own = {name for name, program in PROGRAMS.items() if not program.command}
    assert own == set(procfile())
    assert all(command(name) for name in PROGRAMS)


def test_demo_environment_is_taken_only_while_a_demo_runs(folder, monkeypatch, capsys):
    monkeypatch.setattr(environment, "DEMO_FOLDER", folder)
    nothing: dict[str, str] = {}
    environment.use_demo_environment(nothing)
    with Stack(folder=folder, programs=["line-redis"]) as stack:
        mine = {"DATABASE_URL": "postgresql://elsewhere/shop"}
        environment.use_demo_environment(mine)
        taken: dict[str, str] = {}
        environment.use_demo_environment(taken)
        expected = stack.environment
    over: dict[str, str] = {}
    environment.use_demo_environment(over)

    assert (nothing, mine, over) == ({}, {"DATABASE_URL": "postgresql://elsewhere/shop"}, {})
    assert taken == expected
    assert capsys.readouterr().err.count("\n") == 1
