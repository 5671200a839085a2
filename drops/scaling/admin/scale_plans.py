"""The preparation of a drop at the desk: what is expected, the plan, the timeline of its steps, what it cost."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q
from django.db.models.query import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from drops import lifecycle
from drops.scaling.admin import actions, pages, plans, records, timeline
from drops.scaling.admin.forms import ExpectedForm
from drops.scaling.control import scale_plans
from drops.scaling.models import Call, ScalePlan, Step
from shop.admin.base import ReadOnlyAdmin, person
from shop.core.datetimes import format_time

CALLS = 100  # shown on the page of a drop; the list has them all


@admin.register(ScalePlan)
class PreparationAdmin(ReadOnlyAdmin[ScalePlan]):
    """Written when somebody types how many people are expected, here or on the drop's own page."""

    form = ExpectedForm
    list_display = ("drop", "phase", "opens", "expected", "verdict_words_", "steps_words")
    list_select_related = ("drop",)
    search_fields = ("drop__title", "drop__slug")
    ordering = ("-drop__opens_at",)
    change_form_template = "admin/scaling/scaleplan/change_form.html"
    change_list_template = "admin/scaling/scaleplan/change_list.html"

    def has_change_permission(self, request: HttpRequest, obj: ScalePlan | None = None) -> bool:
        may = bool(request.user.has_perm("scaling.change_scaleplan"))
        return may and (obj is None or lifecycle.phase(drop=obj.drop, now=timezone.now()) not in lifecycle.ENDED_PHASES)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScalePlan]:
        return super().get_queryset(request).prefetch_related("drop__steps")

    @admin.display(description=gettext_lazy("phase"))
    def phase(self, scale_plan: ScalePlan) -> str:
        return lifecycle.phase(drop=scale_plan.drop, now=timezone.now()).value

    @admin.display(description=gettext_lazy("opens"), ordering="drop__opens_at")
    def opens(self, scale_plan: ScalePlan) -> str:
        return format_time(scale_plan.drop.opens_at, now=timezone.now())

    @admin.display(description=gettext_lazy("verdict"), ordering="verdict")
    def verdict_words_(self, scale_plan: ScalePlan) -> str:
        return scale_plan.verdict or _("not yet")

    @admin.display(description=gettext_lazy("steps"))
    def steps_words(self, scale_plan: ScalePlan) -> str:
        counts: dict[str, int] = {}
        for step in scale_plan.drop.steps.all():
            counts[step.get_state_display()] = counts.get(step.get_state_display(), 0) + 1
        return ", ".join(f"{count} {state}" for state, count in counts.items()) or "–"

    def save_model(self, request: HttpRequest, obj: ScalePlan, form: Any, change: bool) -> None:
        """Type another number; the next tick plans with it."""
        try:
            if "expected" in form.changed_data:
                scale_plans.expect(drop=obj.drop, expected=form.cleaned_data["expected"], who=person(request))
        except scale_plans.PlanRefused as refusal:  # the drop ended since the form was shown
            messages.error(request, str(refusal))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context |= panel(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, (extra_context or {}) | pages.state(request))

    def get_urls(self) -> Any:
        wrap = self.admin_site.admin_view
        own = [
            path("learned/", wrap(partial(pages.learned, admin_site=self.admin_site)), name="scaling_learned"),
            path(
                "dry-run/",
                wrap(require_POST(partial(pages.dry_run, admin_site=self.admin_site))),
                name="scaling_dry_run",
            ),
            path("<uuid:drop_id>/plan/", wrap(partial(pages.plan, admin_site=self.admin_site)), name="scaling_plan"),
            path(
                "<uuid:drop_id>/approve/",
                wrap(partial(pages.approve, admin_site=self.admin_site)),
                name="scaling_approve",
            ),
        ]
        whole = [
            path(
                f"{name}/",
                wrap(partial(actions.ask_all, admin_site=self.admin_site, name=name)),
                name=f"scaling_{name}",
            )
            for name in actions.OF_ALL
        ]
        return own + whole + super().get_urls()


def panel(request: HttpRequest, scale_plan: ScalePlan) -> dict[str, Any]:
    """Give what the page of a drop's preparation shows above its form."""
    now, drop = timezone.now(), scale_plan.drop
    steps = list(Step.objects.filter(drop=drop).select_related("target").order_by("tier", "target__name"))
    plan = plans.stored(scale_plan=scale_plan)
    sizes = {line["target_id"]: line["now_size"] for line in plan["lines"]} if plan else {}
    made = Call.objects.filter(step__drop=drop).filter(~Q(act="read") | ~Q(fault=""))
    return {
        "title": _("Preparation of “%(drop)s”") % {"drop": drop},
        "subtitle": None,
        "drop": drop,
        "scale_plan": scale_plan,
        "phase": lifecycle.phase(drop=drop, now=now),
        "timeline": timeline.draw(drop=drop, steps=steps, sizes=sizes, now=now),
        "plan": plan,
        "bill": plans.bill(scale_plan=scale_plan),
        "waiting": plans.waiting(steps=steps, scale_plan=scale_plan),
        "may_act": request.user.has_perm(actions.MAY),
        "calls": records.shown(made.select_related("target", "step__drop")[:CALLS]),
    }
