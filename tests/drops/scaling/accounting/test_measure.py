import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from drops.models import Checkpoint, Drop
from drops.scaling.accounting import access_log, costs, measure
from drops.scaling.models import Call, Demand, ScalePlan, Step, Target
from tests.drops.scaling.planning.test_read_inputs import make_step, make_target
from tests.factories import make_drop, make_hold

BEGIN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def line(
    at: Any, path: str, *, method: Any = "GET", size: int = 100, upstream: Any = "", status: Any = 200
) -> Any:
    """A line as deploy/nginx writes it."""
    fields = {"time": at.isoformat(timespec="seconds"), "id": "0f", "address": "127.0.0.1", "host": "shop"}
    fields |= {"method": method, "path": path, "status": status, "bytes": size, "seconds": 0.001}
    return json.dumps(fields | {"cache": "HIT", "upstream": upstream}, separators=(",", ":")) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Any:
    def write(*lines: Any) -> Any:
        path = tmp_path / "edge.log"
        path.write_text("".join(lines))
        return path

    return write


# --- the log ------------------------------------------------------------------------------------------------


def seen_in(path: Path, since: datetime = BEGIN, until: datetime = BEGIN + MINUTE) -> Any:
    return access_log.read(path=path, slug="0-kg", since=since, until=until)


def test_read_counts_requests_by_group(log: Any) -> None:
    traffic = seen_in(
        log(
            line(BEGIN, "/drops/0-kg/", size=3000),
            line(BEGIN, "/line/0-kg/status.json", size=650),
            line(BEGIN, "/line/0-kg/status.json", size=650, upstream="0.001"),
            line(BEGIN, "/line/0-kg/join", method="POST", upstream="0.001"),
            line(BEGIN + timedelta(seconds=1), "/drops/0-kg/pick/", upstream="0.010"),
            line(BEGIN + timedelta(seconds=1), "/holds/abc/pay/", method="POST", upstream="0.010"),
            line(BEGIN + timedelta(seconds=1), "/webhooks/stripe/", method="POST", upstream="0.010"),
            line(BEGIN + timedelta(seconds=1), "/static/shop/site.css", upstream="0.001"),
        )
    )

    counts = {name: (one.requests, one.sent_bytes, one.peak) for name, one in traffic.groups.items()}
    assert counts == {
        "edge": (8, 4800, 4), "gate": (2, 750, 2), "web": (2, 200, 2), "hooks": (1, 100, 1),
    }  # fmt: skip
    assert (traffic.polls, traffic.poll_bytes, traffic.payments) == (2, 1300, 1)


def test_read_ignores_other_drops_other_times_and_the_admin(log: Any) -> None:
    path = log(
        line(BEGIN - MINUTE, "/drops/0-kg/"),
        line(BEGIN, "/drops/1-kg/"),
        line(BEGIN, "/line/1-kg/status.json"),
        line(BEGIN, "/admin/drops/"),
        line(BEGIN, "/"),
        "not a line\n",
        line(BEGIN + 2 * MINUTE, "/drops/0-kg/"),
    )

    assert seen_in(path).groups["edge"].requests == 1


def test_read_finds_its_period_in_a_long_log(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "SCAN_BYTES", 1000)
    path = log(*(line(BEGIN - HOUR + timedelta(seconds=i), "/drops/0-kg/") for i in range(7200)))

    assert seen_in(path).groups["edge"].requests == 61
    with path.open("rb") as opened:
        assert access_log.find_start(opened, BEGIN) > 0.45 * path.stat().st_size


