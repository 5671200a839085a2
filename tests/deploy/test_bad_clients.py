"""Slow clients, thousands of idle connections and oversized headers don't hold up the others."""

import os
from collections.abc import Iterator
from http.server import HTTPServer
from threading import Thread
from time import monotonic
from urllib.parse import urlsplit

import pytest
import requests
from redis import Redis

from deploy.local.faults.bad_clients import BadClients
from deploy.local.faults.criteria import ALLOWED_DELAY_SECONDS
from deploy.local.faults.visitor import Answer, Visitor, quantile
from deploy.local.runner.programs import DATA_SERVERS, ROOT
from deploy.local.runner.stack import Stack, remove
from tests.drops.waitingroom.gate.conftest import now_document
from tests.drops.waitingroom.protocol.servers import adopt
from tests.servers import QuietHandler, until

ASKED = 40  # answers of each page, before and during
PATHS = {"status": "/line/x/status.json", "line page": "/line/x/"}


@pytest.fixture(scope="module")
def line() -> Iterator[Stack]:
    """The edge, and the gate behind it, with the lobby of drop x."""
    folder = ROOT / "var" / f"test-{os.getpid()}-clients"
    with Stack(folder=folder, programs=[*DATA_SERVERS, "gate", "edge"]) as running:
        with Redis.from_url(running.environment["LINE_REDIS_URL"]) as redis:
            adopt(redis, status=now_document())
        yield running
    remove(folder)


def ask(visitor: Visitor) -> dict[str, list[Answer]]:
    """Wait until each page has been answered often enough from now on; return the answers."""
    begun = monotonic()

    def answers() -> dict[str, list[Answer]]:
        return {name: visitor.between(name, begun, monotonic()) for name in PATHS}

    until(lambda: all(len(found) >= ASKED for found in answers().values()), "answers", seconds=60)
    return answers()


@pytest.mark.parametrize("port", ["PORT_EDGE", "PORT_GATE"], ids=["at the edge", "at the gate itself"])
def test_bad_clients_hold_nobody_up(line: Stack, port: str) -> None:
    shop = urlsplit(line.environment["SHOP_ORIGIN"])
    number = int(line.environment[port])
    bad = BadClients(host=shop.netloc, port=number, path="/line/x/join")
    with Visitor(origin=f"http://{shop.hostname}:{number}", paths=PATHS) as visitor:
        control = ask(visitor)
        with bad:
            bad.wait()
            during = ask(visitor)
            until(lambda: bad.statuses.total() > 10, "refusals of oversized headers")
            assert bad.are_all_here

    for name in PATHS:
        assert {answer.status for answer in control[name] + during[name]} == {200}
        late = quantile(during[name], 0.99) - quantile(control[name], 0.99)
        assert late <= ALLOWED_DELAY_SECONDS
    assert set(bad.statuses) <= {400, 413, 414, 431}


def test_control_a_server_of_one_client_at_a_time_is_held_up() -> None:
    with HTTPServer(("127.0.0.1", 0), QuietHandler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        bad = BadClients(host="127.0.0.1", port=server.server_port, path="/")
        bad.idle = 100
        with bad:
            until(lambda: bad.open["idle"], "a client")
            with pytest.raises(requests.Timeout):
                requests.get(f"http://127.0.0.1:{server.server_port}/", timeout=1)
        server.shutdown()
