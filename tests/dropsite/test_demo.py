"""`manage.py demo` loads the shop once, announces the next product each time and leaves one drop open."""

from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from drops.models import Drop, Unit
from drops.scaling.models import Step, Target
from dropsite.demo import loading, scaling
from dropsite.demo.products import ITEMS
from shop.models import Picture, Product, Rendition, Variant
from tests.factories import make_drop

pytestmark = pytest.mark.django_db

FILES_PER_SHOT = 6
MAX_PICTURE_BYTES = 150_000


@pytest.fixture(autouse=True)
def _demo(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_settings, "MEDIA_ROOT", tmp_path)
    monkeypatch.setattr(django_settings, "DEMO", True)
    monkeypatch.setenv("DEMO_ADMIN_PASSWORD", "a-password-for-the-test")


def count_rows() -> list[int]:
    return [model.objects.count() for model in (Product, Variant, Picture, Rendition, User)]


def test_demo_announces_each_product_in_turn(capsys: pytest.CaptureFixture[str]) -> None:
    for _run in range(len(ITEMS) + 1):
        call_command("demo")

    slugs = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert slugs == ["0-kg", "nth-place", "please-wait", "right-of-way", "0-kg-2"]
    assert list(Drop.objects.filter(closed_at=None).values_list("slug", flat=True)) == ["0-kg-2"]


def test_load_creates_every_row_once() -> None:
    loading.load()
    before = count_rows()

    loading.load()

    assert count_rows() == before == [4, 8, 14, 70, 2]


def test_demo_opens_at_the_given_time() -> None:
    call_command("demo", opens_in=90.0, lobby_before=40.0)

    drop = Drop.objects.get()
    assert drop.opens_at
    assert drop.lobby_opens_at
    assert (drop.opens_at - drop.lobby_opens_at).total_seconds() == pytest.approx(40)
    assert Unit.objects.filter(edition__drop=drop).count() == 600


def test_demo_closes_only_its_own_drops() -> None:
    foreign = make_drop(phase="live")

    call_command("demo")

    foreign.refresh_from_db()
    assert foreign.closed_at is None


def test_load_keeps_changes_made_by_hand() -> None:
    loading.load()
    Product.objects.filter(slug="0-kg").update(tagline="Changed.")

    loading.load()

    assert Product.objects.get(slug="0-kg").tagline == "Changed."


def test_demo_plans_for_the_expected_shoppers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_settings, "DATABASE_POOL_SIZE", 4)
    call_command("demo", expected=150)

    drop = Drop.objects.get()
    steps = dict(Step.objects.filter(drop=drop).values_list("target__name", "desired_size"))
    assert drop.scale_plan.expected == 150
    assert (drop.scale_plan.plan or {})["problems"] == []
    assert steps == {"gate fleet": 2, "web fleet": 2, "checkout pool": 4}


def test_demo_plans_nothing_by_default() -> None:
    call_command("demo")

    assert Step.objects.count() == 0
    assert Target.objects.count() == len(scaling.TARGETS)


def test_load_updates_the_host_name_only() -> None:
    loading.load()
    Target.objects.filter(name="checkout pool").update(resource="celery:checkout@before", ceiling=9)

    loading.load()

    assert Target.objects.get(name="checkout pool").ceiling == 9
    assert Target.objects.get(name="checkout pool").resource.removeprefix("celery:checkout@") != "before"


def test_demo_closes_at_the_given_time() -> None:
    call_command("demo", closes_after=120.0)

    drop = Drop.objects.get()
    assert drop.opens_at
    assert drop.closes_at
    assert (drop.closes_at - drop.opens_at).total_seconds() == pytest.approx(120)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_demo_refuses_to_close_before_it_opens(seconds: float) -> None:
    with pytest.raises(CommandError, match="--closes-after"):
        call_command("demo", closes_after=seconds)


@pytest.mark.parametrize(("opens_in", "lobby_before"), [(10.0, 10.0), (10.0, 0.0), (-1.0, -2.0)])
def test_demo_refuses_a_lobby_that_is_not_before_the_opening(opens_in: float, lobby_before: float) -> None:
    with pytest.raises(CommandError, match="--lobby-before"):
        call_command("demo", opens_in=opens_in, lobby_before=lobby_before)


def test_demo_refuses_to_fill_a_real_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_settings, "DEMO", False)

    with pytest.raises(CommandError, match="DEMO=1"):
        call_command("demo")
    assert Product.objects.count() == 0


def test_pictures_are_complete_and_light() -> None:
    pictures = list(loading.PICTURES.iterdir())

    assert [path.name for path in pictures if path.stat().st_size > MAX_PICTURE_BYTES] == []
    assert len(pictures) == FILES_PER_SHOT * sum(len(item.shots) for item in ITEMS)
