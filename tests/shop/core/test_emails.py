"""Emails leave the outbox, with a mail server that really listens."""

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone

from deploy.local.runner.ports import free_port
from shop.core import emails, outbox
from shop.core.models import Alert, Email

pytestmark = pytest.mark.django_db


class Postbox:
    """Keeps what it is given; refuses while `answer` says so."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"
        self.callers: set[object] = set()

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd's
        self.callers.add(session.peer)
        if self.answer.startswith("250"):
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
        return self.answer


@pytest.fixture
def postbox(settings: Any) -> Iterator[Any]:
    box = Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    settings.MAIL_FROM = "Shop <shop@example.com>"
    yield box
    controller.stop()


def put(**fields: Any) -> None:
    outbox.put_email(
        **{
            "kind": "test",
            "about": "order:1",
            "to": "ada@example.com",
            "subject": "Yours: No. 37",
            "text": "No. 37 of 500",
            "html": "<p>No. 37 of 500</p>",
        }
        | fields
    )


def due(mail: Email) -> None:
    Email.objects.filter(pk=mail.pk).update(due_at=timezone.now() - timedelta(seconds=1))


def test_send_due_sends_text_and_html_once(postbox: Any) -> None:
    put()

    assert emails.send_due() == 1
    due(Email.objects.get())
    assert emails.send_due() == 0

    (mail,) = postbox.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "ada@example.com",
        "Shop <shop@example.com>",
        "Yours: No. 37",
    )
    assert mail.get_body(("plain",)).get_content().strip() == "No. 37 of 500"
    assert mail.get_body(("html",)).get_content().strip() == "<p>No. 37 of 500</p>"


def test_send_due_uses_one_connection_for_a_batch(postbox: Any) -> None:
    for order in range(3):
        put(about=f"order:{order}")

    assert emails.send_due() == 3
    assert len(postbox.callers) == 1


def test_send_due_keeps_a_mail_that_was_refused_and_tries_later(postbox: Any) -> None:
    put()
    postbox.answer = "451 try later"

    assert emails.send_due() == 0

    mail = Email.objects.get()
    assert ("451" in mail.last_error, mail.sent_at, mail.tries) == (True, None, 1)
    assert mail.due_at > timezone.now() + timedelta(seconds=5)

    postbox.answer = "250 OK"
    due(mail)
    assert emails.send_due() == 1


def test_a_repeat_after_a_crash_carries_the_same_message_id(postbox: Any) -> None:
    put()
    emails.send_due()
    mail = Email.objects.get()
    Email.objects.update(sent_at=None)  # as if the worker had died before it could write it down
    due(mail)

    emails.send_due()

    assert [sent["Message-ID"] for sent in postbox.mails] == [f"<{mail.pk}@example.com>"] * 2


@pytest.mark.usefixtures("transactional_db")
def test_two_workers_at_once_send_each_mail_once(race: Any, postbox: Any) -> None:
    for order in range(8):
        put(about=f"order:{order}")

    assert sum(race(4, lambda _worker: emails.send_due(limit=4))) == 8
    assert len({sent["Message-ID"] for sent in postbox.mails}) == len(postbox.mails) == 8


def test_send_due_survives_a_mail_server_that_is_away(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    put()

    assert emails.send_due() == 0
    assert Email.objects.get().last_error != ""


def test_watch_raises_an_alert_after_many_tries_until_the_email_is_sent(postbox: Any) -> None:
    put()
    assert (emails.watch(), Alert.objects.count()) == (0, 0)

    Email.objects.update(tries=emails.ALERT_TRIES, last_error="550 no such user")
    assert (emails.watch(), emails.watch()) == (1, 1)
    alert = Alert.objects.open().get()
    assert (alert.source, "1 email can't be sent: 550 no such user." in alert.message) == ("mail", True)

    assert emails.send_due() == 1
    assert (emails.watch(), Alert.objects.open().count()) == (0, 0)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("{'ada@example.com': (550, b'no such user')}", "{'(an address)': (550, b'no such user')}"),
        ("550 5.1.1 <ada@example.com>: unknown", "550 5.1.1 <(an address)>: unknown"),
        ("550 ada+drop@sub.example.com rejected", "550 (an address) rejected"),
        ("421 4.7.0 try again at 12:00", "421 4.7.0 try again at 12:00"),
    ],
)
def test_watch_keeps_recipients_out_of_the_alert(said: str, shown: str) -> None:
    put()
    Email.objects.update(tries=emails.ALERT_TRIES, last_error=said)

    emails.watch()

    assert f"can't be sent: {shown}. " in Alert.objects.open().get().message


def test_watch_raises_an_alert_for_an_email_that_waits_long() -> None:
    put()
    Email.objects.update(created_at=timezone.now() - emails.ALERT_AFTER - timedelta(seconds=1))

    assert emails.watch() == 1
    assert "no worker has tried" in Alert.objects.open().get().message
