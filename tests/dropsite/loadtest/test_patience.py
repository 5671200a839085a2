"""A load test whose own database connection breaks goes on, and says so."""

import os

import psycopg
import pytest
from django.conf import settings
from django.db import Error, ProgrammingError, connection

from dropsite.loadtest import patience
from dropsite.loadtest.patience import Patience

pytestmark = pytest.mark.usefixtures("transactional_db")


def ask_one() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def cut() -> None:
    """Cut this thread's connection, as a restart of Postgres does."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    with psycopg.connect(
        os.environ["DATABASE_URL"], dbname=settings.DATABASES["default"]["NAME"], autocommit=True
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.mark.parametrize("cuts", [0, 1, 3])
def test_asks_again_on_a_new_connection(cuts: int) -> None:
    asking, left = Patience(), iter(range(cuts))

    def question() -> int:
        if next(left, None) is not None:
            cut()
        return ask_one()

    assert asking.ask(question) == 1
    assert asking.failures == cuts


def test_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    asking = Patience()

    def question() -> int:
        cut()
        return ask_one()

    with pytest.raises(Error):
        asking.ask(question)


def test_does_not_repeat_a_question_that_is_wrong() -> None:
    asking = Patience()

    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        asking.ask(lambda: cursor.execute("SELECT nonsense"))
    assert asking.failures == 0
