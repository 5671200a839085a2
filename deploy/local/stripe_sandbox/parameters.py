"""Request parameters: Stripe's form encoding (`metadata[order]=7`), validated with Stripe's errors."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from . import errors
from .objects import SPEC

Parser = Callable[[Any, str], Any]
"""Takes a raw value and the parameter's full name; returns the parsed value or raises ApiError."""
Schema = Mapping[str, Parser]

NAME_PATTERN = re.compile(r"^[^\[\]]+(\[[^\[\]]*\])*$")
KEY_PATTERN = re.compile(r"[^\[\]]+")
MAX_FIELDS = 200
MAX_STRING_LENGTH = 5000
MAX_METADATA_KEYS = 50
MAX_METADATA_KEY_LENGTH = 40
MAX_METADATA_VALUE_LENGTH = 500


def decode(encoded: str) -> dict[str, Any]:
    """Turn `a[b][0]=c` into nested dicts.

    Arrays come out as dicts with digits for keys, since only the schema knows which of them are arrays.
    """
    params: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True, max_num_fields=MAX_FIELDS):
        if not NAME_PATTERN.match(name):
            raise errors.invalid_request(f"Invalid parameter name: {name}")
        # `a[]=x` appends, so the next index of the array goes between the brackets.
        next_index = len(params.get(name.partition("[")[0], ""))
        *parents, last = KEY_PATTERN.findall(name.replace("[]", f"[{next_index}]"))
        target = params
        for key in parents:
            target = target.setdefault(key, {})
            if not isinstance(target, dict):
                raise errors.invalid_request(f"Invalid parameter: {name}", param=name)
        target[last] = value
    return params


def parse(
    raw: Mapping[str, Any], *, schema: Schema, operation: str, required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return an operation's parsed parameters. Raises ApiError for what is unknown, missing or malformed."""
    known_at_stripe = SPEC["parameters"].get(operation, ())
    unsupported = [name for name in raw if name not in schema]
    unknown = [name for name in unsupported if name not in known_at_stripe]
    if unknown:
        noun = "parameter"
        if len(unknown) > 1:
            noun = "parameters"
        raise errors.invalid_request(
            f"Received unknown {noun}: {', '.join(unknown)}", code="parameter_unknown", param=unknown[0]
        )
    if unsupported:
        raise errors.invalid_request(
            f"The sandbox doesn't support Stripe's parameter {unsupported[0]}.", param=unsupported[0]
        )
    for name in required:
        if name not in raw:
            raise errors.invalid_request(
                f"Missing required param: {name}.", code="parameter_missing", param=name
            )
    return {name: schema[name](value, name) for name, value in raw.items()}


def string(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise errors.invalid_request(f"Invalid string: {value}", param=name)
    if not value:
        raise errors.invalid_request(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
            f"parameter; however '{name}' cannot be unset. You should remove '{name}' from your request or "
            "supply a non-empty value.",
            code="parameter_invalid_empty",
            param=name,
        )
    if len(value) > MAX_STRING_LENGTH:
        raise errors.invalid_request(
            f"Invalid string: {value[:20]}...; must be at most {MAX_STRING_LENGTH} characters",
            code="parameter_invalid_string_length",
            param=name,
        )
    return value


def emptyable(value: Any, name: str) -> str | None:
    """Return a string; None for the empty string, which unsets the field."""
    if not value:
        return None
    return string(value, name)


def integer(value: Any, name: str) -> int:
    digits = string(value, name)
    if not re.fullmatch(r"-?[0-9]{1,15}", digits):
        raise errors.invalid_request(
            f"Invalid integer: {digits}", code="parameter_invalid_integer", param=name
        )
    return int(digits)


def boolean(value: Any, name: str) -> bool:
    if value not in ("true", "false"):
        raise errors.invalid_request(f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def enum(*values: str) -> Parser:
    def parse_enum(value: Any, name: str) -> str:
        if string(value, name) not in values:
            raise errors.invalid_request(f"Invalid {name}: must be one of {', '.join(values)}", param=name)
        return str(value)

    return parse_enum


def array(value: Any, name: str) -> list[str]:
    """Return an array of strings."""
    if not isinstance(value, dict):
        raise errors.invalid_request("Invalid array", param=name)
    return [string(item, f"{name}[{index}]") for index, item in enumerate(value.values())]


def nested(required: tuple[str, ...] = (), **schema: Parser) -> Parser:
    def parse_nested(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise errors.invalid_request("Invalid object", param=name)
        for key in value:
            if key not in schema:
                param = f"{name}[{key}]"
                raise errors.invalid_request(
                    f"Received unknown parameter: {param}", code="parameter_unknown", param=param
                )
        for key in required:
            if key not in value:
                param = f"{name}[{key}]"
                raise errors.invalid_request(
                    f"Missing required param: {param}.", code="parameter_missing", param=param
                )
        return {key: schema[key](item, f"{name}[{key}]") for key, item in value.items()}

    return parse_nested


def metadata(value: Any, name: str) -> dict[str, str]:
    """Return the changes to metadata, in which an empty value unsets its key.

    An empty string for the whole parameter unsets all keys; it is returned as `{}`.
    """
    if value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise errors.invalid_request("Invalid object", param=name)
    for key, item in value.items():
        if len(key) > MAX_METADATA_KEY_LENGTH or len(item) > MAX_METADATA_VALUE_LENGTH:
            raise errors.invalid_request(
                f"Metadata keys can have up to {MAX_METADATA_KEY_LENGTH} characters and values up to "
                f"{MAX_METADATA_VALUE_LENGTH}: {key[: MAX_METADATA_KEY_LENGTH + 1]}",
                param=f"{name}[{key}]",
            )
    if len(value) > MAX_METADATA_KEYS:
        raise errors.invalid_request(f"Metadata can have up to {MAX_METADATA_KEYS} keys.", param=name)
    return dict(value)


def created(value: Any, name: str) -> dict[str, int]:
    """Return the bounds of `created=5` or `created[gte]=5`, by operator."""
    if isinstance(value, str):
        timestamp = integer(value, name)
        return {"gte": timestamp, "lte": timestamp}
    return dict(nested(gt=integer, gte=integer, lt=integer, lte=integer)(value, name))


ADDRESS = nested(
    city=emptyable,
    country=emptyable,
    line1=emptyable,
    line2=emptyable,
    postal_code=emptyable,
    state=emptyable,
)
SHIPPING = nested(
    ("address", "name"), address=ADDRESS, name=string, phone=emptyable, carrier=string, tracking_number=string
)
BILLING_DETAILS = nested(address=ADDRESS, email=emptyable, name=emptyable, phone=emptyable, tax_id=emptyable)
PAYMENT_METHOD_DATA = nested(
    ("type",),
    type=enum("card"),
    card=nested(
        ("number", "exp_month", "exp_year"), number=string, exp_month=integer, exp_year=integer, cvc=string
    ),
    billing_details=BILLING_DETAILS,
    allow_redisplay=enum("always", "limited", "unspecified"),
    metadata=metadata,
)
