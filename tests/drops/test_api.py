"""/api/v1/drops/ over HTTP."""

from datetime import datetime

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.factories import make_drop, make_edition, make_variant

pytestmark = pytest.mark.django_db
KEPT = "public, max-age=0, s-maxage=1"


def in_utc(moment: datetime | None) -> str:
    assert moment is not None
    return moment.isoformat().replace("+00:00", "Z")


def test_drop_is_read_with_its_times_and_editions(client: Client) -> None:
    drop = make_drop(phase="live", editions=0, title="0 kg")
    variant = make_variant(product=drop.product, sku="ZERO-M", options={"size": "M"})
    make_edition(drop=drop, variant=variant, quantity=200, price=12000)

    answer = client.get(f"/api/v1/drops/{drop.slug}/")

    assert answer.status_code == 200
    assert answer.json() == {
        "slug": drop.slug,
        "name": "0 kg",
        "phase": "live",
        "times": {
            "lobby_opens": in_utc(drop.lobby_opens_at),
            "opens": in_utc(drop.opens_at),
            "sealed": in_utc(drop.sealed_at),
            "sold_out": None,
            "closes": None,
            "closed": None,
        },
        "editions": [
            {
                "sku": "ZERO-M",
                "name": "M",
                "quantity": 200,
                "limit_per_order": 2,
                "price": {"amount": 12000, "currency": "EUR", "decimal": "120.00"},
                "band": "in",
            }
        ],
    }


def test_list_has_drops_that_have_not_ended_soonest_first(client: Client) -> None:
    late, soon = make_drop(phase="announced"), make_drop(phase="live")
    make_drop(phase="draft")
    make_drop(phase="closed")
    make_drop(phase="announced", listed=False)

    answer = client.get("/api/v1/drops/")

    assert [drop["slug"] for drop in answer.json()["results"]] == [soon.slug, late.slug]


def test_list_takes_as_many_queries_for_three_drops_as_for_one(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_drop(editions=2)
    with django_assert_num_queries(4):
        client.get("/api/v1/drops/")
    make_drop(editions=3)
    make_drop(editions=1)

    with django_assert_num_queries(4):
        assert len(client.get("/api/v1/drops/").json()["results"]) == 3


@pytest.mark.parametrize("accepts", ["application/json", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_answer_is_json_for_every_client_and_cached_by_the_edge(accepts: str) -> None:
    drop = make_drop()
    client = Client(headers={"Accept": accepts, "Cookie": "held-x=1"})

    for address in ("/api/v1/drops/", f"/api/v1/drops/{drop.slug}/"):
        answer = client.get(address)

        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
        assert (answer["Cache-Control"], answer["Vary"]) == (KEPT, "Accept-Encoding")
        assert not answer.cookies


@pytest.mark.parametrize("phase", ["draft", "cancelled", None])
def test_drop_that_is_not_shown_is_a_404_problem(client: Client, phase: str) -> None:
    slug = make_drop(phase=phase).slug if phase else "nothing"

    answer = client.get(f"/api/v1/drops/{slug}/")

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "We can't find that page. Check the address, or go to the next drop.",
    }


def test_wrong_method_is_a_405_problem(client: Client) -> None:
    answer = client.post("/api/v1/drops/")

    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
    assert sorted(answer["Allow"].split(", ")) == ["GET", "OPTIONS"]
    assert answer.json()["title"] == "Method Not Allowed"


def test_unacceptable_format_is_a_406_problem(client: Client) -> None:
    answer = client.get("/api/v1/drops/", headers={"Accept": "text/csv"})

    assert (answer.status_code, answer["Content-Type"]) == (406, "application/problem+json")
    assert answer.json()["detail"] == "This is available as application/json only. Accept that, or */*."


def test_unknown_address_is_a_404_problem(client: Client) -> None:
    answer = client.get("/api/v2/")

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_schema_names_both_addresses(client: Client) -> None:
    answer = client.get("/api/v1/schema/")

    assert answer.status_code == 200
    assert list(answer.json()["paths"]) == ["/api/v1/drops/", "/api/v1/drops/{slug}/"]
    assert answer["Cache-Control"].startswith("public")
