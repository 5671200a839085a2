"""The base of refusals on the way to a hold: what happened and what to do, for the shopper's page."""

from django.utils.functional import Promise


class HoldRefused(Exception):
    """There is no hold, or it is over. Nothing was changed and nothing was charged.

    `title` is one sentence saying what happened, `reason` says why and what to do next.
    `status` is the page's HTTP status.
    """

    title: str | Promise
    reason: str | Promise
    status = 409

    def __str__(self) -> str:
        return f"{self.title} {self.reason}".strip()
