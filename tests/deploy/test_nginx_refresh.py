"""Nobody waits while the edge refreshes a cached answer: its old copy is served at once, for a while."""

import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from deploy.local.runner.programs import ROOT
from tests.deploy.edge import PAGE, Edge, Reply, careless, send
from tests.deploy.upstream import Response
from tests.servers import until

pytestmark = pytest.mark.ops

ALLOWED_DELAY_SECONDS = 0.3  # of an answer's 99th percentile, against the control's
SILENT_SECONDS = 20
STATUS_STALE_SECONDS = 11  # of a document that was made as it was fetched
# How the tiers allow what is cached to be kept.
KEPT = {
    "front": ("/", "public, max-age=0, s-maxage=1"),
    "drop": ("/drops/{}/", "public, max-age=0, s-maxage=1"),
    "stable page": ("/drops/{}/how/", "public, max-age=0, s-maxage=3"),
    "API": ("/api/v1/drops/{}/", "public, max-age=0, s-maxage=1"),
    "missing page": ("/nowhere/{}/", "public, max-age=0, s-maxage=1"),
    "status": (
        "/line/{}/status.json",
        f"public, s-maxage=1, stale-while-revalidate={STATUS_STALE_SECONDS}",
    ),
    "unknown line": ("/line/x-{}/status.json", "public, s-maxage=5"),
}
Timed = tuple[float, Reply]


class Tiers:
    """Web and gate, whose answers contain the time at which they were made."""

    def __init__(self, edge: Edge) -> None:
        number = edge.path.removeprefix("/drops/").strip("/")
        self.edge = edge
        self.paths = [path.format(number) for path, _ in KEPT.values()]
        self.kept = {path.format(number): kept for path, kept in KEPT.values()}
        self.seconds = 0.0
        self.silent = threading.Event()
        self.again = threading.Event()
        for tier in (edge.web, edge.gate):
            tier.respond = self.respond

    def respond(self, path: str) -> Response:
        if self.silent.is_set():
            self.again.wait(SILENT_SECONDS * 2)
        status = 404 if path.startswith(("/nowhere", "/line/x-")) else 200
        headers = PAGE | {"Cache-Control": self.kept[path]}
        return Response(body=str(time.time()), status=status, headers=headers, seconds=self.seconds)


def ask(edge: Edge, path: str) -> Timed:
    asked = time.monotonic()
    reply = send(edge.port, path)
    return time.monotonic() - asked, reply


def ask_often(
    edge: Edge, paths: Sequence[str], *, seconds: float, between: float = 0.2
) -> dict[str, list[Timed]]:
    """Return what a visitor gets who asks for each path all the while, answered or not."""
    asked: dict[str, list[Timed]] = {path: [] for path in paths}
    pause, ends = threading.Event(), time.monotonic() + seconds
    with ThreadPoolExecutor(200) as crowd:
        waiting = []
        while time.monotonic() < ends:
            waiting += [(path, crowd.submit(ask, edge, path)) for path in paths]
            pause.wait(between)
        for path, reply in waiting:
            asked[path].append(reply.result())
    return asked


def p99(answers: Sequence[Timed]) -> float:
    seconds = sorted(seconds for seconds, _ in answers)
    return seconds[max(0, math.ceil(0.99 * len(seconds)) - 1)]


def waits(control: dict[str, list[Timed]], answers: dict[str, list[Timed]]) -> dict[str, float]:
    """Return {path: how much later than the control's its 99th percentile was}, for those that waited."""
    late = {path: p99(answers[path]) - p99(control[path]) for path in answers}
    return {path: seconds for path, seconds in late.items() if seconds > ALLOWED_DELAY_SECONDS}


def statuses(answers: dict[str, list[Timed]]) -> set[int]:
    return {reply.status for replies in answers.values() for _, reply in replies}


