import asyncio
import subprocess
import sys

import pytest
from redis import Redis

from drops.waitingroom.gate.app import app
from drops.waitingroom.gate.http import Message
from drops.waitingroom.protocol.config import ROOT
from tests.drops.waitingroom.gate.conftest import JSON, ORIGIN, Caller
from tests.drops.waitingroom.protocol.servers import RedisServer
from tests.servers import until


def test_gate_imports_no_django() -> None:
    code = "import drops.waitingroom.gate.app, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    packages = {name.partition(".")[0] for name in modules}

    assert {"drops", "redis"} <= packages
    assert {"django", "celery", "dropsite", "payments"}.isdisjoint(packages)
    # Of the shop, the gate may import this one pure module.
    assert {name for name in modules if name.partition(".")[0] == "shop"} == {
        "shop",
        "shop.core",
        "shop.core.theme_css",
        "shop.core.zones",
    }


def test_startup_fails_without_the_variables(environment: pytest.MonkeyPatch, caller: Caller) -> None:
    environment.delenv("TICKET_KEYS")
    environment.delenv("SHOP_ORIGIN")

    assert caller.start() == {
        "type": "lifespan.startup.failed",
        "message": "The gate can't start. These environment variables are missing or wrong: SHOP_ORIGIN, TICKET_KEYS.",
    }
    caller.stop()


def test_startup_succeeds_without_redis(environment: pytest.MonkeyPatch, caller: Caller) -> None:
    environment.setenv("LINE_REDIS_URL", "redis://127.0.0.1:1/0")
    started = caller.start()
    replies = [caller.get("/line/healthz"), caller.get("/line/x/status.json"), caller.join()]
    caller.stop()

    assert started == {"type": "lifespan.startup.complete"}
    assert [reply.status for reply in replies] == [503, 503, 503]


def test_a_connection_that_is_not_http_is_an_error(caller: Caller) -> None:
    queue: asyncio.Queue[Message] = asyncio.Queue()

    async def websocket() -> None:
        await app({"type": "websocket"}, queue.get, queue.put)

    with pytest.raises(NotImplementedError):
        caller.run(websocket())


@pytest.mark.parametrize(("fault", "end"), [("fill", "empty"), ("hang", "go_on")])
def test_health_is_a_write(
    mortal: RedisServer, environment: pytest.MonkeyPatch, caller: Caller, fault: str, end: str
) -> None:
    environment.setenv("LINE_REDIS_URL", mortal.url)
    caller.start()
    before = caller.get("/line/healthz").status
    getattr(mortal, fault)()
    during = caller.get("/line/healthz").status
    getattr(mortal, end)()

    assert (before, during) == (200, 503)
    until(lambda: caller.get("/line/healthz").status == 200, "health")
    caller.stop()


def test_health_follows_redis(mortal: RedisServer, environment: pytest.MonkeyPatch, caller: Caller) -> None:
    environment.setenv("LINE_REDIS_URL", mortal.url)
    caller.start()
    before = caller.get("/line/healthz").status
    mortal.kill()
    during = caller.get("/line/healthz").status
    mortal.start()

    assert (before, during) == (200, 503)
    until(lambda: caller.get("/line/healthz").status == 200, "health")
    caller.stop()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        (
            {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
            200,
        ),  # the browser knows better
        ({"sec-fetch-site": "same-site", "origin": ORIGIN}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": ORIGIN}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
@pytest.mark.parametrize("action", ["join", "enter"])
def test_posts_are_accepted_from_the_shop_s_own_pages_only(
    gate: Caller, lobby: Redis, action: str, headers: dict[str, str], status: int
) -> None:
    reply = gate.run(gate.ask("POST", f"/line/x/{action}", JSON | headers))
    refused = "This request was blocked. It came from another site."

    assert (reply.status == 403 and reply.json["detail"].startswith(refused)) is (status == 403)
    assert reply.set_cookies == [] or status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/line/",
        "/line",
        "/line/a b",
        "/line//",
        "/line/x/y",
        "/line/x/join/",
        "/line/a b/join",
        "/other/x/join",
    ],
)
def test_other_paths_are_404(gate: Caller, path: str) -> None:
    script, page = gate.get(path, JSON), gate.get(path, {"accept": "text/html"})

    assert (script.status, page.status) == (404, 404)
    assert script.json["detail"] == "We can't find that page. Check the address, or go to the next drop."
    assert 'href="/">Go to the next drop' in page.body


@pytest.mark.parametrize("action", ["join", "enter"])
def test_a_reloaded_response_redirects_to_the_line(gate: Caller, action: str) -> None:
    reply = gate.get(f"/line/x/{action}")

    assert (reply.status, reply.headers["location"]) == (303, "/line/x/")


@pytest.mark.parametrize(("method", "action"), [("PUT", "join"), ("POST", "status.json"), ("DELETE", "")])
def test_other_methods_are_405(gate: Caller, method: str, action: str) -> None:
    assert gate.run(gate.ask(method, f"/line/x/{action}", JSON)).status == 405


def test_cookies_are_bound_to_the_host_over_https(
    environment: pytest.MonkeyPatch, caller: Caller, lobby: Redis
) -> None:
    environment.setenv("SHOP_ORIGIN", "https://shop.test")
    environment.delenv("DEMO")
    caller.start()
    lines = caller.join().set_cookies
    names = {line.split("=", 1)[0] for line in lines}
    ticket = lines[0].split(";")[0]
    again = caller.post("/line/x/join", JSON, cookies=ticket)
    caller.stop()

    assert names == {"__Host-ticket-x", "__Host-index-x"}
    assert all("; Secure" in line and "Path=/" in line and "Domain" not in line for line in lines)
    assert again.json == {"index": 0}


@pytest.mark.parametrize("slug", ["x", "unknown", "a" * 50])
def test_a_line_without_its_last_slash_leads_to_it(gate: Caller, slug: str) -> None:
    reply = gate.get(f"/line/{slug}")

    assert (reply.status, reply.headers["location"]) == (303, f"/line/{slug}/")
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("action", ["join", "enter"])
def test_reading_a_forms_address_leads_to_the_line(gate: Caller, action: str, method: str) -> None:
    reply = gate.run(gate.ask(method, f"/line/x/{action}"))

    assert (reply.status, reply.headers["location"]) == (303, "/line/x/")
