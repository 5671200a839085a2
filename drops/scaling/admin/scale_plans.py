"""The scale plan of a drop in the admin: expected shoppers, plan, timeline, and cost."""

from collections import Counter
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q
from django.db.models.query import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST

from drops import lifecycle
from drops.models import Drop
from drops.scaling.admin import actions, pages, plans, records, timeline
from drops.scaling.admin.forms import ExpectedForm
from drops.scaling.control import scale_plans
from drops.scaling.models import Call, ScalePlan, Step
from shop.admin.base import ConflictAdmin, ReadOnlyAdmin, person
from shop.core.datetimes import format_time

MAX_CALLS = 100  # on the page of a drop; the list of calls has them all


@admin.register(ScalePlan)
class ScalePlanAdmin(ConflictAdmin[ScalePlan], ReadOnlyAdmin[ScalePlan]):
    """Scale plans are created when somebody enters the expected shoppers, here or on the drop's own page."""

    form = ExpectedForm
    list_display = ("drop", "phase", "opens", "expected_shoppers", "verdict_text", "step_counts")
    list_select_related = ("drop",)
    search_fields = ("drop__title", "drop__slug")
    ordering = ("-drop__opens_at",)
    change_form_template = "admin/scaling/scaleplan/change_form.html"
    change_list_template = "admin/scaling/scaleplan/change_list.html"

    def about(self, obj: ScalePlan) -> str:
        return f"drop:{obj.drop.slug}"

    def lock(self, obj: ScalePlan) -> None:
        """Lock the drop, as everything does that plans for it."""
        Drop.objects.select_for_update(no_key=True).filter(pk=obj.drop_id).first()

    def has_change_permission(self, request: HttpRequest, obj: ScalePlan | None = None) -> bool:
        if not request.user.has_perm("scaling.change_scaleplan"):
            return False
        return obj is None or lifecycle.phase(drop=obj.drop, now=timezone.now()) not in lifecycle.ENDED_PHASES

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScalePlan]:
        return super().get_queryset(request).prefetch_related("drop__steps")

    @admin.display(description="phase")
    def phase(self, scale_plan: ScalePlan) -> str:
        return lifecycle.phase(drop=scale_plan.drop, now=timezone.now()).value

    @admin.display(description="opens", ordering="drop__opens_at")
    def opens(self, scale_plan: ScalePlan) -> str:
        return format_time(scale_plan.drop.opens_at, now=timezone.now())

    @admin.display(description="expected shoppers", ordering="drop__expected_shoppers")
    def expected_shoppers(self, scale_plan: ScalePlan) -> int:
        return scale_plan.expected

    @admin.display(description="go / no-go", ordering="verdict")
    def verdict_text(self, scale_plan: ScalePlan) -> str:
        return scale_plan.verdict or "not yet"

    @admin.display(description="steps")
    def step_counts(self, scale_plan: ScalePlan) -> str:
        counts = Counter(step.get_state_display() for step in scale_plan.drop.steps.all())
        return ", ".join(f"{count} {state}" for state, count in counts.items()) or "–"

    def save_model(self, request: HttpRequest, obj: ScalePlan, form: Any, change: bool) -> None:
        """Store another number of expected shoppers, and plan with it."""
        if "expected" not in form.changed_data:
            return
        try:
            expected = form.cleaned_data["expected"]
            scale_plans.set_expected(drop=obj.drop, expected=expected, actor=person(request))
        except scale_plans.PlanRefused as refusal:  # the drop ended while the form was open
            messages.error(request, str(refusal))

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= page_context(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, (extra_context or {}) | pages.overview(request))

    def get_urls(self) -> Any:
        def view(function: Any, **arguments: Any) -> Any:
            return self.admin_site.admin_view(partial(function, admin_site=self.admin_site, **arguments))

        own = [
            path("learned/", view(pages.learned), name="scaling_learned"),
            path("dry-run/", view(require_POST(pages.dry_run)), name="scaling_dry_run"),
            path("<uuid:drop_id>/plan/", view(pages.preview), name="scaling_plan"),
            path("<uuid:drop_id>/approve/", view(pages.approve), name="scaling_approve"),
        ]
        buttons = [
            path(f"{name}/", view(actions.global_action, name=name), name=f"scaling_{name}")
            for name in actions.GLOBAL_ACTIONS
        ]
        return own + buttons + super().get_urls()


def page_context(request: HttpRequest, scale_plan: ScalePlan) -> dict[str, Any]:
    """Return what the page of a scale plan shows above its form."""
    now, drop = timezone.now(), scale_plan.drop
    steps = list(Step.objects.filter(drop=drop).select_related("target").order_by("tier", "target__name"))
    plan = plans.stored_plan_context(scale_plan=scale_plan)
    sizes = {}
    if plan:
        sizes = {line["target_id"]: line["current_size"] for line in plan["lines"]}
    calls = Call.objects.filter(step__drop=drop).filter(~Q(operation="read") | ~Q(error=""))
    return {
        "title": f"Scale plan of “{drop}”",
        "subtitle": None,
        "drop": drop,
        "scale_plan": scale_plan,
        "phase": lifecycle.phase(drop=drop, now=now),
        "timeline": timeline.draw(drop=drop, steps=steps, sizes=sizes, now=now),
        "plan": plan,
        "cost": plans.cost_context(scale_plan=scale_plan),
        "approvals": plans.pending_approvals(steps=steps, scale_plan=scale_plan),
        "may_act": request.user.has_perm(actions.PERMISSION),
        "calls": records.call_rows(calls.select_related("target", "step__drop")[:MAX_CALLS]),
    }
