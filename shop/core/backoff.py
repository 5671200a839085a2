"""The wait before a failed call is tried again."""

from datetime import timedelta


def wait_before_retry(*, tries: int, first: timedelta, longest: timedelta) -> timedelta:
    """Return the pause after so many failed tries: `first`, doubled with each try, at most `longest`."""
    doublings = min(max(tries - 1, 0), 20)  # a larger number would be too large for timedelta
    factor: int = 2**doublings
    return min(first * factor, longest)
