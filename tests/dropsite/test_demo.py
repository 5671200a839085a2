"""manage.py demo: loads once, announces the next product each time, leaves one drop open."""

from pathlib import Path

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from drops.models import Drop, Unit
from drops.scaling.models import Step, Target
from dropsite.demo import loading, scaling
from dropsite.demo.products import ITEMS
from shop.models import Picture, Product, Rendition, Variant
from tests.factories import make_drop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _demo(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured, "MEDIA_ROOT", tmp_path)
    monkeypatch.setattr(configured, "DEMO", True)
    monkeypatch.setenv("DEMO_ADMIN_PASSWORD", "a-password-for-the-test")


def rows() -> list[int]:
    return [model.objects.count() for model in (Product, Variant, Picture, Rendition, User)]


def test_announces_each_product_in_turn(capsys: pytest.CaptureFixture[str]) -> None:
    for _run in range(len(ITEMS) + 1):
        call_command("demo")

    said = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert said == ["0-kg", "nth-place", "please-wait", "right-of-way", "0-kg-2"]
    assert list(Drop.objects.filter(closed_at=None).values_list("slug", flat=True)) == ["0-kg-2"]


def test_loads_once() -> None:
    loading.load()
    before = rows()

    loading.load()

    assert rows() == before == [4, 8, 14, 70, 2]


def test_opens_when_it_is_told_to() -> None:
    call_command("demo", opens_in=90.0, lobby_before=40.0)

    drop = Drop.objects.get()
    assert drop.opens_at
    assert drop.lobby_opens_at
    assert (drop.opens_at - drop.lobby_opens_at).total_seconds() == pytest.approx(40)
    assert Unit.objects.filter(edition__drop=drop).count() == 600


def test_closes_only_drops_of_its_own() -> None:
    foreign = make_drop(phase="live")

    call_command("demo")

    foreign.refresh_from_db()
    assert foreign.closed_at is None


def test_keeps_what_was_changed_by_hand() -> None:
    loading.load()
    Product.objects.filter(slug="0-kg").update(claim="Changed.")

    loading.load()

    assert Product.objects.get(slug="0-kg").claim == "Changed."


def test_prepares_for_whom_it_is_told_to_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured, "DATABASE_POOL_SIZE", 4)
    call_command("demo", expected=150)

    drop = Drop.objects.get()
    steps = dict(Step.objects.filter(drop=drop).values_list("target__name", "wanted"))
    assert drop.preparation.expected == 150
    assert (drop.preparation.plan or {})["problems"] == []
    assert steps == {"gate fleet": 2, "web fleet": 2, "checkout pool": 4}


def test_prepares_for_nobody_by_itself() -> None:
    call_command("demo")

    assert Step.objects.count() == 0
    assert Target.objects.count() == len(scaling.TARGETS)


def test_takes_up_the_new_name_of_its_machine() -> None:
    loading.load()
    Target.objects.filter(name="checkout pool").update(resource="celery:checkout@before", ceiling=9)

    loading.load()

    assert Target.objects.get(name="checkout pool").ceiling == 9
    assert Target.objects.get(name="checkout pool").resource.removeprefix("celery:checkout@") != "before"


def test_closes_by_itself() -> None:
    call_command("demo", closes_after=120.0)

    drop = Drop.objects.get()
    assert drop.opens_at
    assert drop.closes_at
    assert (drop.closes_at - drop.opens_at).total_seconds() == pytest.approx(120)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_refuses_to_close_before_it_opens(seconds: float) -> None:
    with pytest.raises(CommandError, match="--closes-after"):
        call_command("demo", closes_after=seconds)


@pytest.mark.parametrize(("opens_in", "lobby_before"), [(10.0, 10.0), (10.0, 0.0), (-1.0, -2.0)])
def test_refuses_a_lobby_that_is_not_before_the_opening(opens_in: float, lobby_before: float) -> None:
    with pytest.raises(CommandError, match="--lobby-before"):
        call_command("demo", opens_in=opens_in, lobby_before=lobby_before)


def test_refuses_to_fill_a_real_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured, "DEMO", False)

    with pytest.raises(CommandError, match="DEMO=1"):
        call_command("demo")
    assert Product.objects.count() == 0


def test_every_picture_is_light_enough() -> None:
    heavy = [path.name for path in loading.PICTURES.iterdir() if path.stat().st_size > 150_000]

    assert heavy == []
    assert len(list(loading.PICTURES.iterdir())) == 6 * sum(len(item.shots) for item in ITEMS)
