"""The demo's mail catcher: a real SMTP server that keeps every email, and pages that show them, newest first.

    python -m deploy.local.servers.mail_catcher

It listens on PORT_SMTP and PORT_MAIL_PAGE, on loopback only, and stores emails as .eml files in
STACK_FOLDER/mails. An email whose Message-ID came before is marked as a repeat: each row of the shop's outbox
has one fixed id, so an email that was sent twice after a crash is recognised.
"""

import asyncio
import email
import email.policy
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.runner import processes
from deploy.local.runner.ports import HOST

STYLE = (
    "body{margin:0 auto;max-width:60rem;padding:2rem;background:#efe9dc;color:#1c1a17;font:16px/24px system-ui}"
    "a{color:inherit}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:8px 16px 8px 0;"
    "border-bottom:1px solid;vertical-align:top}pre{white-space:pre-wrap}"
    "iframe{width:100%;height:70vh;border:1px solid}"
)
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'self'"
)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One email as it was received. `repeat`: an earlier one had the same Message-ID."""

    id: str
    received: str
    sender: str
    recipients: list[str]
    subject: str
    message_id: str
    repeat: bool
    text: str
    html: str


class Mailbox:
    """All emails of a folder, oldest first. Each is on disk before the sender hears that it was accepted."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.mails: list[Mail] = []
        for path in sorted(folder.glob("*.eml")):
            self._add(path.stem, path.read_bytes())

    def _add(self, name: str, content: bytes) -> None:
        message = email.message_from_bytes(content, policy=email.policy.default)
        message_id = message.get("Message-ID", "").strip()
        received = datetime.fromtimestamp(int(name) / 1e9, tz=UTC)
        is_repeat = bool(message_id) and any(mail.message_id == message_id for mail in self.mails)
        self.mails.append(
            Mail(
                id=name,
                received=received.isoformat(timespec="milliseconds"),
                sender=message.get("From", ""),
                recipients=[recipient.strip() for recipient in message.get("To", "").split(",")],
                subject=message.get("Subject", ""),
                message_id=message_id,
                repeat=is_repeat,
                text=_body(message, "plain"),
                html=_body(message, "html"),
            )
        )

    def store(self, content: bytes) -> None:
        """Write an email to disk. Its name is the time in nanoseconds, and always above the last one."""
        number = time.time_ns()
        if self.mails:
            number = max(number, int(self.mails[-1].id) + 1)
        unfinished = self.folder / f"{number}.new"
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self.folder / f"{number}.eml")
        self._add(str(number), content)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.store(envelope.original_content or b"")
        return "250 Stored"


def _body(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    if body is None:
        return ""
    return str(body.get_content()).replace("\r\n", "\n")


def _page(title: str, body: str, *, refresh: bool = False) -> web.Response:
    refresh_tag = ""
    if refresh:
        refresh_tag = '<meta http-equiv="refresh" content="5">'
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{refresh_tag}<title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>{body}</html>'
    )
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", headers=headers)


def _row(mail: Mail) -> str:
    time_of_day = mail.received[11:19]
    link = f'<a href="/mails/{mail.id}/">{escape(mail.subject or "no subject")}</a>'
    if mail.repeat:
        link += " (repeat of an earlier email)"
    return f"<tr><td>{time_of_day}<td>{link}<td>{escape(', '.join(mail.recipients))}"


def pages(mailbox: Mailbox) -> web.Application:
    """Return the pages and messages.json of a mailbox."""

    def find(request: web.Request) -> Mail:
        for mail in mailbox.mails:
            if mail.id == request.match_info["id"]:
                return mail
        raise web.HTTPNotFound(text="There is no such email.")

    async def index(request: web.Request) -> web.Response:
        rows = "".join(_row(mail) for mail in reversed(mailbox.mails)) or "<tr><td colspan=3>No emails yet."
        head = f"<h1>Emails</h1><p>{len(mailbox.mails)} so far, newest first. Times are in UTC.</p>"
        return _page("Emails", f"{head}<table><tr><th>Time<th>Subject<th>To{rows}</table>", refresh=True)

    async def detail(request: web.Request) -> web.Response:
        mail = find(request)
        fields = {
            "From": mail.sender,
            "To": ", ".join(mail.recipients),
            "Received": mail.received,
            "Message-ID": mail.message_id,
        }
        rows = "".join(f"<tr><th>{name}<td>{escape(value)}" for name, value in fields.items())
        body = (
            f'<p><a href="/">All emails</a><h1>{escape(mail.subject)}</h1><table>{rows}</table>'
            f"<h2>Text</h2><pre>{escape(mail.text)}</pre>"
        )
        if mail.html:
            sandbox = "allow-top-navigation-by-user-activation"
            body += f'<h2>HTML</h2><iframe title="Email as HTML" sandbox="{sandbox}" src="html"></iframe>'
        return _page(mail.subject, body)

    async def as_html(request: web.Request) -> web.Response:
        text = f'<base target="_top">{find(request).html}'
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def as_json(request: web.Request) -> web.Response:
        return web.json_response(
            [asdict(mail) for mail in reversed(mailbox.mails)], headers={"Cache-Control": "no-store"}
        )

    application = web.Application()
    routes = {"/": index, "/messages.json": as_json, "/mails/{id}/": detail, "/mails/{id}/html": as_html}
    application.add_routes([web.get(path, handler) for path, handler in routes.items()])
    return application


async def serve(environment: Mapping[str, str]) -> None:
    """Run both servers until TERM or INT."""
    mailbox = Mailbox(Path(environment["STACK_FOLDER"], "mails"))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    options: dict[str, Any] = {"hostname": "mails.localhost", "ident": "mail catcher", "loop": loop}
    smtp_server = await loop.create_server(
        lambda: SMTP(mailbox, **options), HOST, int(environment["PORT_SMTP"])
    )
    runner = web.AppRunner(pages(mailbox), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, int(environment["PORT_MAIL_PAGE"])).start()
    await stopping.wait()
    smtp_server.close()
    await runner.cleanup()


if __name__ == "__main__":
    processes.die_with_parent()
    asyncio.run(serve(os.environ))
