"""Pages of drops: every phase, what is public about them, picking and holding, refusals."""

import gzip
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from drops import passes
from drops.line import tickets
from drops.models import Checkpoint, Drop, Hold, Pause
from tests.factories import make_drop, make_edition, make_hold, make_pass, make_product, make_variant

pytestmark = pytest.mark.django_db

PHASES = ["announced", "lobby", "opening", "live", "paused", "sold out", "closed", "cancelled"]
KB = 1024
ORIGIN = settings.SHOP_ORIGIN


@pytest.fixture
def client() -> Client:
    """A browser of the shop: its forms come from the shop's own pages."""
    return Client(headers={"host": ORIGIN.split("//")[1], "origin": ORIGIN, "sec-fetch-site": "same-origin"})


def let_in(client: Client, drop: Drop, **fields: Any) -> tickets.Pass:
    """Give the client a pass, as the gate does."""
    admit = make_pass(drop=drop, **fields)
    client.cookies[f"pass-{drop.slug}"] = tickets.sign_pass(admit, drop.slug, passes.ring("pass"))
    return admit


def choose(client: Client, drop: Drop, **fields: Any) -> Any:
    """Press Hold."""
    return client.post(reverse("hold", args=[drop.slug]), fields)


@pytest.mark.parametrize("phase", PHASES)
def test_shows_every_phase_to_everybody(client: Client, phase: str) -> None:
    drop = make_drop(phase=phase, pictures=3)
    client.cookies["ticket-x"] = "whatever a visitor carries"

    response = client.get(f"/drops/{drop.slug}/", headers={"accept-encoding": "gzip"})

    html = gzip.decompress(response.content).decode()
    assert response.status_code == 200
    assert f'data-phase="{phase}"' in html
    assert not response.cookies
    assert response["Vary"] == "Accept-Encoding"
    assert "csrf" not in html
    assert len(response.content) <= 20 * KB


@pytest.mark.parametrize(
    ("phase", "kept"),
    [(phase, "public, max-age=0, s-maxage=1") for phase in PHASES[:6]]
    + [(phase, "public, max-age=0, s-maxage=10") for phase in PHASES[6:]],
)
def test_keeps_a_page_no_longer_than_its_phase_may_last(client: Client, phase: str, kept: str) -> None:
    drop = make_drop(phase=phase)

    assert client.get(f"/drops/{drop.slug}/")["Cache-Control"] == kept
    assert client.get(f"/drops/{drop.slug}/check/")["Cache-Control"] == kept


def test_says_what_went_in_how_long_and_who_missed_it(client: Client) -> None:
    drop = make_drop(phase="sold out", quantity=3)
    Drop.objects.filter(pk=drop.pk).update(sold_out_at=F("opens_at") + timedelta(seconds=221))
    Checkpoint.objects.filter(drop=drop).update(joined=61_204, counter_limit=61_204)

    html = client.get(f"/drops/{drop.slug}/").content.decode()

    assert "3 in 3 min 41 s." in html
    assert "61,204 people did not get one." in html


def test_says_since_when_a_drop_is_paused(client: Client) -> None:
    drop = make_drop(phase="paused")
    Pause.objects.filter(drop=drop).update(began_at="2026-11-24T17:04:00Z")

    html = client.get(f"/drops/{drop.slug}/").content.decode()

    assert re.search(r'Paused at <time datetime="2026-11-24T17:04:00\+00:00" data-when="time">18:04 CET</time>', html)


def test_hides_a_draft(client: Client) -> None:
    drop = make_drop(phase="draft")

    assert client.get(f"/drops/{drop.slug}/").status_code == 404
    assert client.get(f"/drops/{drop.slug}/check/").status_code == 404


def test_front_page_is_the_drop_of_the_moment(client: Client) -> None:
    make_drop(phase="closed")
    drop = make_drop(phase="live")

    response = client.get("/")

    assert f'data-slug="{drop.slug}"' in response.content.decode()
    assert response["Cache-Control"] == "public, max-age=0, s-maxage=1"


def test_front_page_says_so_where_there_is_nothing(client: Client) -> None:
    response = client.get("/")

    assert "Nothing is announced." in response.content.decode()
    assert not response.cookies


