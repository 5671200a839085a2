"""Numbers entered before they belonged to the drop survive the migrations, there and back."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.factories import make_drop

BEFORE = [("drops", "0002_hold_version"), ("scaling", "0002_groups_that_stand_as_they_are")]


@pytest.fixture
def latest(transactional_db: None) -> Iterator[list[tuple[str, str]]]:
    """The newest migrations, applied again whatever happens."""
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    yield leaves
    MigrationExecutor(connection).migrate(leaves)


def value(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        (found,) = cursor.fetchone()
    return found


@pytest.mark.parametrize("expected", [1, 20_000, 2_147_483_647])
def test_an_old_row_keeps_its_number(latest: list[tuple[str, str]], expected: int) -> None:
    drop, other = make_drop(), make_drop()
    MigrationExecutor(connection).migrate(BEFORE)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO scaling_scaleplan (drop_id, expected, changed_at, approved_sizes, verdict,"
            " verdict_messages) VALUES (%s, %s, now(), '{}', '', '[]')",
            [drop.pk, expected],
        )

    MigrationExecutor(connection).migrate(latest)

    drop.refresh_from_db()
    other.refresh_from_db()
    assert (drop.expected_shoppers, drop.scale_plan.expected, other.expected_shoppers) == (
        expected,
        expected,
        None,
    )

    MigrationExecutor(connection).migrate(BEFORE)
    assert value("SELECT expected FROM scaling_scaleplan") == expected
