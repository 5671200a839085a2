"""Parameters: from Stripe's form encoding (`metadata[order]=7`) to checked values, with Stripe's own complaints."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from . import errors
from .shapes import SHAPES

Check = Callable[[Any, str], Any]
"""Takes the raw value and the parameter's name; returns the value or raises ApiError."""
Schema = Mapping[str, Check]

KEY = re.compile(r"[^\[\]]+")
NAME = re.compile(r"^[^\[\]]+(\[[^\[\]]*\])*$")


def decode(encoded: str) -> dict[str, Any]:
    """Nest `a[b][0]=c`. Lists come out as mappings with digits for keys: only the schema knows which is which."""
    nested: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True, max_num_fields=200):
        if not NAME.match(name):
            raise errors.invalid(f"Invalid parameter name: {name}")
        keys = KEY.findall(name.replace("[]", f"[{len(nested.get(name.partition('[')[0], ''))}]"))
        at = nested
        for key in keys[:-1]:
            at = at.setdefault(key, {})
            if not isinstance(at, dict):
                raise errors.invalid(f"Invalid parameter: {name}", param=name)
        at[keys[-1]] = value
    return nested


def check(raw: Mapping[str, Any], *, schema: Schema, operation: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The checked parameters of an operation. Raises ApiError for what is unknown, missing or malformed."""
    known = SHAPES["parameters"].get(operation, ())
    if unknown := [name for name in raw if name not in schema and name not in known]:
        raise errors.invalid(
            f"Received unknown parameter{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}",
            code="parameter_unknown",
            param=unknown[0],
        )
    if beyond := [name for name in raw if name not in schema]:
        raise errors.invalid(
            f"The sandbox does not carry the parameter {beyond[0]}, which Stripe has.", param=beyond[0]
        )
    for name in required:
        if name not in raw:
            raise errors.invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return {name: schema[name](value, name) for name, value in raw.items()}


def text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise errors.invalid(f"Invalid string: {value}", param=name)
    if not value:
        raise errors.invalid(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty "
            "value.",
            code="parameter_invalid_empty",
            param=name,
        )
    if len(value) > 5000:
        raise errors.invalid(
            f"Invalid string: {value[:20]}...; must be at most 5000 characters",
            code="parameter_invalid_string_length",
            param=name,
        )
    return value


def clearable(value: Any, name: str) -> str | None:
    """Text that an empty string unsets."""
    return text(value, name) if value else None


def integer(value: Any, name: str) -> int:
    digits = text(value, name)
    if not re.fullmatch(r"-?[0-9]{1,15}", digits):
        raise errors.invalid(f"Invalid integer: {digits}", code="parameter_invalid_integer", param=name)
    return int(digits)


def boolean(value: Any, name: str) -> bool:
    if value not in ("true", "false"):
        raise errors.invalid(f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def choice(*values: str) -> Check:
    def read(value: Any, name: str) -> str:
        if text(value, name) not in values:
            raise errors.invalid(f"Invalid {name}: must be one of {', '.join(values)}", param=name)
        return str(value)

    return read


def listing(value: Any, name: str) -> list[str]:
    if not isinstance(value, dict):
        raise errors.invalid("Invalid array", param=name)
    return [text(item, f"{name}[{place}]") for place, item in enumerate(value.values())]


def nested(required: tuple[str, ...] = (), **schema: Check) -> Check:
    def read(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise errors.invalid("Invalid object", param=name)
        for key in value:
            if key not in schema:
                full = f"{name}[{key}]"
                raise errors.invalid(f"Received unknown parameter: {full}", code="parameter_unknown", param=full)
        for key in required:
            if key not in value:
                full = f"{name}[{key}]"
                raise errors.invalid(f"Missing required param: {full}.", code="parameter_missing", param=full)
        return {key: schema[key](item, f"{name}[{key}]") for key, item in value.items()}

    return read


def metadata(value: Any, name: str) -> dict[str, str]:
    """Changes to an object's metadata: an empty value unsets a key, an empty string all of them (`{}`)."""
    if value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise errors.invalid("Invalid object", param=name)
    for key, item in value.items():
        if len(key) > 40 or len(item) > 500:
            raise errors.invalid(
                f"Metadata keys can have up to 40 characters and values up to 500: {key[:41]}", param=f"{name}[{key}]"
            )
    if len(value) > 50:
        raise errors.invalid("Metadata can have up to 50 keys.", param=name)
    return dict(value)


def created(value: Any, name: str) -> dict[str, int]:
    """`created=5` or `created[gte]=5`, as bounds by operator."""
    if isinstance(value, str):
        at = integer(value, name)
        return {"gte": at, "lte": at}
    return dict(nested(gt=integer, gte=integer, lt=integer, lte=integer)(value, name))


ADDRESS = nested(
    city=clearable, country=clearable, line1=clearable, line2=clearable, postal_code=clearable, state=clearable
)
SHIPPING = nested(("address", "name"), address=ADDRESS, name=text, phone=clearable, carrier=text, tracking_number=text)
BILLING = nested(address=ADDRESS, email=clearable, name=clearable, phone=clearable, tax_id=clearable)
METHOD_DATA = nested(
    ("type",),
    type=choice("card"),
    card=nested(("number", "exp_month", "exp_year"), number=text, exp_month=integer, exp_year=integer, cvc=text),
    billing_details=BILLING,
    allow_redisplay=choice("always", "limited", "unspecified"),
    metadata=metadata,
)
