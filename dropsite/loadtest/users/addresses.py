"""An address for each connection of a crowd on this machine: the edge limits what one address may do."""

import itertools
import socket
from ipaddress import IPv4Address, ip_address
from typing import Any
from urllib.parse import urlsplit

FIRST = int(IPv4Address("127.1.0.1"))
COUNT = 2**22  # up to 127.65.0.0


class Addresses:
    """Opens sockets, as aiohttp's connector asks for them.

    A connection to 127.0.0.1 comes from the next address of 127/8, all of which Linux has. On systems that
    have 127.0.0.1 only, such as macOS, all come from there. Connections elsewhere are left alone: a shop
    elsewhere exempts the generator's own address (EDGE_UNLIMITED).
    """

    def __init__(self) -> None:
        self._numbers = itertools.cycle(range(COUNT))
        self._are_many = are_many()

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Return a socket for an address as `getaddrinfo` describes it. Raises: OSError."""
        family, kind, protocol, _name, address = info
        opened = socket.socket(family, kind, protocol)
        if self._are_many and family == socket.AF_INET and ip_address(address[0]).is_loopback:
            try:
                opened.bind((self.next(), 0))
            except OSError:
                opened.close()
                raise
        return opened

    def next(self) -> str:
        """Return the next address."""
        return str(IPv4Address(FIRST + next(self._numbers)))


def are_many() -> bool:
    """Whether this system has more addresses of its own than 127.0.0.1."""
    with socket.socket(socket.AF_INET) as probe:
        try:
            probe.bind((str(IPv4Address(FIRST)), 0))
        except OSError:
            return False
    return True


def is_loopback(url: str) -> bool:
    """Whether the address can only mean this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
