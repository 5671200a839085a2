"""The address that a request came from, as the edge says, and its network."""

import ipaddress

from django.http import HttpRequest

IPV6_NETWORK_BITS = 64  # what one household or office is given
UNKNOWN = "0.0.0.0"  # noqa: S104 a name for "not known", nothing listens on it


def client_address(request: HttpRequest) -> str:
    """Return the visitor's address.

    The edge writes its own X-Forwarded-For, so its last entry can be trusted: only the edge and programs
    inside the network can reach this process.
    """
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return parse(forwarded) or parse(request.META.get("REMOTE_ADDR", "")) or UNKNOWN


def parse(text: str) -> str:
    """Return an address as Postgres stores it, or an empty text if it isn't one."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.IPv6Address(int(address)))  # without its zone
    return str(address)


def network(address: str) -> str:
    """Return what counts as one visitor: an IPv4 address, or the /64 of an IPv6 address."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(ipaddress.IPv6Network((int(parsed), IPV6_NETWORK_BITS), strict=False))
