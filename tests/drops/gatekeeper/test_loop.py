"""The loop, tick by tick, against a real Postgres and a real Redis."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drops import admission, announcing, holds
from drops.gatekeeper import loop
from drops.line import keys, lua, places
from drops.models import Checkpoint, Drop, Hold, Leadership, Pause, Unit
from tests.factories import make_drop, make_edition, make_hold, make_pass

SECOND = timedelta(seconds=1)


def checkpoint(drop):
    return Checkpoint.objects.get(drop=drop)


def move(drop, **fields):
    """Put a drop's times where the test needs them."""
    Drop.objects.filter(pk=drop.pk).update(**fields)


def open_now(drop):
    move(drop, opens_at=timezone.now())


def admitting(driven, joined, **fields):
    """A drop that was sealed with so many in its lobby and may let in now."""
    drop = make_drop(phase="lobby", **fields)
    driven.tick()
    driven.join(drop, joined)
    open_now(drop)
    driven.tick()
    move(drop, sealed_at=timezone.now() - 5 * SECOND)
    return drop


# --- joins and the lease of the counter


def test_an_announced_drop_is_adopted_and_told_of(driven):
    drop = make_drop()

    driven.tick()

    row, state, document = checkpoint(drop), driven.state(drop), driven.document(drop)
    assert (row.term, row.tick, row.epoch, row.counter_limit) == (1, 1, 1, 1000)
    assert (state["run"], state["limit"], state["counter"]) == (row.run_id, "1000", "0")
    assert (document["phase"], document["sealed"], document["secret"]) == ("announced", None, None)
    assert document["commitment"] == bytes(drop.commitment).hex()
    with pytest.raises(lua.Early):
        driven.join(drop, 1)


def test_joins_count_on_under_a_lease_that_is_committed_first(driven):
    drop = make_drop(phase="lobby")
    driven.tick()

    assert driven.join(drop, 3) == [0, 1, 2]
    driven.tick()

    row = checkpoint(drop)
    assert (row.joined, row.counter_limit, driven.state(drop)["limit"]) == (3, 1003, "1003")
    assert driven.document(drop)["joined"] == 3


def test_the_lease_follows_the_rate_of_joins(driven):
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 900)

    driven.tick()

    assert checkpoint(drop).counter_limit > 900 + 1000


def test_joins_beyond_the_lease_wait(driven):
    drop = make_drop(phase="lobby")
    driven.tick()

    with pytest.raises(lua.Full):
        driven.join(drop, 1001)


def test_a_drop_without_a_checkpoint_gets_one(driven):
    drop = make_drop(phase="lobby")
    Checkpoint.objects.all().delete()

    driven.tick()

    assert driven.join(drop, 1) == [0]


# --- the seal


def test_the_seal_covers_who_joined_and_reveals_the_secret_afterwards(driven):
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 7)
    open_now(drop)

    driven.tick()

    drop.refresh_from_db()
    document, state = driven.document(drop), driven.state(drop)
    assert (drop.sealed, state["n"], document["sealed"], document["phase"]) == (7, "7", 7, "live")
    secret = bytes.fromhex(document["secret"])
    assert places.commitment(secret) == drop.commitment
    assert bytes.fromhex(state["seed"]) == places.seed(drop.pk, secret, 7)


def test_nothing_is_sealed_before_the_opening(driven):
    drop = make_drop(phase="lobby")
    driven.tick()

    wait = driven.tick()

    drop.refresh_from_db()
    assert (drop.sealed, "n" in driven.state(drop), wait) == (None, False, 1.0)


def test_the_next_tick_comes_right_at_the_opening(driven):
    drop = make_drop(phase="lobby", opens_at=timezone.now() + 0.5 * SECOND)

    assert 0 < driven.tick() <= 0.5
    drop.refresh_from_db()
    assert drop.sealed is None


def test_a_drop_nobody_joined_is_sealed_with_none(driven):
    drop = make_drop(phase="opening")

    driven.tick()

    drop.refresh_from_db()
    assert (drop.sealed, driven.document(drop)["phase"]) == (0, "live")


