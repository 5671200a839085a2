"""The audit log in the admin."""

from typing import Any

from django.urls import reverse

from shop.core import audit_log
from tests.admin_clients import queries

AUDIT_LOG = reverse("admin:shop_auditentry_changelist")


def test_audit_log_shows_old_and_new_values_and_cannot_be_changed(log_in: Any) -> None:
    entry = audit_log.write(
        actor=None, about="drop:zero", action="changed", before={"title": "A"}, after={"title": "B"}
    )
    client = log_in("merchandisers")

    text = client.get(AUDIT_LOG).content.decode()

    assert ("title: A" in text, "title: B" in text) == (True, True)
    for name in ("change", "delete"):
        address = reverse(f"admin:shop_auditentry_{name}", args=[entry.pk])
        assert client.post(address, {"post": "yes", "action": "none"}).status_code == 403


def test_list_runs_the_same_queries_for_three_rows_as_for_one(log_in: Any) -> None:
    client = log_in("ops")
    audit_log.write(actor=None, about="drop:zero", action="changed")
    one, _answer = queries(client, AUDIT_LOG)
    audit_log.write(actor=None, about="drop:zero", action="changed")
    audit_log.write(actor=None, about="drop:zero", action="changed")

    three, answer = queries(client, AUDIT_LOG)

    assert (three, len(answer.context["cl"].result_list)) == (one, 3)
