"""Alerts in the admin."""

from typing import Any

from django.urls import reverse

from shop.core import alerts


def test_alert_is_shown_and_cannot_be_changed(log_in: Any) -> None:
    alert = alerts.raise_alert(source="payments", subject="money", message="Capture it by hand.")
    client = log_in("merchandisers")

    assert "Capture it by hand." in client.get(reverse("admin:shop_alert_changelist")).content.decode()
    assert client.get(reverse("admin:shop_alert_change", args=[alert.pk])).status_code == 200
    for name in ("change", "delete"):
        address = reverse(f"admin:shop_alert_{name}", args=[alert.pk])
        assert client.post(address, {"post": "yes", "message": "none"}).status_code == 403