def test_a_drop_that_closed_in_the_meantime_is_not_sealed(driven):
    drop = make_drop(phase="lobby")
    driven.tick()
    move(drop, opens_at=timezone.now() - 2 * SECOND, closes_at=timezone.now() - SECOND)

    driven.tick()

    drop.refresh_from_db()
    assert (drop.sealed, driven.document(drop)["phase"], driven.state(drop)["closed"]) == (None, "closed", "1")
    assert drop.closed_at is not None


def test_who_joins_after_the_seal_stands_behind_it(driven):
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 2)
    open_now(drop)
    driven.tick()

    assert driven.join(drop, 1) == [2]
    driven.tick()

    drop.refresh_from_db()
    assert (drop.sealed, driven.state(drop)["n"], driven.document(drop)["joined"]) == (2, "2", 3)


# --- admission


def test_nobody_is_let_in_within_five_seconds_of_the_seal(driven):
    drop = make_drop(phase="lobby", quantity=2)
    driven.tick()
    driven.join(drop, 9)
    open_now(drop)
    driven.tick()
    driven.tick()
    assert (driven.state(drop)["cursor"], driven.state(drop)["allowance"]) == ("0", "0")

    move(drop, sealed_at=timezone.now() - 5 * SECOND)
    driven.tick()

    assert (driven.state(drop)["cursor"], driven.state(drop)["allowance"]) == ("3", "3")
    assert checkpoint(drop).reason == "Stock: 2 units are free."


def test_as_many_are_let_in_as_the_stock_is_good_for(driven, window):
    drop = admitting(driven, 100, quantity=10)

    for _ in range(3):
        driven.tick()
        driven.enter(drop, range(100))
        window()

    assert driven.state(drop)["entered"] == "12"
    assert driven.document(drop)["rate"] > 0


def test_who_holds_something_no_longer_waits(driven):
    drop = admitting(driven, 100, quantity=50)
    admission.set_ceiling(drop=drop, kind=admission.OPERATOR, shoppers=5, reason="Slowly.")
    driven.tick()
    driven.enter(drop, range(5))
    driven.tick()
    assert checkpoint(drop).allowance == 5

    for index in range(2):
        make_hold(drop=drop, index=index)
    driven.tick()

    assert checkpoint(drop).allowance == 7


def test_holds_make_room_only_when_they_come_back(driven, window):
    drop = admitting(driven, 100, quantity=2)
    driven.tick()
    driven.enter(drop, range(3))
    made = [make_hold(drop=drop, admit=make_pass(drop=drop, index=index)) for index in range(2)]
    window()
    driven.tick()
    assert driven.enter(drop, range(3, 100)) == 0

    for hold in made:
        holds.give_back(hold=hold)
    Hold.objects.update(entered_at=timezone.now() - 121 * SECOND)
    driven.redis.delete(keys.seconds(drop.slug))
    driven.keeper.memory.clear()
    window()
    driven.tick()

    assert driven.enter(drop, range(3, 100)) == 3


def test_more_are_called_in_the_stead_of_those_who_stay_away(driven, window):
    drop = admitting(driven, 1000, quantity=10)
    driven.tick()
    assert driven.enter(drop, range(6)) == 6
    driven.tick()
    assert driven.state(drop)["cursor"] == "12"

    window()
    driven.tick()

    assert driven.state(drop)["cursor"] == "24"
    assert driven.enter(drop, range(12, 24)) == 6


def test_who_was_told_to_come_back_is_let_in_before_newcomers(driven, window):
    drop = admitting(driven, 100, quantity=50)
    admission.set_ceiling(drop=drop, kind=admission.OPERATOR, shoppers=5, reason="Slowly.")
    driven.tick()
    assert driven.enter(drop, range(5)) == 5
    window()
    driven.tick()  # the allowance is used up: whoever comes is told to come back
    admission.lift_ceiling(drop=drop, kind=admission.OPERATOR)

    driven.tick()
    assert (driven.state(drop)["cursor"], driven.state(drop)["allowance"]) == ("5", "60")

    window()
    driven.tick()
    assert driven.state(drop)["cursor"] == "60"


