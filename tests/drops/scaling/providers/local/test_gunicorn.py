"""gunicorn's fleets, on real ones."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gunicorn.ctl.protocol import ControlProtocol, make_error_response, make_response
from pytest_django import Settings

from drops.scaling.providers.base import ApplyRefused, BadLocator, OutcomeUnclear
from drops.scaling.providers.local import gunicorn as module
from drops.scaling.providers.local.gunicorn import Gunicorn
from tests.drops.scaling.providers.local import fleets
from tests.servers import until

TWO, THREE = {"workers": 2}, {"workers": 3}


def provider_at(path: Path) -> Gunicorn:
    return Gunicorn(locator={"socket": str(path)})


def is_at(fleet: Gunicorn, state: dict[str, int]) -> bool:
    return fleet.is_ready(fleet.read(), state)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path: a socket's may have 107 bytes."""
    return tmp_path_factory.mktemp("f")


@pytest.fixture(params=["gthread", "asgi"])
def fleet(request: pytest.FixtureRequest, folder: Path) -> Iterator[Gunicorn]:
    """One worker of each kind that the shop runs."""
    with fleets.gunicorn(folder, kind=request.param) as path:
        provider = provider_at(path)
        until(lambda: provider.read().serving == 1, "the first worker")
        yield provider


def test_read_returns_desired_and_ready_workers(fleet: Gunicorn) -> None:
    reading = fleet.read()

    assert (reading.state, reading.size, reading.serving, reading.moving) == ({"workers": 1}, 1, 1, False)
    assert reading.message == "1 of 1 workers are ready"
    assert reading.cpu_seconds is None or reading.cpu_seconds > 0
    assert fleet.is_ready(reading, {"workers": 1})


def test_apply_grows_and_shrinks_to_a_size(fleet: Gunicorn) -> None:
    for state in (THREE, {"workers": 1}):
        fleet.apply(state, key="k")
        until(partial(is_at, fleet, state), str(state))

    assert fleet.read().serving == 1


def test_repeated_apply_changes_nothing(fleet: Gunicorn) -> None:
    messages = [fleet.apply(THREE, key="k").message for _ in range(3)]

    assert messages == ["1 → 3 workers", "3 → 3 workers", "3 → 3 workers"]
    assert fleet.read().size == 3


def test_connection_that_is_open_while_workers_start_leaves_no_traceback(
    fleet: Gunicorn, folder: Path
) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as idle:
        idle.connect(str(folder / "fleet.ctl"))
        idle.sendall(ControlProtocol.encode_message({"id": 1, "command": "show stats"}))
        ControlProtocol.read_message(idle)
        fleet.apply(TWO, key="k")
        until(lambda: fleet.is_ready(fleet.read(), TWO), "two workers")

    log = (folder / "log").read_text()
    assert "1 → 2 workers" in log
    assert "Traceback" not in log


def test_worker_that_is_still_loading_is_not_ready(folder: Path) -> None:
    with fleets.gunicorn(folder) as path:
        provider = provider_at(path)
        until(lambda: provider.read().serving == 1, "the first worker")
        (folder / "may-load").unlink()
        provider.apply(TWO, key="k")
        until(lambda: not provider.read().moving, "the second worker's process")
        loading = provider.read()
        (folder / "may-load").touch()
        until(lambda: provider.is_ready(provider.read(), TWO), "the second worker")

    assert (loading.state, loading.serving, provider.is_ready(loading, TWO)) == (TWO, 1, False)


def test_cpu_seconds_include_former_workers(folder: Path) -> None:
    with fleets.gunicorn(folder, workers=2) as path:
        provider = provider_at(path)
        until(lambda: provider.read().serving == 2, "both workers")
        before = provider.read().cpu_seconds
        provider.apply({"workers": 1}, key="k")
        until(lambda: provider.is_ready(provider.read(), {"workers": 1}), "one worker")
        after = provider.read().cpu_seconds

    assert before is not None
    assert after is not None
    assert 0 < before <= after


# --- faults -------------------------------------------------------------------------------------------------


