"""Ways out on the gate's pages: a shopper who holds something finds it, also once the drop is over."""

import pytest
from redis import Redis

from drops.waitingroom.protocol import tickets
from drops.waitingroom.protocol.tickets import Keyring, Ticket
from tests.drops.waitingroom.gate.conftest import Caller, called

HTML = {"accept": "text/html"}
VALUE = tickets.sign_ticket(Ticket(bytes(16), 0), "x", Keyring.parse("t1:" + "11" * 32))
TO_HOLD = '<a class="action" href="/drops/x/pick/">Go to what you hold</a>'
PHASES = ["live", "paused", "sold out", "closed", "cancelled"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(("cookie", "shown"), [("; held-x=1", True), ("; held-y=1", False), ("", False)])
def test_line_leads_to_what_is_held(gate: Caller, lobby: Redis, phase: str, cookie: str, shown: bool) -> None:
    called(lobby, n=1, cursor=1, allowance=1, phase=phase)

    assert (TO_HOLD in gate.get("/line/x/", cookies=f"ticket-x={VALUE}{cookie}").body) is shown


@pytest.mark.parametrize("action", ["enter", "join"])
@pytest.mark.parametrize(("cookie", "shown"), [("held-x=1", True), ("", False)])
def test_refusal_of_a_closed_drop_leads_to_what_is_held(
    gate: Caller, lobby: Redis, action: str, cookie: str, shown: bool
) -> None:
    called(lobby, n=1, cursor=1, allowance=1, phase="closed")
    gate.get("/line/x/status.json")
    gate.sees(lambda drop: drop.closed)
    ticket = f"ticket-x={VALUE}; " if action == "enter" else f"key-x={32 * 'a'}; "

    reply = gate.post(f"/line/x/{action}", HTML, cookies=ticket + cookie)

    assert reply.status == 410
    assert (TO_HOLD in reply.body) is shown
