"""Several drops at once: the front page leads to all of them, in the order in which they open."""

import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drops.models import Drop
from tests.factories import make_drop

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def front(client: Client) -> str:
    return client.get("/").content.decode()


def cards(html: str) -> list[str]:
    """Return the slugs of the cards below the front page's own drop."""
    return re.findall(r'<h3><a href="/drops/([^/"]+)/">', html)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_front_page_leads_to_every_announced_drop_in_the_order_in_which_they_open(
    client: Client, count: int
) -> None:
    now = timezone.now()
    drops = [make_drop(opens_at=now + (count - n) * 3 * HOUR, pictures=1) for n in range(count)]
    first, *others = [drop.slug for drop in reversed(drops)]

    html = front(client)

    assert f'data-slug="{first}"' in html
    assert cards(html) == others
    assert ('href="#others"' in html, 'id="others"' in html) == (True, True)


@pytest.mark.parametrize("phase", ["announced", "lobby", "opening", "paused"])
def test_front_page_says_what_can_be_done_in_every_other_drop(client: Client, phase: str) -> None:
    make_drop(phase="live")
    other = make_drop(phase=phase)
    texts = {
        "announced": "Opens <time",
        "lobby": "The line is open. The drop opens <time",
        "opening": "Places are being drawn.",
        "paused": "Paused.",
    }

    html = front(client)

    assert cards(html) == [other.slug]
    assert texts[phase] in html.partition('id="others"')[2]


def test_front_page_with_one_drop_is_its_page_and_nothing_more(client: Client) -> None:
    drop = make_drop(phase="live")
    for phase in ("draft", "closed", "sold out", "cancelled"):
        make_drop(phase=phase)
    make_drop(phase="live", listed=False)

    own = client.get(f"/drops/{drop.slug}/").content.decode()
    head, main = re.compile("(?s)<head>.*</head>"), front(client)
    assert head.sub("", main) == head.sub("", own)
    assert cards(front(client)) == []


def test_page_of_a_drop_shows_no_others(client: Client) -> None:
    drops = [make_drop(), make_drop()]

    assert all("others" not in client.get(f"/drops/{drop.slug}/").content.decode() for drop in drops)


def test_front_page_after_the_last_drop_shows_no_others(client: Client) -> None:
    make_drop(phase="closed")
    make_drop(phase="sold out")

    assert "others" not in front(client)


def test_front_page_takes_as_many_queries_for_five_drops_as_for_two(client: Client) -> None:
    costs: list[int] = []
    make_drop(phase="live", pictures=1)
    for number in range(5):
        make_drop(editions=2, pictures=2)
        with CaptureQueriesContext(connection) as captured:
            html = front(client)
        assert len(cards(html)) == number + 1
        costs.append(len(captured))

    assert len(set(costs)) == 1


def test_front_page_leads_to_the_next_drop_once_the_first_is_over(client: Client) -> None:
    first, second = make_drop(phase="live"), make_drop()
    assert cards(front(client)) == [second.slug]

    Drop.objects.filter(pk=first.pk).update(closed_at=timezone.now())

    assert f'data-slug="{second.slug}"' in front(client)


def sitemap(client: Client) -> list[Any]:
    answer = client.get("/sitemap.xml")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/xml")
    return [found.text for found in ElementTree.fromstring(answer.content).iter(f"{SITEMAP}loc")]


def test_sitemap_lists_every_public_page(client: Client, settings: Any) -> None:
    shown = [make_drop(phase=phase) for phase in ("announced", "live", "sold out", "closed")]
    hidden = [make_drop(phase="draft"), make_drop(phase="live", listed=False)]

    addresses = sitemap(client)

    origin = settings.SHOP_ORIGIN
    assert addresses[:3] == [f"{origin}/", f"{origin}/archive/", f"{origin}/how/"]
    assert {f"{origin}/drops/{drop.slug}/" for drop in shown} == set(addresses[3:])
    assert not any(drop.slug in address for drop in hidden for address in addresses)
    for address in addresses:
        assert client.get(address.removeprefix(origin)).status_code == 200


def test_robots_names_the_sitemap_and_keeps_out_of_what_is_personal(client: Client, settings: Any) -> None:
    answer = client.get("/robots.txt")

    lines = answer.content.decode().splitlines()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain")
    assert lines[0] == "User-agent: *"
    assert {"Disallow: /admin/", "Disallow: /holds/", "Disallow: /orders/", "Disallow: /line/"} <= set(lines)
    assert f"Sitemap: {settings.SHOP_ORIGIN}/sitemap.xml" in lines