@pytest.mark.parametrize("whole", [False, True])
def test_slots_of_the_checkout_bound_admission(driven, settings, whole):
    settings.CHECKOUT_SLOTS = 5
    drop = admitting(driven, 100, quantity=50)
    if whole:
        other = make_drop(phase="live")
        make_hold(drop=other, state="paying")
        announcing.close(drop=other, who=None)

    driven.tick()
    driven.tick(1)  # the other is no longer told of each time; its hold counts all the same

    assert driven.state(drop)["allowance"] == ("4" if whole else "5")
    assert checkpoint(drop).reason == f"Checkout: {4 if whole else 5} of 5 slots are free."


def test_ceilings_that_others_set_bound_admission_and_give_the_reason(driven):
    drop = admitting(driven, 100, quantity=50)
    admission.set_ceiling(drop=None, kind=admission.PAYMENT_BUDGET, shoppers=8, reason="Payments: 12 wait.")
    driven.tick()
    assert (driven.state(drop)["allowance"], checkpoint(drop).reason) == ("8", "Payments: 12 wait.")

    admission.set_ceiling(drop=drop, kind=admission.OPERATOR, shoppers=9, reason="Slowly.")
    admission.lift_ceiling(drop=None, kind=admission.PAYMENT_BUDGET)
    driven.tick()
    assert (driven.state(drop)["allowance"], checkpoint(drop).reason) == ("9", "Slowly.")


def test_a_verified_capacity_takes_the_place_of_the_baseline(driven, settings):
    settings.READY_PER_SECOND = 1
    drop = admitting(driven, 100, quantity=50)
    driven.tick()
    assert checkpoint(drop).allowance == 10

    admission.set_ceiling(drop=None, kind=admission.READY, shoppers=30, reason="Verified.")
    driven.tick()

    assert (checkpoint(drop).allowance, checkpoint(drop).reason) == (30, "Verified.")


def test_two_running_drops_share_the_slots(driven, settings):
    settings.CHECKOUT_SLOTS = 10
    first = admitting(driven, 50, quantity=50)
    second = admitting(driven, 50, quantity=50)

    driven.tick()

    assert [checkpoint(drop).allowance for drop in (first, second)] == [5, 5]


def test_passes_that_wait_in_a_paused_drop_take_room_from_the_other(driven, settings):
    settings.CHECKOUT_SLOTS = 10
    paused = admitting(driven, 50, quantity=50)
    driven.tick()
    driven.enter(paused, range(4))
    announcing.pause(drop=paused, who=None, reason="")
    drop = admitting(driven, 50, quantity=50)

    driven.tick()

    assert checkpoint(drop).allowance == 6


def test_in_a_pause_nobody_is_called_and_places_are_kept(driven, window):
    drop = admitting(driven, 100, quantity=10)
    driven.tick()
    announcing.pause(drop=drop, who=None, reason="")
    window()

    driven.tick()

    state, document = driven.state(drop), driven.document(drop)
    assert (state["paused"], state["cursor"], state["allowance"]) == ("1", "12", "12")
    assert (document["phase"], document["sentence"]) == ("paused", "Paused. Places are kept.")
    assert driven.enter(drop, range(12)) == 0

    announcing.resume(drop=drop, who=None)
    driven.tick()

    assert driven.document(drop)["phase"] == "live"
    assert driven.enter(drop, range(12)) == 12


def test_the_rate_is_that_of_the_beginning_until_somebody_has_entered(driven, settings):
    settings.READY_PER_SECOND = 25
    drop = admitting(driven, 100, quantity=10)
    assert driven.document(drop)["rate"] == 25.0

    driven.tick()
    driven.enter(drop, range(12))
    driven.tick()

    assert 0 < driven.document(drop)["rate"] <= 12.0


# --- what is left, and the end


