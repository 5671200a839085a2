"""Every page, refusal and notice of the waiting room by name, rendered by its own functions."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from drops.lifecycle import Phase
from drops.models import Checkpoint, Drop
from drops.waitingroom.gate import texts
from drops.waitingroom.gate.cache import CachedDrop, parse
from drops.waitingroom.gate.pages import Pages
from drops.waitingroom.gate.panel import build
from drops.waitingroom.gate.refusals import GateRefused
from drops.waitingroom.gate.times import format_time
from drops.waitingroom.gatekeeper import publishing
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import status
from drops.waitingroom.protocol.config import GateConfig
from drops.waitingroom.protocol.tickets import Keyring
from tests.drops.waitingroom.protocol.servers import NOW, document
from tests.translation.pseudo import LANGUAGE

Page = tuple[str, str]
LOOK = {"title": "⟦Zero⟧"}
EDITIONS = [{"sku": "0", "band": band, "free": 9, "held": 3, "name": "⟦S⟧"} for band in texts.BANDS]
LATE: dict[str, Any] = {"n": 0, "phase": "live", "pace": 2.0, "editions": EDITIONS}


def pages(folder: Path) -> Pages:
    """The gate's pages, of a shop whose own name is in brackets."""
    return Pages(
        GateConfig(
            redis_url="",
            origin="https://shop.example",
            secure=True,
            ticket_keys=Keyring("", {}),
            pass_keys=Keyring("", {}),
            shop_name="⟦Shop⟧",
            language=LANGUAGE,
            static_root=folder,
            time_zone=ZoneInfo("Europe/Berlin"),
        )
    )


def waiting_room(*, cursor: int = 0, n: int | None = None, **changed: Any) -> CachedDrop:
    """The gate's copy of a drop."""
    state = {b"epoch": b"1", b"limit": b"1", b"cursor": b"%d" % cursor, b"look": json.dumps(LOOK).encode()}
    if n is not None:
        state |= {b"n": b"%d" % n, b"seed": b"00" * 32}
    found = parse(state, status.encode(document(cursor=cursor, sealed=n, **changed)).encode())
    assert found is not None
    return found


def states() -> Iterator[tuple[CachedDrop, int | None]]:
    """(copy, index of the ticket) of everything that the panel tells apart."""
    for phase in ("announced", "lobby", "opening", "live", "paused", "sold out", "closed", "cancelled"):
        for index in (None, 5):
            yield waiting_room(phase=phase, editions=EDITIONS), index
            yield waiting_room(**LATE | {"phase": phase}), index
    for ahead in (-1, 0, 1, 2, 9):
        yield waiting_room(**LATE, cursor=5 - ahead if ahead < 6 else 0), 5 if ahead < 6 else ahead
    for pace in (None, 0.0, 0.0012, 0.1, 5.0):
        yield waiting_room(**LATE | {"pace": pace}), 9
        yield waiting_room(**LATE | {"pace": pace, "n": 9_000_000}), 3
    for phase in ("live", "paused"):
        for index in (5, 50):
            yield waiting_room(**LATE | {"phase": phase, "entered": 2}, cursor=10), index
    yield waiting_room(**LATE), 41_879
    for index in (None, 5, 50):
        yield waiting_room(**LATE | {"now": NOW - 60}, cursor=10), index


def notices() -> Iterator[Page]:
    """The sentences that the gatekeeper puts into the status document."""
    for phase in Phase:
        snapshot = DropSnapshot(drop=Drop(), checkpoint=Checkpoint(), phase=phase, now=datetime.now(UTC))
        yield f"notice, {phase}", publishing.notice(snapshot)


def gate(folder: Path) -> Iterator[Page]:
    """Every panel, refusal and problem that the gate answers with."""
    made = pages(folder)
    for number, (copy, index) in enumerate(states()):
        panel = build(copy, index, NOW, 0.5)
        yield f"line, {number}", made.line("zero", copy, panel).body.decode()
    copy = waiting_room(phase="closed", editions=EDITIONS)
    yield "line, holding", made.line("zero", copy, build(copy, 5, NOW, 0.5), holds=True).body.decode()
    for name, refusal in vars(texts).items():
        if isinstance(refusal, texts.Refusal):
            refused = GateRefused(refusal, retry=2, values={"time": format_time(0), "allowed": "⟦POST⟧"})
            yield f"refused: {name}", made.refusal(refused, slug="zero", theme=LOOK).body.decode()
            yield f"refused, without a drop: {name}", made.refusal(refused, slug="", theme={}).body.decode()
    refused = GateRefused(texts.CROWDED, retry=1, key="0" * 32)
    yield "refused: press again", made.refusal(refused, slug="zero", theme=LOOK).body.decode()
