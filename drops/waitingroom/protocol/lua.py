"""The scripts that decide the waiting room's races inside Redis, with typed calls for gatekeeper and gate.

The first lines of each script (lua/*.lua) describe its arguments and replies. Here a reply becomes a value or
a ScriptRefused; a Redis that is unreachable stays redis.exceptions.RedisError.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
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

Argument = str | int | bytes


class ScriptRefused(Exception):
    """The script changed nothing."""


class NotAdopted(ScriptRefused):
    """The Redis server is not the one that Postgres knows of: it was restarted, emptied or replaced."""


class DropClosed(ScriptRefused):
    """The drop is closed for good."""


class AdmissionPaused(ScriptRefused):
    """Nobody may enter during a pause."""


class AllowanceUsedUp(ScriptRefused):
    """As many have entered as may; the allowance grows within seconds while anything is left."""


class CounterLimitReached(ScriptRefused):
    """The counter is at its committed limit; the gatekeeper raises it within seconds."""


class LobbyNotOpen(ScriptRefused):
    """The lobby opens at unix second `opens_at`."""

    def __init__(self, opens_at: int) -> None:
        super().__init__(opens_at)
        self.opens_at = opens_at


class NotCalled(ScriptRefused):
    """The place is at or above the cursor."""

    def __init__(self, cursor: int) -> None:
        super().__init__(cursor)
        self.cursor = cursor


class OutdatedTerm(ScriptRefused):
    """Another gatekeeper has led since, with the newer term `newest`."""

    def __init__(self, newest: int) -> None:
        super().__init__(newest)
        self.newest = newest


class StateRewound(ScriptRefused):
    """The server has gone back to older data since it was read: a snapshot was restored."""


class RunIdMismatch(ScriptRefused):
    """The server's run id is not the one that was to be adopted."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the name by which a server caches it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


def load(*names: str) -> Script:
    """Read the files lua/<name>.lua, one after the other."""
    return Script("".join((FOLDER / f"{name}.lua").read_text() for name in names))


JOIN = load("_adopted", "join")
ENTER = load("_adopted", "enter")
CLOSE_LOBBY = load("_adopted", "close_lobby")
PUBLISH = load("_adopted", "_allowance", "publish")
ADOPT = load("_allowance", "adopt")


def run(redis: Redis, script: Script, names: Sequence[str], arguments: Sequence[Argument]) -> list[Any]:
    """Run a script on the keys `names` and return its reply, without the code at its head.

    Raises: ScriptRefused, RedisError.
    """
    try:
        reply = redis.evalsha(script.sha, len(names), *names, *arguments)
    except NoScriptError:
        reply = redis.eval(script.text, len(names), *names, *arguments)
    return _checked(script, reply)


async def run_async(
    redis: AsyncRedis, script: Script, names: Sequence[str], arguments: Sequence[Argument]
) -> list[Any]:
    """The same, awaited."""
    try:
        reply = await redis.evalsha(script.sha, len(names), *names, *arguments)
    except NoScriptError:
        reply = await redis.eval(script.text, len(names), *names, *arguments)
    return _checked(script, reply)


def _checked(script: Script, reply: Any) -> list[Any]:
    """Return the reply without its code, or raise the refusal that the code stands for."""
    code: str | bytes = reply[0]
    rest: list[Any] = reply[1:]
    match _text(code):
        case "unadopted":
            raise NotAdopted
        case "closed" if not rest:  # close_lobby's reply {'closed', n} is a success
            raise DropClosed
        case "paused":
            raise AdmissionPaused
        case "full":
            raise AllowanceUsedUp
        case "early" if script is JOIN:
            raise LobbyNotOpen(rest[0])
        case "early":
            raise NotCalled(rest[0])
        case "older":
            raise OutdatedTerm(rest[0])
        case "older data":
            raise StateRewound
        case "foreign":
            raise RunIdMismatch(_text(rest[0]))
    return rest


