"""Pages of pre-scaling that belong to no model: a preview, a dry run, ops' approval, and what was learned."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from drops.models import Drop
from drops.scaling.admin import actions, plans
from drops.scaling.admin.forms import PreviewForm
from drops.scaling.admin.plans import PendingApproval
from drops.scaling.control import alerts, heartbeat, scale_plans, tick
from drops.scaling.models import Demand, ScalePlan, Step, Target
from drops.scaling.planning import history, planner, read_inputs, weights
from shop.admin.base import person
from shop.admin.refusals import refusal_page
from shop.core.datetimes import format_duration
from shop.core.models import Alert

MAX_DEMANDS = 64  # shown: eight drops with all their groups


def overview(request: HttpRequest) -> dict[str, Any]:
    """Return the status of pre-scaling as a whole: its heartbeat, whether it is paused, open alerts."""
    now = timezone.now()
    row = heartbeat.current()
    age = ""
    if row.ticked_at:
        age = format_duration(max(now - row.ticked_at, timedelta()))
    action = actions.GLOBAL_ACTIONS["pause"]
    if row.paused_at:
        action = actions.GLOBAL_ACTIONS["resume"]
    return {
        "heartbeat": row,
        "heartbeat_age": age,
        "is_overdue": heartbeat.is_overdue(now=now),
        "alerts": alerts_with_targets(),
        "may_act": request.user.has_perm(actions.PERMISSION),
        "action": action,
    }


def alerts_with_targets() -> list[tuple[Alert, Target | None]]:
    """Return pre-scaling's open alerts, each with the target that it names."""
    rows = list(alerts.open_alerts())
    targets = Target.objects.in_bulk([alert.details.get("target") for alert in rows], field_name="name")
    return [(alert, targets.get(alert.details.get("target"))) for alert in rows]


def preview(request: HttpRequest, *, admin_site: AdminSite, drop_id: object) -> HttpResponse:
    """Show what a number of shoppers would need, and why. Writes nothing."""
    if not request.user.has_perm("scaling.view_scaleplan"):
        raise PermissionDenied
    drop = get_object_or_404(Drop, pk=drop_id)
    stored = drop.expected_shoppers
    if "expected" in request.GET:
        form = PreviewForm(request.GET)
    else:
        form = PreviewForm({"expected": stored or ""})
    plan = None
    if form.is_valid():
        inputs = read_inputs.read(drop=drop, expected=form.cleaned_data["expected"], now=timezone.now())
        plan = plans.plan_context(planner.make_plan(inputs))
    context = {
        **admin_site.each_context(request),
        "title": f"What would “{drop}” need?",
        "drop": drop,
        "form": form,
        "plan": plan,
        "stored": stored,
    }
    return TemplateResponse(request, "admin/scaling/preview.html", context)


def dry_run(request: HttpRequest, *, admin_site: AdminSite) -> HttpResponse:
    """Show what a tick would do now. Targets are read; nothing is changed and nothing is written."""
    actions.require_permission(request)
    lines = tick.run_once(actor=request.user.get_username(), dry_run=True)
    context = {**admin_site.each_context(request), "title": "What a tick would do now", "lines": lines}
    return TemplateResponse(request, "admin/scaling/dry_run.html", context)


def learned(request: HttpRequest, *, admin_site: AdminSite) -> HttpResponse:
    """Show what was learned from the last drops, and the evidence."""
    if not request.user.has_perm("scaling.view_demand"):
        raise PermissionDenied
    no_drop = Drop()  # an unsaved one: nothing is planned, so all past drops count
    measured = history.measured_demands(before=no_drop)
    targets, left_out = read_inputs.read_targets(drop=no_drop)
    learned_weights = weights.learn(measured).values()
    context = {
        **admin_site.each_context(request),
        "title": "What was learned",
        "weights": [(weight, (weight.cpu_seconds or 0) * 1000) for weight in learned_weights],
        "targets": targets,
        "left_out": left_out,
        "demands": Demand.objects.select_related("drop").order_by("-measured_at", "group")[:MAX_DEMANDS],
    }
    return TemplateResponse(request, "admin/scaling/learned.html", context)


def approve(request: HttpRequest, *, admin_site: AdminSite, drop_id: object) -> HttpResponse:
    """Ask ops to approve what lies beyond their ceilings. Only what the page shows is approved."""
    actions.require_permission(request)
    scale_plan = get_object_or_404(ScalePlan.objects.select_related("drop"), drop=drop_id)
    back = reverse(f"{admin_site.name}:scaling_scaleplan_change", args=[scale_plan.pk])
    if request.method == "POST":
        try:
            approve_shown(request, scale_plan=scale_plan)
        except scale_plans.PlanRefused as refusal:
            return refusal_page(
                request, admin_site=admin_site, about=scale_plan.drop, why=[str(refusal)], back=back
            )
        messages.success(request, "Approved. Scaling continues on the next tick.")
        return HttpResponseRedirect(back)
    approvals = pending_approvals(scale_plan=scale_plan)
    context = {
        **admin_site.each_context(request),
        "back": back,
        "object": scale_plan.drop,
        "title": f"Approve the scale plan of “{scale_plan.drop}”?",
        "approvals": approvals,
        "fingerprint": plans.fingerprint(approvals),
        "plan": plans.stored_plan_context(scale_plan=scale_plan),
    }
    return TemplateResponse(request, "admin/scaling/approve.html", context)


def approve_shown(request: HttpRequest, *, scale_plan: ScalePlan) -> None:
    """Approve what the page showed. Raises PlanRefused if that has changed since."""
    with transaction.atomic():
        # Planning takes this lock too: nothing grows between the comparison and the approval.
        ScalePlan.objects.select_for_update().get(pk=scale_plan.pk)
        approvals = pending_approvals(scale_plan=scale_plan)
        if plans.fingerprint(approvals) != request.POST.get("fingerprint"):
            raise scale_plans.PlanRefused(
                "The plan has changed since this page was loaded. Check it again, then approve it."
            )
        scale_plans.approve(drop=scale_plan.drop, actor=person(request))


def pending_approvals(*, scale_plan: ScalePlan) -> list[PendingApproval]:
    """Return what needs approval for a drop."""
    steps = Step.objects.filter(drop=scale_plan.drop, needs_approval=True).select_related("target")
    return plans.pending_approvals(steps=list(steps.order_by("tier", "target__name")), scale_plan=scale_plan)
