"""Model instances from hand-written SQL, for statements that the ORM can't say or is too slow to write."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


def columns(model: type[models.Model], table: str = "") -> str:
    """Return the model's columns as SQL text, each with the table's name or alias if one is given.

    Name them instead of writing `*`: a prepared statement with `*` fails when a migration adds a column.
    """
    prefix = ""
    if table:
        prefix = f"{table}."
    return ", ".join(f'{prefix}"{field.column}"' for field in fields(model))


def from_row(model: type[M], values: Sequence[Any]) -> M:
    """Return the instance whose columns, as `columns` names them, have these values."""
    names, converted = [], []
    for field, value in zip(fields(model), values, strict=True):
        names.append(field.attname)
        if hasattr(field, "from_db_value"):
            # JSON, for example, arrives as text.
            converted.append(field.from_db_value(value, None, connection))
        else:
            converted.append(value)
    return model.from_db(connection.alias, names, converted)


@cache
def fields(model: type[models.Model]) -> "tuple[models.Field[Any, Any], ...]":
    """Return the model's fields that have a column, in the order of `columns`."""
    found = model._meta.get_fields()
    return tuple(field for field in found if isinstance(field, models.Field) and field.concrete)