def test_a_page_that_nobody_visited_for_a_while_is_fetched_again(edge: Edge) -> None:
    """All is well, so nobody gets a copy that is more than ten seconds past its end.

    The first test, as nginx takes all copies for new once, a minute after its start.
    """
    edge.web.respond = lambda path: Response(body=str(time.time()), headers=PAGE)
    send(edge.port, edge.path)
    forgotten_at = time.time() + 11.5

    until(lambda: time.time() > forgotten_at, "the end of the copy")
    requested = time.time()
    reply = send(edge.port, edge.path)

    assert float(reply.body) >= requested


def test_a_slow_tier_makes_nobody_wait(edge: Edge) -> None:
    tiers = Tiers(edge)
    control = ask_often(edge, tiers.paths, seconds=2)

    tiers.seconds = 2
    answers = ask_often(edge, tiers.paths, seconds=8)

    assert waits(control, answers) == {}
    assert statuses(answers) == {200, 404}
    for path in tiers.paths:
        ages = [reply.body for _, reply in answers[path]]
        assert len(set(ages)) > 1, f"{path} was never refreshed"


def test_without_old_copies_a_slow_tier_makes_all_wait(edge: Edge) -> None:
    """The control: locks alone hold everybody back until the new answer is there."""
    tiers = Tiers(edge)
    changes = {
        "stale-while-revalidate=300": "stale-if-error=300",
        "stale-while-revalidate=10": "stale-if-error=10",
        "stale-while-revalidate=2": "stale-if-error=2",
    }
    paths = [path for path in tiers.paths if not path.endswith(("how/", "status.json"))]
    with careless(edge, changes) as without:
        control = ask_often(without, paths, seconds=2)
        tiers.seconds = 2
        answers = ask_often(without, paths, seconds=4)

    assert set(waits(control, answers)) == set(paths)


def test_a_silent_tier_makes_nobody_wait_for_twenty_seconds(edge: Edge) -> None:
    """Web and gate accept requests and answer none, as a stopped process does.

    A status is served until it could be 15 s old, the gate's 404s for ten seconds.
    """
    tiers = Tiers(edge)
    control = ask_often(edge, tiers.paths, seconds=2)

    tiers.silent.set()
    of_gate = [path for path in tiers.paths if path.startswith("/line/")]
    of_web = [path for path in tiers.paths if path not in of_gate]
    with ThreadPoolExecutor(1) as other:
        gate = other.submit(ask_often, edge, of_gate, seconds=10)
        answers = ask_often(edge, of_web, seconds=SILENT_SECONDS)
        answers |= gate.result()
    tiers.again.set()

    assert waits(control, answers) == {}
    assert statuses(answers) == {200, 404}
    tiers.silent.clear()
    resumed = time.time()

    def is_fresh(path: str) -> bool:
        return float(ask(edge, path)[1].body) > resumed

    for path in of_web:
        until(partial(is_fresh, path), f"a new copy of {path}")


def test_static_files_are_refreshed_behind_their_old_copy(edge: Edge) -> None:
    """With a life of one second in place of sixty."""
    file = ROOT / "var" / edge.stack.folder.name / "static/waits.css"
    file.write_text("old")
    states: list[str | None] = []

    def is_refreshed() -> bool:
        _, reply = ask(soon_over, "/static/waits.css")
        states.append(reply.headers["X-Cache"])
        return reply.body == "new"

    with careless(edge, {'default "public, max-age=60";': 'default "public, max-age=1";'}) as soon_over:
        reply = ask(soon_over, "/static/waits.css")[1]
        file.write_text("new")
        until(is_refreshed, "the new file")

    assert reply.headers["Cache-Control"] == "public, max-age=1"
    assert set(states) == {"HIT", "STALE"}


def test_a_page_is_hardly_older_than_the_pause_between_its_visits(edge: Edge) -> None:
    edge.web.respond = lambda path: Response(body=str(time.time()), headers=PAGE)
    states = set()
    started = last = time.time()

    for pause in itertools.cycle((0.0, 0.1, 0.4, 0.9, 1.3, 0.05)):
        requested = time.time()
        reply = send(edge.port, edge.path)
        states.add(reply.headers["X-Cache"])
        # The store answers with its old copy, and so does the front: each adds a second.
        assert requested - float(reply.body) < 3 + requested - last
        last = requested
        if requested - started > 5:  # twice all pauses
            break
        time.sleep(pause)

    assert {"HIT", "STALE"} <= states
    assert len(edge.web.requests) < 40


