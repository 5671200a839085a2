"""Emails in the admin."""

from typing import Any

from django.urls import reverse
from django.utils import timezone

from shop.core import outbox
from shop.core.models import AuditEntry, Email
from tests.admin_clients import queries

EMAILS = reverse("admin:shop_email_changelist")


def make_email(number: int = 1, **fields: Any) -> Email:
    outbox.put_email(
        kind="placed", about=f"order:{number}", to="ada@example.com", subject="Yours", text="No. 37", html=""
    )
    Email.objects.filter(about=f"order:{number}").update(**{"sent_at": timezone.now(), "tries": 1} | fields)
    return Email.objects.get(about=f"order:{number}")


def send_again(client: Any, email: Email) -> Any:
    return client.post(EMAILS, {"action": "send_again", "_selected_action": [email.pk]})


def test_send_again_makes_an_email_due(log_in: Any) -> None:
    email = make_email(last_error="mailbox full")

    send_again(log_in("ops"), email)

    again = Email.objects.get()
    assert (again.pk, again.sent_at, again.tries, again.last_error) == (email.pk, None, 0, "")
    assert [due.pk for due in outbox.claim_due(Email, limit=9)] == [email.pk]
    assert list(AuditEntry.objects.values_list("actor__username", "about", "action")) == [
        ("ops", f"email:{email.pk}", "sent again")
    ]


def test_email_is_not_for_merchandisers(log_in: Any) -> None:
    email = make_email()

    assert send_again(log_in("merchandisers"), email).status_code == 403
    assert Email.objects.get().sent_at == email.sent_at


def test_email_cannot_be_changed_or_deleted(log_in: Any) -> None:
    email = make_email()
    client = log_in("ops")

    assert client.get(reverse("admin:shop_email_change", args=[email.pk])).status_code == 200
    assert (
        client.post(
            reverse("admin:shop_email_change", args=[email.pk]), {"to": "else@example.org"}
        ).status_code
        == 403
    )
    assert (
        client.post(reverse("admin:shop_email_delete", args=[email.pk]), {"post": "yes"}).status_code == 403
    )


def test_list_runs_the_same_queries_for_three_rows_as_for_one(log_in: Any) -> None:
    client = log_in("ops")
    make_email(1)
    one, _answer = queries(client, EMAILS)
    make_email(2)
    make_email(3)

    three, answer = queries(client, EMAILS)

    assert (three, len(answer.context["cl"].result_list)) == (one, 3)
