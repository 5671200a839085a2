"""Ceilings of operators, and lists to look at."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from drops import admission
from drops.models import Ceiling
from shop.core.models import AuditEntry
from tests.admin_clients import LogIn, queries
from tests.factories import make_drop

ADD = reverse("admin:drops_ceiling_add")


@pytest.mark.parametrize("minutes", ["", "10"])
def test_operators_ceiling_replaces_the_one_before(log_in: LogIn, minutes: str) -> None:
    drop = make_drop(phase="live", slug="zero")
    client = log_in("ops")
    client.post(ADD, {"drop": drop.pk, "shoppers": 50, "reason": "slow bank", "minutes": ""})

    answer = client.post(ADD, {"drop": drop.pk, "shoppers": 5, "reason": "slower bank", "minutes": minutes})

    assert answer.status_code == 302
    ceiling = Ceiling.objects.get()
    assert (ceiling.drop, ceiling.kind, ceiling.shoppers, ceiling.reason) == (
        drop,
        "operator",
        5,
        "slower bank",
    )
    if minutes:
        assert ceiling.ends_at is not None
        assert timedelta(minutes=9) < ceiling.ends_at - timezone.now() <= timedelta(minutes=10)
    else:
        assert ceiling.ends_at is None
    assert AuditEntry.objects.values_list("about", "action", "after").first() == (
        "drop:zero",
        "ceiling set",
        {"shoppers": 5, "reason": "slower bank", "minutes": int(minutes) if minutes else None},
    )


def test_operator_sets_and_lifts_a_ceiling_for_all_drops(log_in: LogIn) -> None:
    client = log_in("ops")
    client.post(ADD, {"drop": "", "shoppers": 0, "reason": "stop", "minutes": ""})
    ceiling = Ceiling.objects.get()

    client.post(reverse("admin:drops_ceiling_delete", args=[ceiling.pk]), {"post": "yes"})

    assert ceiling.drop is None
    assert Ceiling.objects.count() == 0
    assert list(AuditEntry.objects.order_by("id").values_list("about", "action")) == [
        ("drops", "ceiling set"),
        ("drops", "ceiling lifted"),
    ]


def test_operator_may_not_lift_an_automatic_ceiling(log_in: LogIn) -> None:
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT, shoppers=3, reason="calls")
    ceiling = Ceiling.objects.get()

    answer = log_in("ops").post(reverse("admin:drops_ceiling_delete", args=[ceiling.pk]), {"post": "yes"})

    assert answer.status_code == 403
    assert Ceiling.objects.count() == 1


def test_merchandisers_may_only_view_ceilings(log_in: LogIn) -> None:
    client = log_in("merchandisers")

    assert client.get(reverse("admin:drops_ceiling_changelist")).status_code == 200
    assert client.post(ADD, {"shoppers": 0, "reason": "stop"}).status_code == 403


@pytest.mark.parametrize("model", ["ceiling", "pause", "hold"])
def test_lists_take_as_many_queries_for_three_rows_as_for_one(log_in: LogIn, model: str) -> None:
    client = log_in("ops")

    def more() -> None:
        drop = make_drop(phase="paused")
        admission.set_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR, shoppers=3, reason="calls")

    address = reverse(f"admin:drops_{model}_changelist")
    more()
    one, _answer = queries(client, address)
    more()
    more()

    assert queries(client, address)[0] == one
