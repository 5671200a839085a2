"""Mails and journal at the desk."""

import pytest
from django.urls import reverse
from django.utils import timezone

from shop.core import audit_log, outbox
from shop.models import AuditEntry, Mail
from tests.admin_clients import queries

MAILS = reverse("admin:shop_mail_changelist")
JOURNAL = reverse("admin:shop_auditentry_changelist")


def make_mail(number=1, **fields):
    outbox.put(kind="placed", about=f"order:{number}", to="ada@example.com", subject="Yours", text="No. 37", html="")
    Mail.objects.filter(about=f"order:{number}").update(**{"sent_at": timezone.now(), "tries": 1} | fields)
    return Mail.objects.get(about=f"order:{number}")


def send_again(client, mail):
    return client.post(MAILS, {"action": "send_again", "_selected_action": [mail.pk]})


def test_mail_is_due_again(desk):
    mail = make_mail(fault="mailbox full")

    send_again(desk("ops"), mail)

    again = Mail.objects.get()
    assert (again.pk, again.sent_at, again.tries, again.fault) == (mail.pk, None, 0, "")
    assert [due.pk for due in outbox.claim(most=9)] == [mail.pk]
    assert list(AuditEntry.objects.values_list("who__username", "about", "act")) == [
        ("ops", f"mail:{mail.pk}", "sent again")
    ]


def test_mail_is_not_for_merchandisers(desk):
    mail = make_mail()

    assert send_again(desk("merchandisers"), mail).status_code == 403
    assert Mail.objects.get().sent_at == mail.sent_at


def test_mail_cannot_be_changed_or_deleted(desk):
    mail = make_mail()
    client = desk("ops")

    assert client.get(reverse("admin:shop_mail_change", args=[mail.pk])).status_code == 200
    assert client.post(reverse("admin:shop_mail_change", args=[mail.pk]), {"to": "else@example.org"}).status_code == 403
    assert client.post(reverse("admin:shop_mail_delete", args=[mail.pk]), {"post": "yes"}).status_code == 403


def test_journal_tells_from_and_to_and_cannot_be_changed(desk):
    entry = audit_log.write(who=None, about="drop:zero", act="changed", before={"title": "A"}, after={"title": "B"})
    client = desk("merchandisers")

    text = client.get(JOURNAL).content.decode()

    assert ("title: A" in text, "title: B" in text) == (True, True)
    for name in ("change", "delete"):
        address = reverse(f"admin:shop_auditentry_{name}", args=[entry.pk])
        assert client.post(address, {"post": "yes", "act": "none"}).status_code == 403


@pytest.mark.parametrize("address", [MAILS, JOURNAL])
def test_lists_ask_as_much_for_three_rows_as_for_one(desk, address):
    client = desk("ops")

    def more(number):
        make_mail(number)
        audit_log.write(who=None, about="drop:zero", act="changed")

    more(1)
    one, _answer = queries(client, address)
    more(2)
    more(3)

    three, answer = queries(client, address)

    assert (three, len(answer.context["cl"].result_list)) == (one, 3)
