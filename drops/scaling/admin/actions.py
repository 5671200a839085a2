"""Ops' actions on pre-scaling. Each asks for confirmation on a page of its own, and is done by POST, once.

All staff may look; every action needs the permission to act on pre-scaling.
"""

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from drops.scaling.admin import display
from drops.scaling.control import pausing, provider_calls, target_actions
from drops.scaling.models import Call, Target
from shop.admin.actions import Action, ReasonForm
from shop.admin.base import person
from shop.admin.refusals import refusal_page

PERMISSION = "scaling.act_on_scaling"


TARGET_ACTIONS = {
    action.name: action
    for action in (
        Action(
            name="restore",
            label="Restore now",
            warning=(
                "All drops release this target and it returns to its baseline on the next tick, "
                "even during a live drop. That capacity is lost."
            ),
            done="The next ticks return the target to its baseline and read it back.",
            do=lambda target, actor, _reason: target_actions.restore_now(target=target, actor=actor),
        ),
        Action(
            name="resume",
            label="Resume",
            warning=(
                "Check the target first: pre-scaling continues from its present size, "
                "and the next tick applies what is planned."
            ),
            done="Pre-scaling continues with this target on the next tick.",
            do=lambda target, actor, _reason: target_actions.resume(target=target, actor=actor),
        ),
        Action(
            name="abandon",
            label="Leave it as it is",
            warning=(
                "Somebody else's change stays: the baseline is cleared, every drop's lease on this "
                "target ends, and the target isn't brought back."
            ),
            done="The target stays as it is.",
            do=lambda target, actor, _reason: target_actions.abandon(target=target, actor=actor),
        ),
    )
}
GLOBAL_ACTIONS = {
    action.name: action
    for action in (
        Action(
            name="pause",
            label="Pause pre-scaling",
            warning=(
                "No target is scaled up or brought back until you resume. Targets keep their present "
                "sizes. A drop that isn't ready in time admits fewer shoppers."
            ),
            done="Pre-scaling is paused.",
            do=lambda _subject, actor, reason: pausing.pause(actor=actor, reason=reason),
            form=ReasonForm,
        ),
        Action(
            name="resume",
            label="Resume pre-scaling",
            warning="The next tick applies what is due and brings back what is over.",
            done="Pre-scaling is resumed.",
            do=lambda _subject, actor, _reason: pausing.resume(actor=actor),
        ),
    )
}


def available(*, request: HttpRequest, target: Target) -> list[Action]:
    """Return the actions on a target that make sense now; none without the permission."""
    if not request.user.has_perm(PERMISSION):
        return []
    is_available = {
        "restore": target.baseline is not None,
        "resume": target.stopped_at is not None or target.failures > 0,
        "abandon": target.stopped_at is not None,
    }
    return [action for name, action in TARGET_ACTIONS.items() if is_available[name]]


def target_action(request: HttpRequest, *, admin_site: AdminSite, target_id: int, name: str) -> HttpResponse:
    """Show the page of one action on a target, or do it."""
    require_permission(request)
    target = get_object_or_404(Target, pk=target_id)
    back = reverse(f"{admin_site.name}:scaling_target_change", args=[target.pk])
    observed_size = (target.observed or {}).get("size")
    facts = [
        ("Baseline", display.size(target=target, count=target.baseline_size)),
        ("Desired", display.size(target=target, count=target.desired_size)),
        ("Observed", display.size(target=target, count=observed_size)),
    ]
    action = TARGET_ACTIONS[name]
    return confirm(request, admin_site=admin_site, action=action, subject=target, back=back, facts=facts)


def global_action(request: HttpRequest, *, admin_site: AdminSite, name: str) -> HttpResponse:
    """Show the page of one action on pre-scaling as a whole, or do it."""
    require_permission(request)
    back = reverse(f"{admin_site.name}:scaling_scaleplan_changelist")
    action = GLOBAL_ACTIONS[name]
    return confirm(request, admin_site=admin_site, action=action, subject="Pre-scaling", back=back, facts=[])


def confirm(
    request: HttpRequest,
    *,
    admin_site: AdminSite,
    action: Action,
    subject: object,
    back: str,
    facts: list[tuple[str, str]],
) -> HttpResponse:
    """Ask for confirmation; on POST, do it and go back. A refusal has a page of its own."""
    form = action.form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            action.do(subject, person(request), form.cleaned_data.get("reason", ""))
        except target_actions.TargetActionRefused as refusal:
            return refusal_page(request, admin_site=admin_site, about=subject, why=[str(refusal)], back=back)
        messages.success(request, str(action.done))
        return HttpResponseRedirect(back)
    title = f"{action.label}?"
    if isinstance(subject, Target):
        title = f"{action.label}: {subject}?"
    context = {
        **admin_site.each_context(request),
        "title": title,
        "action": action,
        "subject": subject,
        "back": back,
        "facts": facts,
        "form": form,
    }
    status = 422 if form.errors else 200
    return TemplateResponse(request, "admin/scaling/confirm.html", context, status=status)


def test_connection(request: HttpRequest, *, admin_site: AdminSite, target_id: int) -> HttpResponse:
    """Test the connection to a target: it is read, and nothing is changed."""
    require_permission(request)
    target = get_object_or_404(Target, pk=target_id)
    call = provider_calls.test(target=target, actor=request.user.get_username())
    if call.error:
        messages.error(request, f"The connection doesn't work. {call.error}")
    else:
        messages.success(request, test_result(call=call, target=target))
    return HttpResponseRedirect(reverse(f"{admin_site.name}:scaling_target_change", args=[target.pk]))


def test_result(*, call: Call, target: Target) -> str:
    """Return what a successful test read."""
    observed = call.after or {}
    size = display.size(target=target, count=observed.get("size", 0))
    serving = observed.get("serving", 0)
    took = f"{call.milliseconds} ms"
    return f"The connection works: {size}, {serving} of them serving. It took {took}; nothing was changed."


def require_permission(request: HttpRequest) -> None:
    """Refuse staff who may only look, with 403."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
