"""A variant's options as people type them: "size=M, colour=gold". JSON is accepted too."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator

from shop.core import plain_text


def parse_options(text: str) -> dict[str, str]:
    """Return the options in `size=M, colour=gold` or `{"size": "M"}`. Raises ValidationError."""
    text = text.strip()
    if text.startswith("{"):
        return parse_json(text)
    options: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise ValidationError(f"“{part}” isn't a valid option. Enter name=value, such as size=M.")
        if name in options:
            raise ValidationError(f"The option “{name}” is given twice. Keep one.")
        options[name] = value
    return options


def parse_json(text: str) -> dict[str, str]:
    """Return options written as a JSON object of plain values. Raises ValidationError."""
    try:
        options = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValidationError(
            f"This isn't valid JSON from character {error.pos + 1} on. Enter name=value, such as size=M."
        ) from error
    except (ValueError, RecursionError):  # a number of thousands of digits, or a list in a list in a list …
        raise ValidationError("Each option has one plain value, such as size=M.") from None
    if not all(isinstance(value, str | int | float) for value in options.values()):
        raise ValidationError("Each option has one plain value, such as size=M.")
    return {clean(str(name)): clean(str(value)) for name, value in options.items()}


def clean(text: str) -> str:
    """Return one line without invisible characters; JSON may contain any. Raises ValidationError."""
    text = plain_text.one_line(text).strip()
    ProhibitNullCharactersValidator()(text)
    plain_text.validate_one_line(text)
    return text


def format_options(options: dict[str, Any]) -> str:
    """Return options as `parse_options` accepts them."""
    if any("," in f"{name}{value}" or "=" in f"{name}{value}" for name, value in options.items()):
        return json.dumps(options, ensure_ascii=False)
    return ", ".join(f"{name}={value}" for name, value in options.items())


class OptionsField(forms.CharField):
    """One line of options."""

    def __init__(self, **kwargs: Any) -> None:
        help_text = "What tells it apart from the other variants: size=M, or size=M, colour=gold."
        super().__init__(required=False, help_text=help_text, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return format_options(value)
        return value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        return parse_options(clean(super().to_python(value) or ""))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or {}))
        except ValidationError:
            return True
