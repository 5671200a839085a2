"""Web and gatekeeper as processes, while the database refuses writes: sales resume by themselves."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import connection
from redis import Redis

from deploy.local.runner.ports import free_port
from drops import tokens
from drops.models import Drop, Edition
from drops.waitingroom.protocol import lua, tickets
from tests import databases
from tests.databases_gone_bad import read_only
from tests.drops.scaling.providers.local import fleets
from tests.factories import make_drop, make_pass
from tests.servers import until

WORKERS, THREADS = 2, 4
REFUSED = 12  # holds that are tried meanwhile: more than all pools have connections
SUCCESSES = 12  # in a row, before sales count as normal
# The aim is 5 s on an idle machine; what never recovers by itself takes for ever.
MOST_SECONDS = 20.0


class Shop:
    """Web and gatekeeper on the test's own database."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.origin = folder, f"http://127.0.0.1:{port}"
        self.browser = requests.Session()
        self.browser.trust_env = False
        host = settings.SHOP_ORIGIN.split("//")[1]
        headers = {"Host": host, "Origin": settings.SHOP_ORIGIN, "Sec-Fetch-Site": "same-origin"}
        self.browser.headers.update(headers)
        self.shoppers = 0

    def is_ready(self) -> bool:
        try:
            return self.browser.get(f"{self.origin}/healthz/live", timeout=5).ok
        except requests.RequestException:
            return False

    def database_fault(self) -> str:
        answer = self.browser.get(f"{self.origin}/healthz/ready", timeout=30)
        return str(answer.json()["faults"].get("database", ""))

    def hold(self, edition: Edition) -> int:
        """Place a hold for the next shopper, and return the answer's status."""
        drop, self.shoppers = edition.drop, self.shoppers + 1
        pass_ = make_pass(drop=drop, index=self.shoppers)
        signed = tickets.sign_pass(pass_, drop.slug, tokens.keyring("pass"))
        cookies = {f"pass-{drop.slug}": signed}
        page = self.browser.get(f"{self.origin}/drops/{drop.slug}/pick/", cookies=cookies, timeout=30)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        if page.status_code != 200 or found is None:
            return page.status_code
        form = {f"quantity-{edition.pk}": "1", "csrfmiddlewaretoken": found[1]}
        answer = self.browser.post(
            f"{self.origin}/drops/{drop.slug}/hold/",
            data=form,
            cookies=cookies | {"csrf": page.cookies["csrf"]},
            allow_redirects=False,
            timeout=30,
        )
        return answer.status_code

    def starts(self) -> int:
        """Return how often a worker of web has started."""
        return (self.folder / "log").read_text().count("Booting worker")


@pytest.fixture
def shop(server_lane: None, transactional_db: None, line_redis: Redis, tmp_path: Path) -> Iterator[Shop]:
    database = connection.settings_dict["NAME"]
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database}"
    variables: dict[str, Any] = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "dropsite.settings"}
    port = free_port()
    web = ["gunicorn", "dropsite.wsgi", "-k", "gthread", "-w", str(WORKERS), "--threads", str(THREADS)]
    web += ["-b", f"127.0.0.1:{port}", "--no-control-socket", "--graceful-timeout", "2"]
    with ExitStack() as stack:
        web_process = stack.enter_context(fleets.run(*web, folder=tmp_path, **variables))
        gatekeeper = stack.enter_context(fleets.run("django", "gatekeeper", folder=tmp_path, **variables))
        running = Shop(tmp_path, port)
        until(running.is_ready, "web")
        yield running
        assert (web_process.poll(), gatekeeper.poll()) == (None, None)
    databases.disconnect()


def allowance_left(redis: Redis, drop: Drop) -> int:
    state = lua.read_state(redis, drop.slug)
    return state.number("allowance") - state.number("entered")


def test_sales_resume_by_themselves_after_writes_were_refused(shop: Shop, line_redis: Redis) -> None:
    drop = make_drop(phase="live", quantity=200)
    edition = drop.editions.get()
    until(lambda: allowance_left(line_redis, drop) > 0, "admission")
    for _ in range(SUCCESSES):  # each worker has several connections
        assert shop.hold(edition) == 303

    with read_only():
        refused = [shop.hold(edition) for _ in range(REFUSED)]
        until(lambda: shop.database_fault() == "The database takes no writes (InternalError).", "readiness")
        until(lambda: allowance_left(line_redis, drop) == 0, "the stop of admission")
    began = time.monotonic()
    assert set(refused) == {503}

    in_a_row = 0
    while in_a_row < SUCCESSES:
        in_a_row = in_a_row + 1 if shop.hold(edition) == 303 else 0
        assert time.monotonic() - began < MOST_SECONDS
    until(lambda: shop.database_fault() == "", "readiness", seconds=MOST_SECONDS)
    until(lambda: allowance_left(line_redis, drop) > 0, "admission", seconds=MOST_SECONDS)

    assert time.monotonic() - began < MOST_SECONDS
    assert shop.starts() == WORKERS