def _text(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return value


class Entry(NamedTuple):
    """An entry at unix second `entered`, when the place was below `cursor`."""

    entered: int
    cursor: int


def join_call(slug: str, clients: Sequence[str]) -> tuple[Script, list[str], Sequence[str]]:
    """Return how to run JOIN.

    It replies with an index per client key, -1 for those that don't fit below the counter's limit.
    """
    return JOIN, [keys.state(slug), keys.clients(slug)], clients


def enter_call(slug: str, index: int, place: int) -> tuple[Script, list[str], list[int]]:
    """Return how to run ENTER. It replies with the fields of an Entry."""
    return ENTER, [keys.state(slug), keys.entries(slug), keys.seconds(slug)], [index, place, PASS_SECONDS]


def join(redis: Redis, slug: str, clients: Sequence[str]) -> list[int]:
    """Return an index for each client key.

    Raises: NotAdopted, DropClosed, LobbyNotOpen, CounterLimitReached (if even one didn't fit below it).
    """
    indices = run(redis, *join_call(slug, clients))
    if -1 in indices:
        raise CounterLimitReached
    return indices


def enter(redis: Redis, slug: str, *, index: int, place: int) -> Entry:
    """Admit an index; repeated within the pass's time, return the same entry.

    Raises: NotAdopted, DropClosed, AdmissionPaused, NotCalled, AllowanceUsedUp.
    """
    return Entry(*run(redis, *enter_call(slug, index, place)))


def close_lobby(redis: Redis, slug: str, *, term: int) -> int:
    """Take the first step of the seal and return N, the same N each time.

    Raises: NotAdopted, OutdatedTerm.
    """
    (n,) = run(redis, CLOSE_LOBBY, [keys.state(slug)], [term])
    return int(n)


class Progress(NamedTuple):
    """The tick that publishes, with the counter that it read, and the tick that the server had then.

    A server whose tick is an older one has gone back to data of its past.
    """

    seen_tick: int
    tick: int
    joined: int


class Seal(NamedTuple):
    """A committed seal: how many indices it covers, and the seed of their places."""

    n: int
    seed: bytes


def publish(
    redis: Redis,
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
    theme: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write what Postgres has committed.

    `limit` and `cursor` never fall, whatever is passed here; `allowance` falls no further than what has
    entered.

    `status` is the encoded document, `theme` the title and colours of the page without JavaScript.

    Raises: NotAdopted, OutdatedTerm, StateRewound.
    """
    fields = {
        "most": {"limit": limit, "cursor": cursor, "closed": int(closed)},
        "allowance": allowance,
        "once": _seal_fields(seal),
        "set": {"paused": str(int(paused))} | _theme_fields(theme) | _progress_fields(progress),
    }
    names = [keys.state(slug), keys.seconds(slug), keys.status(slug)]
    seen_tick = ""
    if progress is not None:
        seen_tick = str(progress.seen_tick)
    run(redis, PUBLISH, names, [term, status, PASS_SECONDS, json.dumps(fields), seen_tick])


def adopt(
    redis: Redis,
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
    theme: Mapping[str, str] | None = None,
    status: str = "",
    tick: int = 0,
) -> int:
    """Adopt the server for a drop's waiting room, for the first time or again.

    Counting resumes at `counter`: the limit committed before this adoption. The new `limit`, `epoch` and
    `run_id` are committed before this call. What the server still has (the indices of clients, the times of
    entries) stays. Returns the server's own counter, up to which it has given indices until now.

    Raises: RunIdMismatch, OutdatedTerm.
    """
    numbers = {"epoch": epoch, "counter": counter, "limit": limit, "cursor": cursor, "entered": entered}
    texts = {"lobby": str(lobby), "paused": str(int(paused))} | _seal_fields(seal) | _theme_fields(theme)
    texts |= _progress_fields(Progress(seen_tick=0, tick=tick, joined=counter))
    fields = {
        "most": numbers | {"closed": int(closed)},
        "allowance": allowance,
        "set": texts,
        "unset": [name for name in ("seed", "n") if name not in texts],
    }
    (before,) = run(redis, ADOPT, keys.all_of(slug), [run_id, term, str(drop), json.dumps(fields), status])
    return int(before)


def _seal_fields(seal: Seal | None) -> dict[str, str]:
    if seal is None:
        return {}
    return {"seed": seal.seed.hex(), "n": str(seal.n)}


def _progress_fields(progress: Progress | None) -> dict[str, str]:
    if progress is None:
        return {}
    return {"tick": str(progress.tick), "joined": str(progress.joined)}


def _theme_fields(theme: Mapping[str, str] | None) -> dict[str, str]:
    if theme is None:
        return {}
    return {"look": json.dumps(theme, ensure_ascii=False)}


class WaitingRoomState(NamedTuple):
    """A server's data on a drop, read in one transaction.

    `entered_at` counts entries by unix second, at least those of the last 120 s.
    `fields` is empty on a fresh server.
    """

    run_id: str
    now: float
    fields: dict[str, str]
    entered_at: dict[int, int]

    @property
    def adopted(self) -> bool:
        """Whether the scripts accept calls here."""
        return "limit" in self.fields and "epoch" in self.fields and self.fields.get("run") == self.run_id

    def number(self, name: str) -> int:
        """Return a number among the fields, 0 if it is absent."""
        return int(self.fields.get(name, 0))


def read_state(redis: Redis, slug: str) -> WaitingRoomState:
    """Return what a gatekeeper's tick starts from. Raises: RedisError."""
    pipeline = redis.pipeline(transaction=True)
    pipeline.info("server")
    pipeline.time()
    pipeline.hgetall(keys.state(slug))
    pipeline.hgetall(keys.seconds(slug))
    info, (second, micros), fields, seconds = pipeline.execute()
    return WaitingRoomState(
        run_id=info["run_id"],
        now=second + micros / 1e6,
        fields={_text(name): _text(value) for name, value in fields.items()},
        entered_at={int(at): int(count) for at, count in seconds.items()},
    )


def read_run_id(redis: Redis) -> str:
    """Return the id that the server generated at its start. Raises: RedisError."""
    return str(redis.info("server")["run_id"])


def list_announced(redis: Redis, slugs: Iterable[str]) -> None:
    """Add announced drops to the list by which gates tell an unknown slug from an emptied Redis."""
    redis.sadd(keys.ANNOUNCED, keys.NO_DROP, *slugs)


def delete_keys(redis: Redis, slug: str) -> None:
    """Delete everything that Redis holds of a drop."""
    redis.srem(keys.ANNOUNCED, slug)
    redis.unlink(*keys.all_of(slug))
