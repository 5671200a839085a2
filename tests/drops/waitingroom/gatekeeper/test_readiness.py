"""A gatekeeper says whether it can do its work, for as long as it runs."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings
from redis import Redis

from deploy.local.runner.ports import free_port
from drops import shuffle_keys
from drops.models import Drop
from drops.waitingroom.gatekeeper import loop
from drops.waitingroom.gatekeeper.readiness import STALLED_SECONDS, ReadinessServer
from shop.core import database
from tests import databases
from tests.databases_gone_bad import read_only
from tests.drops.scaling.providers.local import fleets
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.factories import make_drop
from tests.servers import until

OTHER_KEY = "k9:" + "ab" * 32


@pytest.fixture(autouse=True)
def own_pool(transactional_db: None) -> Iterator[None]:
    database.Replacement.at = None
    yield
    databases.disconnect()


@pytest.fixture
def port(driven: Driven) -> Iterator[int]:
    with ReadinessServer(driven.keeper, host="127.0.0.1", port=0) as server:
        yield server.port


def ask(port: int, path: str = "/healthz/ready") -> tuple[int, Any]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"http://127.0.0.1:{port}{path}", timeout=20)
    return answer.status_code, answer.json()


def safe_tick(driven: Driven) -> None:
    driven.clock.now += 1
    driven.keeper.run_once_safely()
    driven.keeper.ticked_at = driven.clock()


def test_is_ready_leading_and_standing_by(driven: Driven, another: Driven, port: int) -> None:
    make_drop(phase="lobby")
    safe_tick(driven)
    safe_tick(another)
    with ReadinessServer(another.keeper, host="127.0.0.1", port=0) as second:
        assert ask(port) == (200, {"ready": True, "leads": True, "faults": {}})
        assert ask(second.port) == (200, {"ready": True, "leads": False, "faults": {}})


@pytest.mark.parametrize("key", [OTHER_KEY, "cd" * 32], ids=["missing", "wrong"])
@pytest.mark.parametrize("phase", ["announced", "lobby"])
def test_is_not_ready_without_a_key_that_a_drop_needs(
    driven: Driven, port: int, settings: Settings, phase: str, key: str
) -> None:
    """The drop was announced by web, whose keys are newer than this process's."""
    safe_tick(driven)
    drop = make_drop(phase=phase)
    settings.SHUFFLE_KEY = key
    (unusable,) = shuffle_keys.find_unusable()
    safe_tick(driven)

    assert ask(port) == (503, {"ready": False, "leads": True, "faults": {"shuffle key": str(unusable)}})
    assert f"The draw of {drop.slug} needs the key" in str(unusable)


def test_is_ready_without_a_key_that_only_sealed_drops_have_used(
    driven: Driven, port: int, settings: Settings
) -> None:
    make_drop(phase="live")
    make_drop(phase="closed")
    settings.SHUFFLE_KEY = OTHER_KEY
    safe_tick(driven)

    assert ask(port)[0] == 200


def test_is_not_ready_while_writes_are_refused(driven: Driven, port: int) -> None:
    make_drop(phase="lobby")
    safe_tick(driven)
    with read_only():
        safe_tick(driven)
        safe_tick(driven)
        assert list(ask(port)[1]["faults"]) == ["postgres"]

    def is_ready() -> bool:
        safe_tick(driven)
        return ask(port)[0] == 200

    until(is_ready, "readiness", seconds=20)


def test_is_not_ready_without_redis(driven: Driven, port: int) -> None:
    make_drop(phase="lobby")
    driven.keeper.redis = loop.connect("redis://127.0.0.1:1/0")
    safe_tick(driven)

    assert ask(port)[1]["faults"] == {"redis": "Redis can't be reached, or refuses writes."}


def test_is_not_ready_while_no_tick_ends(driven: Driven, port: int) -> None:
    safe_tick(driven)
    driven.clock.now += STALLED_SECONDS + 1

    assert list(ask(port)[1]["faults"]) == ["ticks"]


def test_other_paths_are_404_and_a_silent_client_holds_nobody_up(driven: Driven, port: int) -> None:
    safe_tick(driven)
    with socket.create_connection(("127.0.0.1", port)):
        assert ask(port, "/")[0] == 404
        assert ask(port)[0] == 200


def test_the_process_serves_it_on_its_port(server_lane: None, line_redis: Redis, tmp_path: Path) -> None:
    Drop.objects.all().delete()
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    number = free_port()
    variables: dict[str, Any] = {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "dropsite.settings",
        "PORT_GATEKEEPER": str(number),
    }

    def is_ready() -> bool:
        try:
            return ask(number) == (200, {"ready": True, "leads": True, "faults": {}})
        except requests.RequestException:
            return False

    with fleets.run("django", "gatekeeper", folder=tmp_path, **variables) as process:
        until(is_ready, "the gatekeeper")
        assert process.poll() is None


def test_a_port_that_is_taken_stops_the_start_with_one_sentence(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.PORT_GATEKEEPER = taken.getsockname()[1]
        command = "gatekeeper"
        with pytest.raises(CommandError, match="Address already in use"):
            call_command(command)