@pytest.mark.parametrize(
    "reason", ["there is none", "it is empty", "it is too long", "it was rotated during the drop"]
)
def test_read_refuses_an_unusable_log_with_the_reason(
    log: Any, tmp_path: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "none.log" if reason == "there is none" else log()
    if reason == "it is too long":
        monkeypatch.setattr(access_log, "MAX_BYTES", 100)
        path = log(line(BEGIN, "/"), line(BEGIN, "/"))
    if reason == "it was rotated during the drop":
        path = log(line(BEGIN + MINUTE / 4, "/drops/0-kg/"), line(BEGIN + MINUTE / 2, "/drops/0-kg/"))

    with pytest.raises(access_log.LogUnreadable, match=r"^The edge's log "):
        seen_in(path)


def test_line_pattern_matches_the_log_format_of_the_edge() -> None:
    template = Path("deploy/nginx/nginx.conf.template").read_text()
    (form,) = re.findall(r"log_format json escape=json((?:\s+'[^']*')+);", template)
    values = {
        "time_iso8601": BEGIN.isoformat(),
        "status": "200",
        "body_bytes_sent": "12",
        "request_method": "GET",
    }
    values["request_time"] = "0.003"
    words = "".join(re.findall(r"'([^']*)'", form))
    text = re.sub(r"\$(\w+)", lambda name: values.get(name[1], "0.001, 0.002"), words)

    found = access_log.LINE_PATTERN.match(text.encode())
    assert found
    assert (found["time"].decode(), found["bytes"], found["upstream"]) == (
        BEGIN.isoformat(),
        b"12",
        b"0.001, 0.002",
    )


# --- rows ---------------------------------------------------------------------------------------------------


def make_ended_drop(**fields: Any) -> Any:
    """A drop that sold two of three, was over ten minutes ago, and of which 200 of 1,000 got a pass."""
    drop = make_drop(phase="live", **fields)
    for index in range(2):
        make_hold(drop=drop, index=index, state="allocated")
    now = timezone.now()
    Drop.objects.filter(pk=drop.pk).update(closed_at=now - 10 * MINUTE, lobby_opens_at=now - HOUR)
    Checkpoint.objects.filter(drop=drop).update(joined=1000, counter_limit=1000, entered=200)
    return Drop.objects.select_related("checkpoint").get(pk=drop.pk)


@pytest.fixture
def edge(settings: Settings, tmp_path: Path) -> Any:
    """An edge log of a join, three pages and a poll, half an hour ago."""
    settings.EDGE_ACCESS_LOG = str(tmp_path / "edge.log")

    def write(slug: str) -> None:
        at = timezone.now() - HOUR / 2
        lines = [line(at - 2 * HOUR, "/")]
        lines += [
            line(at, f"/line/{slug}/join", method="POST", upstream="0.1"),
            line(at, f"/line/{slug}/status.json"),
        ]
        lines += [line(at, f"/drops/{slug}/pick/", upstream="0.1", size=1000)] * 3
        (tmp_path / "edge.log").write_text("".join(lines))

    return write


@pytest.mark.django_db
def test_sample_keeps_the_largest_figures() -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop)
    measure.sample(drop=drop)
    hold.state = "released"
    type(hold).objects.filter(pk=hold.pk).update(state="released", ended_at=timezone.now())
    measure.sample(drop=drop)

    assert Demand.objects.get(drop=drop, group="checkout").slots == 1
    assert (Demand.objects.get(drop=drop, group="database").connections or 0) >= 1


@pytest.mark.django_db
def test_measure_due_writes_what_each_group_used_once(edge: Any) -> None:
    drop = make_ended_drop()
    edge(drop.slug)
    now = timezone.now()

    assert measure.measure_due(now=now) == [f"{drop.slug}: measured"]
    assert measure.measure_due(now=now) == []

    rows = {row.group: row for row in Demand.objects.filter(drop=drop)}
    assert {
        name: (row.shoppers, row.requests, row.peak_per_second, row.bytes) for name, row in rows.items()
    } == {
        "edge": (1000, 5, 5.0, 3200),
        "gate": (1000, 1, 1.0, 100),
        "web": (1000, 3, 3.0, 3000),
        **dict.fromkeys(("hooks", "checkout", "capture", "database", "line redis"), (1000, None, None, None)),
    }


@pytest.mark.django_db
def test_measure_due_waits_for_the_end_and_for_the_targets(edge: Any) -> None:
    target, now = make_target(), timezone.now()
    drop = make_ended_drop()
    edge(drop.slug)
    Drop.objects.filter(pk=drop.pk).update(closed_at=now - MINUTE)
    assert measure.measure_due(now=now) == []

    Drop.objects.filter(pk=drop.pk).update(closed_at=now - 5 * MINUTE)
    step = make_step(target=target, seconds=60, drop=drop, state="releasing", ended_at=None)
    assert measure.measure_due(now=now) == []

    Step.objects.filter(pk=step.pk).update(state="restored", ended_at=now)
    assert len(measure.measure_due(now=now)) == 1


@pytest.mark.django_db
def test_measure_due_does_nothing_while_another_process_measures(edge: Any) -> None:
    drop = make_ended_drop()
    edge(drop.slug)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext('scaling measuring'))")
        assert measure.measure_due(now=timezone.now()) == []
    finally:
        with other.cursor() as cursor:  # a pool keeps the session, and with it the lock
            cursor.execute("SELECT pg_advisory_unlock_all()")
        other.close()
    assert Demand.objects.filter(drop=drop).count() == 0


