"""Reads, inserts and updates whose SQL is written once: for the few that every shopper causes.

    HELD = Read(Hold.objects.filter(uuid=Given("uuid")))
    HELD.first(uuid=…)
    ORDER = Insert(Order)
    ORDER.row(hold=…, email=…)
    OVER = Change(Hold.objects.filter(uuid=Given("uuid")), state="released", ended_at=Now())
    OVER.rows(uuid=…)

Django writes the SQL of a queryset anew each time it is used, which costs several times what the row itself does. Here
it is written at the first use and kept; rows become objects in Django's own way. What a queryset does in further
queries (prefetch_related) is not kept.
"""

import threading
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, models
from django.db.models import sql
from django.db.models.query import get_related_populators
from django.db.models.sql.compiler import SQLCompiler

from shop.core.sql import columns

__all__ = ["Change", "Given", "Insert", "Read", "columns"]

Row = TypeVar("Row", bound=models.Model)


class Given(models.Expression):
    """A value that is known at the use only."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, _compiler: Any, _connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class Read(Generic[Row]):
    """A queryset with Given in the place of values. The values are named at each read, as the database takes them."""

    def __init__(self, queryset: models.QuerySet[Row]) -> None:
        self.queryset = queryset
        self._lock = threading.Lock()
        self._written: tuple[SQLCompiler, str, tuple[Any, ...], Any, list[Any]] | None = None

    def all(self, **values: Any) -> list[Row]:
        """Read every row."""
        return list(self._read(values))

    def first(self, **values: Any) -> Row | None:
        """Read the first row, if there is one."""
        return next(self._read(values), None)

    def get(self, **values: Any) -> Row:
        """Read the first row. Raises the model's DoesNotExist."""
        row = self.first(**values)
        if row is None:
            missing: type[ObjectDoesNotExist] = self.queryset.model.DoesNotExist  # type: ignore[attr-defined]
            raise missing(f"There is no {self.queryset.model._meta.verbose_name} {values}.")
        return row

    def _read(self, values: dict[str, Any]) -> Iterator[Row]:
        compiler, text, places, converters, populators = self._write()
        with connection.cursor() as cursor:
            cursor.execute(text, filled(places, values))
            found = cursor.fetchall()
        model, fields = compiler.klass_info["model"], compiler.klass_info["select_fields"]
        first, end = fields[0], fields[-1] + 1
        names = [column.target.attname for column, _sql, _alias in compiler.select[first:end]]
        for row in compiler.apply_converters(found, converters):
            made = model.from_db(connection.alias, names, row[first:end])
            for populator in populators:
                populator.populate(row, made)
            for name, place in compiler.annotation_col_map.items():
                setattr(made, name, row[place])
            yield made

    def _write(self) -> tuple[SQLCompiler, str, tuple[Any, ...], Any, list[Any]]:
        """Have Django write the SQL, once."""
        with self._lock:
            if self._written is None:
                compiler = self.queryset.query.get_compiler(connection=connection)
                text, places = compiler.as_sql()
                converters = compiler.get_converters([column for column, _sql, _alias in compiler.select])
                populators = get_related_populators(  # type: ignore[call-arg]  # the stubs are a version ahead
                    compiler.klass_info, compiler.select, connection.alias
                )
                self._written = compiler, text, places, converters, populators
            return self._written


class Insert(Generic[Row]):
    """An INSERT of one row, with the model's own defaults. What the database fills in is not given, but read back.

    Values are values, no expressions; no signal is sent.
    """

    def __init__(self, model: type[Row]) -> None:
        self.model = model
        self._filled_in = [field for field in model._meta.concrete_fields if field.db_returning]
        self._given = [field for field in model._meta.concrete_fields if not field.db_returning]
        places = ", ".join(["%s"] * len(self._given))
        self._text = f'INSERT INTO "{model._meta.db_table}" ({quoted(self._given)}) VALUES ({places})'
        self._returning = f" RETURNING {quoted(self._filled_in or [model._meta.pk])}"

    def row(self, **values: Any) -> Row:
        """Insert a row. Raises IntegrityError if it clashes with one that is there."""
        made = self.model(**values)
        self._run(self._text, made)
        return made

    def unless_there(self, **values: Any) -> None:
        """Insert a row, or none if it clashes with one that is there."""
        self._run(f"{self._text} ON CONFLICT DO NOTHING", self.model(**values))

    def _run(self, text: str, made: Row) -> None:
        given = [field.get_db_prep_save(field.pre_save(made, True), connection) for field in self._given]
        with connection.cursor() as cursor:
            cursor.execute(text + self._returning, given)
            found = cursor.fetchone()
        for field, value in zip(self._filled_in, found or (), strict=False):
            setattr(made, field.attname, value)
        made._state.adding, made._state.db = False, connection.alias


class Change:
    """An UPDATE of a queryset's rows. `fields` are what update() takes, or Given, named at each use."""

    def __init__(self, queryset: models.QuerySet[Any], **fields: Any) -> None:
        self.queryset, self.fields = queryset, fields
        self._lock = threading.Lock()
        self._written: tuple[str, tuple[Any, ...]] | None = None

    def rows(self, **values: Any) -> int:
        """Make the change; how many rows it met."""
        text, places = self._write()
        with connection.cursor() as cursor:
            cursor.execute(text, filled(places, values))
            count: int = cursor.rowcount
            return count

    def _write(self) -> tuple[str, tuple[Any, ...]]:
        """Have Django write the SQL, once."""
        with self._lock:
            if self._written is None:
                query = self.queryset.order_by().query.chain(sql.UpdateQuery)
                query.add_update_values(self.fields)  # type: ignore[attr-defined]  # it is the class asked for
                self._written = query.get_compiler(connection=connection).as_sql()
            return self._written


def quoted(fields: Iterable[Any]) -> str:
    return ", ".join(f'"{field.column}"' for field in fields)


def filled(places: tuple[Any, ...], values: dict[str, Any]) -> list[Any]:
    """Put the values in the places of Given."""
    return [values[place.name] if isinstance(place, Given) else place for place in places]
