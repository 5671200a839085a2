"""Pages of drops that everybody gets: every phase, what is public about them."""

import gzip
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from drops.models import Checkpoint, Drop, Pause
from tests.factories import make_drop, make_product

pytestmark = pytest.mark.django_db

PHASES = ["announced", "lobby", "opening", "live", "paused", "sold out", "closed", "cancelled"]
KB = 1024


@pytest.mark.parametrize("phase", PHASES)
def test_page_is_public_in_every_phase(client: Client, phase: str) -> None:
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
def test_page_is_cached_no_longer_than_its_phase_may_last(client: Client, phase: str, kept: str) -> None:
    drop = make_drop(phase=phase)

    assert client.get(f"/drops/{drop.slug}/")["Cache-Control"] == kept
    assert client.get(f"/drops/{drop.slug}/check/")["Cache-Control"] == kept


def test_sold_out_page_says_how_fast_and_how_many_missed_out(client: Client) -> None:
    drop = make_drop(phase="sold out", quantity=3)
    Drop.objects.filter(pk=drop.pk).update(sold_out_at=F("opens_at") + timedelta(seconds=221))
    Checkpoint.objects.filter(drop=drop).update(joined=61_204, counter_limit=61_204)

    html = client.get(f"/drops/{drop.slug}/").content.decode()

    assert "3 pieces, sold out in 3 min 41 s." in html
    assert "61,204 people missed out." in html


@pytest.mark.parametrize(
    ("phase", "joins"),
    [
        ("announced", 0),
        ("lobby", 1),
        ("opening", 1),
        ("live", 1),
        ("paused", 1),
        ("sold out", 0),
        ("closed", 0),
    ],
)
def test_page_offers_joining_without_scripts_whenever_the_line_takes_joins(
    client: Client, phase: str, joins: int
) -> None:
    drop = make_drop(phase=phase)

    html = client.get(f"/drops/{drop.slug}/").content.decode()

    without_scripts = re.sub(r"<template.*?</template>", "", html, flags=re.DOTALL)
    assert without_scripts.count(f'action="/line/{drop.slug}/join"') == joins


def test_paused_page_says_since_when(client: Client) -> None:
    drop = make_drop(phase="paused")
    Pause.objects.filter(drop=drop).update(began_at="2026-11-24T17:04:00Z")

    html = client.get(f"/drops/{drop.slug}/").content.decode()

    assert re.search(
        r'Paused at <time datetime="2026-11-24T17:04:00\+00:00" data-when="time" data-zone="Europe/Berlin" '
        r'data-offset="60" data-time="18:04 CET">18:04 CET</time>',
        html,
    )


def test_draft_is_not_found(client: Client) -> None:
    drop = make_drop(phase="draft")

    assert client.get(f"/drops/{drop.slug}/").status_code == 404
    assert client.get(f"/drops/{drop.slug}/check/").status_code == 404


def test_front_page_is_the_drop_of_the_moment(client: Client) -> None:
    make_drop(phase="closed")
    drop = make_drop(phase="live")

    response = client.get("/")

    assert f'data-slug="{drop.slug}"' in response.content.decode()
    assert response["Cache-Control"] == "public, max-age=0, s-maxage=1"


def test_front_page_without_a_drop_says_so(client: Client) -> None:
    response = client.get("/")

    assert "No drop is announced yet." in response.content.decode()
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


def test_asks_as_few_questions_for_many_editions_as_for_one(
    client: Client, django_assert_max_num_queries: Any
) -> None:
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
    assert "0 of 3 sold in 4 min 12 s" in html
    assert "Not yet" not in html


def test_archive_says_so_when_it_is_empty(client: Client) -> None:
    assert "No drop has ended yet." in client.get("/archive/").content.decode()


@pytest.mark.parametrize("page", ["0", "2", "99999999999999999999"])
def test_archive_has_no_such_page(client: Client, page: str) -> None:
    assert client.get(f"/archive/{page}/").status_code == 404


@pytest.mark.parametrize("url", ["/", "/how/", "/archive/", "/drops/x/", "/drops/x/pick/", "/drops/x/mine/"])
def test_pages_take_no_posts(client: Client, url: str) -> None:
    page = client.post(url)
    problem = client.post(url, headers={"accept": "application/json"})

    assert (page.status_code, problem.status_code) == (405, 405)
    assert (page["Allow"], problem["Allow"]) == ("GET, HEAD", "GET, HEAD")
    assert "That doesn't work here." in unescape(page.content.decode())
    assert problem.json()["detail"] == "That doesn't work here. This address only accepts GET, HEAD."


def test_reload_of_a_hold_leads_to_the_choices(client: Client) -> None:
    answer = client.get("/drops/x/hold/")

    assert (answer.status_code, answer["Location"]) == (302, "/drops/x/pick/")