@pytest.mark.django_db
def test_measure_due_without_a_log_stores_what_is_known(settings: Settings) -> None:
    settings.EDGE_ACCESS_LOG = ""
    drop = make_ended_drop()
    measure.sample(drop=drop)

    assert measure.measure_due(now=timezone.now()) == [
        f"{drop.slug}: measured. The edge writes no access log here: set EDGE_ACCESS_LOG."
    ]
    assert (Demand.objects.get(drop=drop, group="database").connections or 0) >= 1
    assert Demand.objects.get(drop=drop, group="edge").requests is None


@pytest.mark.django_db
def test_measure_drop_adds_up_cpu_between_readings(edge: Any) -> None:
    drop, target = make_ended_drop(), make_target()
    edge(drop.slug)
    for minutes, seconds in ((70, 1.0), (50, 10.0), (40, 12.5), (30, 0.5), (20, 4.0), (2, 99.0)):
        at = timezone.now() - minutes * MINUTE
        Call.objects.create(
            target=target, operation="read", milliseconds=1, actor="t", at=at, after={"cpu_seconds": seconds}
        )
    measure.measure_due(now=timezone.now())

    # From 10 to 12.5; then a process ended; from 0.5 to 4. What was before the lobby and after the end
    # doesn't count.
    assert Demand.objects.get(drop=drop, group="web").cpu_seconds == pytest.approx(6.0)


@pytest.mark.django_db
def test_measure_drop_deletes_old_reads_but_no_changes(edge: Any) -> None:
    drop, target = make_ended_drop(), make_target()
    edge(drop.slug)
    for days, act in ((31, "read"), (31, "apply"), (29, "read")):
        at = timezone.now() - timedelta(days=days)
        Call.objects.create(target=target, operation=act, milliseconds=1, actor="t", at=at)
    measure.measure_due(now=timezone.now())

    assert sorted(Call.objects.values_list("operation", flat=True)) == ["apply", "read"]
    assert Call.objects.get(operation="read").at > timezone.now() - timedelta(days=30)


# --- the cost -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_cost_is_instance_seconds_above_baseline_and_edge_traffic(edge: Any) -> None:
    drop, target = make_ended_drop(), make_target(price_per_hour=Decimal("0.36"))
    edge(drop.slug)
    lines = [{"target_id": target.pk, "current_size": 2}]
    ScalePlan.objects.create(drop=drop, plan={"lines": lines})
    now = timezone.now()
    make_step(
        target=target, seconds=0, drop=drop, requested_at=now - HOUR, ended_at=now - HOUR / 2, desired_size=6
    )
    measure.measure_due(now=now)

    cost = ScalePlan.objects.get(drop=drop).cost
    assert cost is not None
    (item,) = cost["items"]
    assert (item["above"], item["instance_seconds"], item["price"], item["always_on"]) == (
        4, 7200, "0.720000", "1051.20",
    )  # fmt: skip
    # Five requests at a millionth of a dollar, and 3,200 bytes at 0.085 a gigabyte.
    assert (cost["edge_requests"], cost["edge_bytes"], cost["edge"]) == (5, 3200, "0.000005")
    assert (cost["polls"], cost["polls_price"], cost["poll_seconds"]) == (1, "0.000001", [2, 30])
    assert (cost["total"], cost["orders"], cost["per_order"], cost["always_on"]) == (
        "0.720005", 2, "0.360002", "1051.200000",
    )  # fmt: skip


@pytest.mark.django_db
def test_cost_of_a_drop_without_steps_and_log_is_empty() -> None:
    cost = costs.calculate(drop=make_drop(phase="live"), traffic=None, now=timezone.now())

    assert (cost.items, cost.total, cost.per_order, cost.edge, cost.always_on) == ((), None, None, None, None)


@pytest.mark.django_db
def test_cost_takes_the_first_reading_as_baseline_without_a_plan() -> None:
    target = make_target(price_per_hour=Decimal(1))
    step = make_step(target=target, seconds=3600, desired_size=6)
    assert step.requested_at is not None
    at = step.requested_at - MINUTE
    Call.objects.create(
        target=target, step=step, operation="read", milliseconds=1, actor="t", at=at, after={"size": 5}
    )
    Target.objects.update(provider="abacus")  # a kind that is gone

    (item,) = costs.calculate(drop=step.drop, traffic=None, now=timezone.now()).items
    assert (item.above, item.instance_seconds, item.price) == (1, 3600, "1.000000")


@pytest.mark.django_db
def test_cost_has_no_item_for_a_step_that_scaled_nothing() -> None:
    target = make_target()
    step = make_step(target=target, seconds=60, desired_size=6)
    ScalePlan.objects.create(drop=step.drop, plan={"lines": [{"target_id": target.pk, "current_size": 6}]})

    assert costs.calculate(drop=step.drop, traffic=None, now=timezone.now()).items == ()
