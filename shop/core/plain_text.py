"""Texts as people type or paste them, without characters that nobody sees.

Some of these turn the letters after them around or end a line, on parcels, in emails and in the admin; others
make two names look the same. They come along when somebody copies a name or a number from another program, so
they are removed rather than refused. What no keyboard has (control characters) is refused.
"""

import re
from typing import Any
from unicodedata import category, normalize

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils.translation import gettext_lazy as _

# Direction overrides and isolates, zero-width and word-joining spaces, invisible operators, byte order marks,
# annotations, tags, and code points that are no characters. The joiners and marks that Persian, Hebrew and
# emoji are written with stay.
INVISIBLE = re.compile(
    "[\u00ad\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
LINE_SEPARATOR = re.compile("[\x0b\x0c\x85\u2028\u2029]")  # which other programs have in the middle of a line
CONTROL_CHARACTERS = re.compile("[\x01-\x1f\x7f-\x9f\ud800-\udfff]")  # Django itself refuses NUL in a form


def without_invisible(text: str) -> str:
    """Return the text without invisible characters."""
    return INVISIBLE.sub("", text)


def one_line(text: str) -> str:
    """Return the text without invisible characters, and with spaces in the place of line separators."""
    return LINE_SEPARATOR.sub(" ", without_invisible(text))


def paragraphs(text: str) -> str:
    """Return the text without invisible characters, and with line breaks in the place of line separators."""
    return LINE_SEPARATOR.sub("\n", without_invisible(text))


def validate_one_line(value: str) -> None:
    """Refuse line breaks and other control characters."""
    if CONTROL_CHARACTERS.search(value):
        raise ValidationError(_("Remove line breaks and control characters."), code="control")


def validate_paragraphs(value: str) -> None:
    """Refuse control characters other than tabs and line breaks."""
    validate_one_line(re.sub("[\t\r\n]", "", value))


def can_be_written_to(address: str) -> bool:
    """Whether a mail server can look up the domain of a valid email address, and read the rest."""
    try:
        address.rpartition("@")[2].encode("idna")
    except UnicodeError:
        return False
    return not CONTROL_CHARACTERS.search(address)  # which are valid in quotation marks


class OneLineField(forms.CharField):
    """A line of text, such as a name."""

    default_validators = [validate_one_line]

    def to_python(self, value: Any) -> Any:
        return super().to_python(one_line(value) if isinstance(value, str) else value)


class ParagraphsField(forms.CharField):
    """A text of several lines."""

    default_validators = [validate_paragraphs]

    def to_python(self, value: Any) -> Any:
        return super().to_python(paragraphs(value) if isinstance(value, str) else value)


class EmailAddressField(forms.EmailField):
    """An email address that can be written to; letters that were typed in full width become ordinary ones."""

    default_error_messages = {"invalid": validate_email.message}

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = "".join(letter for letter in normalize("NFKC", value) if category(letter) != "Cf")
        return super().to_python(value)

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if value not in self.empty_values and not can_be_written_to(value):
            raise ValidationError(self.error_messages["invalid"], code="invalid")


# For the admin's forms: the fields that it makes for columns of texts.
FORM_FIELDS: dict[Any, dict[str, Any]] = {
    models.CharField: {"form_class": OneLineField},
    models.TextField: {"form_class": ParagraphsField},
    models.EmailField: {"form_class": EmailAddressField},
}
