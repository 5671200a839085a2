from decimal import Decimal

import pytest
from django.utils import timezone

from drops.scaling import report
from drops.scaling.models import Heartbeat, ScalePlan, Target
from drops.scaling.planning.planner import make_plan
from shop.core.models import Alert
from tests.drops.scaling.planning.test_read_inputs import make_step, make_target
from tests.drops.scaling.plans import make_inputs
from tests.drops.scaling.plans import make_target as a_target
from tests.factories import make_drop


def test_table_lines_columns_up() -> None:
    assert (
        report.table(("a", "bb"), [("ccc", "1"), ("d", "22")], right=frozenset({1}))
        == "a    bb\nccc   1\nd    22"
    )


def test_plan_shows_sizes_times_cost_and_reasons() -> None:
    target = a_target(ops_ceiling=4, price_per_hour=Decimal("0.05"), price_reason="as set")
    text = report.plan_as_text(plan=make_plan(make_inputs(targets=(target,))))

    assert text.startswith("Plan of 0-kg: 20,000 shoppers expected\n\nWarnings:\n")
    (row,) = (line.split() for line in text.splitlines() if line.startswith("web fleet  "))
    assert " ".join(row) == ("web fleet 2 7 (4) workers 24 Nov 09:49:00 24 Nov 09:50:00 $0.12 needs approval")
    assert "web fleet:\n  web: 100 % of 183/s ÷ 30/s per instance = 6.1\n  with 0 % headroom: 7\n" in text
    assert "Cost: $0.12 for this drop; $182.50 a month if always on." in text


def test_plan_with_problems_shows_them_and_no_sizes() -> None:
    text = report.plan_as_text(plan=make_plan(make_inputs(expected=0)))

    assert "Problems:\n  Expected shoppers must be at least 1." in text
    assert "Cost:" not in text


@pytest.mark.django_db
def test_status_of_nothing() -> None:
    text = report.status_as_text(now=timezone.now())

    assert text == "No tick has run yet.\n\nNo targets are set up.\n\nNo steps are under way."


@pytest.mark.django_db
def test_status_shows_heartbeat_targets_steps_verdict_and_alerts() -> None:
    now = timezone.now()
    target = make_target()
    Target.objects.update(
        observed={"size": 6}, ready_size=6, baseline={}, baseline_size=2, desired={}, desired_size=6
    )
    drop = make_drop()
    make_step(target=target, seconds=5, drop=drop, state="holding", ended_at=None)
    ScalePlan.objects.create(
        drop=drop,
        verdict="no-go",
        verdict_at=now,
        verdict_messages=["It is late."],
        shoppers_per_second=12,
    )
    Alert.objects.create(source="scaling", subject="heartbeat", message="Something is wrong.")
    Heartbeat.objects.create(ticked_at=now, actor="beat", paused_at=now, paused_reason="a rehearsal")
    text = report.status_as_text(now=now)

    assert "Last tick: 0 s ago, by beat. Pre-scaling is paused: a rehearsal" in text
    assert ["web", "fleet", "gunicorn", "6", "6", "2", "6"] in [line.split() for line in text.splitlines()]
    assert f"{drop.slug}  web fleet        6  holding" in text
    assert f"{drop.slug}: no-go\n  It is late.\n  12 shoppers a second can be admitted." in text
    assert text.endswith("Open alerts:\n  Something is wrong.")
    assert report.status_as_text(now=now, drop=make_drop()).count("holding") == 0
