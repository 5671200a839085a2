"""Where a load test may run: in the demo, or on a named host whose payments go to a sandbox."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dropsite.loadtest import guard
from tests.deploy.stripe_sandbox.process import SECRET_KEY, SandboxProcess
from tests.servers import QuietHandler, ThreadedServer

SANDBOX = "http://127.0.0.1:8004"
SHOP = "http://127.0.0.1:8000"
STAGING = "https://staging.shop.example"


def test_demo_on_loopback_may_be_tested() -> None:
    assert guard.local_refusal(demo=True, api=SANDBOX, origin=SHOP) == ""


@pytest.mark.parametrize(
    ("demo", "api", "origin", "word"),
    [
        (False, SANDBOX, SHOP, "DEMO"),
        (True, "https://api.stripe.com", SHOP, "api.stripe.com"),
        (True, "http://127.0.0.1.example.com", SHOP, "127.0.0.1.example.com"),
        (True, SANDBOX, "https://shop.example.com", "shop.example.com"),
    ],
)
def test_refusal_names_what_is_not_local(demo: bool, api: str, origin: str, word: str) -> None:
    assert word in guard.local_refusal(demo=demo, api=api, origin=origin)


@pytest.mark.parametrize(
    ("origin", "hosts", "expected"),
    [
        (STAGING, ["staging.shop.example"], True),
        (STAGING, ["other.example", "STAGING.shop.example"], True),
        (f"{STAGING}:8443", ["staging.shop.example"], True),
        (STAGING, [], False),
        (STAGING, ["shop.example"], False),
        (STAGING, [""], False),
        ("https://staging.shop.example.evil", ["staging.shop.example"], False),
        ("https://xstaging.shop.example", ["staging.shop.example"], False),
        ("https://staging.shop.example@evil", ["staging.shop.example"], False),
    ],
)
def test_only_the_named_host_itself_may_be_tested(origin: str, hosts: list[str], expected: bool) -> None:
    assert guard.is_named(origin, hosts=hosts) is expected


@pytest.mark.parametrize(
    "api",
    ["https://api.stripe.com", "https://stripe.com", "https://API.STRIPE.COM/", "https://files.stripe.com"],
)
def test_stripe_itself_may_not_be_tested(api: str) -> None:
    assert "Stripe must not be load-tested" in guard.remote_refusal(api=api, secret_key="sk_test_1")


@pytest.fixture(scope="module")
def sandbox(server_lane: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(Path(tmp_path_factory.mktemp("sandbox"))) as process:
        yield process


def test_the_sandboxs_own_key_is_accepted(sandbox: SandboxProcess) -> None:
    assert guard.remote_refusal(api=sandbox.base, secret_key=SECRET_KEY) == ""
    assert guard.remote_refusal(api=f"{sandbox.base}/", secret_key=SECRET_KEY) == ""


@pytest.mark.parametrize("key", ["sk_test_another", "", f"x{SECRET_KEY}", SECRET_KEY[:-1], "sk_live_1"])
def test_another_key_is_refused(sandbox: SandboxProcess, key: str) -> None:
    refusal = guard.remote_refusal(api=sandbox.base, secret_key=key)

    assert "STRIPE_SECRET_KEY isn't the key" in refusal
    assert "sk_" not in refusal


@pytest.mark.parametrize("status", [404, 500, 302, 204])
def test_what_is_no_sandbox_is_refused(server_lane: None, status: int) -> None:
    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 http.server's name
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadedServer(Handler)
    try:
        assert "isn't a Stripe sandbox" in guard.remote_refusal(api=server.origin, secret_key=SECRET_KEY)
    finally:
        server.close()
    assert "doesn't answer" in guard.remote_refusal(api=server.origin, secret_key=SECRET_KEY)


@pytest.mark.parametrize(
    ("hosts", "refused"), [([], True), (["other.example"], True), (["staging.shop.example"], False)]
)
def test_a_named_host_with_its_sandbox_may_be_tested(
    sandbox: SandboxProcess, settings: Any, hosts: list[str], refused: bool
) -> None:
    settings.DEMO, settings.SHOP_ORIGIN, settings.LOAD_TEST_HOSTS = False, STAGING, hosts
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = sandbox.base, SECRET_KEY

    assert bool(guard.refuse()) is refused
    assert ("LOAD_TEST_HOSTS" in guard.refuse()) is refused