@pytest.mark.parametrize("url", ["/", "/how/", "/archive/", "/drops/{slug}/", "/drops/{slug}/check/"])
def test_public_pages_have_nothing_inline_but_the_look(client: Client, url: str) -> None:
    drop = make_drop(phase="live", pictures=1)

    response = client.get(url.format(slug=drop.slug))

    html = response.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"\son\w+=|\sstyle=", html)
    assert "unsafe-" not in response["Content-Security-Policy"]
    assert not response.cookies
    assert response["Vary"] == "Accept-Encoding"


def test_dresses_the_page_in_the_products_colours_by_a_hash(client: Client) -> None:
    product = make_product(ground="#bcddf4", ink="#0e1a22", signal="#0b3bd6", face="archivo-black")
    drop = make_drop(phase="live", product=product)

    response = client.get(f"/drops/{drop.slug}/")

    style = re.search(r"<style>(.*?)</style>", response.content.decode())
    assert style
    assert style[1].startswith(':root{--ground:#bcddf4;--ink:#0e1a22;--signal:#0b3bd6;--face:"Archivo Black"')
    assert "'sha256-" in response["Content-Security-Policy"]


def test_asks_as_few_questions_for_many_editions_as_for_one(client: Client, django_assert_max_num_queries: Any) -> None:
    drop = make_drop(phase="live", editions=5, pictures=3)

    with django_assert_max_num_queries(7):
        client.get(f"/drops/{drop.slug}/")


def test_publishes_the_secret_only_after_the_seal(client: Client) -> None:
    before, after = make_drop(phase="lobby"), make_drop(phase="live")

    early = client.get(f"/drops/{before.slug}/check/").content.decode()
    late = client.get(f"/drops/{after.slug}/check/").content.decode()

    assert 'data-secret=""' in early
    assert re.search(r'data-secret="[0-9a-f]{64}"', late)


def test_archive_lists_what_has_ended(client: Client) -> None:
    drop = make_drop(phase="sold out", pictures=1, number=7)
    Drop.objects.filter(pk=drop.pk).update(sold_out_at=F("opens_at") + timedelta(seconds=252))
    make_drop(phase="live", title="Not yet")

    html = client.get("/archive/").content.decode()

    assert f"No. 7 · {drop.title}" in html
    assert "0 of 3 gone in 4 min 12 s" in html
    assert "Not yet" not in html


def test_archive_says_so_when_it_is_empty(client: Client) -> None:
    assert "Nothing has sold out yet." in client.get("/archive/").content.decode()


@pytest.mark.parametrize("page", ["0", "2", "99999999999999999999"])
def test_archive_has_no_such_page(client: Client, page: str) -> None:
    assert client.get(f"/archive/{page}/").status_code == 404


def test_pick_page_offers_what_is_there(client: Client) -> None:
    product = make_product()
    drop = make_drop(phase="live", product=product, editions=0, limit_per_order=1)
    gold = make_variant(product=product, axes={"finish": "Gold"}, swatch="#d8b04c")
    edition = make_edition(drop=drop, variant=gold)
    let_in(client, drop)

    response = client.get(f"/drops/{drop.slug}/pick/")

    html = response.content.decode()
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert f'<input type="radio" name="edition" value="{edition.pk}" required checked>' in html
    assert f"swatch-{gold.pk}{{--swatch:#d8b04c}}" in html
    assert "csrfmiddlewaretoken" in html


def test_pick_page_asks_for_numbers_where_several_may_be_held(client: Client) -> None:
    drop = make_drop(phase="live", limit_per_order=2)
    let_in(client, drop)

    html = client.get(f"/drops/{drop.slug}/pick/").content.decode()

    assert 'min="0" max="2"' in html


def test_pick_page_leads_back_when_nothing_is_open(client: Client) -> None:
    drop = make_drop(phase="lobby")
    let_in(client, drop)

    response = client.get(f"/drops/{drop.slug}/pick/")

    assert (response.status_code, response["Location"]) == (302, f"/drops/{drop.slug}/")


def test_pick_page_leads_on_to_what_is_held(client: Client) -> None:
    drop = make_drop(phase="live")
    let_in(client, drop)
    held = choose(client, drop, **{f"quantity-{drop.editions.get().pk}": "1"})

    response = client.get(f"/drops/{drop.slug}/pick/")

    assert response["Location"] == held["Location"]