def test_a_status_is_served_for_fifteen_seconds_without_the_gate(edge: Edge) -> None:
    path = f"/line/{edge.path.removeprefix('/drops/')}status.json"
    kept = f"public, s-maxage=1, stale-while-revalidate={STATUS_STALE_SECONDS}"
    edge.gate.respond = lambda path: Response(body=str(time.time()), headers={"Cache-Control": kept})

    reply = send(edge.port, f"{path}?t=1", Cookie="ticket-x=1")
    edge.gate.respond = lambda path: Response(status=502)
    ages = []
    while reply.status == 200:
        time.sleep(0.1)
        requested = time.time()
        reply = send(edge.port, path)
        if reply.status == 200:
            ages.append(requested - float(reply.body))

    assert "Cookie" not in edge.gate.requests[0].headers
    assert edge.gate.requests[0].path == path
    assert 10 < max(ages) < 15
    assert reply.status == 503


def crowd_on_a_stale_page(edge: Edge, respond: Callable[[str], Response]) -> list[Reply]:
    """Return what 60 people get with 120 requests for a page whose cached copy is too old to be served."""
    headers = PAGE | {"Cache-Control": "public, s-maxage=1, stale-while-revalidate=1"}
    edge.web.respond = lambda path: Response(body=path, headers=headers)
    send(edge.port, edge.path)
    stale_at = edge.web.requests[0].at + 3.2  # past its lifetime and stale-while-revalidate, a second each
    until(lambda: time.time() >= stale_at, "the copy's age")
    edge.web.requests.clear()
    edge.web.respond = respond
    with ThreadPoolExecutor(60) as crowd:
        return list(crowd.map(lambda _: send(edge.port, edge.path), range(120)))


def test_crowd_on_a_stale_page_reaches_web_once_a_second(edge: Edge) -> None:
    replies = crowd_on_a_stale_page(edge, lambda path: Response(body="new", headers=PAGE, seconds=0.3))

    assert Counter(reply.body for reply in replies) == {"new": 120}
    assert len(edge.web.requests) <= 1 + len({int(received.at) for received in edge.web.requests})


def test_crowd_without_the_shield_reaches_web_all_at_once(edge: Edge) -> None:
    """The control: nginx locks cache entries that are empty, not those that are stale.

    No request is answered before a crowd of them has arrived.
    """

    def slow(path: str) -> Response:
        until(lambda: len(edge.web.requests) > 20, "a crowd at web", seconds=20)
        return Response(body="new", headers=PAGE)

    with careless(
        edge, {"location / { proxy_pass http://shield; }": "location / { proxy_pass http://web; }"}
    ) as without:
        crowd_on_a_stale_page(without, slow)

    assert len(edge.web.requests) > 20


def test_a_crowd_on_a_silent_tier_without_a_copy_reaches_it_once_a_second(edge: Edge) -> None:
    """All who wait get the failure of the one request, in place of asking the silent tier by themselves."""
    silent = threading.Event()
    edge.web.respond = lambda path: Response(seconds=12.0 if not silent.is_set() else 0.0)

    with ThreadPoolExecutor(60) as crowd:
        replies = list(crowd.map(lambda _: send(edge.port, edge.path), range(60)))
    silent.set()

    assert {reply.status for reply in replies} == {503}
    assert len(edge.web.requests) <= 1 + len({int(received.at) for received in edge.web.requests})


def test_every_cache_leaves_room_on_the_disk(edge: Edge) -> None:
    config = (edge.stack.run / "edge/nginx.conf").read_text()
    caches = [line for line in config.splitlines() if line.strip().startswith("proxy_cache_path")]

    assert len(caches) == 4
    assert [line for line in caches if "min_free=64m" not in line] == []
