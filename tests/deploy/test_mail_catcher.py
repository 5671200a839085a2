"""The mail catcher, over SMTP and HTTP."""

import json
import os
import smtplib
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import Stack, remove


@pytest.fixture(scope="module")
def catcher() -> Iterator[Stack]:
    folder = ROOT / "var" / f"test-{os.getpid()}-mails"
    try:
        with Stack(folder=folder, programs=["mail-catcher"]) as stack:
            yield stack
    finally:
        remove(folder)


def send(stack: Stack, *, subject: str, message_id: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Shop <shop@example.com>", "a@example.com", subject
    message["Message-ID"] = f"<{message_id}@example.com>"
    message.set_content("No. 37 of 500 – it is yours.")
    message.add_alternative("<p>No. 37 of <b>500</b></p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", int(stack.environment["PORT_SMTP"])) as client:
        client.send_message(message)


def get(stack: Stack, path: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{stack.environment['PORT_MAIL_PAGE']}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_mails_are_listed_newest_first_with_repeats_marked(catcher: Stack) -> None:
    send(catcher, subject="First", message_id="1")
    send(catcher, subject="Second", message_id="2")
    send(catcher, subject="First", message_id="1")

    mails = json.loads(get(catcher, "/messages.json"))

    assert [(mail["subject"], mail["repeat"]) for mail in mails] == [
        ("First", True),
        ("Second", False),
        ("First", False),
    ]
    assert mails[0]["recipients"] == ["a@example.com"]
    assert mails[0]["text"] == "No. 37 of 500 – it is yours.\n"
    assert "Second" in get(catcher, "/")
    assert "No. 37 of 500 – it is yours." in get(catcher, f"/mails/{mails[0]['id']}/")
    assert "<b>500</b>" in get(catcher, f"/mails/{mails[0]['id']}/html")


def test_mails_survive_a_kill(catcher: Stack) -> None:
    send(catcher, subject="Kept", message_id="3")
    before = json.loads(get(catcher, "/messages.json"))

    killed = catcher.pid("mail-catcher")
    catcher.kill("mail-catcher")
    catcher.wait_until_restarted("mail-catcher", pid=killed)

    assert json.loads(get(catcher, "/messages.json")) == before
    assert len(list((catcher.folder / "mails").glob("*.eml"))) == len(before)
