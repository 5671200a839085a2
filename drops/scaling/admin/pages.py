"""Pages of pre-scaling that are no model's: what would be planned, a dry run, ops' yes, what was learned."""

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
from django.utils.translation import gettext as _

from drops.models import Drop
from drops.scaling.admin import actions, plans
from drops.scaling.admin.forms import AskedForm
from drops.scaling.control import heartbeat, scale_plans, tick
from drops.scaling.models import Demand, ScalePlan, Step, Target
from drops.scaling.planning import history, read_inputs, weights
from drops.scaling.planning.planner import plan as reckon
from shop.admin.base import person
from shop.admin.refusals import refusal_page
from shop.core.datetimes import format_duration
from shop.core.models import Alert

EVIDENCE = 64  # rows of evidence shown: eight drops with all their groups


def state(request: HttpRequest) -> dict[str, Any]:
    """Give how pre-scaling as a whole stands: its pulse, whether it is paused, open alerts."""
    now = timezone.now()
    row = heartbeat.read()
    return {
        "pulse": row,
        "pulse_age": format_duration(max(now - row.ticked_at, timedelta())) if row.ticked_at else "",
        "pulse_late": heartbeat.is_lost(now=now),
        "alerts": open_alerts(),
        "may_act": request.user.has_perm(actions.MAY),
        "acts": [actions.OF_ALL["resume" if row.paused_at else "pause"]],
    }


def open_alerts() -> list[tuple[Alert, Target | None]]:
    """Return the open alerts, each with the target that it names."""
    alerts = list(Alert.objects.open())
    targets = Target.objects.in_bulk([alert.details.get("target") for alert in alerts], field_name="name")
    return [(alert, targets.get(alert.details.get("target"))) for alert in alerts]


def plan(request: HttpRequest, *, admin_site: AdminSite, drop_id: object) -> HttpResponse:
    """Show what a number of shoppers would need, and why. Writes nothing."""
    if not request.user.has_perm("scaling.view_scaleplan"):
        raise PermissionDenied
    drop = get_object_or_404(Drop, pk=drop_id)
    typed = ScalePlan.objects.filter(drop=drop).values_list("expected", flat=True).first()
    form = AskedForm(request.GET if "expected" in request.GET else {"expected": typed or ""})
    made = None
    if form.is_valid():
        known = read_inputs.read(drop=drop, expected=form.cleaned_data["expected"], now=timezone.now())
        made = plans.shown(reckon(known))
    context = {
        **admin_site.each_context(request),
        "title": _("What would “%(drop)s” need?") % {"drop": drop},
        "drop": drop,
        "form": form,
        "plan": made,
        "typed": typed,
    }
    return TemplateResponse(request, "admin/scaling/preview.html", context)


def dry_run(request: HttpRequest, *, admin_site: AdminSite) -> HttpResponse:
    """Show what a tick would do now. Targets are read, nothing is asked of them, nothing is written but the calls."""
    actions.permit(request)
    lines = tick.tick(who=request.user.get_username(), dry_run=True)
    context = {**admin_site.each_context(request), "title": _("What a tick would do now"), "lines": lines}
    return TemplateResponse(request, "admin/scaling/dry_run.html", context)


def learned(request: HttpRequest, *, admin_site: AdminSite) -> HttpResponse:
    """Show what was learned from the last drops, and from what."""
    if not request.user.has_perm("scaling.view_demand"):
        raise PermissionDenied
    none = Drop()  # planned for no drop in particular: all of them teach
    found = history.measured(before=none)
    known, left_out = read_inputs.read_targets(drop=none)
    context = {
        **admin_site.each_context(request),
        "title": _("What was learned"),
        "weights": [(one, (one.cpu_seconds or 0) * 1000) for one in weights.learn(found).values()],
        "targets": known,
        "left_out": left_out,
        "demands": Demand.objects.select_related("drop").order_by("-measured_at", "group")[:EVIDENCE],
    }
    return TemplateResponse(request, "admin/scaling/learned.html", context)


def approve(request: HttpRequest, *, admin_site: AdminSite, drop_id: object) -> HttpResponse:
    """Ask ops for their yes to what lies beyond their ceilings, with its price; it counts for what was shown only."""
    actions.permit(request)
    scale_plan = get_object_or_404(ScalePlan.objects.select_related("drop"), drop=drop_id)
    back = reverse(f"{admin_site.name}:scaling_scaleplan_change", args=[scale_plan.pk])
    if request.method == "POST":
        try:
            give_yes(request, scale_plan=scale_plan)
        except scale_plans.PlanRefused as refusal:
            return refusal_page(request, admin_site=admin_site, about=scale_plan.drop, why=[str(refusal)], back=back)
        messages.success(request, _("You said yes. The next tick goes on with it."))
        return HttpResponseRedirect(back)
    waits = waiting(scale_plan=scale_plan)
    context = {
        **admin_site.each_context(request),
        "back": back,
        "object": scale_plan.drop,
        "title": _("Say yes for “%(drop)s”?") % {"drop": scale_plan.drop},
        "waiting": waits,
        "mark": plans.mark(waits),
        "plan": plans.stored(scale_plan=scale_plan),
    }
    return TemplateResponse(request, "admin/scaling/approve.html", context)


def give_yes(request: HttpRequest, *, scale_plan: ScalePlan) -> None:
    """Approve what waits, if it is what the page showed. Raises preparing.Refused."""
    with transaction.atomic():
        # Whoever plans takes this lock too: between the look and the yes nothing grows.
        ScalePlan.objects.select_for_update().get(pk=scale_plan.pk)
        if plans.mark(waiting(scale_plan=scale_plan)) != request.POST.get("mark"):
            raise scale_plans.PlanRefused(_("The plan has changed since you looked at it. Look again, then say yes."))
        scale_plans.approve(drop=scale_plan.drop, who=person(request))


def waiting(*, scale_plan: ScalePlan) -> list[plans.Waiting]:
    """Read what of a drop waits for a yes."""
    steps = Step.objects.filter(drop=scale_plan.drop, held_back=True).select_related("target")
    return plans.waiting(steps=list(steps.order_by("tier", "target__name")), scale_plan=scale_plan)
