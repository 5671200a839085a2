"""Metrics of the fleets, slots and targets."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from drops.models import Hold
from drops.scaling import metrics
from drops.scaling.models import Share, Target
from drops.scaling.providers import Reading
from tests.drops.scaling.providers.local import fleets
from tests.factories import make_drop, make_hold
from tests.servers import until


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LAST_SAMPLES", {})


def reading(cpu_seconds: float | None, *, serving: int = 2) -> Reading:
    return Reading(state={"workers": 2}, size=2, serving=serving, cpu_seconds=cpu_seconds)


@pytest.mark.django_db
def test_slots_count_holds_that_are_open_or_being_paid_for(settings: Settings) -> None:
    settings.CHECKOUT_SLOTS = 3
    drop = make_drop(phase="live", quantity=5)
    for index, state in enumerate(
        [Hold.State.OPEN, Hold.State.PAYING, Hold.State.RELEASED, Hold.State.ALLOCATED]
    ):
        make_hold(drop=drop, index=index, state=state)

    assert metrics.slots() == {"all": 3, "busy": 2, "free": 1}


@pytest.mark.django_db
def test_targets_have_their_last_reading() -> None:
    now = timezone.now()
    observed = {"size": 3, "moving": True, "serving": 2}
    target = Target.objects.create(
        name="web fleet", provider="gunicorn", resource="gunicorn:x", ceiling=4, lead_seconds=5,
        observed=observed, observed_at=now - timedelta(seconds=4), ready_size=2, desired={"workers": 3}, desired_size=3,
        baseline={"workers": 1}, baseline_size=1,
    )  # fmt: skip
    Share.objects.create(target=target, group="web", per_second=100)
    Target.objects.create(
        name="never read", provider="celery", resource="celery:x", ceiling=4, lead_seconds=5
    )

    assert metrics.targets(now=now) == {
        "never read": {
            "kind": "celery", "groups": [], "size": None, "ready": None, "moving": None, "asked": None,
            "baseline": None, "stopped": False, "read_seconds_ago": None,
        },
        "web fleet": {
            "kind": "gunicorn", "groups": ["web"], "size": 3, "ready": 2, "moving": True, "asked": 3,
            "baseline": 1, "stopped": False, "read_seconds_ago": 4.0,
        },
    }  # fmt: skip


def test_targets_take_two_queries_however_many(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 3):
        for number in range(count):
            target = Target.objects.create(
                name=f"{count}-{number}",
                provider="celery",
                resource=f"{count}-{number}",
                ceiling=4,
                lead_seconds=5,
            )
            Share.objects.create(target=target, group="web", per_second=100)
        with django_assert_num_queries(2):
            metrics.targets(now=timezone.now())


def test_saturation_is_a_part_of_the_time_between_two_samples() -> None:
    found = [
        metrics.saturation("web", reading(cpu), at=at)
        for cpu, at in [(10.0, 100.0), (13.0, 110.0), (13.1, 110.5)]
    ]

    assert found == [None, 0.15, 0.15]  # 3 s of 2 × 10 s; half a second later nothing new can be said


def test_saturation_of_a_restarted_fleet_is_not_known() -> None:
    metrics.saturation("web", reading(10.0), at=100.0)

    assert metrics.saturation("web", reading(2.0), at=110.0) is None
    assert metrics.saturation("web", reading(3.0), at=120.0) == 0.05


def test_saturation_without_cpu_time_is_not_known() -> None:
    assert metrics.saturation("web", reading(None), at=100.0) is None


def test_fleets_are_those_of_this_machine(
    server_lane: None, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("m")
    settings.RUN_DIR = str(folder)
    with fleets.gunicorn(folder, port=True) as path:
        path.rename(folder / "web.ctl")
        until(lambda: metrics.fleets()["web"]["serving"] == 1, "the fleet")
        found = metrics.fleets()
        (folder / "web.ctl").rename(path)

    assert list(found) == ["web"]
    assert (found["web"]["workers"], found["web"]["serving"], found["web"]["fault"]) == (1, 1, "")
    assert found["web"]["waiting"] == 0


def test_fleet_that_is_silent_has_a_fault(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUN_DIR = str(tmp_path)
    monkeypatch.setattr("drops.scaling.providers.local.gunicorn.RETRY_SECONDS", 0)
    (tmp_path / "gate.ctl").touch()

    [(name, found)] = metrics.fleets().items()

    assert (name, found["serving"]) == ("gate", None)
    assert found["fault"].startswith("No gunicorn responds at ")


def test_fleets_are_none_without_a_run_dir(settings: Settings) -> None:
    settings.RUN_DIR = ""

    assert metrics.fleets() == {}