@contextmanager
def between(
    real: Path, path: Path, *, spoil: Callable[[dict[str, object], socket.socket], bool]
) -> Iterator[None]:
    """Stand between client and fleet: `spoil(command, client)` says whether it has spoiled that answer."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                while pass_one(client):
                    pass

    def pass_one(client: socket.socket) -> bool:
        try:
            command = ControlProtocol.read_message(client)
        except ConnectionError:
            return False
        try:
            with closing(socket.socket(socket.AF_UNIX)) as fleet:
                fleet.settimeout(1)
                fleet.connect(str(real))
                ControlProtocol.write_message(fleet, command)
                answer = ControlProtocol.read_message(fleet)
        except OSError:  # gunicorn recreates its socket as it forks; the client connects again
            return False
        if spoil(command, client):
            return False
        ControlProtocol.write_message(client, answer)
        return True

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_apply_whose_response_was_lost_has_one_effect(folder: Path) -> None:
    lost: list[object] = []

    def spoil(command: dict[str, object], client: socket.socket) -> bool:
        if str(command["command"]).startswith("worker") and not lost:
            lost.append(command["command"])
            return True
        return False

    with fleets.gunicorn(folder) as path:
        until(lambda: provider_at(path).read().serving == 1, "the first worker")
        with between(path, folder / "b", spoil=spoil):
            provider_at(folder / "b").apply(THREE, key="k")
        until(lambda: not provider_at(path).read().moving, "the fleet to settle")
        size = provider_at(path).read().size

    assert (lost, size) == (["worker add 2"], 3)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\x02[]", b"\0\0\0\x02{}", b""]
)
def test_unreadable_response_is_unclear(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)

    def spoil(command: dict[str, object], client: socket.socket) -> bool:
        client.sendall(answer)
        return True

    with (
        fleets.gunicorn(folder) as path,
        between(path, folder / "b", spoil=spoil),
        pytest.raises(
            OutcomeUnclear, match=r"^No gunicorn responds at .*/b \(\w+\)\. Check that it is running"
        ),
    ):
        provider_at(folder / "b").read()


def test_read_without_a_fleet_is_unclear(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)

    with pytest.raises(OutcomeUnclear, match=r"none\.ctl \(FileNotFoundError\)"):
        provider_at(folder / "none.ctl").read()


def test_read_of_a_fleet_that_hangs_is_unclear(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(module, "RESPONSE_SECONDS", 0.1)
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(folder / "hangs"))
        server.listen()

        with pytest.raises(OutcomeUnclear, match=r"hangs \(TimeoutError\)"):
            provider_at(folder / "hangs").read()


def test_command_that_gunicorn_refuses_is_refused(folder: Path) -> None:
    with (
        fleets.gunicorn(folder) as path,
        closing(module._connect(str(path))) as connection,
        pytest.raises(ApplyRefused, match="gunicorn refused “worker fly”: "),
    ):
        module._send(connection, "worker fly")


# --- locator ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locator", "sentence"),
    [
        ({}, "Enter gunicorn's control socket"),
        ({"socket": " "}, "Enter gunicorn's control socket"),
        ({"socket": 7}, "Enter gunicorn's control socket"),
        ({"socket": "../web.ctl"}, "the name of a file in RUN_DIR"),
        ({"socket": "/" + "x" * 107}, "at most 107 bytes"),
    ],
)
def test_check_refuses_an_invalid_socket(settings: Settings, locator: Any, sentence: str) -> None:
    settings.RUN_DIR = "/run/shop"

    with pytest.raises(BadLocator, match=sentence):
        Gunicorn.check(locator)


def test_check_needs_a_run_dir_for_a_bare_name(settings: Settings) -> None:
    settings.RUN_DIR = ""

    with pytest.raises(BadLocator, match="RUN_DIR, which must be set"):
        Gunicorn.check({"socket": "web.ctl"})
    Gunicorn.check({"socket": "/run/shop/web.ctl"})


def test_resource_is_the_same_for_every_name_of_the_socket(settings: Settings, folder: Path) -> None:
    settings.RUN_DIR = str(folder)
    os.symlink(folder, folder / "also")

    names = ["web.ctl", f"{folder}/web.ctl", f"{folder}/also/web.ctl"]
    for name in names:
        Gunicorn.check({"socket": name})

    assert {Gunicorn.resource({"socket": name}) for name in names} == {f"gunicorn:{folder}/web.ctl"}


def test_state_for_keeps_one_worker() -> None:
    assert [Gunicorn().state_for(size, baseline={"workers": 4}) for size in (0, 2)] == [
        {"workers": 1},
        {"workers": 2},
    ]


@pytest.mark.parametrize(("faults", "refused"), [(0, False), (1, False), (4, False), (5, True)])
def test_a_table_of_workers_that_changes_meanwhile_is_read_again(faults: int, refused: bool) -> None:
    ours, theirs = socket.socketpair()
    answers = [make_error_response(1, "Command failed: dictionary changed size during iteration")] * faults

    def serve() -> None:
        for answer in [*answers, make_response(1, {"workers": []})]:
            try:
                ControlProtocol.read_message(theirs)
            except ConnectionError:
                return
            ControlProtocol.write_message(theirs, answer)

    thread = threading.Thread(target=serve)
    thread.start()
    with theirs, ours:
        if refused:
            with pytest.raises(ApplyRefused, match="changed size"):
                module._show(ours, "workers")
        else:
            assert module._show(ours, "workers") == {"workers": []}
        ours.close()
        thread.join()
