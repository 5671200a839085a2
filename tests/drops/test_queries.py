"""Reads of pages and API: what they find, in which order, at which cost."""

from datetime import timedelta
from hashlib import sha256

import pytest
from django.core.paginator import InvalidPage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drops import queries
from drops.models import Drop
from drops.waitingroom.protocol import places
from tests.factories import make_drop, make_edition, make_hold

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def count_queries(read):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        found = read()
    return found, len(captured)


def walk(page):
    """Touch all that a template shows."""
    renditions = [list(picture.renditions.all()) for picture in page.pictures]
    names = [(row.name, row.edition.variant.sku, row.edition.drop.currency, row.band) for row in page.editions]
    return page.product.name, page.phase, page.proof, page.quantity, page.sold, page.sold_out_after, names, renditions


def test_page_has_editions_with_counts_and_bands():
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


def test_page_costs_the_same_for_one_row_and_for_three():
    small = make_drop(phase="live", editions=1, pictures=1)
    large = make_drop(phase="live", editions=3, pictures=3)

    def read(drop):
        return lambda: walk(queries.page(slug=drop.slug, now=timezone.now()))

    assert count_queries(read(small))[1] == count_queries(read(large))[1] == 6


def test_page_of_a_draft_does_not_exist():
    drop = make_drop(phase="draft")

    with pytest.raises(Drop.DoesNotExist):
        queries.page(slug=drop.slug, now=timezone.now())


def test_page_of_a_cancelled_drop_says_so():
    assert queries.page(slug=make_drop(phase="cancelled").slug, now=timezone.now()).phase == "cancelled"


def test_secret_stays_secret_until_the_seal():
    drop = make_drop(phase="opening")

    check = queries.draw_proof(drop=drop)

    assert (check.n, check.secret, check.seed) == (None, None, None)
    assert check.commitment == drop.commitment


def test_secret_and_seed_follow_from_the_seal():
    drop = make_drop(phase="live", sealed=7)

    check = queries.draw_proof(drop=drop)

    assert sha256(check.secret).digest() == check.commitment
    assert (check.n, check.seed) == (7, places.seed(drop.pk, check.secret, 7))


def test_front_shows_what_runs_before_what_comes_before_what_was():
    make_drop(phase="draft")
    assert queries.front_page(now=timezone.now()) is None
    order = ["closed", "announced", "lobby", "opening", "paused", "live"]
    for phase in order:
        drop = make_drop(phase=phase)
        make_drop(phase="live", listed=False)
        page = queries.front_page(now=timezone.now())
        assert (page.drop.pk, page.phase) == (drop.pk, phase)


def test_front_shows_the_nearest_of_the_announced_and_the_newest_of_the_ended():
    now = timezone.now()
    make_drop(phase="closed", opens_at=now - 90 * MINUTE, lobby_opens_at=now - 99 * MINUTE)
    newest = make_drop(phase="sold out", opens_at=now - 10 * MINUTE, lobby_opens_at=now - 11 * MINUTE)
    make_drop(phase="cancelled", opens_at=now - MINUTE, lobby_opens_at=now - 2 * MINUTE)
    assert queries.front_page(now=now).drop == newest

    make_drop(opens_at=now + 90 * MINUTE)
    near = make_drop(opens_at=now + 70 * MINUTE)
    assert queries.front_page(now=now).drop == near


def test_front_leaves_a_drop_that_sold_out_a_moment_ago():
    now = timezone.now()
    drop = make_drop(phase="sold out", sold_out_at=None)
    Drop.objects.filter(pk=drop.pk).update(sold_out_at=None)
    coming = make_drop()

    assert queries.front_page(now=now).drop == coming


def test_front_costs_the_same_for_one_drop_and_for_three():
    costs = []
    for _ in range(3):
        make_drop(phase="live", editions=2, pictures=2)
        costs.append(count_queries(lambda: walk(queries.front_page(now=timezone.now())))[1])

    assert costs == [6, 6, 6]


def ended(count, **fields):
    now = timezone.now()
    return [
        make_drop(phase="closed", opens_at=now - (n + 1) * MINUTE, lobby_opens_at=now - 99 * MINUTE, **fields)
        for n in range(count)
    ]


def test_archive_has_what_ended_newest_first():
    first, second = ended(2)
    make_drop(phase="live")
    make_drop(phase="cancelled")
    make_drop(phase="closed", listed=False)

    archive = queries.archive(page=1, now=timezone.now())

    assert [row.drop for row in archive.drops] == [first, second]
    assert (archive.number, archive.pages) == (1, 1)


def test_archive_tells_what_was_sold_and_how_fast():
    drop = make_drop(phase="live", quantity=2, editions=2)
    for index, edition in enumerate(drop.editions.all()):
        make_hold(drop=drop, index=index, quantities={edition.pk: 2}, state="allocated")
    Drop.objects.update(sold_out_at=drop.opens_at + 4 * MINUTE)

    (row,) = queries.archive(page=1, now=timezone.now()).drops

    assert (row.phase, row.sold, row.quantity, row.sold_out_after) == ("sold out", 4, 4, 4 * MINUTE)


def test_archive_has_twenty_drops_a_page():
    ended(21, quantity=1)

    pages = [queries.archive(page=number, now=timezone.now()) for number in (1, 2)]

    assert [len(page.drops) for page in pages] == [20, 1]
    assert [page.pages for page in pages] == [2, 2]
    with pytest.raises(InvalidPage):
        queries.archive(page=3, now=timezone.now())


def test_archive_costs_the_same_for_one_drop_and_for_three():
    def read():
        return [list(row.drop.product.pictures.all()) for row in queries.archive(page=1, now=timezone.now()).drops]

    costs = []
    for _ in range(3):
        ended(1, pictures=2)
        costs.append(count_queries(read)[1])

    assert costs == [8, 8, 8]


def test_api_lists_what_has_not_ended_soonest_first():
    later, live, sooner = (
        make_drop(opens_at=timezone.now() + 99 * MINUTE),
        make_drop(phase="live"),
        make_drop(phase="lobby"),
    )
    make_drop(phase="closed")
    make_drop(phase="live", listed=False)

    assert [page.drop for page in queries.open_drops(now=timezone.now())] == [live, sooner, later]


def test_api_costs_the_same_for_one_drop_and_for_three():
    def read():
        return [[row.name for row in page.editions] for page in queries.open_drops(now=timezone.now())]

    costs = []
    for _ in range(3):
        make_drop(phase="live", editions=2)
        costs.append(count_queries(read)[1])

    assert costs == [4, 4, 4]


def test_api_shows_an_ended_drop_but_none_unlisted():
    closed, hidden = make_drop(phase="closed"), make_drop(phase="live", listed=False)

    assert queries.open_drop(slug=closed.slug, now=timezone.now()).phase == "closed"
    with pytest.raises(Drop.DoesNotExist):
        queries.open_drop(slug=hidden.slug, now=timezone.now())
