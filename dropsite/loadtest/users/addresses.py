"""An address for each connection of a crowd on this machine: the edge limits what one address may do."""

import itertools
import socket
import sys
from ipaddress import IPv4Address, ip_address
from typing import Any

FIRST = int(IPv4Address("127.1.0.1"))
COUNT = 2**22  # up to 127.65.0.0


class Addresses:
    """Opens sockets, as aiohttp's connector asks for them.

    A connection to 127.0.0.1 comes from the next address of 127/8, all of which Linux has. Others are left
    alone: a shop elsewhere exempts the generator's own address (EDGE_UNLIMITED).
    """

    def __init__(self) -> None:
        self._numbers = itertools.cycle(range(COUNT))

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Return a socket for an address as `getaddrinfo` describes it. Raises: OSError."""
        family, kind, protocol, _name, address = info
        opened = socket.socket(family, kind, protocol)
        if sys.platform == "linux" and family == socket.AF_INET and ip_address(address[0]).is_loopback:
            try:
                opened.bind((self.next(), 0))
            except OSError:
                opened.close()
                raise
        return opened

    def next(self) -> str:
        """Return the next address."""
        return str(IPv4Address(FIRST + next(self._numbers)))
