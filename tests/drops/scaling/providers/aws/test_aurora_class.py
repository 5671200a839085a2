"""The class of an Aurora cluster: a reader, the failover, then the old writer, and the same way back."""

from dataclasses import replace
from typing import Any

import pytest

from drops.scaling.providers import ApplyRefused, BadLocator, OutcomeUnclear
from drops.scaling.providers.aws.aurora_class import AuroraClass, parse_classes
from tests.drops.scaling.aws_cloud import Cloud, Instance
from tests.drops.scaling.providers.converging import bring

SMALL, LARGE, HUGE = "db.r7g.large", "db.r7g.2xlarge", "db.r7g.8xlarge"
LOCATOR = {"region": "eu-central-1", "cluster": "shop", "classes": f"{SMALL}, {LARGE}, {HUGE}"}
CHANGES = ("ModifyDBInstance", "FailoverDBCluster")


@pytest.fixture
def provider() -> AuroraClass:
    return AuroraClass(locator=LOCATOR)


def changes(aws: Cloud) -> list[str]:
    """Return which instances were resized or made the writer, in order."""
    return [
        parameters.get("TargetDBInstanceIdentifier")
        or f"{parameters['DBInstanceIdentifier']}={parameters['DBInstanceClass']}"
        for name, parameters in aws.calls
        if name in CHANGES
    ]


def classes(aws: Cloud) -> dict[str, str]:
    return {name: one.instance_class for name, one in aws.instances.items()}


def test_a_cluster_grows_by_its_reader_and_is_restored_exactly(aws: Cloud, provider: AuroraClass) -> None:
    baseline = provider.read().state

    up = bring(provider, provider.state_for(8, baseline=baseline))

    assert changes(aws) == [f"shop-b={LARGE}", "shop-b", f"shop-a={LARGE}"]
    assert (classes(aws), aws.writer) == ({"shop-a": LARGE, "shop-b": LARGE}, "shop-b")
    assert up.readings[-1].serving == 8
    aws.calls.clear()

    bring(provider, baseline)

    assert changes(aws) == [f"shop-a={SMALL}", "shop-a", f"shop-b={SMALL}"]
    assert (classes(aws), aws.writer) == ({"shop-a": SMALL, "shop-b": SMALL}, "shop-a")
    assert provider.read().state == baseline
    assert aws.writers_resized == 0


def test_each_stage_of_a_change_is_recognised_as_ours(aws: Cloud, provider: AuroraClass) -> None:
    baseline = provider.read().state
    state = provider.state_for(8, baseline=baseline)

    for before, after in ((baseline, state), (state, baseline)):
        way = bring(provider, after)
        assert all(provider.is_between(one.state, before=before, after=after) for one in way.readings)


def test_of_three_the_first_reader_takes_over_before_the_others_grow(
    aws: Cloud, provider: AuroraClass
) -> None:
    aws.instances["shop-c"] = Instance(SMALL, tier=0)
    baseline = provider.read().state

    bring(provider, provider.state_for(8, baseline=baseline), max_reads=90)
    assert changes(aws) == [f"shop-c={LARGE}", "shop-c", f"shop-a={LARGE}", f"shop-b={LARGE}"]
    aws.calls.clear()
    bring(provider, baseline, max_reads=90)

    assert changes(aws) == [f"shop-a={SMALL}", "shop-a", f"shop-c={SMALL}", f"shop-b={SMALL}"]


def test_a_failover_by_aws_is_not_drift_and_the_role_is_restored(aws: Cloud, provider: AuroraClass) -> None:
    baseline = provider.read().state
    state = provider.state_for(8, baseline=baseline)
    bring(provider, state)

    aws.writer = "shop-a"
    assert provider.is_ready(provider.read(), state)
    bring(provider, baseline)

    assert (classes(aws), aws.writer) == ({"shop-a": SMALL, "shop-b": SMALL}, "shop-a")
    assert aws.writers_resized == 0


