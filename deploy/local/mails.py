"""The demo's mail catcher: a real SMTP server that keeps every mail, and pages that show them, newest first.

    python -m deploy.local.mails      at PORT_SMTP and PORT_MAIL_PAGE; mails lie as .eml in STACK_FOLDER/mails

Loopback only. A mail whose Message-ID was there before is marked as a repeat: the shop gives each row of its
outbox one fixed id, so a mail that was sent twice after a crash is recognised.
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

from deploy.local import processes
from deploy.local.ports import HOST

STYLE = (
    "body{margin:0 auto;max-width:60rem;padding:2rem;background:#efe9dc;color:#1c1a17;font:16px/24px system-ui}"
    "a{color:inherit}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:8px 16px 8px 0;"
    "border-bottom:1px solid;vertical-align:top}pre{white-space:pre-wrap}"
    "iframe{width:100%;height:70vh;border:1px solid}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'self'"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail as it came in. `repeat`: an earlier mail had the same Message-ID."""

    id: str
    received: str
    sender: str
    recipients: list[str]
    subject: str
    message_id: str
    repeat: bool
    text: str
    html: str


class Box:
    """All mails of a folder, oldest first. A mail is on disk before the sender is told that it was taken."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.mails: list[Mail] = []
        for path in sorted(folder.glob("*.eml")):
            self._add(path.stem, path.read_bytes())

    def _add(self, name: str, content: bytes) -> None:
        message = email.message_from_bytes(content, policy=email.policy.default)
        number = message.get("Message-ID", "").strip()
        self.mails.append(
            Mail(
                id=name,
                received=datetime.fromtimestamp(int(name) / 1e9, tz=UTC).isoformat(timespec="milliseconds"),
                sender=message.get("From", ""),
                recipients=[part.strip() for part in message.get("To", "").split(",")],
                subject=message.get("Subject", ""),
                message_id=number,
                repeat=bool(number) and any(mail.message_id == number for mail in self.mails),
                text=_part(message, "plain"),
                html=_part(message, "html"),
            )
        )

    def keep(self, content: bytes) -> None:
        name = str(max(time.time_ns(), int(self.mails[-1].id) + 1 if self.mails else 0))
        fresh = self.folder / f"{name}.new"
        with open(fresh, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self.folder / f"{name}.eml")
        self._add(name, content)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's
        self.keep(envelope.original_content or b"")
        return "250 Kept"


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    return str(body.get_content()).replace("\r\n", "\n") if body else ""


def _page(title: str, body: str, *, refresh: bool = False) -> web.Response:
    again = '<meta http-equiv="refresh" content="5">' if refresh else ""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{again}<title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>{body}</html>'
    )
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", headers=headers)


def _row(mail: Mail) -> str:
    repeat = " (repeat of a mail already sent)" if mail.repeat else ""
    return (
        f'<tr><td>{mail.received[11:19]}<td><a href="/mails/{mail.id}/">{escape(mail.subject or "no subject")}</a>'
        f"{repeat}<td>{escape(', '.join(mail.recipients))}"
    )


def pages(box: Box) -> web.Application:
    """The pages and messages.json of a box."""

    def found(request: web.Request) -> Mail:
        for mail in box.mails:
            if mail.id == request.match_info["id"]:
                return mail
        raise web.HTTPNotFound(text="There is no such mail.")

    async def listing(request: web.Request) -> web.Response:
        rows = "".join(_row(mail) for mail in reversed(box.mails)) or "<tr><td colspan=3>No mail yet."
        head = f"<h1>Mails</h1><p>{len(box.mails)} so far, newest first; times are UTC.</p>"
        return _page("Mails", f"{head}<table><tr><th>At<th>Subject<th>To{rows}</table>", refresh=True)

    async def one(request: web.Request) -> web.Response:
        mail = found(request)
        lines = {"From": mail.sender, "To": ", ".join(mail.recipients), "At": mail.received, "Id": mail.message_id}
        head = "".join(f"<tr><th>{name}<td>{escape(value)}" for name, value in lines.items())
        frame = '<iframe title="Mail as HTML" sandbox="allow-top-navigation-by-user-activation" src="html"></iframe>'
        body = (
            f'<p><a href="/">All mails</a><h1>{escape(mail.subject)}</h1><table>{head}</table>'
            f"<h2>Text</h2><pre>{escape(mail.text)}</pre>" + (f"<h2>HTML</h2>{frame}" if mail.html else "")
        )
        return _page(mail.subject, body)

    async def as_html(request: web.Request) -> web.Response:
        text = f'<base target="_top">{found(request).html}'
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def as_json(request: web.Request) -> web.Response:
        return web.json_response([asdict(mail) for mail in reversed(box.mails)], headers={"Cache-Control": "no-store"})

    application = web.Application()
    routes = {"/": listing, "/messages.json": as_json, "/mails/{id}/": one, "/mails/{id}/html": as_html}
    application.add_routes([web.get(path, handler) for path, handler in routes.items()])
    return application


async def serve(environment: Mapping[str, str]) -> None:
    """Until TERM or INT."""
    box, done, loop = Box(Path(environment["STACK_FOLDER"], "mails")), asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    options: dict[str, Any] = {"hostname": "mails.localhost", "ident": "mail catcher", "loop": loop}
    server = await loop.create_server(lambda: SMTP(box, **options), HOST, int(environment["PORT_SMTP"]))
    runner = web.AppRunner(pages(box), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, int(environment["PORT_MAIL_PAGE"])).start()
    await done.wait()
    server.close()
    await runner.cleanup()


if __name__ == "__main__":
    processes.die_with_parent()
    asyncio.run(serve(os.environ))
