"""The base of what a shopper may be refused: a sentence for them and the status of the page that says it."""

from typing import ClassVar

from django.utils.functional import Promise


class HoldRefused(Exception):
    """A hold could not be had, or is over. Nothing was changed and no money moved."""

    message: ClassVar[str | Promise]
    status: ClassVar[int] = 409

    def __str__(self) -> str:
        return str(self.message)
