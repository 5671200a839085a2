"""Pre-scaling's alerts name their drop and their target, and are resolved with them."""

from typing import Any

import pytest

from drops.models import Drop
from drops.scaling.control import alerts
from shop.core import alerts as core_alerts
from shop.core.models import Alert
from tests.drops.scaling.cloud import make_target
from tests.factories import make_drop

pytestmark = pytest.mark.django_db


def open_subjects() -> set[str]:
    return set(Alert.objects.open().values_list("subject", flat=True))


def test_raise_alert_names_drop_and_target(cloud: Any) -> None:
    drop, target = make_drop(), make_target(cloud)

    alert = alerts.raise_alert(subject="both", message="Why.", drop=drop, target=target)

    assert (alert.source, alert.details) == ("scaling", {"drop": drop.slug, "target": target.name})


def test_resolve_for_drops_leaves_alerts_of_other_drops_and_other_sources() -> None:
    drop = make_drop()
    alerts.raise_alert(subject="about the drop", message="Why.", drop=drop)
    alerts.raise_alert(subject="about nothing", message="Why.")
    core_alerts.raise_alert(source="payments", subject="money", message="Why.", details={"drop": drop.slug})

    assert alerts.resolve_for_drops(drops=Drop.objects.exclude(pk=drop.pk)) == 0
    assert alerts.resolve_for_drops(drops=Drop.objects.filter(pk=drop.pk)) == 1

    assert open_subjects() == {"about nothing", "money"}


def test_resolve_for_target_leaves_alerts_of_other_targets(cloud: Any) -> None:
    target, other = make_target(cloud), make_target(cloud)
    alerts.raise_alert(subject="one", message="Why.", target=target)
    alerts.raise_alert(subject="two", message="Why.", target=other)

    assert alerts.resolve_for_target(target=target) == 1

    assert open_subjects() == {"two"}