def test_nothing_is_applied_while_a_change_is_in_progress(aws: Cloud, provider: AuroraClass) -> None:
    baseline = provider.read().state
    state = provider.state_for(8, baseline=baseline)
    provider.apply(state, key="one")
    aws.calls.clear()

    waiting = provider.apply(state, key="one")

    assert waiting.message == "waiting for shop-b db.r7g.large reader (class pending)"
    assert aws.calls_of(*CHANGES) == []


@pytest.mark.parametrize("operation", CHANGES)
@pytest.mark.parametrize(
    "fault", ["lost", "lie", "InternalFailure", "Throttling", "InsufficientDBInstanceCapacity"]
)
def test_a_step_that_failed_is_repeated(
    aws: Cloud, provider: AuroraClass, operation: Any, fault: str
) -> None:
    baseline = provider.read().state
    aws.fault(operation, fault, status=500 if fault == "InternalFailure" else 400, times=2)

    bring(provider, provider.state_for(8, baseline=baseline))
    bring(provider, baseline)

    assert (classes(aws), aws.writer, aws.writers_resized) == (
        {"shop-a": SMALL, "shop-b": SMALL},
        "shop-a",
        0,
    )


def test_a_size_between_two_classes_takes_the_larger(aws: Cloud, provider: AuroraClass) -> None:
    baseline = provider.read().state

    assert provider.state_for(3, baseline=baseline)["classes"] == {"shop-a": LARGE, "shop-b": LARGE}
    assert provider.state_for(2, baseline=baseline) == baseline


def test_nothing_is_made_smaller_than_the_baseline(aws: Cloud, provider: AuroraClass) -> None:
    aws.instances["shop-a"].instance_class = HUGE
    baseline = provider.read().state

    assert provider.state_for(8, baseline=baseline)["classes"] == {"shop-a": HUGE, "shop-b": LARGE}


def test_a_size_beyond_the_largest_class_is_refused(aws: Cloud, provider: AuroraClass) -> None:
    with pytest.raises(
        ApplyRefused, match="33 vCPUs are needed, but the largest class listed for Aurora cluster shop has 32"
    ):
        provider.state_for(33, baseline=provider.read().state)


def test_a_cluster_without_a_reader_is_refused(aws: Cloud, provider: AuroraClass) -> None:
    del aws.instances["shop-b"]

    with pytest.raises(ApplyRefused, match="has no reader"):
        provider.apply(provider.state_for(8, baseline=provider.read().state), key="one")
    assert aws.calls_of(*CHANGES) == []


def test_pending_changes_of_others_are_not_applied(aws: Cloud, provider: AuroraClass) -> None:
    aws.instances["shop-b"].other_changes = {"EngineVersion": "17.9"}

    with pytest.raises(
        ApplyRefused, match="shop-b has changes waiting for its maintenance window \\(EngineVersion\\)"
    ):
        provider.apply(provider.state_for(8, baseline=provider.read().state), key="one")
    assert aws.calls_of(*CHANGES) == []


def test_readers_of_unlisted_classes_are_left_alone(aws: Cloud, provider: AuroraClass) -> None:
    aws.instances |= {"reports": Instance("db.t4g.medium"), "application-autoscaling-1": Instance(SMALL)}
    baseline = provider.read().state

    bring(provider, provider.state_for(8, baseline=baseline))

    assert classes(aws) == {
        "shop-a": LARGE,
        "shop-b": LARGE,
        "reports": "db.t4g.medium",
        "application-autoscaling-1": SMALL,
    }


