"""Axes of a variant as people type them: "size=M, colour=gold"; JSON is taken as well."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


def read(text: str) -> dict[str, str]:
    """Read `size=M, colour=gold` or `{"size": "M"}`. Raises ValidationError."""
    text = text.strip()
    if text.startswith("{"):
        return from_json(text)
    axes = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise ValidationError(_("“%(part)s” is no axis. Write name=value, such as size=M.") % {"part": part})
        if name in axes:
            raise ValidationError(_("The axis “%(name)s” is there twice. Keep one.") % {"name": name})
        axes[name] = value
    return axes


def from_json(text: str) -> dict[str, str]:
    """Read axes written as a JSON object of plain values. Raises ValidationError."""
    try:
        axes = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValidationError(
            _("This is no valid JSON, from character %(n)d on. Write name=value, such as size=M.")
            % {"n": error.pos + 1}
        ) from error
    if not all(isinstance(value, str | int | float) for value in axes.values()):
        raise ValidationError(_("Each axis has one plain value, such as size=M."))
    return {str(name): str(value) for name, value in axes.items()}


def write(axes: dict[str, Any]) -> str:
    """Write axes as `read` takes them."""
    if any("," in f"{name}{value}" or "=" in f"{name}{value}" for name, value in axes.items()):
        return json.dumps(axes, ensure_ascii=False)
    return ", ".join(f"{name}={value}" for name, value in axes.items())


class AxesField(forms.CharField):
    """One line of axes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False, help_text=_("What tells it from the others: size=M, or size=M, colour=gold."), **kwargs
        )

    def prepare_value(self, value: Any) -> Any:
        return write(value) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, dict) else read(super().to_python(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or {}))
        except ValidationError:
            return True
