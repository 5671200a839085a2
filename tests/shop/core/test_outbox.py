"""The outbox: what is due is claimed once, oldest first, and sent or postponed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from shop.core import outbox
from shop.core.models import Alert, Email

pytestmark = pytest.mark.django_db


def put(about: str, *, due_in: timedelta = timedelta(seconds=-1), tries: int = 0) -> Email:
    outbox.put_email(kind="test", about=about, to="ada@example.com", subject="Yours", text="", html="")
    Email.objects.filter(about=about).update(due_at=timezone.now() + due_in, tries=tries)
    return Email.objects.get(about=about)


def refuse(_message: Email) -> None:
    raise outbox.NotSent("451 try later")


def test_put_email_ignores_a_second_one_of_that_kind_about_that_thing() -> None:
    put("order:1")
    outbox.put_email(kind="test", about="order:1", to="bob@example.com", subject="Again", text="", html="")
    outbox.put_email(kind="other", about="order:1", to="ada@example.com", subject="Other", text="", html="")

    assert sorted(Email.objects.values_list("kind", "subject")) == [("other", "Other"), ("test", "Yours")]


def test_claim_due_takes_the_oldest_and_passes_over_what_is_claimed_or_not_due() -> None:
    put("later", due_in=timedelta(minutes=1))
    new = put("new")
    old = put("old", due_in=timedelta(hours=-1))

    assert [email.pk for email in outbox.claim_due(Email, limit=1)] == [old.pk]
    assert [email.pk for email in outbox.claim_due(Email, limit=9)] == [new.pk]
    assert outbox.claim_due(Email, limit=9) == []


def test_claim_due_gives_an_alert_up_after_its_last_try() -> None:
    Alert.objects.create(source="mail", subject="tried once less", message="Why.", tries=Alert.MAX_TRIES - 1)
    Alert.objects.create(source="mail", subject="tried enough", message="Why.", tries=Alert.MAX_TRIES)

    assert [alert.subject for alert in outbox.claim_due(Alert, limit=9)] == ["tried once less"]


def test_send_due_marks_what_was_sent() -> None:
    put("order:1")
    sent: list[str] = []

    assert outbox.send_due(Email, send=lambda email: sent.append(email.about), limit=9) == 1
    assert outbox.send_due(Email, send=lambda email: sent.append(email.about), limit=9) == 0

    email = Email.objects.get()
    assert (sent, email.tries, email.last_error, email.sent_at is not None) == (["order:1"], 1, "", True)


@pytest.mark.parametrize(("tries", "wait"), [(0, 10), (1, 20), (2, 40), (20, 3600)])
def test_send_due_postpones_what_was_refused_for_longer_each_time(tries: int, wait: int) -> None:
    put("order:1", tries=tries)
    before = timezone.now()

    assert outbox.send_due(Email, send=refuse, limit=9) == 0

    email = Email.objects.get()
    assert (email.tries, email.last_error, email.sent_at) == (tries + 1, "451 try later", None)
    assert timedelta(0) <= email.due_at - before - timedelta(seconds=wait) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "error", [outbox.NotSent("451 try later"), ValueError("a line break in the subject")]
)
def test_send_due_sends_the_others_when_one_message_fails(error: Exception) -> None:
    put("order:1", due_in=timedelta(hours=-1))
    put("order:2")

    def send(email: Email) -> None:
        if email.about == "order:1":
            raise error

    assert outbox.send_due(Email, send=send, limit=9) == 1
    assert [(email.about, email.last_error) for email in Email.objects.filter(sent_at=None)] == [
        ("order:1", str(error))
    ]
