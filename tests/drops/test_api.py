"""/api/v1/drops/ over HTTP."""

import pytest
from django.test import Client

from tests.factories import make_drop, make_edition, make_variant

pytestmark = pytest.mark.django_db
KEPT = "public, max-age=0, s-maxage=1"


def test_read_a_drop(client):
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
            "lobby_opens": drop.lobby_opens_at.isoformat().replace("+00:00", "Z"),
            "opens": drop.opens_at.isoformat().replace("+00:00", "Z"),
            "sealed": drop.sealed_at.isoformat().replace("+00:00", "Z"),
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


def test_list_what_has_not_ended_soonest_first(client):
    late, soon = make_drop(phase="announced"), make_drop(phase="live")
    make_drop(phase="draft")
    make_drop(phase="closed")
    make_drop(phase="announced", listed=False)

    answer = client.get("/api/v1/drops/")

    assert [drop["slug"] for drop in answer.json()["results"]] == [soon.slug, late.slug]


def test_list_many_drops_in_as_few_queries_as_one(client, django_assert_num_queries):
    make_drop(editions=2)
    with django_assert_num_queries(4):
        client.get("/api/v1/drops/")
    make_drop(editions=3)
    make_drop(editions=1)

    with django_assert_num_queries(4):
        assert len(client.get("/api/v1/drops/").json()["results"]) == 3


@pytest.mark.parametrize("accepts", ["application/json", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_answer_json_whoever_asks_and_let_the_edge_keep_it(accepts):
    drop = make_drop()
    client = Client(headers={"Accept": accepts, "Cookie": "held-x=1"})

    for address in ("/api/v1/drops/", f"/api/v1/drops/{drop.slug}/"):
        answer = client.get(address)

        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
        assert (answer["Cache-Control"], answer["Vary"]) == (KEPT, "Accept-Encoding")
        assert not answer.cookies


@pytest.mark.parametrize("phase", ["draft", "cancelled", None])
def test_answer_404_as_a_problem_for_what_is_not_shown(client, phase):
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


def test_answer_405_as_a_problem(client):
    answer = client.post("/api/v1/drops/")

    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
    assert sorted(answer["Allow"].split(", ")) == ["GET", "OPTIONS"]
    assert answer.json()["title"] == "Method Not Allowed"


def test_answer_406_as_a_problem(client):
    answer = client.get("/api/v1/drops/", headers={"Accept": "text/csv"})

    assert (answer.status_code, answer["Content-Type"]) == (406, "application/problem+json")
    assert answer.json()["detail"] == "This is available as application/json only. Accept that, or */*."


def test_answer_404_as_a_problem_below_an_unknown_address(client):
    answer = client.get("/api/v2/")

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_serve_a_schema_that_names_both_addresses(client):
    answer = client.get("/api/v1/schema/")

    assert answer.status_code == 200
    assert list(answer.json()["paths"]) == ["/api/v1/drops/", "/api/v1/drops/{slug}/"]
    assert answer["Cache-Control"].startswith("public")