def test_the_document_says_how_much_of_each_edition_is_left(driven):
    drop = make_drop(phase="live", quantity=1)
    make_edition(drop=drop, quantity=2)
    make_hold(drop=drop)

    driven.tick()

    bands = [(edition["band"], edition["free"], edition["held"]) for edition in driven.document(drop)["editions"]]
    assert bands == [("held", 0, 1), ("in", 2, 0)]


def test_a_drop_sells_out_when_no_unit_is_free_or_held(driven):
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop)
    driven.tick()
    drop.refresh_from_db()
    assert (driven.document(drop)["phase"], drop.sold_out_at) == ("live", None)
    assert driven.document(drop)["sentence"].startswith("Every piece is held")

    holds.pay(hold=hold)
    holds.allocate(hold=hold)
    driven.tick(1)

    drop.refresh_from_db()
    assert (driven.document(drop)["phase"], driven.document(drop)["editions"][0]["band"]) == ("sold out", "gone")
    assert drop.sold_out_at is not None
    assert driven.state(drop)["closed"] == "0"


def test_a_sold_out_drop_is_live_again_if_a_unit_comes_back(driven):
    drop = make_drop(phase="sold out", quantity=1)
    driven.tick()
    Unit.objects.update(withheld_at=None, withheld_reason="")

    driven.tick(1)

    drop.refresh_from_db()
    assert (driven.document(drop)["phase"], drop.sold_out_at) == ("live", None)


def test_a_closed_drop_lets_nobody_in_or_join(driven):
    drop = admitting(driven, 10, quantity=10)
    driven.tick()
    announcing.close(drop=drop, who=None)

    driven.tick(1)

    assert driven.document(drop)["phase"] == "closed"
    with pytest.raises(lua.Closed):
        driven.join(drop, 1)
    with pytest.raises(lua.Closed):
        lua.enter(driven.redis, drop.slug, index=0, place=0)


def test_a_sold_out_drop_that_is_closed_stays_sold_out_and_its_line_is_over(driven):
    drop = make_drop(phase="sold out")
    announcing.close(drop=drop, who=None)

    driven.tick()

    assert (driven.document(drop)["phase"], driven.state(drop)["closed"]) == ("sold out", "1")


def test_closing_by_the_clock_ends_a_pause(driven):
    drop = make_drop(phase="paused", closes_at=timezone.now() - SECOND)

    driven.tick()

    drop.refresh_from_db()
    assert drop.closed_at is not None
    assert not Pause.objects.filter(ended_at=None).exists()


def test_an_hour_after_its_end_a_drop_leaves_nothing_in_redis(driven):
    drop = make_drop(phase="live")
    driven.tick()
    move(drop, closed_at=timezone.now() - timedelta(minutes=59))
    driven.tick()
    assert driven.redis.keys(keys.prefix(drop.slug).replace("{", "?").replace("}", "?") + "*") != []

    move(drop, closed_at=timezone.now() - timedelta(minutes=61))
    driven.tick()

    assert driven.redis.keys("*") == []
    assert checkpoint(drop).run_id == ""
    with CaptureQueriesContext(connection) as captured:
        driven.tick()
    assert len(captured) == 3


# --- what it costs


def cost(driven, seconds=1.0):
    with CaptureQueriesContext(connection) as captured:
        wait = driven.tick(seconds)
    return len(captured), wait


def test_an_idle_shop_costs_two_statements_in_two_and_a_half_seconds(driven):
    make_drop(phase="draft")
    driven.tick()

    assert cost(driven) == (2, 2.5)
    make_drop()
    driven.tick()
    assert cost(driven) == (2, 2.5)


def test_a_running_drop_costs_five_statements_a_tick_and_a_lobby_three(driven):
    drop = make_drop(phase="lobby")
    driven.tick()
    assert cost(driven) == (3, 1.0)
    open_now(drop)
    driven.tick()
    move(drop, sealed_at=timezone.now() - 5 * SECOND)
    assert cost(driven) == (5, 1.0)


