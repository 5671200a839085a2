"""`python -m deploy.local.commands.polls`: bounded, and for a shop on this machine only."""

import json

import pytest

from deploy.local.commands import polls
from deploy.local.runner.stack import StackError
from tests.deploy.upstream import Response, Upstream

LIMITS = polls.Limits(polls=50, seconds=20, connections=4)


@pytest.mark.parametrize(
    "origin",
    ["https://shop.example", "http://10.0.0.1:8000", "http://127.0.0.1.example", "http://[2001:db8::1]", "x"],
)
def test_only_a_shop_on_this_machine_is_polled(origin: str) -> None:
    with pytest.raises(StackError, match="elsewhere"):
        polls.run(origin=origin, drop="x", limits=LIMITS)


@pytest.mark.parametrize(
    "limits", [(0, 1, 1), (2_000_000, 1, 1), (1, 0, 1), (1, 121, 1), (1, 1, 0), (1, 1, 501)]
)
def test_polls_are_bounded(limits: tuple[int, float, int]) -> None:
    with pytest.raises(StackError):
        polls.Limits(polls=limits[0], seconds=limits[1], connections=limits[2])


def test_the_first_drop_is_polled_as_often_as_asked() -> None:
    def respond(path: str) -> Response:
        if path == "/api/v1/drops/":
            body = json.dumps({"results": [{"slug": "x"}]})
            return Response(body=body, headers={"Content-Type": "application/json"})
        return Response(
            body="{}", headers={"X-Cache": "HIT"}, status=200 if path == "/line/x/status.json" else 404
        )

    with Upstream(respond) as shop:
        text = polls.run(origin=f"http://localhost:{shop.port}", drop=None, limits=LIMITS)

    lines = text.splitlines()
    assert lines[0].startswith("50 polls in ")
    assert all(name in lines[1] for name in ("p50", "p99"))
    assert lines[2] == "50 × 200; cache: 50 × HIT"


def test_a_shop_that_is_down_is_said_in_a_sentence() -> None:
    with Upstream(lambda path: Response()) as shop:
        port = shop.port

    with pytest.raises(StackError, match="doesn't answer"):
        polls.run(origin=f"http://127.0.0.1:{port}", drop="x", limits=LIMITS)
