"""The private fragment: what a browser holds."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from drops import tokens
from drops.models import Hold, Pause
from tests.drops.views.shopping import choose, let_in
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db


def test_browser_is_told_what_it_holds(client: Client) -> None:
    drop = make_drop(phase="live", limit_per_order=1)
    let_in(client, drop)
    placed = choose(client, drop, edition=drop.editions.get().pk)
    hold = Hold.objects.get()

    response = client.get(f"/drops/{drop.slug}/mine/")

    number = hold.units.get().number
    assert json.loads(response.content) == {
        "url": placed["Location"],
        "text": f"Held for you: No. {number}",
        "ends": hold.expires_at.timestamp(),
        "note": "",
    }
    assert response["Cache-Control"] == "no-store"


def test_browser_is_told_what_it_bought(client: Client) -> None:
    drop = make_drop(phase="sold out", quantity=1)
    hold = make_hold(drop=make_drop(phase="live", quantity=1), state=Hold.State.ALLOCATED)
    drop = hold.drop
    client.cookies[f"hold-{drop.slug}"] = tokens.hold_token(hold.uuid)

    said = json.loads(client.get(f"/drops/{drop.slug}/mine/").content)

    assert said["text"] == "Yours: No. 1"
    assert said["ends"] is None


def test_browser_is_told_how_many_pieces_of_several_editions_it_holds(client: Client) -> None:
    drop = make_drop(phase="live", editions=2, limit_per_order=2)
    hold = make_hold(drop=drop, quantities={edition.pk: 1 for edition in drop.editions.all()})
    client.cookies[f"hold-{drop.slug}"] = tokens.hold_token(hold.uuid)

    said = json.loads(client.get(f"/drops/{drop.slug}/mine/").content)

    assert said["text"] == "Held for you: 2 pieces"


@pytest.mark.parametrize("token", ["", "x", "1.k1.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA"])
def test_browser_without_a_hold_gets_a_404_that_deletes_its_hint(client: Client, token: str) -> None:
    drop = make_drop(phase="live")
    client.cookies[f"hold-{drop.slug}"] = token

    response = client.get(f"/drops/{drop.slug}/mine/")

    assert response.status_code == 404
    assert response.cookies[f"held-{drop.slug}"]["max-age"] == 0


def test_lapsed_hold_is_not_found(client: Client) -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, expires_at=timezone.now() - timedelta(seconds=1))
    client.cookies[f"hold-{drop.slug}"] = tokens.hold_token(hold.uuid)

    assert client.get(f"/drops/{drop.slug}/mine/").status_code == 404


def test_hold_does_not_lapse_in_a_pause(client: Client) -> None:
    drop = make_drop(phase="live")
    hold = make_hold(drop=drop, expires_at=timezone.now() - timedelta(seconds=1))
    Pause.objects.create(drop=drop, began_at=timezone.now())
    client.cookies[f"hold-{drop.slug}"] = tokens.hold_token(hold.uuid)

    assert client.get(f"/drops/{drop.slug}/mine/").status_code == 200


def test_hold_of_another_drop_is_not_found(client: Client) -> None:
    drop, other = make_drop(phase="live"), make_drop(phase="live")
    client.cookies[f"hold-{drop.slug}"] = tokens.hold_token(make_hold(drop=other).uuid)

    assert client.get(f"/drops/{drop.slug}/mine/").status_code == 404
