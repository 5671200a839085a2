"""The guard against rehearsals in production: a rehearsal pays with test cards and would sell real stock."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def refusal(*, demo: bool, api: str, origin: str) -> str:
    """Return why a crowd may not run here, in one sentence; empty if it may."""
    if not demo:
        return "A rehearsal needs the demo: DEMO is not set."
    if not is_loopback(api):
        return f"A rehearsal needs the Stripe sandbox, but STRIPE_API_BASE={api} is not on this machine."
    if not is_loopback(origin):
        return f"A rehearsal runs on this machine only, but SHOP_ORIGIN={origin} is elsewhere."
    return ""


def is_loopback(url: str) -> bool:
    """Whether the address can only mean this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
