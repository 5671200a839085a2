"""Celery tasks of drops."""

from datetime import timedelta

import pytest
from django.utils import timezone

from drops import tasks
from drops.models import Hold
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db


def test_expire_due_holds_releases_lapsed_holds() -> None:
    drop = make_drop(phase="live")
    make_hold(drop=drop, index=0, expires_at=timezone.now() - timedelta(seconds=6))
    make_hold(drop=drop, index=1)

    assert tasks.expire_due_holds(of_an="older sender") == 1

    assert list(Hold.objects.order_by("index").values_list("state", flat=True)) == ["released", "open"]
