"""The guard against load tests in production: shoppers pay with test cards and would buy real stock.

A load test runs in the demo, where shop and Stripe sandbox are on this machine, or on a host that
LOAD_TEST_HOSTS names, if its payments go to a Stripe sandbox of its own. Stripe allows no load tests, not
even in its test mode.
"""

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
from django.conf import settings

from dropsite.loadtest.users import addresses

ACCOUNT_PATH = "/_sandbox/account"  # answers to the sandbox's secret key, and exists nowhere else
TIMEOUT_SECONDS = 5.0


def refuse() -> str:
    """Return why this deployment may not be load-tested, in one sentence; empty if it may."""
    refusal = local_refusal(demo=settings.DEMO, api=settings.STRIPE_API_BASE, origin=settings.SHOP_ORIGIN)
    if refusal and is_named(settings.SHOP_ORIGIN, hosts=settings.LOAD_TEST_HOSTS):
        return remote_refusal(api=settings.STRIPE_API_BASE, secret_key=settings.STRIPE_SECRET_KEY)
    return refusal


def local_refusal(*, demo: bool, api: str, origin: str) -> str:
    """Return why this isn't a demo on this machine, in one sentence; empty if it is."""
    advice = "Elsewhere than in the demo, its owner must name the shop's host in LOAD_TEST_HOSTS."
    if not demo:
        return f"A rehearsal needs the demo: DEMO is not set. {advice}"
    if not addresses.is_loopback(api):
        return f"A rehearsal needs the Stripe sandbox, but STRIPE_API_BASE={api} is not on this machine."
    if not addresses.is_loopback(origin):
        return f"A rehearsal runs on this machine only, but SHOP_ORIGIN={origin} is elsewhere. {advice}"
    return ""


def is_named(origin: str, *, hosts: Collection[str]) -> bool:
    """Whether the shop's host is one that may be load-tested."""
    return (urlsplit(origin).hostname or "") in {host.lower() for host in hosts}


def remote_refusal(*, api: str, secret_key: str) -> str:
    """Return why the payments of a named host don't go to a sandbox, in one sentence; empty if they do."""
    host = urlsplit(api).hostname or ""
    if host == "stripe.com" or host.endswith(".stripe.com"):
        return f"Stripe must not be load-tested: point STRIPE_API_BASE={api} to a Stripe sandbox of your own."
    try:
        answer = requests.get(
            api.rstrip("/") + ACCOUNT_PATH,
            headers={"Authorization": f"Bearer {secret_key}"},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        return f"The Stripe sandbox at STRIPE_API_BASE={api} doesn't answer: {error}"
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        return f"STRIPE_SECRET_KEY isn't the key of the Stripe sandbox at STRIPE_API_BASE={api}."
    if answer.status_code != HTTPStatus.OK:
        return f"STRIPE_API_BASE={api} isn't a Stripe sandbox: it answered {answer.status_code}."
    return ""
