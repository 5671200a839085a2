"""The outbox, with a mail server that really listens."""

from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone

from deploy.local.runner.ports import free_port
from shop.core import outbox
from shop.models import Mail

pytestmark = pytest.mark.django_db


class Postbox:
    """Keeps what it is given; refuses while `answer` says so."""

    def __init__(self):
        self.mails, self.answer = [], "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 aiosmtpd's name
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer


@pytest.fixture
def postbox(settings):
    box = Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    settings.MAIL_FROM = "Shop <shop@example.com>"
    yield box
    controller.stop()


def put(**fields):
    outbox.put(
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


def due(mail):
    Mail.objects.filter(pk=mail.pk).update(due_at=timezone.now() - timedelta(seconds=1))


def test_put_promises_a_mail_once():
    put()
    put(subject="again")

    assert Mail.objects.get().subject == "Yours: No. 37"


def test_send_due_sends_text_and_html_once(postbox):
    put()

    assert outbox.send_due() == 1
    due(Mail.objects.get())
    assert outbox.send_due() == 0

    (mail,) = postbox.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "ada@example.com",
        "Shop <shop@example.com>",
        "Yours: No. 37",
    )
    assert mail.get_body(("plain",)).get_content().strip() == "No. 37 of 500"
    assert mail.get_body(("html",)).get_content().strip() == "<p>No. 37 of 500</p>"


def test_send_due_keeps_a_mail_that_was_refused_and_tries_later(postbox):
    put()
    postbox.answer = "451 try later"

    assert outbox.send_due() == 0

    mail = Mail.objects.get()
    assert ("451" in mail.fault, mail.sent_at, mail.tries) == (True, None, 1)
    assert mail.due_at > timezone.now() + timedelta(seconds=5)

    postbox.answer = "250 OK"
    due(mail)
    assert outbox.send_due() == 1


def test_a_repeat_after_a_crash_carries_the_same_message_id(postbox):
    put()
    outbox.send_due()
    mail = Mail.objects.get()
    Mail.objects.update(sent_at=None)  # as if the worker had died before it could write it down
    due(mail)

    outbox.send_due()

    assert [sent["Message-ID"] for sent in postbox.mails] == [f"<{mail.pk}@example.com>"] * 2


@pytest.mark.usefixtures("transactional_db")
def test_two_workers_at_once_send_each_mail_once(race, postbox):
    for order in range(8):
        put(about=f"order:{order}")

    assert sum(race(4, lambda _worker: outbox.send_due(most=4))) == 8
    assert len({sent["Message-ID"] for sent in postbox.mails}) == len(postbox.mails) == 8


def test_send_due_survives_a_mail_server_that_is_away(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    put()

    assert outbox.send_due() == 0
    assert Mail.objects.get().fault != ""
