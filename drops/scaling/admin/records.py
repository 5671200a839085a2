"""What pre-scaling leaves behind, to look at: calls, steps, and the demand that drops were measured at."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drops.scaling.admin import words
from drops.scaling.models import Call, Demand, Step
from shop.admin.base import ReadOnlyAdmin

ACTS = {"read": gettext_lazy("read"), "ask": gettext_lazy("asked"), "test": gettext_lazy("tested")}


@dataclass(frozen=True)
class Shown:
    """A call in words, for the tables of targets and drops."""

    call: Call
    when: str
    act: str
    before: str
    after: str


def shown(calls: Iterable[Call]) -> list[Shown]:
    """Put calls into words."""
    return [
        Shown(
            call,
            words.time(call.at),
            str(ACTS.get(call.act, call.act)),
            words.state(call.before),
            words.state(call.after),
        )
        for call in calls
    ]


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin[Call]):
    list_display = ("at", "target", "act", "from_", "to", "request_id", "milliseconds", "who", "fault")
    list_filter = ("act", ("fault", admin.EmptyFieldListFilter), "target")
    list_select_related = ("target",)
    search_fields = ("target__name", "request_id", "who", "fault", "step__drop__slug")
    ordering = ("-at", "-id")
    fields = ("at", "target", "step", "act", "from_", "to", "request_id", "milliseconds", "who", "fault")

    @admin.display(description=gettext_lazy("from"))
    def from_(self, call: Call) -> str:
        return words.state(call.before)

    @admin.display(description=gettext_lazy("to"))
    def to(self, call: Call) -> str:
        return words.state(call.after)


@admin.register(Step)
class StepAdmin(ReadOnlyAdmin[Step]):
    list_display = ("drop", "target", "state", "wanted", "starts_at", "needed_at", "ready_at", "ended_at", "message")
    list_filter = ("state", "target")
    list_select_related = ("drop", "target")
    search_fields = ("drop__slug", "drop__title", "target__name")
    ordering = ("-needed_at", "tier", "target")


@admin.register(Demand)
class DemandAdmin(ReadOnlyAdmin[Demand]):
    """What was measured, which is what weights are learned from."""

    list_display = (
        "drop", "group", "shoppers", "requests", "peak_per_second", "cpu_seconds", "slots", "connections",
        "measured_at",
    )  # fmt: skip
    list_filter = ("group", "drop")
    list_select_related = ("drop",)
    ordering = ("-measured_at", "group")

    def get_empty_value_display(self) -> Any:
        return _("not measured")
