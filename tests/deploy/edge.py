"""The edge, as deploy/nginx renders it, in front of tiers that the tests play."""

import http.client
import itertools
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import pytest

from deploy.local.runner import ports
from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import Stack, remove
from deploy.nginx import rendering
from tests.deploy.upstream import Response, Upstream
from tests.servers import until

PAGE = {"Cache-Control": "public, max-age=0, s-maxage=1", "Vary": "Accept-Encoding"}
PAGE_NUMBERS = itertools.count()


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass(kw_only=True)
class Edge:
    """A running nginx with the tiers behind it. `path` is a page that no other test requests."""

    port: int
    web: Upstream
    gate: Upstream
    hooks: Upstream
    stack: Stack
    path: str = ""


@pytest.fixture(scope="module")
def running_edge() -> Iterator[Edge]:
    folder = ROOT / "var" / f"test-{os.getpid()}-edge"
    with (
        Upstream(lambda path: Response()) as web,
        Upstream(lambda path: Response()) as gate,
        Upstream(lambda path: Response()) as hooks,
    ):
        port_numbers = ports.free() | {"PORT_WEB": web.port, "PORT_GATE": gate.port, "PORT_HOOKS": hooks.port}
        stack = Stack(
            folder=folder, programs=["edge"], port_numbers=port_numbers, settings={"EDGE_WORKERS": "2"}
        )
        try:
            with stack:
                yield Edge(port=port_numbers["PORT_EDGE"], web=web, gate=gate, hooks=hooks, stack=stack)
        finally:
            remove(folder)


@pytest.fixture
def edge(running_edge: Edge) -> Edge:
    """The edge, with no request yet."""
    for tier in (running_edge.web, running_edge.gate, running_edge.hooks):
        tier.requests.clear()
        tier.respond = lambda path: Response(body=path, headers=PAGE)
    running_edge.path = f"/drops/{next(PAGE_NUMBERS)}/"
    return running_edge


def send(port: int, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        with_hyphens = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=with_hyphens)
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read().decode(errors="replace"))
    finally:
        connection.close()


@contextmanager
def careless(edge: Edge, changes: Mapping[str, str]) -> Iterator[Edge]:
    """A second nginx in front of the same tiers, in whose configuration some texts are changed: a control."""
    with configured(edge, {}, changes=changes) as second:
        yield second


@contextmanager
def configured(
    edge: Edge, settings: Mapping[str, str], *, changes: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Edge]:
    """A second nginx in front of the same tiers, with other settings."""
    port = ports.free()["PORT_EDGE"]
    own = {"EDGE_FOLDER": str(edge.stack.run / f"second-{port}"), "PORT_EDGE": str(port)}
    folder = rendering.prepare(edge.stack.environment | own | dict(settings))
    config = (folder / "nginx.conf").read_text()
    for text, changed in changes.items():
        assert text in config
        config = config.replace(text, changed)
    (folder / "nginx.conf").write_text(config)
    command = [rendering.binary(), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command) as nginx:
        try:
            until(lambda: is_listening(port), "nginx listens")
            yield replace(edge, port=port)
        finally:
            nginx.terminate()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
