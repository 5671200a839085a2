"""What one address may do at the edge: generous for many people, a bound for one machine."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from socket import create_connection

import pytest

from deploy.nginx import rendering
from tests.deploy.edge import Edge, Reply, configured, send
from tests.deploy.upstream import Response
from tests.servers import until

pytestmark = pytest.mark.ops

PEOPLE = 2
JOINS = PEOPLE * rendering.JOINS_AT_ONCE + 1  # the first of them isn't part of the burst
ACTIONS = PEOPLE * rendering.ACTIONS_AT_ONCE + 1
REQUESTS = PEOPLE * rendering.REQUESTS_AT_ONCE + 1
CONNECTIONS = PEOPLE * rendering.CONNECTIONS_AT_ONCE
FRESH = (f"198.18.0.{number}" for number in count(1))  # addresses that no other test uses
EXEMPT = "198.51.100.0/24,2001:db8:ffff::/48"


@pytest.fixture(scope="module")
def limits(running_edge: Edge) -> Iterator[Edge]:
    """An edge for two people behind each address, which believes X-Forwarded-For."""
    settings = {
        "EDGE_PEOPLE_PER_ADDRESS": str(PEOPLE),
        "EDGE_UNLIMITED": EXEMPT,
        "EDGE_TRUSTED": "127.0.0.0/8",
    }
    for tier in (running_edge.web, running_edge.gate, running_edge.hooks):
        tier.respond = lambda path: Response()
    with configured(running_edge, settings) as edge:
        yield edge


def join(edge: Edge, address: str, *, accept: str = "application/json") -> Reply:
    return send(edge.port, "/line/x/join", method="POST", body="", X_Forwarded_For=address, Accept=accept)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.2", "192.0.2.3", False),
        ("192.0.2.4", "192.0.3.4", False),
        ("::1", "::2", True),
        ("2001:db8::1", "2001:db8:0:0:ffff::", True),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", True),
        ("2001:db8:1:3:3:4:5:6", "2001:db8:1:4:3:4:5:6", False),
        ("::ffff:192.0.2.5", "192.0.2.5", True),
        ("::ffff:192.0.2.6", "::ffff:192.0.2.7", False),
        ("2001:db8:b::1", "2001:db8:b::2", True),
        ("2001:db8:2::1", "2001:db8:2::a:b:c:d", True),
        ("2001:db8:3:0:1:2:3:4", "2001:db8:3::", True),
        ("2001:0:4:1:a:b:c:d", "2001:0:4:1::5", True),
        ("2001:0:0:5:a:b:c:d", "2001:0:0:5::1", True),
        ("2001:db8:6::1", "2001:db8:6:1::1", False),
        ("2001:db8:7::1", "2001:db8:8::1", False),
        ("2001:db8:9:ffff::", "2001:db8:9:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db8:a:a0a::1", "2001:db8:a:a0d::1", False),  # the bytes of line ends
    ],
)
def test_an_ipv4_address_or_an_ipv6_64_counts_as_one(
    limits: Edge, one: str, other: str, together: bool
) -> None:
    statuses = Counter(join(limits, one).status for _ in range(JOINS + 3))

    assert statuses == {200: JOINS, 429: 3}
    assert join(limits, other).status == (429 if together else 200)


def test_other_requests_go_on_when_joins_are_used_up(limits: Edge) -> None:
    address = "192.0.2.20"
    while join(limits, address).status == 200:
        pass

    for path in ("/line/x/", "/", "/holds/t/"):
        assert send(limits.port, path, X_Forwarded_For=address).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/line/x/"),
        ("POST", "/line/x/enter"),
        ("POST", "/drops/x/hold/"),
        ("POST", "/de/holds/t/pay/"),
        ("GET", "/orders/t/state.json"),
        ("POST", "/admin/login/"),
    ],
)
def test_what_reaches_the_gate_or_web_is_bounded_and_cached_pages_go_on(
    limits: Edge, method: str, path: str
) -> None:
    address = next(FRESH)

    def act(address: str) -> int:
        return send(limits.port, path, method=method, X_Forwarded_For=address).status

    statuses = Counter(act(address) for _ in range(ACTIONS * 2))

    assert statuses[200] >= ACTIONS
    assert statuses[429] >= ACTIONS - 5  # one comes back in 2 s
    assert act(next(FRESH)) == 200
    for page in ("/", "/line/x/status.json"):
        assert send(limits.port, page, X_Forwarded_For=address).status == 200


@pytest.mark.parametrize("path", ["/", "/drops/x/", "/line/x/status.json", "/api/v1/drops/"])
def test_all_requests_of_an_address_are_bounded(limits: Edge, path: str) -> None:
    address = f"203.0.113.{len(path)}"

    statuses = Counter(send(limits.port, path, X_Forwarded_For=address).status for _ in range(REQUESTS * 2))

    assert statuses[200] >= REQUESTS
    assert statuses[429] >= REQUESTS - 10  # two a second come back


@pytest.mark.parametrize("path", ["/static/kept.css", "/static/kept.bin", "/media/none", "/webhooks/stripe/"])
def test_files_and_webhooks_are_not_limited(limits: Edge, path: str) -> None:
    replies = [send(limits.port, path, X_Forwarded_For="203.0.113.200") for _ in range(REQUESTS * 2)]

    assert 429 not in {reply.status for reply in replies}


def send_slowly(edge: Edge, address: str) -> ExitStack:
    """Begin as many requests as the browsers of two people send at once, and end none of them."""
    lines = f"Host: 127.0.0.1\r\nX-Forwarded-For: {address}\r\nContent-Length: 9\r\n\r\na"
    clients = ExitStack()
    for _ in range(CONNECTIONS):
        client = clients.enter_context(create_connection(("127.0.0.1", edge.port)))
        client.sendall(f"POST / HTTP/1.1\r\n{lines}".encode())
    return clients


def test_slow_clients_of_an_address_are_bounded(limits: Edge) -> None:
    def visit(address: str) -> int:
        return send(limits.port, "/static/none.bin", X_Forwarded_For=address).status

    with send_slowly(limits, "203.0.113.210"), send_slowly(limits, "198.51.100.8"):
        until(lambda: visit("203.0.113.210") == 429, "the slow clients are counted")
        assert visit("203.0.113.211") == visit("198.51.100.8") == 404
    until(lambda: visit("203.0.113.210") == 404, "the slow clients have gone")


@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8:ffff:1::1"])
def test_exempt_networks_are_not_limited(limits: Edge, address: str) -> None:
    assert {join(limits, address).status for _ in range(REQUESTS * 2)} == {200}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("text/html", "text/html; charset=utf-8"), ("application/json", "application/problem+json")],
)
def test_a_refused_join_is_told_when_to_try_again(limits: Edge, accept: str, kind: str) -> None:
    address = f"192.0.2.{100 + len(accept)}"
    while (reply := join(limits, address, accept=accept)).status == 200:
        pass

    assert (reply.status, reply.headers["Content-Type"], reply.headers["Retry-After"]) == (429, kind, "10")


def test_five_hundred_people_in_one_office_join_in_the_same_second(edge: Edge) -> None:
    """Limits are on by default, and don't keep them out: each joins, and presses once more."""

    def press(_number: int) -> int:
        return send(edge.port, "/line/x/join", method="POST", body="").status

    with ThreadPoolExecutor(50) as office:
        statuses = Counter(office.map(press, range(rendering.DEFAULT_PEOPLE * rendering.JOINS_AT_ONCE)))

    assert statuses == {200: 1000}
    assert 429 in {
        press(number) for number in range(20)
    }  # a thousand and some from one address are no office
    config = (edge.stack.run / "edge/nginx.conf").read_text()
    assert "limit_req zone=joins burst=1000 nodelay;" in config