def test_holds_what_was_chosen(client: Client) -> None:
    drop = make_drop(phase="live", limit_per_order=1)
    let_in(client, drop, index=5)

    response = choose(client, drop, edition=drop.editions.get().pk)

    hold = Hold.objects.get()
    assert (response.status_code, response["Location"]) == (
        303,
        reverse("checkout", args=[passes.hold_token(hold.uuid)]),
    )
    assert hold.index == 5
    assert response.cookies[f"hold-{drop.slug}"]["httponly"] is True
    assert response.cookies[f"held-{drop.slug}"].value == "1"
    assert not response.cookies[f"held-{drop.slug}"]["httponly"]
    assert response["Cache-Control"] == "no-store"


def test_holding_twice_leads_to_the_same_hold(client: Client) -> None:
    drop = make_drop(phase="live", limit_per_order=1)
    let_in(client, drop)
    first = choose(client, drop, edition=drop.editions.get().pk)

    assert choose(client, drop, edition=drop.editions.get().pk)["Location"] == first["Location"]
    assert Hold.objects.count() == 1


@pytest.mark.parametrize("text", ["0", "", "-1", "3", "1.5", "two", "٣", "99999999999999999999999", "1e3", " "])
def test_refuses_quantities_that_are_none(client: Client, text: str) -> None:
    drop = make_drop(phase="live", limit_per_order=2)
    let_in(client, drop)

    response = choose(client, drop, **{f"quantity-{drop.editions.get().pk}": text})

    assert response.status_code == 422
    assert "Nothing was charged." in response.content.decode()
    assert Hold.objects.count() == 0


@pytest.mark.parametrize("edition", ["0", "-1", "x", "999999999", "9" * 40, "١"])
def test_refuses_editions_that_are_not_the_drops(client: Client, edition: str) -> None:
    drop = make_drop(phase="live")
    let_in(client, drop)

    assert choose(client, drop, edition=edition).status_code == 422


def test_refuses_an_edition_of_another_drop(client: Client) -> None:
    drop, other = make_drop(phase="live"), make_drop(phase="live")
    let_in(client, drop)

    assert choose(client, drop, edition=other.editions.get().pk).status_code == 422


def test_refuses_without_a_pass(client: Client) -> None:
    drop = make_drop(phase="live")

    for response in (client.get(f"/drops/{drop.slug}/pick/"), choose(client, drop, edition=drop.editions.get().pk)):
        assert response.status_code == 403
        assert response["Cache-Control"] == "no-store"
        assert "It is not your turn in this browser." in response.content.decode()


def test_refuses_a_forged_or_foreign_pass(client: Client) -> None:
    drop, other = make_drop(phase="live"), make_drop(phase="live")
    foreign = tickets.sign_pass(make_pass(drop=other), other.slug, passes.ring("pass"))

    for value in (foreign, "1.k1.AAAA.AAAA", "x"):
        client.cookies[f"pass-{drop.slug}"] = value
        assert choose(client, drop, edition=drop.editions.get().pk).status_code == 403


def test_refuses_a_pass_that_ended(client: Client) -> None:
    drop = make_drop(phase="live")
    let_in(client, drop, entered=int(timezone.now().timestamp()) - 121)

    response = choose(client, drop, edition=drop.editions.get().pk)

    assert response.status_code == 410
    assert "your place is kept" in response.content.decode()


def test_offers_the_smaller_number_that_is_free(client: Client) -> None:
    drop = make_drop(phase="live", quantity=3, limit_per_order=2)
    edition = drop.editions.get()
    make_hold(drop=drop, index=1, wanted={edition.pk: 2})
    let_in(client, drop, index=2)

    response = choose(client, drop, **{f"quantity-{edition.pk}": "2"})

    html = response.content.decode()
    assert response.status_code == 409
    assert "Only 1 is free." in html
    assert f'<input type="hidden" name="quantity-{edition.pk}" value="1">' in html
    assert "csrfmiddlewaretoken" in html


def test_says_how_many_are_deciding_when_none_is_free(client: Client) -> None:
    drop = make_drop(phase="live", quantity=1, limit_per_order=1)
    make_hold(drop=drop, index=1)
    let_in(client, drop, index=2)

    response = choose(client, drop, edition=drop.editions.get().pk)

    assert response.status_code == 409
    assert "1 is held by somebody who is deciding." in response.content.decode()


