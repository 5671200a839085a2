"""The class of an Aurora cluster: a reader, the failover, then the old writer, and the same way back."""

from dataclasses import replace
from typing import Any

import pytest

from drops.scaling.providers import ApplyRefused, BadLocator, OutcomeUnclear
from drops.scaling.providers.aws.aurora_class import AuroraClass, ladder_of
from tests.drops.scaling.aws_cloud import Cloud, Instance
from tests.drops.scaling.providers.converging import bring

SMALL, LARGE, HUGE = "db.r7g.large", "db.r7g.2xlarge", "db.r7g.8xlarge"
WHERE = {"region": "eu-central-1", "cluster": "shop", "classes": f"{SMALL}, {LARGE}, {HUGE}"}
CHANGES = ("ModifyDBInstance", "FailoverDBCluster")


@pytest.fixture
def kind() -> AuroraClass:
    return AuroraClass(locator=WHERE)


def changes(aws: Cloud) -> list[str]:
    """Say which instance was resized or made the writer, in order."""
    return [
        given.get("TargetDBInstanceIdentifier") or f"{given['DBInstanceIdentifier']}={given['DBInstanceClass']}"
        for name, given in aws.calls
        if name in CHANGES
    ]


def classes(aws: Cloud) -> dict[str, str]:
    return {name: one.klass for name, one in aws.instances.items()}


def test_a_cluster_grows_by_its_reader_and_comes_back_exactly(aws: Cloud, kind: AuroraClass) -> None:
    baseline = kind.read().state

    up = bring(kind, kind.state_for(8, baseline=baseline))

    assert changes(aws) == [f"shop-b={LARGE}", "shop-b", f"shop-a={LARGE}"]
    assert (classes(aws), aws.writer) == ({"shop-a": LARGE, "shop-b": LARGE}, "shop-b")
    assert up.readings[-1].serving == 8
    aws.calls.clear()

    bring(kind, baseline)

    assert changes(aws) == [f"shop-a={SMALL}", "shop-a", f"shop-b={SMALL}"]
    assert (classes(aws), aws.writer) == ({"shop-a": SMALL, "shop-b": SMALL}, "shop-a")
    assert kind.read().state == baseline
    assert aws.writers_resized == 0


def test_each_stage_of_the_way_is_ours(aws: Cloud, kind: AuroraClass) -> None:
    baseline = kind.read().state
    state = kind.state_for(8, baseline=baseline)

    for before, after in ((baseline, state), (state, baseline)):
        way = bring(kind, after)
        assert all(kind.is_between(one.state, before=before, after=after) for one in way.readings)


def test_of_three_the_first_reader_takes_over_before_the_others_grow(aws: Cloud, kind: AuroraClass) -> None:
    aws.instances["shop-c"] = Instance(SMALL, tier=0)
    baseline = kind.read().state

    bring(kind, kind.state_for(8, baseline=baseline), looks=90)
    assert changes(aws) == [f"shop-c={LARGE}", "shop-c", f"shop-a={LARGE}", f"shop-b={LARGE}"]
    aws.calls.clear()
    bring(kind, baseline, looks=90)

    assert changes(aws) == [f"shop-a={SMALL}", "shop-a", f"shop-c={SMALL}", f"shop-b={SMALL}"]


def test_a_failover_by_aws_in_mid_drop_is_no_drift_and_the_role_goes_home(aws: Cloud, kind: AuroraClass) -> None:
    baseline = kind.read().state
    state = kind.state_for(8, baseline=baseline)
    bring(kind, state)

    aws.writer = "shop-a"
    assert kind.is_ready(kind.read(), state)
    bring(kind, baseline)

    assert (classes(aws), aws.writer) == ({"shop-a": SMALL, "shop-b": SMALL}, "shop-a")
    assert aws.writers_resized == 0


def test_nothing_is_asked_while_something_moves(aws: Cloud, kind: AuroraClass) -> None:
    baseline = kind.read().state
    state = kind.state_for(8, baseline=baseline)
    kind.apply(state, key="one")
    aws.calls.clear()

    waits = kind.apply(state, key="one")

    assert waits.message == "waits: shop-b db.r7g.large reader (class pending)"
    assert aws.asked(*CHANGES) == []


@pytest.mark.parametrize("operation", CHANGES)
@pytest.mark.parametrize("fault", ["lost", "lie", "InternalFailure", "Throttling", "InsufficientDBInstanceCapacity"])
def test_a_step_that_failed_is_done_again(aws: Cloud, kind: AuroraClass, operation: Any, fault: str) -> None:
    baseline = kind.read().state
    aws.fault(operation, fault, status=500 if fault == "InternalFailure" else 400, times=2)

    bring(kind, kind.state_for(8, baseline=baseline))
    bring(kind, baseline)

    assert (classes(aws), aws.writer, aws.writers_resized) == ({"shop-a": SMALL, "shop-b": SMALL}, "shop-a", 0)


def test_a_size_between_two_classes_takes_the_larger(aws: Cloud, kind: AuroraClass) -> None:
    baseline = kind.read().state

    assert kind.state_for(3, baseline=baseline)["classes"] == {"shop-a": LARGE, "shop-b": LARGE}
    assert kind.state_for(2, baseline=baseline) == baseline


def test_nothing_is_made_smaller_than_the_baseline(aws: Cloud, kind: AuroraClass) -> None:
    aws.instances["shop-a"].klass = HUGE
    baseline = kind.read().state

    assert kind.state_for(8, baseline=baseline)["classes"] == {"shop-a": HUGE, "shop-b": LARGE}


