"""Two people edit one row: the second to save is told who changed what, and loses nothing that they typed.

A change form carries the values that it was loaded with. If the row has other ones once it is posted,
nothing is saved. The form comes back with what this person typed, with the other's values wherever this
person had changed nothing, and with a list of the differences. Saved again, it is saved.

Fields may have been fixed meanwhile, as those of a drop by its announcement. The form has them no more, so
what this person typed into them is shown in the list.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django import forms
from django.core import signing
from django.http import HttpRequest, QueryDict
from django.utils.text import capfirst

from shop.core.models import AuditEntry

LOADED = "_loaded"  # the posted name of what the form was loaded with
REFUSED = "_refused"  # set in the posted data if the form must not be saved now
MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")  # as a field for date and time sends it
MAX_ROWS = 1000
CHANGED, ADDED, DELETED, FIXED = "changed", "added", "deleted", "fixed"
MESSAGE = (
    "Somebody else saved this page after you had opened it, so nothing was saved yet. Check and save again."
)

Values = dict[str, str]  # by field, as a browser sends them


@dataclass
class Row:
    """A row of an inline table: its name for people, and its values."""

    name: str
    values: Values


@dataclass
class Snapshot:
    """What a change form shows."""

    last_entry: int  # the newest entry of the audit log about the row; 0 without one
    values: Values
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)  # by the formset's prefix, then by key


@dataclass(frozen=True)
class Conflict:
    """One difference between what a form was loaded with and the row as it is."""

    kind: str  # CHANGED or FIXED for a field; ADDED, DELETED or FIXED for a row of a table
    label: str
    who: str
    before: str = ""
    theirs: str = ""
    yours: str = ""


def take(*, form: Any, formsets: list[Any], about: str) -> Snapshot:
    """Return what these unbound forms show of the row that the audit log calls `about`."""
    last = AuditEntry.objects.filter(about=about).order_by("-pk").values_list("pk", flat=True).first()
    snapshot = Snapshot(last_entry=last or 0, values=shown(form))
    for formset in formsets:
        snapshot.rows[formset.prefix] = {
            str(row.instance.pk): Row(str(row.instance), shown(row, formset=formset))
            for row in formset.initial_forms
        }
    return snapshot


def shown(form: Any, *, formset: Any = None) -> Values:
    """Return the values of an unbound form's fields that people can change, as a browser would send them."""
    return {name: shown_value(form[name]) for name in editable_names(form, formset=formset)}


def editable_names(form: Any, *, formset: Any = None) -> list[str]:
    """Return the names of a form's fields that people can change."""
    fixed = set()
    if formset is not None:
        fixed = {formset.model._meta.pk.name, formset.fk.name, "DELETE"}
    return [name for name, one in form.fields.items() if name not in fixed and not one.disabled]


def shown_value(bound: forms.BoundField) -> str:
    """Return a field's value as a browser would send it."""
    value, widget = bound.value(), bound.field.widget
    if isinstance(widget, forms.CheckboxInput):
        return "on" if value else ""
    text = value if isinstance(value, list | tuple) else widget.format_value(value)
    if isinstance(text, list | tuple):
        text = ",".join(sorted(str(part) for part in text))
    return plain(str(text)) if text is not None else ""


def plain(text: str) -> str:
    """Return the text with the line ends that the database has, and a time with its seconds.

    Browsers send other line ends, and leave out seconds of 0.
    """
    if MINUTE.fullmatch(text):
        return f"{text}:00"
    return text.replace("\r\n", "\n").strip()


def pack(snapshot: Snapshot) -> str:
    """Return the snapshot as text for a hidden field."""
    return signing.dumps(asdict(snapshot), compress=True)


def unpack(text: str) -> Snapshot | None:
    """Return the snapshot of a posted hidden field; None if there is none that we made."""
    try:
        data = signing.loads(text)
    except signing.BadSignature:
        return None
    rows = {
        prefix: {key: Row(row["name"], row["values"]) for key, row in found.items()}
        for prefix, found in data["rows"].items()
    }
    return Snapshot(last_entry=data["last_entry"], values=data["values"], rows=rows)


