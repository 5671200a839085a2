"""Ceilings: set by payments, scaling and operators, read by the gatekeeper."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from drops import admission
from drops.models import Ceiling, Drop
from tests.factories import make_drop

pytestmark = pytest.mark.django_db


def active(drop: Drop | None = None) -> list[tuple[str, int, str]]:
    return sorted(admission.ceilings(drop=drop).values_list("kind", "shoppers", "reason"))


def test_ceiling_replaces_the_one_of_its_kind() -> None:
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT, shoppers=5, reason="slow", seconds=60)
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT, shoppers=9, reason="faster")

    assert active() == [("payment account", 9, "faster")]
    assert Ceiling.objects.get().ends_at is None


def test_ceiling_of_a_drop_applies_beside_one_for_all_drops() -> None:
    drop, other = make_drop(), make_drop()
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.READY_CAPACITY, shoppers=250, reason="all")
    admission.set_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR, shoppers=3, reason="mine")
    admission.set_ceiling(drop=other, kind=Ceiling.Kind.OPERATOR, shoppers=4, reason="other")

    assert active(drop) == [("operator", 3, "mine"), ("ready capacity", 250, "all")]


def test_ceiling_that_has_ended_does_not_apply() -> None:
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT, shoppers=0, reason="over", seconds=60)
    assert active() == [("payment account", 0, "over")]

    Ceiling.objects.update(ends_at=timezone.now() - timedelta(seconds=1))

    assert active() == []


def test_ceiling_is_never_negative() -> None:
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT, shoppers=-7, reason="backlog")

    assert active() == [("payment account", 0, "backlog")]


def test_lift_ceiling_removes_that_ceiling_only() -> None:
    drop = make_drop()
    admission.set_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR, shoppers=1, reason="mine")
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.OPERATOR, shoppers=2, reason="all")

    admission.lift_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR)
    admission.lift_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR)

    assert active() == [("operator", 2, "all")]


@pytest.mark.parametrize(
    ("per_operation", "per_second", "payments"),
    [(20, 80, 20), (50, 120, 30)],
    ids=["each kind of call is the limit", "all calls together are the limit"],
)
def test_payments_per_second_counts_four_calls_for_a_payment(
    settings: Settings, per_operation: int, per_second: int, payments: float
) -> None:
    settings.STRIPE_CALLS_PER_OPERATION, settings.STRIPE_CALLS_PER_SECOND = per_operation, per_second

    assert admission.payments_per_second() == payments
