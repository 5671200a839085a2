from time import time

import pytest
from redis import Redis

from drops.waitingroom.protocol import keys, lua, places, status, tickets
from drops.waitingroom.protocol.tickets import Keyring, Pass, Ticket
from tests.drops.waitingroom.gate.conftest import JSON, Caller, called, now_document
from tests.drops.waitingroom.protocol.servers import adopt, publish

RING = Keyring.parse("t1:" + "11" * 32)
PASSES = Keyring.parse("p1:" + "22" * 32)
SEED = bytes(32)
N = 10
TICKET = Ticket(bytes(range(16)), 3)
VALUE = tickets.sign_ticket(TICKET, "x", RING)
PLACE = places.place(SEED, 3, N)


@pytest.fixture
def called_up(gate: Caller, lobby: Redis) -> Redis:
    """A lobby of ten, everybody called, three may enter."""
    called(lobby, n=N, cursor=N, allowance=3)
    gate.get("/line/x/status.json")
    return lobby


def test_enter_sets_a_pass_and_names_the_pick_page(gate: Caller, called_up: Redis) -> None:
    reply = gate.enter(VALUE)
    admit = tickets.read_pass(reply.cookies["pass-x"], "x", PASSES)

    assert (reply.status, reply.json) == (200, {"pick": "/drops/x/pick/", "ends": admit.ends})
    assert admit == Pass(TICKET.id, 3, PLACE, N, admit.entered)
    assert 0 <= time() - admit.entered < 20


def test_enter_sets_a_cookie_that_outlasts_the_pass(gate: Caller, called_up: Redis) -> None:
    (line,) = gate.enter(VALUE).set_cookies
    seconds = int(line.split("Max-Age=")[1].split(";")[0])

    assert seconds == 3600  # so that the shop can tell a pass that has ended from none
    assert line.endswith("; SameSite=Lax; HttpOnly")


def test_enter_sends_a_form_to_the_pick_page(gate: Caller, called_up: Redis) -> None:
    reply = gate.post("/line/x/enter", cookies=f"ticket-x={VALUE}")

    assert (reply.status, reply.headers["location"]) == (303, "/drops/x/pick/")


def test_enter_again_returns_the_same_pass_uncounted(gate: Caller, called_up: Redis) -> None:
    first, again = gate.enter(VALUE), gate.enter(VALUE)

    assert again.cookies == first.cookies
    assert called_up.hget(keys.state("x"), "entered") == b"1"


def test_enter_again_after_two_minutes_returns_a_new_pass_counted(gate: Caller, called_up: Redis) -> None:
    gate.enter(VALUE)
    before = int(time()) - 120
    called_up.setrange(keys.entries("x"), 12, before.to_bytes(4))
    again = tickets.read_pass(gate.enter(VALUE).cookies["pass-x"], "x", PASSES)

    assert again.entered > before
    assert called_up.hget(keys.state("x"), "entered") == b"2"


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("", "You're not in this line. Join the line first."),
        ("1.t1.AAAA.AAAA", "This ticket isn't valid."),
        (tickets.sign_ticket(TICKET, "y", RING), "This ticket isn't valid."),
        (tickets.sign_ticket(TICKET, "x", Keyring.parse("t0:" + "33" * 32)), "This ticket isn't valid."),
        ("2" + VALUE[1:], "This ticket isn't valid."),
    ],
)
def test_enter_refuses_a_shopper_without_a_ticket_of_this_line(
    gate: Caller, called_up: Redis, value: str, detail: str
) -> None:
    reply = gate.enter(value)

    assert (reply.status, reply.cookies) == (403, {"index-x": ""})  # no page shows a place without a ticket
    assert reply.json["detail"].startswith(detail)


def test_enter_accepts_a_ticket_signed_with_an_older_key(
    environment: pytest.MonkeyPatch, caller: Caller, server: Redis, lobby: Redis
) -> None:
    environment.setenv("TICKET_KEYS", "t2:" + "44" * 32 + ",t1:" + "11" * 32)
    caller.start()
    called(lobby, n=N, cursor=N, allowance=3)

    assert caller.enter(VALUE).status == 200
    caller.stop()


def test_enter_before_the_call_is_refused_from_memory_with_a_retry_time(gate: Caller, lobby: Redis) -> None:
    called(lobby, n=N, cursor=0, allowance=3, rate=0.0)
    gate.get("/line/x/status.json")
    lobby.config_resetstat()
    replies = [gate.enter(VALUE) for _ in range(20)]

    assert {reply.status for reply in replies} == {409}
    assert replies[0].json | {"retry": 0} == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "It isn't your turn yet. Your place is kept.",
        "place": PLACE,
        "cursor": 0,
        "retry": 0,
    }
    assert {reply.headers["retry-after"] for reply in replies} == {
        str(reply.json["retry"]) for reply in replies
    }
    assert all(
        7 <= reply.json["retry"] <= 10 for reply in replies
    )  # eight places ahead, and nobody is let in
    assert "cmdstat_evalsha" not in lobby.info("commandstats")


def test_enter_before_the_seal_is_refused_without_a_place(gate: Caller, lobby: Redis) -> None:
    reply = gate.enter(VALUE)

    assert (reply.status, reply.json["place"], reply.json["cursor"]) == (409, None, 0)


