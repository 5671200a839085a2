"""A model field for texts that the shop makes itself."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    CharField = models.CharField[str, str]
else:
    CharField = models.CharField  # generic only in its stubs

CUT_MARK = "…"


class ShortenedCharField(CharField):
    """A text that we make ourselves: whatever is longer than the column ends in "…" there.

    Otherwise one long name would make Postgres refuse the row, and undo what was recorded beside it. Lookups
    shorten their text in the same way, so that a row is found by what was written. In the database it is an
    ordinary column. Not for identifiers, which are worth nothing without their end.
    """

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        if isinstance(text, str) and self.max_length and len(text) > self.max_length:
            return text[: self.max_length - len(CUT_MARK)] + CUT_MARK
        return text

    def deconstruct(self) -> Any:
        """Describe the field to migrations as the plain CharField that its column is."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
