"""The outbox: messages are rows first.

A worker claims those that are due, sends them, and marks them as sent.

There are two transports: SMTP (shop.core.emails) and the signed webhook of alerts (shop.core.alerts). Each
sends its own kind of row through `send_due` here. A crash between sending and marking sends a message twice,
under the same id, so that its receiver can recognise the repeat.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db.models.functions import Now

from shop.core.backoff import wait_before_retry
from shop.core.models import Email, OutboxMessage
from shop.core.sql import columns

log = logging.getLogger(__name__)

M = TypeVar("M", bound=OutboxMessage)

CLAIM = timedelta(seconds=60)  # how long a worker has for the messages it claimed, and again for each of them
FIRST_WAIT = timedelta(seconds=10)


class NotSent(Exception):
    """A message could not be sent. The text is kept with the row."""


def put_email(*, kind: str, about: str, to: str, subject: str, text: str, html: str) -> None:
    """Write an email to be sent, in the caller's transaction. A second one of the same kind is ignored."""
    email = Email(kind=kind, about=about, to=to, subject=subject, text=text, html=html)
    Email.objects.bulk_create([email], ignore_conflicts=True)


def send_due(model: type[M], *, send: Callable[[M], None], limit: int) -> int:
    """Send the messages that are due, oldest first, and return how many were sent. `send` raises NotSent."""
    return sum(_deliver(message, send=send) for message in claim_due(model, limit=limit))


def claim_due(model: type[M], *, limit: int) -> list[M]:
    """Claim messages that are due, so that other workers pass them over for a minute."""
    table = model._meta.db_table
    # RETURNING through raw() makes model instances of the rows that the UPDATE claimed.
    return list(
        model._default_manager.raw(
            f"""
            UPDATE {table} SET due_at = statement_timestamp() + %s, tries = tries + 1 WHERE id IN (
                SELECT id FROM {table} WHERE sent_at IS NULL AND due_at <= statement_timestamp() AND tries < %s
                ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED
            ) RETURNING {columns(model)}
            """,
            [CLAIM, model.MAX_TRIES, limit],
        )
    )


def _deliver(message: M, *, send: Callable[[M], None]) -> bool:
    """Send one message and mark it as sent; after a failure, keep the error and postpone the next try."""
    row = type(message)._default_manager.filter(pk=message.pk)
    # Those before it may have taken longer than the claim: then a different worker may be sending it.
    if not row.filter(due_at=message.due_at, sent_at=None).update(due_at=Now() + CLAIM):
        return False
    try:
        send(message)
    except Exception as error:  # whatever is wrong with one message, the others are sent
        wait = wait_before_retry(tries=message.tries, first=FIRST_WAIT, longest=message.LONGEST_WAIT)
        row.update(last_error=str(error) or type(error).__name__, due_at=Now() + wait)
        expected = isinstance(error, NotSent)
        log.warning("%s could not be sent, next try in %s: %s", message, wait, error, exc_info=not expected)
        return False
    row.update(sent_at=Now(), last_error="")
    return True