def test_five_hundred_people_in_one_office_open_the_pages_and_poll(edge: Edge) -> None:
    """One after another each opens the drop and the line with its files, joins, polls twice and enters."""
    visit = [
        ("GET", edge.path),
        ("GET", "/static/shop.css"),
        ("GET", "/line/x/"),
        ("GET", "/line/x/status.json"),
        ("POST", "/line/x/join"),
        ("GET", "/line/x/status.json"),
        ("GET", "/line/x/status.json"),
        ("POST", "/line/x/enter"),
    ]

    def come(_number: int) -> list[int]:
        return [
            send(office.port, path, method=method, X_Forwarded_For="192.0.2.1").status
            for method, path in visit
        ]

    with configured(edge, {"EDGE_TRUSTED": "127.0.0.0/8"}) as office, ThreadPoolExecutor(20) as people:
        statuses = Counter(
            status for found in people.map(come, range(rendering.DEFAULT_PEOPLE)) for status in found
        )
        config = (edge.stack.run / f"second-{office.port}/nginx.conf").read_text()

    assert 429 not in statuses
    assert statuses[200] >= 7 * rendering.DEFAULT_PEOPLE
    # As fast as they then may go on: each page polls every 2 s, each action is repeated after 2 to 5 s.
    assert "zone=requests:10m rate=500r/s;" in config
    assert "zone=actions:10m rate=7500r/m;" in config
    assert "limit_conn connections 3000;" in config


@pytest.mark.parametrize("people", ["0", "1", "40", "1000000"])
def test_a_number_of_people_is_a_setting(edge: Edge, people: str) -> None:
    config = rendering.render(edge.stack.environment | {"EDGE_PEOPLE_PER_ADDRESS": people})

    assert ("limit_req zone=joins" in config) is (people != "0")


@pytest.mark.parametrize("people", ["-1", "many", "1.5", "٣", "100000000"])
def test_a_number_of_people_that_isnt_one_is_refused(edge: Edge, people: str) -> None:
    with pytest.raises(rendering.EdgeError, match="EDGE_PEOPLE_PER_ADDRESS"):
        rendering.render(edge.stack.environment | {"EDGE_PEOPLE_PER_ADDRESS": people})


@pytest.mark.parametrize("networks", ["office", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8; 0.0.0.0/0 1"])
def test_exempt_networks_that_arent_any_are_refused(edge: Edge, networks: str) -> None:
    with pytest.raises(rendering.EdgeError, match="EDGE_UNLIMITED"):
        rendering.render(edge.stack.environment | {"EDGE_UNLIMITED": networks})
