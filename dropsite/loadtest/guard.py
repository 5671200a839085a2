"""When a rehearsal must not run: it pays with test cards and would sell real stock."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def refusal(*, demo: bool, api: str, origin: str) -> str:
    """Why a crowd may not be let loose here, in one sentence; nothing if it may."""
    if not demo:
        return "A rehearsal runs against the demo only: DEMO is not set."
    if not is_loopback(api):
        return (
            f"A rehearsal pays at the sandbox only, and STRIPE_API_BASE is {api}: that is no address of this machine."
        )
    if not is_loopback(origin):
        return f"A rehearsal runs on this machine only, and SHOP_ORIGIN is {origin}."
    return ""


def is_loopback(url: str) -> bool:
    """Say whether the address can only mean this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