def test_says_gone_when_all_is_sold(client: Client) -> None:
    drop = make_drop(phase="live", quantity=1, limit_per_order=1)
    make_hold(drop=drop, index=1, state=Hold.State.ALLOCATED)
    let_in(client, drop, index=2)

    assert choose(client, drop, edition=drop.editions.get().pk).status_code == 410


def test_refuses_holds_in_a_pause(client: Client) -> None:
    drop = make_drop(phase="paused", limit_per_order=1)
    let_in(client, drop)

    assert choose(client, drop, edition=drop.editions.get().pk).status_code == 409


def test_refuses_a_form_without_its_token() -> None:
    drop = make_drop(phase="live")
    client = Client(enforce_csrf_checks=True, headers={"host": ORIGIN.split("//")[1], "origin": ORIGIN})
    let_in(client, drop)

    assert choose(client, drop, edition=drop.editions.get().pk).status_code == 403
    assert Hold.objects.count() == 0


def test_refuses_a_form_of_another_site(client: Client) -> None:
    drop = make_drop(phase="live")
    let_in(client, drop)

    response = client.post(
        reverse("hold", args=[drop.slug]),
        {},
        headers={"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    )

    assert response.status_code == 403


def test_tells_a_browser_what_it_holds(client: Client) -> None:
    drop = make_drop(phase="live", limit_per_order=1)
    let_in(client, drop)
    placed = choose(client, drop, edition=drop.editions.get().pk)
    hold = Hold.objects.get()

    response = client.get(f"/drops/{drop.slug}/mine/")

    number = hold.units.get().number
    assert json.loads(response.content) == {
        "url": placed["Location"],
        "text": f"You hold No. {number}",
        "ends": hold.expires_at.timestamp(),
    }
    assert response["Cache-Control"] == "no-store"


def test_tells_a_browser_what_it_bought(client: Client) -> None:
    drop = make_drop(phase="sold out", quantity=1)
    hold = make_hold(drop=make_drop(phase="live", quantity=1), state=Hold.State.ALLOCATED)
    drop = hold.drop
    client.cookies[f"hold-{drop.slug}"] = passes.hold_token(hold.uuid)

    said = json.loads(client.get(f"/drops/{drop.slug}/mine/").content)

    assert said["text"] == "Yours: No. 1"
    assert said["ends"] is None


@pytest.mark.parametrize("token", ["", "x", "1.k1.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA"])
def test_tells_who_holds_nothing_so_and_takes_the_hint_away(client: Client, token: str) -> None:
    drop = make_drop(phase="live")
    client.cookies[f"hold-{drop.slug}"] = token

    response = client.get(f"/drops/{drop.slug}/mine/")

    assert response.status_code == 404
    assert response.cookies[f"held-{drop.slug}"]["max-age"] == 0


def test_a_hold_that_lapsed_is_nobodys(client: Client) -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, expires_at=timezone.now() - timedelta(seconds=1))
    client.cookies[f"hold-{drop.slug}"] = passes.hold_token(hold.uuid)

    assert client.get(f"/drops/{drop.slug}/mine/").status_code == 404


def test_in_a_pause_no_hold_lapses(client: Client) -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, expires_at=timezone.now() - timedelta(seconds=1))
    Pause.objects.create(drop=drop, began_at=timezone.now())
    client.cookies[f"hold-{drop.slug}"] = passes.hold_token(hold.uuid)

    assert client.get(f"/drops/{drop.slug}/mine/").status_code == 200


def test_a_hold_of_another_drop_is_not_this_ones(client: Client) -> None:
    drop, other = make_drop(phase="live"), make_drop(phase="live")
    client.cookies[f"hold-{drop.slug}"] = passes.hold_token(make_hold(drop=other).uuid)

    assert client.get(f"/drops/{drop.slug}/mine/").status_code == 404


@pytest.mark.parametrize("url", ["/", "/how/", "/archive/", "/drops/x/", "/drops/x/pick/", "/drops/x/mine/"])
def test_pages_take_no_posts(client: Client, url: str) -> None:
    assert client.post(url).status_code == 405


def test_holding_takes_no_get(client: Client) -> None:
    assert client.get("/drops/x/hold/").status_code == 405