@dataclass
class Merge:
    """A posted form, compared with the row as it is. `data` is what the form shows when it comes back."""

    loaded: Snapshot
    current: Snapshot
    fixed: Snapshot  # the row as it is, with the fields that the form had when it was loaded
    posted: QueryDict
    files: Mapping[str, Any]
    labels: Mapping[str, str]  # of the fields, by name
    blanks: Mapping[str, Values]  # by the prefix of a table: what a new row of it is offered with
    choices: Mapping[str, Mapping[str, str]]  # by the name of a field: what each of its values is called
    multiple: Collection[str]  # names of the fields that have several values
    about: str

    def __post_init__(self) -> None:
        self.data = self.posted.copy()
        self.conflicts: list[Conflict] = []
        self.entries = list(
            AuditEntry.objects.filter(about=self.about, pk__gt=self.loaded.last_entry)
            .select_related("actor")
            .order_by("-pk")
        )

    def run(self) -> list[Conflict]:
        """Compare everything, and return the differences."""
        self.compare(before=self.loaded.values, now=self.current.values)
        for prefix, rows in self.current.rows.items():
            # Without a table in the posted form there is nothing that could be overwritten.
            if prefix in self.loaded.rows and f"{prefix}-TOTAL_FORMS" in self.posted:
                self.compare_rows(prefix, rows, total=self.total(prefix))
        self.compare_fixed()
        if self.conflicts:
            self.data[REFUSED] = "1"
        return self.conflicts

    def compare_fixed(self) -> None:
        """List what this person typed into fields and tables that the form no longer has."""
        for name, was in self.loaded.values.items():
            yours = self.posted_value(name, otherwise=was)
            theirs = self.fixed.values.get(name, was)
            if name not in self.current.values and yours not in (was, theirs):
                shown = [self.named(name, value) for value in (was, theirs, yours)]
                label = capfirst(self.labels.get(name, name))
                self.conflicts.append(Conflict(FIXED, label, self.who(name), *shown))
        for prefix, rows in self.loaded.rows.items():
            if prefix not in self.current.rows:
                self.compare_fixed_rows(prefix, rows)

    def compare_fixed_rows(self, prefix: str, rows: dict[str, Row]) -> None:
        """List what this person typed into the rows of a table that the form no longer has."""
        for number in range(self.total(prefix)):
            start = f"{prefix}-{number}-"
            new = Row("A new row", self.blanks.get(prefix, {}))
            row = rows.get(self.posted.get(f"{start}id", ""), new)
            yours = [
                f"{capfirst(self.labels.get(name, name))}: {self.named(name, value) or 'nothing'}"
                for name, was in row.values.items()
                if (value := self.posted_value(start + name, otherwise=was)) != was
            ]
            if f"{start}DELETE" in self.posted:
                yours = ["to be deleted"]
            if yours:
                self.conflicts.append(Conflict(FIXED, row.name, self.who(row.name), yours=", ".join(yours)))

    def total(self, prefix: str) -> int:
        """Return how many rows of a table were posted."""
        total = self.posted.get(f"{prefix}-TOTAL_FORMS", "")
        if total.isascii() and total.isdigit() and len(total) < 5:
            return min(int(total), MAX_ROWS)
        return 0

    def named(self, name: str, value: str) -> str:
        """Return a value as people read it: that of a choice by its name."""
        named = self.choices.get(name, {})
        return ", ".join(named.get(part, part) for part in value.split(",")) if named else value

    def compare(self, *, before: Values, now: Values, prefix: str = "", row: str = "") -> None:
        """Compare the fields of one form, and take over the other's values where this person changed none."""
        for name, theirs in now.items():
            was, posted_name = before.get(name), f"{prefix}{name}"
            yours = self.posted_value(posted_name, otherwise=was or "")
            if was is None or theirs in (was, yours):
                continue
            label = capfirst(self.labels.get(name, name))
            if row:
                label = f"{row}: {label}"
            shown = [self.named(name, value) for value in (was, theirs, yours)]
            self.conflicts.append(Conflict(CHANGED, label, self.who(name), *shown))
            if yours == was:
                self.take_over(posted_name, theirs, is_multiple=name in self.multiple)

    def take_over(self, name: str, theirs: str, *, is_multiple: bool) -> None:
        """Show the other's value in a field."""
        self.data.pop(name, None)  # without a value, a checkbox isn't ticked
        if is_multiple and theirs:
            self.data.setlist(name, theirs.split(","))
        elif theirs:
            self.data[name] = theirs

    def posted_value(self, name: str, *, otherwise: str) -> str:
        """Return what was posted in a field; a file only if one was chosen."""
        if name in self.files:
            return str(self.files[name])
        if f"{name}-clear" in self.posted:
            return ""
        if name in self.posted or otherwise == "on":  # a checkbox that isn't ticked sends nothing
            return plain(",".join(sorted(self.posted.getlist(name))))
        return otherwise

    def compare_rows(self, prefix: str, rows: dict[str, Row], *, total: int) -> None:
        """Compare a table row by row, and number its rows again: those that exist come first."""
        loaded = self.loaded.rows[prefix]
        posted = {self.posted.get(f"{prefix}-{n}-id", ""): n for n in range(total)}
        new = [n for n in range(total) if not self.posted.get(f"{prefix}-{n}-id")]
        for key, row in rows.items():
            if key in loaded and key in posted:
                start = f"{prefix}-{posted[key]}-"
                self.compare(before=loaded[key].values, now=row.values, prefix=start, row=row.name)
        added = [key for key in rows if key not in loaded]
        gone = [key for key in loaded if key not in rows and key in posted]
        kept = [posted[key] for key in rows if key in posted]
        for key in added:
            self.conflicts.append(Conflict(ADDED, rows[key].name, self.who(rows[key].name)))
        for key in gone:
            if f"{prefix}-{posted[key]}-DELETE" in self.posted:
                continue
            yours = self.typed(f"{prefix}-{posted[key]}-", loaded[key].values)
            name = loaded[key].name
            self.conflicts.append(Conflict(DELETED, name, self.who(name), yours=", ".join(yours)))
            if yours:  # what was typed into the deleted row comes back as a new one
                new.append(posted[key])
        if added or gone:
            self.renumber(prefix, kept=kept, added=[(key, rows[key]) for key in added], new=new, total=total)

    def typed(self, start: str, before: Values) -> list[str]:
        """Return the values of a row that this person changed."""
        values = {name: self.posted_value(start + name, otherwise=was) for name, was in before.items()}
        return [value for name, value in values.items() if value != before[name]]

    def renumber(
        self, prefix: str, *, kept: list[int], added: list[tuple[str, Row]], new: list[int], total: int
    ) -> None:
        """Write the posted data of a table again: rows that exist, rows that the other added, new rows."""
        old = {n: self.fields_of(f"{prefix}-{n}-") for n in range(total)}
        for n, fields in old.items():
            for name in fields:
                del self.data[f"{prefix}-{n}-{name}"]
        rows = [old[n] for n in kept]
        rows += [{**row.values, "id": key} for key, row in added]
        existing = len(rows)
        rows += [{**old[n], "id": ""} for n in new]
        for number, values in enumerate(rows):
            for name, value in values.items():
                self.data[f"{prefix}-{number}-{name}"] = value
        self.data[f"{prefix}-TOTAL_FORMS"] = str(len(rows))
        self.data[f"{prefix}-INITIAL_FORMS"] = str(existing)

    def fields_of(self, start: str) -> Values:
        """Return the posted values of one row."""
        return {
            name.removeprefix(start): str(self.data.get(name, ""))
            for name in list(self.data)
            if name.startswith(start)
        }

    def who(self, name: str) -> str:
        """Return who changed a field, by the newest entry about it; any entry's actor if none names it."""
        naming = [entry for entry in self.entries if name and any(names(entry, name))]
        for entry in naming or self.entries:
            if entry.actor is not None:
                return entry.actor.get_username()
        return "the system"


