"""`manage.py scale`: pre-scaling by hand, without Celery."""

import pytest
from django.core.management import CommandError, call_command

from drops.scaling.models import Heartbeat, Share, Step
from tests.drops.scaling.cloud import Cloud, make_step, make_target
from tests.factories import make_drop

pytestmark = pytest.mark.django_db


def scale(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    call_command("scale", *words)
    return capsys.readouterr().out


def test_tick_does_what_is_due(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    target = make_target(cloud, name="web")
    step = make_step(target=target)

    assert scale(capsys, "tick").splitlines() == [
        f"{step.drop.slug}: web planned → requested",
        "web: applying 6 instances.",
        f"{step.drop.slug}: web requested → converging",
    ]
    assert Heartbeat.objects.get().actor == "command"


def test_tick_prints_that_nothing_is_due(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale(capsys, "tick") == "Nothing is due.\n"


def test_tick_dry_run_writes_nothing(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    make_step(target=make_target(cloud, name="web"))

    assert scale(capsys, "tick", "--dry-run") == "web: would apply 6 instances.\n"
    assert (Step.objects.get().state, cloud.applied, Heartbeat.objects.count()) == ("planned", [], 0)


def test_restore_brings_a_target_back(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    make_step(target=make_target(cloud, name="web"))
    scale(capsys, "tick")

    assert scale(capsys, "restore", "--target", "all", "--dry-run") == "web: back to 2, from 6\n"
    assert Step.objects.get().state == "converging"
    scale(capsys, "restore", "--target", "web")
    cloud.converge()
    scale(capsys, "tick")

    assert (Step.objects.get().state, cloud.fleets["web"].wanted) == ("restored", 2)


def test_restore_refuses_an_unknown_target_and_one_at_its_baseline(cloud: Cloud) -> None:
    make_target(cloud, name="web")

    with pytest.raises(CommandError, match=r"There is no target “gate”\. Targets: web\."):
        call_command("scale", "restore", "--target", "gate")
    with pytest.raises(CommandError, match="there is nothing to restore"):
        call_command("scale", "restore", "--target", "web")


def test_plan_shows_the_plan_of_a_drop(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    target = make_target(cloud, name="web")
    Share.objects.create(target=target, group="web", per_second=10)
    drop = make_drop(quantity=500)

    text = scale(capsys, "plan", "--drop", drop.slug, "--expected", "20000")

    assert text.startswith(f"Plan of {drop.slug}: 20,000 shoppers expected")
    assert Step.objects.count() == 0


def test_plan_needs_a_number_of_shoppers_and_a_drop() -> None:
    drop = make_drop()

    with pytest.raises(CommandError, match="Pass --expected"):
        call_command("scale", "plan", "--drop", drop.slug)
    with pytest.raises(CommandError, match="There is no drop “nowhere”"):
        call_command("scale", "plan", "--drop", "nowhere")


def test_status_shows_targets_and_steps(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    make_step(target=make_target(cloud, name="web"))
    scale(capsys, "tick")

    assert "web" in scale(capsys, "status")
