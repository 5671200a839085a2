"""Choosing and holding, and every refusal."""

from html import unescape

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from drops import tokens
from drops.models import Hold
from drops.waitingroom.protocol import tickets
from tests.drops.views.shopping import choose, let_in
from tests.factories import make_drop, make_edition, make_hold, make_pass, make_product, make_variant

pytestmark = pytest.mark.django_db

ORIGIN = settings.SHOP_ORIGIN


def test_pick_page_offers_the_editions(client: Client) -> None:
    product = make_product()
    drop = make_drop(phase="live", product=product, editions=0, limit_per_order=1)
    gold = make_variant(product=product, options={"finish": "Gold"}, swatch="#d8b04c")
    edition = make_edition(drop=drop, variant=gold)
    let_in(client, drop)

    response = client.get(f"/drops/{drop.slug}/pick/")

    html = response.content.decode()
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert f'<input type="radio" name="edition" value="{edition.pk}" required checked>' in html
    assert f"swatch-{gold.pk}{{--swatch:#d8b04c}}" in html
    assert "csrfmiddlewaretoken" in html


def test_pick_page_asks_for_numbers_if_an_order_may_have_several(client: Client) -> None:
    drop = make_drop(phase="live", limit_per_order=2)
    let_in(client, drop)

    html = client.get(f"/drops/{drop.slug}/pick/").content.decode()

    assert 'min="0" max="2"' in html


def test_pick_page_redirects_to_the_drop_before_it_is_live(client: Client) -> None:
    drop = make_drop(phase="lobby")
    let_in(client, drop)

    response = client.get(f"/drops/{drop.slug}/pick/")

    assert (response.status_code, response["Location"]) == (302, f"/drops/{drop.slug}/")


def test_pick_page_redirects_to_the_existing_hold(client: Client) -> None:
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
        reverse("checkout", args=[tokens.hold_token(hold.uuid)]),
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


def test_choosing_again_on_an_old_page_changes_the_hold(client: Client) -> None:
    drop = make_drop(phase="live", editions=3, limit_per_order=1)
    small, medium, large = drop.editions.order_by("pk").values_list("pk", flat=True)
    let_in(client, drop)
    choose(client, drop, edition=small)
    ends = Hold.objects.get().expires_at

    for edition in (medium, large, medium):
        answer = client.post(f"/drops/{drop.slug}/hold/", {"edition": edition}, follow=True)
        hold = Hold.objects.get()
        assert answer.redirect_chain == [
            (reverse("change-hold", args=[tokens.hold_token(hold.uuid)]), 307),
            (reverse("checkout", args=[tokens.hold_token(hold.uuid)]), 303),
        ]
        assert (hold.expires_at, hold.units.get().edition_id) == (ends, edition)


@pytest.mark.parametrize(
    "text", ["0", "", "-1", "3", "1.5", "two", "٣", "99999999999999999999999", "1e3", " "]
)
def test_refuses_invalid_quantities(client: Client, text: str) -> None:
    drop = make_drop(phase="live", limit_per_order=2)
    let_in(client, drop)

    response = choose(client, drop, **{f"quantity-{drop.editions.get().pk}": text})

    assert response.status_code == 422
    assert "You haven't been charged." in unescape(response.content.decode())
    assert Hold.objects.count() == 0


@pytest.mark.parametrize("edition", ["0", "-1", "x", "999999999", "9" * 40, "١"])
def test_refuses_invalid_editions(client: Client, edition: str) -> None:
    drop = make_drop(phase="live")
    let_in(client, drop)

    assert choose(client, drop, edition=edition).status_code == 422


def test_refuses_an_edition_of_another_drop(client: Client) -> None:
    drop, other = make_drop(phase="live"), make_drop(phase="live")
    let_in(client, drop)

    assert choose(client, drop, edition=other.editions.get().pk).status_code == 422


def test_refuses_without_a_pass(client: Client) -> None:
    drop = make_drop(phase="live")

    for response in (
        client.get(f"/drops/{drop.slug}/pick/"),
        choose(client, drop, edition=drop.editions.get().pk),
    ):
        assert response.status_code == 403
        assert response["Cache-Control"] == "no-store"
        assert "You need to enter the drop first." in response.content.decode()


def test_refuses_a_forged_or_foreign_pass(client: Client) -> None:
    drop, other = make_drop(phase="live"), make_drop(phase="live")
    foreign = tickets.sign_pass(make_pass(drop=other), other.slug, tokens.keyring("pass"))

    for value in (foreign, "1.k1.AAAA.AAAA", "x"):
        client.cookies[f"pass-{drop.slug}"] = value
        assert choose(client, drop, edition=drop.editions.get().pk).status_code == 403


def test_refuses_an_expired_pass(client: Client) -> None:
    drop = make_drop(phase="live")
    let_in(client, drop, entered=int(timezone.now().timestamp()) - 121)

    response = choose(client, drop, edition=drop.editions.get().pk)

    assert response.status_code == 410
    assert "Your place is kept." in response.content.decode()


def test_offers_the_smaller_quantity_that_is_free(client: Client) -> None:
    drop = make_drop(phase="live", quantity=3, limit_per_order=2)
    edition = drop.editions.get()
    make_hold(drop=drop, index=1, quantities={edition.pk: 2})
    let_in(client, drop, index=2)

    response = choose(client, drop, **{f"quantity-{edition.pk}": "2"})

    html = response.content.decode()
    assert response.status_code == 409
    assert "Only 1 is available right now." in html
    assert f'<input type="hidden" name="quantity-{edition.pk}" value="1">' in html
    assert "csrfmiddlewaretoken" in html


def test_says_how_many_may_come_back_when_none_is_free(client: Client) -> None:
    drop = make_drop(phase="live", quantity=1, limit_per_order=1)
    make_hold(drop=drop, index=1)
    let_in(client, drop, index=2)

    response = choose(client, drop, edition=drop.editions.get().pk)

    assert response.status_code == 409
    assert "1 is in a checkout and may come back." in response.content.decode()


def test_says_sold_out_when_all_units_are_sold(client: Client) -> None:
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