def names(entry: AuditEntry, name: str) -> Iterator[bool]:
    """Whether each thing that an entry is about is the field or the row called `name`."""
    for key in {**entry.before, **entry.after}:
        yield key == name or key.endswith(f" · {name}") or key.startswith(f"{name} · ")


def blanks(formsets: list[Any]) -> dict[str, Values]:
    """Return what a new row of each table is offered with, by the formset's prefix."""
    return {formset.prefix: shown(formset.empty_form, formset=formset) for formset in formsets}


def labels(*, form: Any, formsets: list[Any]) -> dict[str, str]:
    """Return the labels of all fields, by name."""
    found = {name: str(one.label or name) for name, one in form.fields.items()}
    for formset in formsets:
        found = {name: str(one.label or name) for name, one in formset.empty_form.fields.items()} | found
    return found


def choices(*, form: Any, formsets: list[Any]) -> dict[str, dict[str, str]]:
    """Return what each value of the fields with choices is called, by the field's name."""
    fields = dict(form.fields.items())
    for formset in formsets:
        fields = dict(formset.empty_form.fields.items()) | fields
    found: dict[str, dict[str, str]] = {}
    for name, one in fields.items():
        if isinstance(one, forms.ChoiceField):
            pairs: Any = one.choices
            found[name] = {str(value): str(text) for value, text in pairs}
    return found


def multiple(form: Any) -> set[str]:
    """Return the names of a form's fields that have several values."""
    return {
        name
        for name, one in form.fields.items()
        if isinstance(one, forms.MultipleChoiceField | forms.ModelMultipleChoiceField)
    }


def is_refused(request: HttpRequest) -> bool:
    """Whether the posted form must not be saved now."""
    return REFUSED in request.POST
