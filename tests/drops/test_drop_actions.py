"""Announcing, pausing, resuming and closing a drop, and the problems that prevent an announcement."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from drops import drop_actions, lifecycle, stock
from drops.models import Checkpoint, Drop, Edition, Hold, Pause, Unit
from drops.waitingroom.protocol import places
from shop.core.models import AuditEntry
from shop.models import Picture
from tests.admin_clients import SECONDS, wait_for_a_waiter
from tests.conftest import Race
from tests.factories import make_drop, make_edition, make_hold, make_product, make_variant

pytestmark = pytest.mark.django_db
NOW = timezone.now()
HOUR = timedelta(hours=1)


def make_draft(**fields: Any) -> Drop:
    return make_drop(phase="draft", **{"pictures": 1, "quantity": 3} | fields)


def problems(drop: Drop, now: datetime | None = None) -> list[str]:
    return drop_actions.find_problems(drop=drop, now=now or timezone.now())


def test_find_problems_finds_none_in_a_complete_draft() -> None:
    assert problems(make_draft()) == []


def test_find_problems_names_each_time_that_is_not_set() -> None:
    assert problems(make_draft(opens_at=None, lobby_opens_at=None)) == [
        "Opens: enter when the drop opens.",
        "Lobby opens: enter when shoppers may join the line, before the drop opens.",
    ]


def test_find_problems_names_an_opening_in_the_past() -> None:
    drop = make_draft()

    assert problems(drop, now=drop.opens_at) == ["Opens: this time has passed. Choose a time in the future."]


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("lobby_opens_at", "Lobby opens: the lobby must open before the drop does. Choose an earlier time."),
        (
            "closes_at",
            "Closes: the drop would close before it opens. Choose a later time, or leave it empty.",
        ),
    ],
)
def test_find_problems_names_times_in_the_wrong_order(field: str, sentence: str) -> None:
    drop = make_draft()
    setattr(drop, field, drop.opens_at)

    assert problems(drop) == [sentence]


def test_find_problems_names_a_currency_that_cannot_be_charged() -> None:
    assert problems(make_draft(currency="XYZ"))[0].startswith(
        "Currency: “XYZ” can't be charged. Choose one of AED, "
    )


@pytest.mark.parametrize(
    ("currency", "price", "lowest"), [("EUR", 49, "€0.50"), ("JPY", 49, "¥50"), ("GBP", 29, "£0.30")]
)
def test_find_problems_names_a_price_below_what_stripe_charges(
    currency: str, price: int, lowest: str
) -> None:
    drop = make_draft(editions=0, currency=currency)
    edition = make_edition(drop=drop, price=price)

    sentence = (
        f"Price of {edition.variant.sku}: the lowest amount that Stripe charges is {lowest}. Raise the price."
    )
    assert problems(drop) == [sentence]
    Edition.objects.filter(pk=edition.pk).update(price=price + 1)
    assert problems(drop) == []


def test_find_problems_names_a_variant_of_another_product() -> None:
    drop = make_draft(editions=0)
    edition = make_edition(drop=drop, variant=make_variant(product=make_product()))

    assert problems(drop) == [
        f"Edition {edition.variant.sku}: the variant belongs to another product. Choose one of this drop's."
    ]


def test_find_problems_names_a_limit_above_the_drops() -> None:
    drop = make_draft(editions=0, limit_per_order=2)
    edition = make_edition(drop=drop, limit_per_order=3)

    assert problems(drop) == [
        f"Limit per order of {edition.variant.sku}: choose a number from 1 to 2, the drop's own limit."
    ]


def test_find_problems_names_a_drop_without_editions() -> None:
    assert problems(make_draft(editions=0)) == [
        "Editions: there are none. Add at least one, with its price and quantity."
    ]


def test_find_problems_names_a_limit_above_all_pieces() -> None:
    assert problems(make_draft(quantity=1, limit_per_order=2)) == [
        "Limit per order: it is higher than the number of pieces, 1. Lower it."
    ]


def test_find_problems_names_more_pieces_than_can_be_made() -> None:
    assert problems(make_draft(quantity=200_001)) == [
        "Quantity: a drop can have up to 200,000 pieces. Lower the quantities."
    ]


def test_find_problems_names_pictures_without_a_role_or_a_description() -> None:
    drop = make_draft()
    Picture.objects.update(role=Picture.Role.DETAIL, alt="")

    assert problems(drop) == [
        "Pictures: none has the role “hero”. Add one on the product's page.",
        "Pictures: one has no alternative text. Add it on the product's page.",
    ]


def test_announce_fixes_the_drop_and_makes_its_units() -> None:
    draft, actor = make_draft(editions=2, quantity=3), User.objects.create_user("ada")

    drop = drop_actions.announce(drop=draft, actor=actor)

    secret = places.secret(bytes.fromhex(settings.SHUFFLE_KEY), drop.pk, bytes(drop.nonce or b""))
    assert bytes(drop.commitment or b"") == sha256(secret).digest()
    assert lifecycle.phase(drop=drop, now=timezone.now()) == lifecycle.Phase.ANNOUNCED
    assert list(Unit.objects.filter(edition__drop=drop).values_list("number", flat=True)) == [
        1,
        2,
        3,
        1,
        2,
        3,
    ]
    assert Checkpoint.objects.filter(drop=drop).count() == 1
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.about, entry.action) == (actor, f"drop:{drop.slug}", "announced")
    assert entry.after == {
        "opens_at": str(drop.opens_at),
        "units": 6,
        "commitment": sha256(secret).hexdigest(),
    }


def test_announce_refuses_an_unready_drop_and_changes_nothing() -> None:
    draft = make_draft(editions=0)

    with pytest.raises(drop_actions.NotReady) as refusal:
        drop_actions.announce(drop=draft, actor=None)

    assert refusal.value.problems == [
        "Editions: there are none. Add at least one, with its price and quantity."
    ]
    draft.refresh_from_db()
    assert draft.announced_at is None
    assert AuditEntry.objects.count() == 0


def test_announce_decides_by_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = make_draft(opens_at=timezone.now() - HOUR, lobby_opens_at=timezone.now() - 2 * HOUR)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW - 5 * HOUR)  # a host whose clock is wrong

    with pytest.raises(drop_actions.NotReady):
        drop_actions.announce(drop=draft, actor=None)

    assert Unit.objects.count() == 0


def test_announce_again_finds_the_drop_announced() -> None:
    draft = make_draft()
    first = drop_actions.announce(drop=draft, actor=None)

    second = drop_actions.announce(drop=draft, actor=None)

    assert (second.announced_at, second.commitment, second.number) == (
        first.announced_at,
        first.commitment,
        first.number,
    )
    assert Unit.objects.count() == 3
    assert AuditEntry.objects.count() == 1


def test_announce_numbers_listed_drops_one_after_the_other() -> None:
    first = drop_actions.announce(drop=make_draft(), actor=None)
    hidden = drop_actions.announce(drop=make_draft(listed=False), actor=None)
    second = drop_actions.announce(drop=make_draft(), actor=None)

    assert first.number is not None
    assert (second.number, hidden.number) == (first.number + 1, None)


def test_announce_makes_twenty_thousand_units_in_one_statement(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    draft = make_draft(quantity=20_000)

    with django_assert_max_num_queries(14) as queries:
        drop_actions.announce(drop=draft, actor=None)

    assert stock.counts(drop=draft)[draft.editions.get().pk].free == 20_000
    assert len([query for query in queries if "INSERT INTO drops_unit" in query["sql"]]) == 1


def test_announce_twice_at_once_makes_the_units_once(race: Race) -> None:
    draft = make_draft(quantity=50)

    results = race(2, lambda _i: drop_actions.announce(drop=draft, actor=None))

    assert [type(result) for result in results] == [Drop, Drop]
    assert Unit.objects.filter(edition__drop=draft).count() == 50
    assert AuditEntry.objects.filter(action="announced").count() == 1


def test_two_announcements_at_once_get_two_numbers(race: Race) -> None:
    drafts = [make_draft() for _ in range(4)]

    race(4, lambda i: drop_actions.announce(drop=drafts[i], actor=None))

    numbers = sorted(
        draft.number or 0 for draft in Drop.objects.filter(pk__in=[draft.pk for draft in drafts])
    )
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert numbers[0] > 0


def test_pause_stops_the_drop_once() -> None:
    drop = make_drop(phase="live")

    drop_actions.pause(drop=drop, actor=None, reason="bots")
    drop_actions.pause(drop=drop, actor=None, reason="clicked twice")

    pause = Pause.objects.get(drop=drop)
    assert (pause.reason, pause.ended_at) == ("bots", None)
    assert lifecycle.phase(drop=Drop.objects.get(pk=drop.pk), now=timezone.now()) == lifecycle.Phase.PAUSED
    assert list(AuditEntry.objects.values_list("action", "after")) == [("paused", {"reason": "bots"})]


@pytest.mark.parametrize("phase", ["draft", "closed", "cancelled"])
def test_pause_refuses_a_drop_that_is_not_running(phase: str) -> None:
    drop = make_drop(phase=phase)

    with pytest.raises(drop_actions.ActionRefused):
        drop_actions.pause(drop=drop, actor=None, reason="bots")

    assert Pause.objects.count() == 0


def test_pause_refuses_a_drop_past_its_closing_time() -> None:
    drop = make_drop(phase="live", closes_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(drop_actions.ActionRefused):
        drop_actions.pause(drop=drop, actor=None, reason="bots")


def test_pause_twice_at_once_makes_one_pause(race: Race) -> None:
    drop = make_drop(phase="live")

    results = race(4, lambda _i: drop_actions.pause(drop=drop, actor=None, reason="bots"))

    assert results == [None] * 4
    assert Pause.objects.filter(drop=drop).count() == 1


def test_resume_leaves_open_holds_at_least_two_minutes() -> None:
    drop = make_drop(phase="live")
    short, long = make_hold(drop=drop, index=1), make_hold(drop=drop, index=2)
    Hold.objects.filter(pk=short.pk).update(expires_at=timezone.now() - timedelta(minutes=9))
    drop_actions.pause(drop=drop, actor=None, reason="bots")

    drop_actions.resume(drop=drop, actor=None)

    left = Hold.objects.get(pk=short.pk).expires_at - timezone.now()
    assert timedelta(seconds=100) < left <= timedelta(seconds=120)
    assert Hold.objects.get(pk=long.pk).expires_at == long.expires_at
    assert Pause.objects.get(drop=drop).ended_at is not None


def test_resume_again_does_nothing() -> None:
    drop = make_drop(phase="paused")
    drop_actions.resume(drop=drop, actor=None)
    ended = Pause.objects.get(drop=drop).ended_at

    drop_actions.resume(drop=drop, actor=None)

    assert Pause.objects.get(drop=drop).ended_at == ended
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["resumed"]


def test_close_ends_the_drop_once() -> None:
    drop = make_drop(phase="live")
    drop_actions.close(drop=drop, actor=None)
    closed_at = Drop.objects.get(pk=drop.pk).closed_at

    drop_actions.close(drop=drop, actor=None)

    assert Drop.objects.get(pk=drop.pk).closed_at == closed_at
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["closed"]


def test_close_ends_a_pause_so_that_its_holds_can_lapse() -> None:
    drop = make_drop(phase="paused")

    drop_actions.close(drop=drop, actor=None)

    assert Pause.objects.get(drop=drop).ended_at is not None


def test_pause_that_waited_for_the_closing_is_refused(transactional_db: None) -> None:
    drop = make_drop(phase="live")

    def pause() -> None:
        try:
            drop_actions.pause(drop=drop, actor=None, reason="bots")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            drop_actions.close(drop=drop, actor=None)
            paused = pool.submit(pause)
            wait_for_a_waiter()
        with pytest.raises(drop_actions.ActionRefused):
            paused.result(SECONDS)

    assert Pause.objects.count() == 0  # an open one would keep the holds of a closed drop for ever


def test_close_refuses_a_draft() -> None:
    draft = make_draft()

    with pytest.raises(drop_actions.ActionRefused):
        drop_actions.close(drop=draft, actor=None)

    draft.refresh_from_db()
    assert draft.closed_at is None