def test_three_running_drops_cost_as_many_statements_as_one(driven):
    costs = []
    for _ in range(3):
        make_drop(phase="live", editions=2)
        driven.tick()
        costs.append(cost(driven))

    assert costs == [(5, 1.0)] * 3


def test_a_gatekeeper_standing_by_asks_again_when_the_lead_may_end(driven, another):
    make_drop(phase="live")
    driven.tick()

    assert cost(another) == (1, 2.5)
    Leadership.objects.update(until=timezone.now() + 0.5 * SECOND)
    assert 0 < cost(another)[1] <= 0.5


# --- faults


def test_an_emptied_redis_is_taken_back_and_no_index_comes_twice(driven):
    drop = make_drop(phase="lobby")
    driven.tick()
    before = driven.join(drop, 5)
    driven.tick()
    before += driven.join(drop, 2)

    driven.redis.flushdb()
    with pytest.raises(lua.Unadopted):
        driven.join(drop, 1)
    driven.tick()
    after = driven.join(drop, 4)

    assert before == list(range(7))
    assert after == [1005, 1006, 1007, 1008]
    assert (checkpoint(drop).epoch, driven.document(drop)["epoch"]) == (2, 2)


@pytest.mark.parametrize("damage", ["limit", "epoch", "run", "drop", "checkpoint"])
def test_a_redis_that_is_not_what_postgres_knows_of_is_adopted_anew(driven, damage):
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
    assert (row.epoch, row.run_id) == (8 if damage == "epoch" else 2, lua.run_id(driven.redis))
    assert driven.join(drop, 1) == [1005]
    driven.tick()
    assert checkpoint(drop).epoch == row.epoch


def test_an_emptied_redis_keeps_cursor_seal_and_who_entered(driven):
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


def test_a_redis_that_is_ahead_of_postgres_is_adopted_beyond_what_it_gave(driven):
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 900)
    driven.tick()
    Checkpoint.objects.update(counter_limit=10, joined=0)  # as after a restore of an old backup
    limit = int(driven.state(drop)["limit"])

    driven.tick()

    assert driven.join(drop, 1) == [limit]


def test_a_postgres_that_was_put_back_to_an_older_term_leads_again(driven, another):
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.redis.hset(keys.state(drop.slug), "term", 41)

    driven.tick()
    assert driven.keeper.term is None
    driven.tick()

    assert (driven.keeper.term, driven.state(drop)["term"]) == (42, "42")


def unreachable(driven):
    driven.keeper.redis = loop.connect("redis://127.0.0.1:1/0")


def test_without_redis_a_tick_commits_and_one_line_is_logged(driven, caplog):
    drop = make_drop(phase="lobby")
    driven.tick()
    unreachable(driven)

    with caplog.at_level(logging.INFO):
        for _ in range(3):
            driven.tick()

    assert checkpoint(drop).tick == 4
    assert checkpoint(drop).reason == "The line's Redis doesn't answer."
    assert [record.getMessage().split(";")[0] for record in caplog.records] == ["Redis doesn't answer"]

    driven.keeper.redis = driven.redis
    driven.tick()

    assert [record.getMessage() for record in caplog.records[1:]] == ["Redis answers again."]
    assert driven.document(drop)["tick"] == 5


def test_a_drop_whose_time_has_come_without_redis_waits_for_its_seal(driven):
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


def test_without_postgres_the_loop_goes_on_and_says_so_once(driven, caplog):
    make_drop(phase="lobby")
    driven.tick()
    backend = "SELECT pg_terminate_backend(pg_backend_pid())"
    for _ in range(2):
        with pytest.raises(Exception, match="terminating connection"), connection.cursor() as cursor:
            cursor.execute(backend)
        assert driven.keeper.tick_safely() == 1.0

    assert driven.keeper.tick_safely() == 1.0  # ticks again

    lines = [record.getMessage().split(";")[0] for record in caplog.records if record.name.startswith("drops")]
    assert lines == ["Postgres doesn't answer", "Postgres answers again."]
