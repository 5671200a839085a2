"""Reads for pages and the API: what they find, in which order, in how many queries."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.core.paginator import InvalidPage
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drops import queries
from drops.models import Drop
from drops.waitingroom.protocol import places
from tests.factories import make_drop, make_edition, make_hold

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def count_queries(read: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        read()
    return len(captured)


def walk(page: queries.DropPage | None) -> object:
    """Read everything that a template shows."""
    assert page is not None
    renditions = [list(picture.renditions.all()) for picture in page.pictures]
    names = [
        (row.name, row.edition.variant.sku, row.edition.drop.currency, row.band) for row in page.editions
    ]
    return (
        page.product.name,
        page.phase,
        page.proof,
        page.quantity,
        page.sold,
        page.sold_out_after,
        names,
        renditions,
    )


def test_page_has_editions_with_counts_and_bands() -> None:
    drop = make_drop(phase="live", quantity=2)
    second = make_edition(drop=drop, quantity=1, position=9)
    make_hold(drop=drop, index=1, quantities={second.pk: 1})
    make_hold(drop=drop, index=2, state="allocated")

    page = queries.page(slug=drop.slug, now=timezone.now())

    assert [(row.count.free, row.count.held, row.count.sold, row.band) for row in page.editions] == [
        (1, 0, 1, "in"),
        (0, 1, 0, "held"),
    ]
    assert (page.phase, page.quantity, page.sold, page.next_change) == ("live", 3, 1, None)


def test_page_takes_as_many_queries_for_three_editions_as_for_one() -> None:
    small = make_drop(phase="live", editions=1, pictures=1)
    large = make_drop(phase="live", editions=3, pictures=3)

    def read(drop: Drop) -> Callable[[], object]:
        return lambda: walk(queries.page(slug=drop.slug, now=timezone.now()))

    assert count_queries(read(small)) == count_queries(read(large)) == 6


def test_page_of_a_draft_does_not_exist() -> None:
    drop = make_drop(phase="draft")

    with pytest.raises(Drop.DoesNotExist):
        queries.page(slug=drop.slug, now=timezone.now())


def test_page_of_a_cancelled_drop_exists() -> None:
    assert queries.page(slug=make_drop(phase="cancelled").slug, now=timezone.now()).phase == "cancelled"


def test_draw_proof_has_no_secret_before_the_seal() -> None:
    drop = make_drop(phase="opening")

    proof = queries.draw_proof(drop=drop)

    assert (proof.n, proof.secret, proof.seed) == (None, None, None)
    assert proof.commitment == drop.commitment


def test_draw_proof_has_secret_and_seed_after_the_seal() -> None:
    drop = make_drop(phase="live", sealed=7)

    proof = queries.draw_proof(drop=drop)

    assert proof.secret is not None
    assert sha256(proof.secret).digest() == proof.commitment
    assert (proof.n, proof.seed) == (7, places.seed(drop.pk, proof.secret, 7))


def test_front_page_prefers_running_to_announced_to_ended_drops() -> None:
    make_drop(phase="draft")
    assert queries.front_page(now=timezone.now()) is None
    order = ["closed", "announced", "lobby", "opening", "paused", "live"]
    for phase in order:
        drop = make_drop(phase=phase)
        make_drop(phase="live", listed=False)
        page = queries.front_page(now=timezone.now())
        assert page is not None
        assert (page.drop.pk, page.phase) == (drop.pk, phase)


def test_front_page_shows_the_next_announced_drop_or_the_last_ended_one() -> None:
    now = timezone.now()
    make_drop(phase="closed", opens_at=now - 90 * MINUTE, lobby_opens_at=now - 99 * MINUTE)
    newest = make_drop(phase="sold out", opens_at=now - 10 * MINUTE, lobby_opens_at=now - 11 * MINUTE)
    make_drop(phase="cancelled", opens_at=now - MINUTE, lobby_opens_at=now - 2 * MINUTE)
    assert front_drop(now) == newest

    make_drop(opens_at=now + 90 * MINUTE)
    near = make_drop(opens_at=now + 70 * MINUTE)
    assert front_drop(now) == near


def test_front_page_skips_a_drop_that_sold_out_a_moment_ago() -> None:
    now = timezone.now()
    drop = make_drop(phase="sold out", sold_out_at=None)
    Drop.objects.filter(pk=drop.pk).update(sold_out_at=None)
    coming = make_drop()

    assert front_drop(now) == coming


def test_front_page_takes_as_many_queries_for_three_drops_as_for_one() -> None:
    costs = []
    for _ in range(3):
        make_drop(phase="live", editions=2, pictures=2)
        costs.append(count_queries(lambda: walk(queries.front_page(now=timezone.now()))))

    assert costs == [6, 6, 6]


def front_drop(now: datetime) -> Drop | None:
    page = queries.front_page(now=now)
    return page.drop if page else None


def make_ended(count: int, **fields: Any) -> list[Drop]:
    now = timezone.now()
    return [
        make_drop(phase="closed", opens_at=now - (n + 1) * MINUTE, lobby_opens_at=now - 99 * MINUTE, **fields)
        for n in range(count)
    ]


def test_archive_has_ended_drops_newest_first() -> None:
    first, second = make_ended(2)
    make_drop(phase="live")
    make_drop(phase="cancelled")
    make_drop(phase="closed", listed=False)

    archive = queries.archive(page=1, now=timezone.now())

    assert [row.drop for row in archive.drops] == [first, second]
    assert (archive.number, archive.pages) == (1, 1)


def test_archive_shows_what_was_sold_and_how_fast() -> None:
    drop = make_drop(phase="live", quantity=2, editions=2)
    for index, edition in enumerate(drop.editions.all()):
        make_hold(drop=drop, index=index, quantities={edition.pk: 2}, state="allocated")
    Drop.objects.update(sold_out_at=F("opens_at") + 4 * MINUTE)

    (row,) = queries.archive(page=1, now=timezone.now()).drops

    assert (row.phase, row.sold, row.quantity, row.sold_out_after) == ("sold out", 4, 4, 4 * MINUTE)


def test_archive_has_twenty_drops_a_page() -> None:
    make_ended(21, quantity=1)

    pages = [queries.archive(page=number, now=timezone.now()) for number in (1, 2)]

    assert [len(page.drops) for page in pages] == [20, 1]
    assert [page.pages for page in pages] == [2, 2]
    with pytest.raises(InvalidPage):
        queries.archive(page=3, now=timezone.now())


def test_archive_takes_as_many_queries_for_three_drops_as_for_one() -> None:
    def read() -> object:
        return [
            list(row.drop.product.pictures.all()) for row in queries.archive(page=1, now=timezone.now()).drops
        ]

    costs = []
    for _ in range(3):
        make_ended(1, pictures=2)
        costs.append(count_queries(read))

    assert costs == [8, 8, 8]


def test_open_drops_has_drops_that_have_not_ended_soonest_first() -> None:
    later, live, sooner = (
        make_drop(opens_at=timezone.now() + 99 * MINUTE),
        make_drop(phase="live"),
        make_drop(phase="lobby"),
    )
    make_drop(phase="closed")
    make_drop(phase="live", listed=False)

    assert [page.drop for page in queries.open_drops(now=timezone.now())] == [live, sooner, later]


def test_open_drops_takes_as_many_queries_for_three_drops_as_for_one() -> None:
    def read() -> object:
        return [[row.name for row in page.editions] for page in queries.open_drops(now=timezone.now())]

    costs = []
    for _ in range(3):
        make_drop(phase="live", editions=2)
        costs.append(count_queries(read))

    assert costs == [4, 4, 4]


def test_open_drop_reads_an_ended_drop_but_no_unlisted_one() -> None:
    closed, hidden = make_drop(phase="closed"), make_drop(phase="live", listed=False)

    assert queries.open_drop(slug=closed.slug, now=timezone.now()).phase == "closed"
    with pytest.raises(Drop.DoesNotExist):
        queries.open_drop(slug=hidden.slug, now=timezone.now())
