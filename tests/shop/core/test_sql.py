"""Model instances from hand-written SQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest
from django.db import NotSupportedError, connection

from shop.core import outbox
from shop.core.models import AuditEntry, Email
from shop.core.sql import columns, from_row

pytestmark = pytest.mark.django_db


def test_from_row_makes_the_instance_that_the_orm_reads() -> None:
    made = AuditEntry.objects.create(actor=None, about="drop:x", action="closed", after={"phase": "closed"})

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns(AuditEntry, 'e')} FROM shop_auditentry e")
        entry = from_row(AuditEntry, cursor.fetchone())

    read = AuditEntry.objects.get(pk=made.pk)
    for field in AuditEntry._meta.get_fields():
        assert getattr(entry, field.name) == getattr(read, field.name)
    entry.save()  # an UPDATE, because the instance knows that its row exists
    assert AuditEntry.objects.count() == 1


def run_elsewhere(sql: str) -> None:
    """Run a statement on another connection, as a migration would."""

    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.fixture
def add_column() -> Iterator[Callable[[], None]]:
    """Adds a column to the eemails in the middle of the test, as a migration would."""
    yield lambda: run_elsewhere("ALTER TABLE shop_email ADD COLUMN extra integer NOT NULL DEFAULT 0")
    run_elsewhere("ALTER TABLE shop_email DROP COLUMN IF EXISTS extra")


@pytest.mark.usefixtures("transactional_db")
def test_claim_due_works_while_a_migration_adds_a_column(add_column: Callable[[], None]) -> None:
    emails = [Email.objects.create(to="ann@shop.example", about=f"{number}") for number in range(4)]
    assert [outbox.claim_due(Email, limit=1)[0] for _claim in range(3)] == emails[:3]

    add_column()

    assert outbox.claim_due(Email, limit=1) == emails[3:]


@pytest.mark.usefixtures("transactional_db")
def test_returning_a_star_fails_once_a_migration_adds_a_column(add_column: Callable[[], None]) -> None:
    sql = "UPDATE shop_email SET tries = tries + 1 RETURNING {}"
    for statement, fails in ((sql.format("*"), True), (sql.format(columns(Email)), False)):
        run_elsewhere("ALTER TABLE shop_email DROP COLUMN IF EXISTS extra")
        with connection.cursor() as cursor:
            for _time in range(3):
                cursor.execute(statement)
            add_column()
            with pytest.raises(NotSupportedError, match="cached plan") if fails else nullcontext():
                cursor.execute(statement)
