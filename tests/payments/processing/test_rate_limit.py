"""The rate limit of our calls to Stripe."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from drops import admission
from payments.models import Attempt, Bucket
from payments.processing import rate_limit
from tests.conftest import Race
from tests.deploy.stripe_sandbox import process
from tests.payments.order_factory import make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def narrow(settings: Settings) -> None:
    settings.STRIPE_CALLS_PER_SECOND, settings.STRIPE_CALLS_PER_OPERATION = 8, 3


def take(operation: Any) -> Any:
    """Return how many calls in a row are allowed. Buckets refill with time, so there may be one more."""
    for count in range(50):
        try:
            rate_limit.acquire(operation=operation)
        except rate_limit.RateLimited:
            return count
    return 50


def test_acquire_allows_one_seconds_worth_of_each_kind(narrow: None) -> None:
    assert take(rate_limit.CONFIRM) in {3, 4}
    assert take(rate_limit.CREATE) in {3, 4}


def test_acquire_keeps_the_last_quarter_of_the_common_bucket_from_captures(
    narrow: None, settings: Settings
) -> None:
    settings.STRIPE_CALLS_PER_OPERATION = 50

    assert take(rate_limit.CAPTURE) in {6, 7}
    assert take(rate_limit.CONFIRM) >= 2


@pytest.mark.usefixtures("transactional_db")
def test_acquire_at_once_never_overdraws(race: Race, narrow: None) -> None:
    def one(_i: Any) -> Any:
        try:
            rate_limit.acquire(operation=rate_limit.CONFIRM)
        except rate_limit.RateLimited:
            return "spent"
        return "taken"

    results = Counter(race(12, one))

    assert results["taken"] in {3, 4}
    assert Bucket.objects.filter(tokens__lt=0).count() == 0


@pytest.mark.parametrize(("age", "shoppers"), [(0, 199), (11, 99), (31, 0)])
def test_ceiling_follows_the_age_of_the_oldest_unsent_attempt(
    sandbox: process.SandboxProcess, settings: Settings, age: int, shoppers: int
) -> None:
    settings.STRIPE_CALLS_PER_OPERATION, settings.STRIPE_CALLS_PER_SECOND = 20, 80
    order = make_order(sandbox)
    wait(Attempt.objects.filter(payment__order=order), age)

    assert admission.payment_ceiling().shoppers == shoppers


def test_ceiling_is_nought_while_it_cannot_be_measured() -> None:
    def broken() -> tuple[int, str]:
        raise ValueError("no table")

    admission.register_payments(broken)
    try:
        unknown = admission.payment_ceiling()
    finally:
        admission.register_payments(rate_limit.measure_ceiling)

    assert (unknown.shoppers, unknown.reason) == (0, admission.PAYMENTS_UNKNOWN)
    assert admission.payment_ceiling().shoppers > 0


def wait(attempts: Any, seconds: float) -> None:
    attempts.update(created_at=F("created_at") - timedelta(seconds=seconds))
