"""The scripts that settle the line's races inside Redis, and typed calls of them, for gatekeeper and gate.

Each script (lua/*.lua) says in its first lines what it takes and answers. Here an answer becomes a value or a Refused;
a Redis that can't be reached stays redis.exceptions.RedisError.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import NoScriptError

from drops.waitingroom.protocol import keys
from drops.waitingroom.protocol.tickets import PASS_SECONDS

FOLDER = Path(__file__).with_suffix("")

Word = str | int | bytes
Server = Redis
AsyncServer = AsyncRedis


class ScriptRefused(Exception):
    """The script changed nothing."""


class Unadopted(ScriptRefused):
    """The Redis server is not the one that Postgres knows of: it was restarted, emptied or replaced."""


class Closed(ScriptRefused):
    """The drop is closed for good."""


class Paused(ScriptRefused):
    """Nobody is let in during a pause."""


class Full(ScriptRefused):
    """The allowance, or the limit of the counter, is used up; it grows within seconds."""


class Early(ScriptRefused):
    """Not yet. `at` is the unix second in which the lobby opens (join), or the cursor (enter)."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class OlderTerm(ScriptRefused):
    """Another gatekeeper leads, with a newer term."""


class Foreign(ScriptRefused):
    """The server's run id is not the one that was to be adopted."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the name by which a server remembers it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


def load(name: str, *, head: str = "_adopted") -> Script:
    """Read lua/<name>.lua, with the check that this server is adopted before it."""
    return Script("".join((FOLDER / f"{part}.lua").read_text() for part in (head, name) if part))


JOIN = load("join")
ENTER = load("enter")
CLOSE_LOBBY = load("close_lobby")
PUBLISH = load("publish")
ADOPT = load("adopt", head="")


def run(server: Server, script: Script, names: Sequence[str], words: Sequence[Word]) -> list[Any]:
    """Run a script and return its answer, without the code at its head. Raises: Refused, RedisError."""
    try:
        answer = server.evalsha(script.sha, len(names), *names, *words)
    except NoScriptError:
        answer = server.eval(script.text, len(names), *names, *words)
    return _checked(answer)


async def run_async(server: AsyncServer, script: Script, names: Sequence[str], words: Sequence[Word]) -> list[Any]:
    """The same, awaited."""
    try:
        answer = await server.evalsha(script.sha, len(names), *names, *words)
    except NoScriptError:
        answer = await server.eval(script.text, len(names), *names, *words)
    return _checked(answer)


def _checked(answer: Any) -> list[Any]:
    code: str | bytes = answer[0]
    rest: list[Any] = answer[1:]
    match _text(code):
        case "unadopted":
            raise Unadopted
        case "closed" if not rest:
            raise Closed
        case "paused":
            raise Paused
        case "full":
            raise Full
        case "early":
            raise Early(rest[0])
        case "older":
            raise OlderTerm(rest[0])
        case "foreign":
            raise Foreign(_text(rest[0]))
    return rest


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class Entry(NamedTuple):
    """Let in, at unix second `entered`; the place was below `cursor`."""

    entered: int
    cursor: int


def join_call(slug: str, clients: Sequence[str]) -> tuple[Script, list[str], Sequence[str]]:
    """How to run JOIN. It answers an index for each client key, -1 where the counter would have passed its limit."""
    return JOIN, [keys.state(slug), keys.clients(slug)], clients


def enter_call(slug: str, index: int, place: int) -> tuple[Script, list[str], list[int]]:
    """How to run ENTER. It answers what an Entry is made of."""
    return ENTER, [keys.state(slug), keys.entries(slug), keys.seconds(slug)], [index, place, PASS_SECONDS]


def join(server: Server, slug: str, clients: Sequence[str]) -> list[int]:
    """Give each client key its index. Raises: Unadopted, Closed, Early, Full (even one had no room)."""
    indices = run(server, *join_call(slug, clients))
    if -1 in indices:
        raise Full
    return indices


def enter(server: Server, slug: str, *, index: int, place: int) -> Entry:
    """Let an index in, or say again that it is. Raises: Unadopted, Closed, Paused, Early, Full."""
    return Entry(*run(server, *enter_call(slug, index, place)))


def close_lobby(server: Server, slug: str, *, term: int) -> int:
    """First step of the seal: N, the same one however often it is asked. Raises: Unadopted, OlderTerm."""
    (n,) = run(server, CLOSE_LOBBY, [keys.state(slug)], [term])
    return int(n)


class Seal(NamedTuple):
    """A committed seal: how many indices it covers, and the seed of their places."""

    n: int
    seed: bytes


def publish(
    server: Server,
    slug: str,
    *,
    term: int,
    limit: int,
    cursor: int,
    allowance: int,
    paused: bool,
    closed: bool,
    status: str,
    seal: Seal | None = None,
    look: Mapping[str, str] | None = None,
) -> None:
    """Say what Postgres has committed. `limit`, `cursor` and `allowance` never go back, whatever is given here.

    `status` is the encoded document, `look` the title and colours for the page without script.

    Raises: Unadopted, OlderTerm.
    """
    fields = {
        "most": {"limit": limit, "cursor": cursor, "allowance": allowance, "closed": int(closed)},
        "once": {"seed": seal.seed.hex(), "n": str(seal.n)} if seal else {},
        "set": {"paused": str(int(paused))} | _look(look),
    }
    names = [keys.state(slug), keys.seconds(slug), keys.status(slug)]
    run(server, PUBLISH, names, [term, status, PASS_SECONDS, json.dumps(fields)])


def adopt(
    server: Server,
    slug: str,
    *,
    drop: UUID,
    run_id: str,
    term: int,
    epoch: int,
    counter: int,
    limit: int,
    cursor: int,
    allowance: int,
    entered: int,
    lobby: int,
    paused: bool,
    closed: bool,
    seal: Seal | None = None,
    look: Mapping[str, str] | None = None,
    status: str = "",
) -> None:
    """Take the server for a drop's line, or take it back.

    `counter` is where counting goes on: the limit committed before this adoption. The new `limit`, `epoch` and
    `run_id` are committed before this call. What the server still knows (who has which index, who entered when) stays.

    Raises: Foreign, OlderTerm.
    """
    numbers = {"epoch": epoch, "counter": counter, "limit": limit, "cursor": cursor, "allowance": allowance}
    fields = {
        "most": numbers | {"entered": entered, "closed": int(closed)},
        "set": {"lobby": str(lobby), "paused": str(int(paused))}
        | ({"seed": seal.seed.hex(), "n": str(seal.n)} if seal else {})
        | _look(look),
        "unset": [] if seal else ["seed", "n"],
    }
    run(server, ADOPT, keys.all_of(slug), [run_id, term, str(drop), json.dumps(fields), status])


def _look(look: Mapping[str, str] | None) -> dict[str, str]:
    return {} if look is None else {"look": json.dumps(look, ensure_ascii=False)}


class WaitingRoomState(NamedTuple):
    """What a server says of a drop, in one transaction.

    `entered_at` counts entries by unix second, at least those of the last 120 s. `state` is empty on a fresh server.
    """

    run_id: str
    now: float
    state: dict[str, str]
    entered_at: dict[int, int]

    @property
    def adopted(self) -> bool:
        """Whether the scripts will do anything here."""
        return "limit" in self.state and "epoch" in self.state and self.state.get("run") == self.run_id

    def number(self, name: str) -> int:
        """A number of the state, 0 where it is absent."""
        return int(self.state.get(name, 0))


def read_state(server: Server, slug: str) -> WaitingRoomState:
    """Read what a gatekeeper's tick starts from. Raises: RedisError."""
    pipeline = server.pipeline(transaction=True)
    pipeline.info("server")
    pipeline.time()
    pipeline.hgetall(keys.state(slug))
    pipeline.hgetall(keys.seconds(slug))
    info, (second, micros), state, seconds = pipeline.execute()
    return WaitingRoomState(
        run_id=info["run_id"],
        now=second + micros / 1e6,
        state={_text(name): _text(value) for name, value in state.items()},
        entered_at={int(at): int(count) for at, count in seconds.items()},
    )


def run_id(server: Server) -> str:
    """The id that a server gave itself when it started. Raises: RedisError."""
    return str(server.info("server")["run_id"])


def forget(server: Server, slug: str) -> None:
    """Delete all that the line of a drop left, an hour after its end."""
    server.unlink(*keys.all_of(slug))