def test_enter_is_retried_within_5_s_when_the_allowance_is_used_up(gate: Caller, called_up: Redis) -> None:
    called(called_up, n=N, cursor=N, allowance=3)
    for index in range(3):
        gate.enter(tickets.sign_ticket(Ticket(bytes(16), index), "x", RING))
    replies = [gate.enter(VALUE) for _ in range(20)]

    assert {reply.status for reply in replies} == {409}
    assert {reply.json["retry"] for reply in replies} <= {2, 3, 4, 5}


def test_enter_is_refused_in_a_pause_even_before_memory_knows_of_it(gate: Caller, called_up: Redis) -> None:
    publish(called_up, paused=True)
    at_once = gate.enter(VALUE)
    gate.sees(lambda drop: drop.paused)
    later = gate.enter(VALUE)

    assert [reply.status for reply in (at_once, later)] == [409, 409]
    assert [reply.json["detail"] for reply in (at_once, later)] == ["Paused. Your place is kept."] * 2


def test_enter_is_410_when_the_drop_is_closed(gate: Caller, called_up: Redis) -> None:
    publish(called_up, closed=True)
    at_once = gate.enter(VALUE)
    gate.sees(lambda drop: drop.closed)

    assert (at_once.status, gate.enter(VALUE).status) == (410, 410)


def test_enter_is_retried_rarely_when_the_drop_is_sold_out(gate: Caller, called_up: Redis) -> None:
    called(called_up, n=N, cursor=N, allowance=3, phase="sold out")
    gate.sees(lambda drop: drop.status and drop.status["phase"] == "sold out")
    reply = gate.enter(VALUE)

    assert reply.status == 409
    assert 20 <= reply.json["retry"] <= 30


def test_enter_of_an_unknown_drop_is_503(gate: Caller) -> None:
    assert gate.enter(VALUE).status == 503


def test_enter_on_an_emptied_redis_is_503(gate: Caller, called_up: Redis) -> None:
    called_up.flushall()
    reply = gate.enter(VALUE)

    assert (reply.status, reply.headers["retry-after"]) == (503, "2")


def test_enter_refused_to_a_form_is_a_page_that_returns_to_the_line(gate: Caller, lobby: Redis) -> None:
    called(lobby, n=N, cursor=0, allowance=3, rate=1.0)
    reply = gate.post("/line/x/enter", {"accept": "text/html"}, cookies=f"ticket-x={VALUE}")

    assert (reply.status, reply.headers["content-type"]) == (409, "text/html; charset=utf-8")
    assert reply.headers["refresh"] == f"{reply.headers['retry-after']}; url=/line/x/"
    assert "It isn&#x27;t your turn yet." in reply.body
    assert "Nothing was charged." in reply.body
    assert JSON["accept"] not in reply.body


def test_enter_of_a_latecomer_uses_the_index_as_the_place(gate: Caller, lobby: Redis) -> None:
    called(lobby, n=2, cursor=4, allowance=3)

    assert tickets.read_pass(gate.enter(VALUE).cookies["pass-x"], "x", PASSES).place == 3


def test_enter_is_decided_by_redis_when_memory_is_outdated(gate: Caller, called_up: Redis) -> None:
    called_up.flushall()
    adopt(called_up, epoch=2, counter=1000, limit=2000, cursor=PLACE, seal=lua.Seal(N, SEED))
    reply = gate.enter(VALUE)

    assert (reply.status, reply.json["place"], reply.json["cursor"]) == (409, PLACE, PLACE)


def test_enter_without_a_fresh_document_is_retried_in_10_s(gate: Caller, server: Redis) -> None:
    adopt(server, cursor=0, seal=lua.Seal(N, SEED))

    assert gate.enter(VALUE).json["retry"] == 10


def test_enter_is_refused_while_nobody_decides_who_may(gate: Caller, called_up: Redis) -> None:
    """The gatekeepers have been silent for 15 s, as with a Postgres that hangs: no hold succeeds."""
    gate.get("/line/x/status.json")
    gate.gate.cache.drops["x"].changed_at -= status.FRESH_SECONDS + 1
    reply = gate.enter(VALUE)

    assert (reply.status, reply.headers["retry-after"], reply.cookies) == (503, "2", {})
    assert called_up.hget(keys.state("x"), "entered") in {None, b"0"}

    publish(called_up, allowance=3, status=now_document(phase="live", sealed=N, cursor=N, tick=2))
    gate.sees(lambda drop: not drop.is_silent)
    assert gate.enter(VALUE).status == 200


def test_enter_is_not_refused_by_a_machine_whose_clock_is_wrong(gate: Caller, lobby: Redis) -> None:
    """What counts is how long ago this process saw the last change."""
    called(lobby, n=N, cursor=N, allowance=N, now=time() - 3600)
    gate.get("/line/x/status.json")
    gate.sees(lambda drop: drop.n == N)

    assert gate.enter(VALUE).status == 200


def test_enter_and_join_say_that_the_drop_was_cancelled(gate: Caller, called_up: Redis) -> None:
    publish(called_up, closed=True, status=now_document(phase="cancelled", tick=2))
    gate.sees(lambda drop: drop.closed and drop.status and drop.status["phase"] == "cancelled")

    replies = [gate.enter(VALUE), gate.join("a" * 32)]

    assert [(reply.status, reply.json["detail"]) for reply in replies] == [
        (410, "This drop was cancelled. Paid orders will be refunded. Nobody else is charged.")
    ] * 2
    assert gate.get("/line/x/status.json").json["phase"] == "cancelled"
    page = gate.get("/line/x/").body.replace("&#x27;", "'").replace("&#39;", "'")
    assert "This drop was cancelled. Paid orders will be refunded. Nobody else is charged." in page
