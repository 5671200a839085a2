"""The load test's own questions to the shop's database, which may be away for a while."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db import Error, connection

from shop.core import database

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.5

Result = TypeVar("Result")


@dataclass
class Patience:
    """Asks again, on a new connection, while the database is unavailable, and counts how often."""

    failures: int = 0

    def ask(self, question: Callable[[], Result]) -> Result:
        """Return what the question returns.

        Raises: django.db.Error, after PATIENCE_SECONDS, or at once if the question is at fault.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return question()
            except Error as error:
                if not database.is_unavailable(error) or time.monotonic() > deadline:
                    raise
            self.failures += 1
            connection.close()
            time.sleep(PAUSE_SECONDS)
