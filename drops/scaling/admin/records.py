"""Read-only lists of what pre-scaling records: calls, steps, and the measured demand of drops."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin

from drops.scaling.admin import display
from drops.scaling.models import Call, Demand, Step
from shop.admin.base import ReadOnlyAdmin


@dataclass(frozen=True)
class CallRow:
    """A call as the tables of targets and drops show it."""

    call: Call
    when: str
    operation: str
    before: str
    after: str


def call_rows(calls: Iterable[Call]) -> list[CallRow]:
    """Return calls as table rows."""
    return [
        CallRow(
            call, display.time(call.at), call.operation, display.state(call.before), display.state(call.after)
        )
        for call in calls
    ]


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin[Call]):
    list_display = (
        "at",
        "target",
        "operation",
        "from_",
        "to",
        "request_id",
        "milliseconds",
        "actor",
        "error",
    )
    list_filter = ("operation", ("error", admin.EmptyFieldListFilter), "target")
    list_select_related = ("target",)
    search_fields = ("target__name", "request_id", "actor", "error", "step__drop__slug")
    ordering = ("-at", "-id")
    fields = (
        "at",
        "target",
        "step",
        "operation",
        "from_",
        "to",
        "request_id",
        "milliseconds",
        "actor",
        "error",
    )

    @admin.display(description="from")
    def from_(self, call: Call) -> str:
        return display.state(call.before)

    @admin.display(description="to")
    def to(self, call: Call) -> str:
        return display.state(call.after)


@admin.register(Step)
class StepAdmin(ReadOnlyAdmin[Step]):
    list_display = (
        "drop", "target", "state", "desired_size", "starts_at", "needed_at", "ready_at", "ended_at", "message",
    )  # fmt: skip
    list_filter = ("state", "target")
    list_select_related = ("drop", "target")
    search_fields = ("drop__slug", "drop__title", "target__name")
    ordering = ("-needed_at", "tier", "target")


@admin.register(Demand)
class DemandAdmin(ReadOnlyAdmin[Demand]):
    """The measurements from which weights are learned."""

    list_display = (
        "drop", "group", "shoppers", "requests", "peak_per_second", "cpu_seconds", "slots", "connections",
        "measured_at",
    )  # fmt: skip
    list_filter = ("group", "drop")
    list_select_related = ("drop",)
    ordering = ("-measured_at", "group")

    def get_empty_value_display(self) -> Any:
        return "not measured"
