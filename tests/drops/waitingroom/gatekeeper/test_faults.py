"""A Redis or Postgres that is unreachable, emptied or older than it should be."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from drops import admission
from drops.models import Checkpoint, Leadership
from drops.waitingroom.gatekeeper import faults, leader, loop, snapshots
from drops.waitingroom.protocol import keys, lua
from payments.processing import rate_limit
from shop.core.models import Alert
from tests.databases_gone_bad import cut
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import SECOND, admitting, checkpoint, move, open_now
from tests.factories import make_drop
from tests.servers import until


def test_an_emptied_redis_is_adopted_again_and_no_index_comes_twice(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    before = driven.join(drop, 5)
    driven.tick()
    before += driven.join(drop, 2)

    driven.redis.flushdb()
    with pytest.raises(lua.NotAdopted):
        driven.join(drop, 1)
    driven.tick()
    after = driven.join(drop, 4)

    assert before == list(range(7))
    assert after == [1000, 1001, 1002, 1003]
    assert (checkpoint(drop).epoch, driven.document(drop)["epoch"]) == (2, 2)


@pytest.mark.parametrize("damage", ["limit", "epoch", "run", "drop", "checkpoint"])
def test_a_redis_that_is_not_what_postgres_knows_of_is_adopted_again(driven: Driven, damage: str) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 5)
    driven.tick()
    if damage == "checkpoint":
        Checkpoint.objects.update(run_id="f" * 40)
    elif damage in {"limit", "run"}:
        driven.redis.hdel(keys.state(drop.slug), damage)
    else:
        driven.redis.hset(keys.state(drop.slug), damage, 7)

    driven.tick()

    row = checkpoint(drop)
    assert (row.epoch, row.run_id) == (8 if damage == "epoch" else 2, lua.read_run_id(driven.redis))
    assert driven.join(drop, 1) == [1000]
    driven.tick()
    assert checkpoint(drop).epoch == row.epoch


def test_an_emptied_redis_keeps_cursor_seal_and_who_entered(driven: Driven) -> None:
    drop = admitting(driven, 100, quantity=10)
    driven.tick()
    driven.enter(drop, range(12))
    driven.tick()

    driven.redis.flushdb()
    driven.tick()

    state = driven.state(drop)
    assert (state["n"], state["cursor"], state["allowance"], state["entered"]) == ("100", "12", "12", "12")
    driven.tick()
    assert checkpoint(drop).allowance == 12  # the passes given before the loss still wait


def test_a_redis_ahead_of_postgres_is_adopted_beyond_what_it_gave(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 900)
    driven.tick()
    Checkpoint.objects.update(counter_limit=10, joined=0)  # as after a restore of an old backup
    limit = int(driven.state(drop)["limit"])

    driven.tick()

    assert driven.join(drop, 1) == [limit]


def test_a_postgres_restored_to_an_older_term_leads_again(driven: Driven, another: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.redis.hset(keys.state(drop.slug), "term", 41)

    terms = []
    for _ in range(2):
        driven.tick()
        terms.append(driven.keeper.term)

    assert (terms, driven.state(drop)["term"]) == ([None, 42], "42")


def unreachable(driven: Driven) -> None:
    driven.keeper.redis = loop.connect("redis://127.0.0.1:1/0")


def test_without_redis_a_tick_commits_and_one_line_is_logged(
    driven: Driven, caplog: pytest.LogCaptureFixture
) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    unreachable(driven)

    with caplog.at_level(logging.INFO):
        for _ in range(3):
            driven.tick()

    assert checkpoint(drop).tick == 4
    assert checkpoint(drop).reason == "The waiting room's Redis is unreachable."
    assert [record.getMessage().split(";")[0] for record in caplog.records] == ["Redis is unreachable"]

    driven.keeper.redis = driven.redis
    driven.tick()

    assert [record.getMessage() for record in caplog.records[1:]] == ["Redis is reachable again"]
    assert driven.document(drop)["tick"] == 5


def test_a_drop_that_opens_without_redis_is_sealed_when_redis_is_back(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 3)
    open_now(drop)
    unreachable(driven)
    driven.tick()
    drop.refresh_from_db()
    assert drop.sealed is None

    driven.keeper.redis = driven.redis
    driven.tick()

    drop.refresh_from_db()
    assert drop.sealed == 3


def test_without_postgres_the_loop_goes_on_and_logs_it_once(
    driven: Driven, caplog: pytest.LogCaptureFixture
) -> None:
    make_drop(phase="lobby")
    driven.tick()
    for _ in range(2):
        connection.ensure_connection()
        cut()
        assert driven.keeper.run_once_safely() == 1.0

    def lines() -> list[str]:
        ours = [record for record in caplog.records if record.name.startswith("drops")]
        return [record.getMessage().split(";")[0] for record in ours]

    # On a busy machine, the pool may need more than a tick for its next connection.
    until(lambda: driven.keeper.run_once_safely() == 1.0 and len(lines()) > 1, "a tick that succeeds")
    assert lines() == ["Postgres is unreachable", "Postgres is reachable again"]


def open_alerts() -> dict[str, str]:
    return dict(Alert.objects.open().filter(source="waitingroom").values_list("subject", "message"))


def test_a_redis_that_stays_away_while_a_drop_runs_raises_an_alert_until_it_is_back(driven: Driven) -> None:
    make_drop(phase="lobby")
    driven.tick()
    unreachable(driven)
    driven.tick()
    driven.tick(faults.REDIS_ALERT_SECONDS - 1)
    assert open_alerts() == {}

    driven.tick(1)
    driven.tick(1)

    assert list(open_alerts()) == [faults.REDIS_SUBJECT]
    driven.keeper.redis = driven.redis
    driven.tick(1)
    assert open_alerts() == {}
    assert Alert.objects.count() == 1


def test_a_redis_that_stays_away_while_no_drop_runs_needs_nobody(driven: Driven) -> None:
    make_drop()
    driven.tick()
    unreachable(driven)
    for _ in range(3):
        driven.tick()

    assert open_alerts() == {}


def test_an_alert_of_the_leader_before_is_resolved_by_the_next(driven: Driven, another: Driven) -> None:
    make_drop(phase="lobby")
    driven.tick()
    unreachable(driven)
    driven.tick()
    driven.tick()
    assert list(open_alerts()) == [faults.REDIS_SUBJECT]

    driven.keeper.step_down()
    another.tick()

    assert open_alerts() == {}


def test_an_unknown_payment_rate_admits_nobody_and_raises_an_alert_until_it_is_known(driven: Driven) -> None:
    def broken() -> tuple[int, str]:
        raise ValueError("no table")

    admitting(driven, 10)
    driven.tick()
    before = Checkpoint.objects.get().allowance
    assert open_alerts() == {}
    admission.register_payments(broken)
    try:
        driven.tick()
        assert list(open_alerts()) == [faults.PAYMENT_RATE_SUBJECT]
        assert Checkpoint.objects.get().allowance <= before
        assert Checkpoint.objects.get().reason == admission.PAYMENTS_UNKNOWN
    finally:
        admission.register_payments(rate_limit.measure_ceiling)

    driven.tick()
    assert open_alerts() == {}


@pytest.mark.parametrize("fields", [{"counter_limit": 10, "joined": 0}, {"epoch": 0}])
def test_a_postgres_older_than_redis_raises_an_alert_until_the_drop_is_over(
    driven: Driven, fields: dict[str, int]
) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 900)
    driven.tick()
    assert open_alerts() == {}

    Checkpoint.objects.update(**fields)  # as after a restore of an old backup
    driven.tick()

    (subject,) = open_alerts()
    assert subject == faults.older_postgres_subject(drop.slug)
    assert Alert.objects.get().details == {"drop": drop.slug}
    driven.tick()
    assert list(open_alerts()) == [subject]

    move(drop, closed_at=timezone.now() - timedelta(minutes=61))
    driven.tick()
    assert open_alerts() == {}


def test_a_term_older_than_redis_knows_raises_the_alert_if_postgres_knows_no_newer_one(
    driven: Driven,
) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()

    driven.redis.hset(keys.state(drop.slug), "term", 41)  # that of a leader which Postgres has lost
    driven.tick()

    assert list(open_alerts()) == [faults.older_postgres_subject(drop.slug)]


def test_a_leader_that_was_overtaken_before_it_published_raises_no_alert(
    driven: Driven, another: Driven
) -> None:
    make_drop(phase="lobby")
    driven.tick()
    (snapshot,) = snapshots.read_drops()
    Leadership.objects.update(until=timezone.now() - SECOND)
    another.tick()

    with pytest.raises(leader.LeadershipLost):
        driven.keeper.publish(snapshot)

    assert open_alerts() == {}