def test_an_instance_added_or_changed_by_somebody_else_is_not_ours(aws: Cloud, provider: AuroraClass) -> None:
    baseline = provider.read().state
    state = provider.state_for(8, baseline=baseline)
    aws.instances["shop-b"].instance_class = HUGE
    changed = provider.read().state
    aws.instances |= {"shop-b": Instance(SMALL), "shop-c": Instance(SMALL)}
    added = provider.read().state

    assert [provider.is_between(live, before=baseline, after=state) for live in (changed, added)] == [
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"engine": "postgres"}, ApplyRefused, "Only Aurora can"),
        ({"writer": "nobody"}, OutcomeUnclear, "reports 0 writers"),
    ],
)
def test_a_cluster_that_cannot_be_scaled_is_refused(
    aws: Cloud, provider: AuroraClass, change: dict[str, str], error: Any, words: str
) -> None:
    for name, value in change.items():
        setattr(aws, name, value)

    with pytest.raises(error, match=words):
        provider.read()


def test_a_writer_of_an_unlisted_class_is_refused(aws: Cloud, provider: AuroraClass) -> None:
    aws.instances["shop-a"] = replace(aws.instances["shop-a"], instance_class="db.x2g.large")

    with pytest.raises(
        ApplyRefused, match=r"has class db\.x2g\.large, which is not among the target's classes"
    ):
        provider.read()


def test_parse_classes_reads_names_and_given_vcpus() -> None:
    assert parse_classes({"classes": "db.t4g.medium db.r7g.xlarge,db.x.odd=6\ndb.r7g.48xlarge"}) == {
        "db.t4g.medium": 2,
        "db.r7g.xlarge": 4,
        "db.x.odd": 6,
        "db.r7g.48xlarge": 192,
    }


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ("", "Enter at least two classes, from small to large."),
        (None, "Enter at least two classes, from small to large."),
        (SMALL, "Enter at least two classes, from small to large."),
        (
            f"{LARGE}, {SMALL}",
            f"{SMALL} doesn't have more vCPUs than the class before it. Sort them from small to large.",
        ),
        ("big, bigger", "big isn't a valid class. Enter one such as db.r7g.xlarge, or db.r7g.odd=6."),
        (
            "db.r7g.odd, db.r7g.large",
            "db.r7g.odd isn't a valid class. Enter one such as db.r7g.xlarge, or db.r7g.odd=6.",
        ),
        (
            "db.r7g.odd=x, db.r7g.large",
            "db.r7g.odd=x isn't a valid class. Enter one such as db.r7g.xlarge, or db.r7g.odd=6.",
        ),
    ],
)
def test_check_names_what_is_wrong_with_the_classes(classes: Any, words: str) -> None:
    with pytest.raises(BadLocator) as caught:
        AuroraClass.check(LOCATOR | {"classes": classes})

    assert caught.value.errors == {"classes": words}


def test_check_names_every_fault_at_once() -> None:
    with pytest.raises(BadLocator) as caught:
        AuroraClass.check({"region": "x", "cluster": "", "classes": ""})

    assert list(caught.value.errors) == ["region", "cluster", "classes"]


@pytest.mark.parametrize("change", [{"new_class": HUGE, "pending": 9}, {"new_class": HUGE, "modifying": 9}])
def test_a_reader_that_is_still_being_changed_is_not_ready(
    aws: Cloud, provider: AuroraClass, change: Any
) -> None:
    state = provider.state_for(8, baseline=provider.read().state)
    bring(provider, state)

    for name, value in change.items():
        setattr(aws.instances["shop-a"], name, value)
    reading = provider.read()

    assert (reading.state["classes"], reading.serving) == (state["classes"], 8)
    assert not provider.is_ready(reading, state)


@pytest.mark.parametrize("away", ["resized", "failing over"])
def test_a_cluster_without_an_available_writer_has_nothing_ready(
    aws: Cloud, provider: AuroraClass, away: str
) -> None:
    if away == "resized":
        writer = aws.instances[aws.writer]
        writer.new_class, writer.modifying = LARGE, 3
    else:
        aws.next_writer, aws.failing_over = "shop-b", 3

    assert provider.read().serving == 0
