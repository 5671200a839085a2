"""A crowd on this machine comes from many addresses."""

import asyncio
import socket
import sys
import threading
from ipaddress import IPv4Address

import pytest

from dropsite.loadtest.users import addresses
from dropsite.loadtest.users.addresses import Addresses
from dropsite.loadtest.users.browser import Site
from tests.servers import QuietHandler, ThreadedServer

ON_LINUX = sys.platform == "linux"  # which has all of 127/8


@pytest.mark.parametrize("shoppers", [1, 5, 20])
def test_each_connection_to_this_machine_has_an_address_of_its_own(shoppers: int) -> None:
    seen: list[str] = []
    together = threading.Barrier(shoppers)

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 http.server's name
            seen.append(self.client_address[0])
            together.wait(20)
            self.send_response(204)
            self.end_headers()

    server = ThreadedServer(Handler)

    async def visit() -> None:
        async with Site(origin=server.origin, deadline=0) as site:

            async def ask() -> None:
                async with site.client.get(server.origin):
                    pass

            await asyncio.gather(*(ask() for _ in range(shoppers)))

    try:
        asyncio.run(visit())
    finally:
        server.close()

    assert len(seen) == shoppers
    assert len(set(seen)) == (shoppers if ON_LINUX else 1)


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, ("192.0.2.1", 80)), (socket.AF_INET6, ("::1", 80, 0, 0))],
)
def test_connections_elsewhere_come_from_the_usual_address(
    family: socket.AddressFamily, address: tuple[str, int]
) -> None:
    with Addresses().open_socket((family, socket.SOCK_STREAM, 0, "", address)) as opened:
        assert opened.getsockname()[1] == 0  # not bound


def test_all_connections_come_from_one_address_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "FIRST", int(IPv4Address("192.0.2.1")))  # which no system has
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))

    assert not addresses.are_many()
    with Addresses().open_socket(info) as opened:
        assert opened.getsockname() == ("0.0.0.0", 0)  # not bound


def test_addresses_stay_within_127() -> None:
    many = Addresses()

    assert [many.next() for _ in range(3)] == ["127.1.0.1", "127.1.0.2", "127.1.0.3"]
    assert len({many.next() for _ in range(70_000)}) == 70_000


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000", True),
        ("http://shop.localhost", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("", False),
    ],
)
def test_is_loopback_recognises_this_machine(url: str, expected: bool) -> None:
    assert addresses.is_loopback(url) is expected
