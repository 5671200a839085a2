"""Old keys in the same Redis, as after the restore of a machine's snapshot: the run id is the same."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from redis import Redis
from redis.exceptions import RedisError

from drops import tokens
from drops.models import Drop
from drops.waitingroom.gatekeeper import decision, publishing, repeats
from drops.waitingroom.protocol import keys, lua, tickets
from shop.core.models import Alert
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import admitting, checkpoint, open_now
from tests.factories import make_drop, make_hold, make_pass

Keys = dict[Any, Any]
BEFORE = 5  # joined when the snapshot is taken
LOST = 31  # joined between it and its restore


def take_snapshot(redis: Redis) -> Keys:
    names = redis.keys()
    return {key: redis.dump(key) for key in names}


def restore(redis: Redis, snapshot: Keys) -> None:
    """Go back to a snapshot: every key is as it was, and the server is the same process."""
    redis.flushdb()
    for key, value in snapshot.items():
        redis.restore(key, 0, value, replace=True)


def lobby_with_snapshot(driven: Driven) -> tuple[Drop, Keys, list[int]]:
    """Return a lobby, a snapshot of its past, and the indices given since, as a tick has seen them."""
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, BEFORE)
    driven.tick(1)
    snapshot = take_snapshot(driven.redis)
    given = driven.join(drop, LOST)
    driven.tick(1)
    return drop, snapshot, given


def listed(drop: Drop) -> list[int]:
    return [index for found in repeats.found(drop) for index in found]


def alerts() -> list[Alert]:
    return list(Alert.objects.open().filter(source="waitingroom"))


@pytest.mark.parametrize("again", [1, LOST - 1, LOST, LOST + 1, 3 * LOST])
def test_indices_given_twice_are_noticed_at_the_next_tick_and_listed(driven: Driven, again: int) -> None:
    drop, snapshot, given = lobby_with_snapshot(driven)
    limit = int(driven.state(drop)["limit"])
    restore(driven.redis, snapshot)
    repeated = driven.join(drop, again)
    assert set(repeated) & set(given)

    driven.tick(1)

    assert checkpoint(drop).epoch == 2
    assert driven.document(drop)["epoch"] == 2
    assert driven.join(drop, 2) == [limit, limit + 1]
    assert listed(drop) == repeated
    (alert,) = alerts()
    assert alert.details == {"drop": drop.slug, "indices": f"{BEFORE}-{BEFORE + again - 1}"}
    assert f"Up to {again} indices may belong to two shoppers each" in alert.message


def test_control_without_the_comparison_the_line_goes_on_and_gives_more_twice(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision, "is_rewound", lambda *_: False)
    drop, snapshot, given = lobby_with_snapshot(driven)
    restore(driven.redis, snapshot)

    def careless(*arguments: Any, **named: Any) -> None:
        lua_publish(*arguments, **named | {"progress": None})

    lua_publish = lua.publish
    monkeypatch.setattr(lua, "publish", careless)
    repeated = driven.join(drop, 1)
    driven.tick(1)
    repeated += driven.join(drop, LOST - 1)

    assert repeated == given
    assert alerts() == []


def test_a_restore_before_anybody_joins_again_is_a_new_epoch_and_no_alert(driven: Driven) -> None:
    drop, snapshot, given = lobby_with_snapshot(driven)
    restore(driven.redis, snapshot)
    driven.tick(1)

    assert checkpoint(drop).epoch == 2
    assert min(driven.join(drop, 1)) > max(given)
    assert (listed(drop), alerts()) == ([], [])


def test_a_second_restore_adds_to_the_list(driven: Driven) -> None:
    drop, snapshot, _given = lobby_with_snapshot(driven)
    for count in (2, 4):
        restore(driven.redis, snapshot)
        driven.join(drop, count)
        driven.tick(1)

    (alert,) = alerts()
    assert alert.details["indices"] == f"{BEFORE}-{BEFORE + 3}"


def test_the_next_leader_notices_it_too(driven: Driven, another: Driven) -> None:
    drop, snapshot, _given = lobby_with_snapshot(driven)
    driven.tick(1)
    driven.keeper.step_down()
    restore(driven.redis, snapshot)
    repeated = driven.join(drop, LOST + 1)

    another.tick()

    assert (checkpoint(drop).epoch, listed(drop)) == (2, repeated)


def test_a_snapshot_of_an_earlier_epoch_is_noticed(driven: Driven) -> None:
    drop, snapshot, _given = lobby_with_snapshot(driven)
    driven.redis.flushdb()
    driven.tick(1)
    restore(driven.redis, snapshot)
    repeated = driven.join(drop, 3)

    driven.tick(1)

    assert (checkpoint(drop).epoch, listed(drop)) == (3, repeated)


def test_a_restore_in_the_middle_of_a_tick_is_noticed_at_the_next(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop, snapshot, _given = lobby_with_snapshot(driven)
    read_state = lua.read_state

    def restore_after_reading(redis: Redis, slug: str) -> lua.WaitingRoomState:
        found = read_state(redis, slug)
        restore(redis, snapshot)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(lua, "read_state", restore_after_reading)
        driven.tick(1)
    repeated = driven.join(drop, LOST + 1)
    driven.tick(1)

    assert (checkpoint(drop).epoch, listed(drop)) == (2, repeated)


def test_joins_between_a_tick_s_reading_and_its_adoption_are_listed_too(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop, snapshot, _given = lobby_with_snapshot(driven)
    restore(driven.redis, snapshot)
    repeated = driven.join(drop, 1)
    adopt = publishing.adopt

    def join_first(**named: Any) -> int:
        repeated.extend(driven.join(drop, 2))
        return adopt(**named)

    monkeypatch.setattr(publishing, "adopt", join_first)
    driven.tick(1)

    assert listed(drop) == repeated
    assert alerts()[0].details["indices"] == f"{BEFORE}-{BEFORE + 2}"


def test_entries_that_were_forgotten_let_nobody_in_beyond_the_allowance(driven: Driven) -> None:
    drop = admitting(driven, 100, quantity=10)
    driven.tick()
    snapshot = take_snapshot(driven.redis)
    driven.enter(drop, range(12))
    driven.tick(1)
    restore(driven.redis, snapshot)

    driven.tick(1)

    state = driven.state(drop)
    assert (checkpoint(drop).epoch, state["entered"], state["n"]) == (2, "12", "100")
    assert driven.enter(drop, range(100)) == 0


def test_a_snapshot_from_before_the_seal_keeps_the_draw(driven: Driven) -> None:
    drop, snapshot, _given = lobby_with_snapshot(driven)
    open_now(drop)
    driven.tick(1)
    drop.refresh_from_db()
    assert drop.sealed == BEFORE + LOST
    restore(driven.redis, snapshot)
    repeated = driven.join(drop, 2)

    driven.tick(1)

    assert driven.state(drop)["n"] == str(BEFORE + LOST)
    assert (checkpoint(drop).epoch, listed(drop)) == (2, repeated)
    assert driven.join(drop, 1)[0] >= 1000


# --- what must not be taken for a restore


def fails(**_: object) -> None:
    raise RedisError("no answer")


def answer_is_lost(original: Callable[..., None]) -> Callable[..., None]:
    def run(**named: Any) -> None:
        original(**named)
        raise RedisError("no answer")

    return run


@pytest.mark.parametrize("lost", ["call", "answer"])
def test_a_publication_that_fails_is_no_restore(
    driven: Driven, another: Driven, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 5)
    with monkeypatch.context() as patched:
        patched.setattr(
            publishing, "publish", fails if lost == "call" else answer_is_lost(publishing.publish)
        )
        driven.tick(1)
        driven.join(drop, 5)
        driven.tick(1)
    for one in (driven, another):
        one.tick(1)
        one.keeper.step_down()

    assert (checkpoint(drop).epoch, checkpoint(drop).joined) == (1, 10)


def test_a_redis_and_a_row_of_the_release_before_are_no_restore(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 5)
    driven.redis.hdel(keys.state(drop.slug), "tick", "joined")
    driven.keeper.step_down()
    type(checkpoint(drop)).objects.update(published_tick=0)

    driven.tick()
    driven.tick(1)

    assert (checkpoint(drop).epoch, checkpoint(drop).joined) == (1, 5)


def test_many_quiet_ticks_are_no_restore(driven: Driven) -> None:
    drops = [make_drop(), make_drop(phase="lobby"), admitting(driven, 10, quantity=50)]
    for _ in range(5):
        driven.tick(1)

    assert [checkpoint(drop).epoch for drop in drops] == [1, 1, 1]


# --- the list


class TestCommand:
    """`manage.py repeated_tickets`"""

    def run(self, slug: str) -> list[str]:
        output = StringIO()
        call_command("repeated_tickets", drop=slug, stdout=output)
        return output.getvalue().splitlines()

    def test_lists_the_tickets_that_redis_knows_and_the_holds(
        self, driven: Driven, settings: Settings
    ) -> None:
        drop, snapshot, _given = lobby_with_snapshot(driven)
        restore(driven.redis, snapshot)
        client = driven.joined
        driven.join(drop, 1)
        driven.tick(1)
        keyring = tickets.Keyring.parse(settings.TICKET_KEYS)
        in_redis = tickets.issue(drop.slug, BEFORE, client.to_bytes(16), keyring)
        open_now(drop)
        driven.tick(1)
        drop.refresh_from_db()
        hold = make_hold(drop=drop, pass_=make_pass(drop=drop, index=BEFORE))
        tokens.keyring.cache_clear()

        (line,) = self.run(drop.slug)

        assert line.startswith(f"index {BEFORE} · place ")
        assert in_redis.id.hex() in line.replace("-", "")
        assert f"holds: {hold.uuid} (open, ticket {hold.ticket})" in line

    def test_says_so_if_there_are_none(self, driven: Driven) -> None:
        drop = make_drop(phase="lobby")

        assert self.run(drop.slug) == [f"No index of drop {drop.slug} was given twice."]

    def test_refuses_an_unknown_drop_and_a_redis_that_is_away(
        self, driven: Driven, settings: Settings
    ) -> None:
        with pytest.raises(CommandError, match="No drop has the address /drops/nothing/"):
            self.run("nothing")
        drop = make_drop(phase="lobby")
        settings.LINE_REDIS_URL = "redis://127.0.0.1:1/0"
        with pytest.raises(CommandError, match="can't be read"):
            self.run(drop.slug)
