"""The outbox's tasks cost nothing between drops."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from shop import tasks

pytestmark = pytest.mark.django_db


def test_tasks_run_few_statements_while_nothing_is_due(
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[object]],
) -> None:
    with django_assert_max_num_queries(1):
        assert tasks.send_due_emails() == 0
    with django_assert_max_num_queries(0):
        assert tasks.send_due_alerts(sent_by="a newer version") == 0
    with django_assert_max_num_queries(2):
        assert tasks.watch_emails() == 0
