"""The pause before another try doubles, up to a limit."""

from datetime import timedelta

import pytest

from shop.core.backoff import wait_before_retry


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [(0, 10), (1, 10), (2, 20), (3, 40), (8, 1280), (9, 2560), (10, 3600), (10**6, 3600)],
)
def test_wait_before_retry_doubles_up_to_the_longest(tries: int, seconds: int) -> None:
    wait = wait_before_retry(tries=tries, first=timedelta(seconds=10), longest=timedelta(hours=1))

    assert wait == timedelta(seconds=seconds)