def test_a_size_beyond_the_ladder_is_refused(aws: Cloud, kind: AuroraClass) -> None:
    with pytest.raises(ApplyRefused, match="33 vCPUs are wanted and the ladder of Aurora cluster shop ends at 32"):
        kind.state_for(33, baseline=kind.read().state)


def test_a_cluster_without_a_reader_is_refused(aws: Cloud, kind: AuroraClass) -> None:
    del aws.instances["shop-b"]

    with pytest.raises(ApplyRefused, match="has no reader"):
        kind.apply(kind.state_for(8, baseline=kind.read().state), key="one")
    assert aws.asked(*CHANGES) == []


def test_waiting_changes_of_others_are_not_brought_about(aws: Cloud, kind: AuroraClass) -> None:
    aws.instances["shop-b"].others = {"EngineVersion": "17.9"}

    with pytest.raises(ApplyRefused, match="shop-b has changes waiting for its maintenance window \\(EngineVersion\\)"):
        kind.apply(kind.state_for(8, baseline=kind.read().state), key="one")
    assert aws.asked(*CHANGES) == []


def test_readers_that_are_not_on_the_ladder_are_left_alone(aws: Cloud, kind: AuroraClass) -> None:
    aws.instances |= {"reports": Instance("db.t4g.medium"), "application-autoscaling-1": Instance(SMALL)}
    baseline = kind.read().state

    bring(kind, kind.state_for(8, baseline=baseline))

    assert classes(aws) == {
        "shop-a": LARGE,
        "shop-b": LARGE,
        "reports": "db.t4g.medium",
        "application-autoscaling-1": SMALL,
    }


def test_an_instance_that_somebody_else_added_or_changed_is_not_ours(aws: Cloud, kind: AuroraClass) -> None:
    baseline = kind.read().state
    state = kind.state_for(8, baseline=baseline)
    aws.instances["shop-b"].klass = HUGE
    changed = kind.read().state
    aws.instances |= {"shop-b": Instance(SMALL), "shop-c": Instance(SMALL)}
    added = kind.read().state

    assert [kind.is_between(live, before=baseline, after=state) for live in (changed, added)] == [False, False]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"engine": "postgres"}, ApplyRefused, "Only Aurora lets"),
        ({"writer": "nobody"}, OutcomeUnclear, "names 0 writers"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(
    aws: Cloud, kind: AuroraClass, change: dict[str, str], error: Any, words: str
) -> None:
    for name, value in change.items():
        setattr(aws, name, value)

    with pytest.raises(error, match=words):
        kind.read()


def test_a_writer_off_the_ladder_is_refused(aws: Cloud, kind: AuroraClass) -> None:
    aws.instances["shop-a"] = replace(aws.instances["shop-a"], klass="db.x2g.large")

    with pytest.raises(ApplyRefused, match=r"has class db\.x2g\.large, which is not on the ladder"):
        kind.read()


def test_a_ladder_is_read_from_names_and_figures() -> None:
    assert ladder_of({"classes": "db.t4g.medium db.r7g.xlarge,db.x.odd=6\ndb.r7g.48xlarge"}) == {
        "db.t4g.medium": 2,
        "db.r7g.xlarge": 4,
        "db.x.odd": 6,
        "db.r7g.48xlarge": 192,
    }


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ("", "Give two classes at least, from small to large."),
        (None, "Give two classes at least, from small to large."),
        (SMALL, "Give two classes at least, from small to large."),
        (f"{LARGE}, {SMALL}", f"{SMALL} has no more vCPUs than the class before it; sort them upwards."),
        ("big, bigger", "big is no class of instances; write db.r7g.xlarge, or db.r7g.odd=6."),
        ("db.r7g.odd, db.r7g.large", "db.r7g.odd is no class of instances; write db.r7g.xlarge, or db.r7g.odd=6."),
        ("db.r7g.odd=x, db.r7g.large", "db.r7g.odd=x is no class of instances; write db.r7g.xlarge, or db.r7g.odd=6."),
    ],
)
def test_check_says_what_is_wrong_with_a_ladder(classes: Any, words: str) -> None:
    with pytest.raises(BadLocator) as caught:
        AuroraClass.check(WHERE | {"classes": classes})

    assert caught.value.errors == {"classes": words}


def test_check_tells_all_that_is_wrong_at_once() -> None:
    with pytest.raises(BadLocator) as caught:
        AuroraClass.check({"region": "x", "cluster": "", "classes": ""})

    assert list(caught.value.errors) == ["region", "cluster", "classes"]


@pytest.mark.parametrize("change", [{"wants": HUGE, "pending": 9}, {"wants": HUGE, "modifying": 9}])
def test_a_reader_that_is_still_being_changed_is_not_ready(aws: Cloud, kind: AuroraClass, change: Any) -> None:
    state = kind.state_for(8, baseline=kind.read().state)
    bring(kind, state)

    for name, value in change.items():
        setattr(aws.instances["shop-a"], name, value)
    reading = kind.read()

    assert (reading.state["classes"], reading.serving) == (state["classes"], 8)
    assert not kind.is_ready(reading, state)


@pytest.mark.parametrize("away", ["resized", "failing over"])
def test_a_cluster_whose_writer_is_away_serves_nothing(aws: Cloud, kind: AuroraClass, away: str) -> None:
    if away == "resized":
        writer = aws.instances[aws.writer]
        writer.wants, writer.modifying = LARGE, 3
    else:
        aws.next_writer, aws.failing_over = "shop-b", 3

    assert kind.read().serving == 0
