"""Holds in the admin, to look at."""

from django.urls import reverse

from tests.admin_clients import LogIn, queries
from tests.factories import make_drop, make_hold


def test_hold_is_shown_with_its_lines_and_units(log_in: LogIn) -> None:
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop)

    answer = log_in("ops").get(reverse("admin:drops_hold_change", args=[hold.pk]))

    text = answer.content.decode()
    assert str(hold.uuid) in text
    assert str(drop.editions.get()) in text
    assert "No. 1" in text


def test_list_takes_as_many_queries_for_three_holds_as_for_one(log_in: LogIn) -> None:
    client, address = log_in("ops"), reverse("admin:drops_hold_changelist")
    drop = make_drop(phase="live")
    make_hold(drop=drop, index=1)
    one, _answer = queries(client, address)
    make_hold(drop=drop, index=2)
    make_hold(drop=drop, index=3)

    assert queries(client, address)[0] == one


def test_hold_cannot_be_changed_or_deleted(log_in: LogIn) -> None:
    hold = make_hold(drop=make_drop(phase="live"))
    client = log_in("ops")

    assert client.post(reverse("admin:drops_hold_delete", args=[hold.pk]), {"post": "yes"}).status_code == 403
    assert (
        client.post(reverse("admin:drops_hold_change", args=[hold.pk]), {"state": "released"}).status_code
        == 403
    )
