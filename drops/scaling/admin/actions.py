"""What ops do with pre-scaling at the desk: each act asks on a page of its own, then is done by post, once.

Looking is for everybody at the desk; each of these acts needs the permission to act on pre-scaling.
"""

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drops.scaling.admin import words
from drops.scaling.control import provider_calls, scale_plans, steps
from drops.scaling.models import Call, Target
from shop.admin.actions import Action, ReasonForm
from shop.admin.base import person
from shop.admin.refusals import refusal_page

MAY = "scaling.act_on_scaling"


OF_TARGET = {
    act.name: act
    for act in (
        Action(
            name="restore",
            label=gettext_lazy("Restore now"),
            warning=gettext_lazy(
                "Every drop gives its claim on this target up, and it goes back to its baseline at the next tick, "
                "while a drop runs too. What it carries is missing from then on."
            ),
            done=gettext_lazy("It goes back to its baseline. The next ticks do it and read it back."),
            do=lambda target, who, _reason: steps.restore_now(target=target, who=who),
        ),
        Action(
            name="take_up",
            label=gettext_lazy("Take it up again"),
            warning=gettext_lazy(
                "Look at the target first: as it stands now it becomes what pre-scaling goes on from, and the next "
                "tick asks of it what is planned."
            ),
            done=gettext_lazy("The next tick goes on with it."),
            do=lambda target, who, _reason: steps.resume_target(target=target, who=who),
        ),
        Action(
            name="let_go",
            label=gettext_lazy("Leave it as it is"),
            warning=gettext_lazy(
                "Somebody else's change stays: the baseline is forgotten, every drop's claim on this target ends, and "
                "nothing is brought back."
            ),
            done=gettext_lazy("It stays as it is."),
            do=lambda target, who, _reason: steps.abandon(target=target, who=who),
        ),
    )
}
OF_ALL = {
    act.name: act
    for act in (
        Action(
            name="pause",
            label=gettext_lazy("Pause pre-scaling"),
            warning=gettext_lazy(
                "Nothing new is asked of any target and nothing is brought back, until you resume. What is scaled "
                "stays so. A drop that is not ready in time lets fewer people in."
            ),
            done=gettext_lazy("Pre-scaling is paused."),
            do=lambda _all, who, reason: steps.pause(who=who, reason=reason),
            form=ReasonForm,
        ),
        Action(
            name="resume",
            label=gettext_lazy("Resume pre-scaling"),
            warning=gettext_lazy("The next tick goes on: what is due is asked for, what is over is brought back."),
            done=gettext_lazy("Pre-scaling goes on."),
            do=lambda _all, who, _reason: steps.resume(who=who),
        ),
    )
}


def of_target(*, request: HttpRequest, target: Target) -> list[Action]:
    """Give the acts on a target that make sense now, for those who may act."""
    sensible = {
        "restore": target.baseline is not None,
        "take_up": target.stopped_at is not None or target.failures > 0,
        "let_go": target.stopped_at is not None,
    }
    return [act for name, act in OF_TARGET.items() if sensible[name]] if request.user.has_perm(MAY) else []


def ask_target(request: HttpRequest, *, admin_site: AdminSite, target_id: int, name: str) -> HttpResponse:
    """Answer the page of one button of a target."""
    permit(request)
    target = get_object_or_404(Target, pk=target_id)
    back = reverse(f"{admin_site.name}:scaling_target_change", args=[target.pk])
    facts = [
        (_("Baseline"), words.size(target=target, count=target.baseline_size)),
        (_("Asked for"), words.size(target=target, count=target.asked_size)),
        (_("Last read"), words.size(target=target, count=(target.seen or {}).get("size"))),
    ]
    return ask(request, admin_site=admin_site, act=OF_TARGET[name], about=target, back=back, facts=facts)


def ask_all(request: HttpRequest, *, admin_site: AdminSite, name: str) -> HttpResponse:
    """Answer the page of one button of pre-scaling as a whole."""
    permit(request)
    back = reverse(f"{admin_site.name}:scaling_scaleplan_changelist")
    return ask(request, admin_site=admin_site, act=OF_ALL[name], about=_("Pre-scaling"), back=back, facts=[])


def ask(
    request: HttpRequest, *, admin_site: AdminSite, act: Action, about: object, back: str, facts: list[tuple[str, str]]
) -> HttpResponse:
    """Ask, then do it and go back. A refusal is told on a page of its own."""
    form = act.form(request.POST if request.method == "POST" else None)
    context = {**admin_site.each_context(request), "act": act, "about": about, "back": back, "facts": facts}
    if request.method == "POST" and form.is_valid():
        try:
            act.do(about, person(request), form.cleaned_data.get("reason", ""))
        except (steps.StepRefused, scale_plans.PlanRefused) as refusal:
            return refusal_page(request, admin_site=admin_site, about=about, why=[str(refusal)], back=back)
        messages.success(request, str(act.done))
        return HttpResponseRedirect(back)
    context |= {"title": _("%(act)s: %(about)s?") % {"act": act.label, "about": about}, "form": form}
    return TemplateResponse(request, "admin/scaling/act.html", context, status=422 if form.errors else 200)


def test(request: HttpRequest, *, admin_site: AdminSite, target_id: int) -> HttpResponse:
    """Try the connection to a target: it is read, and nothing is asked of it."""
    permit(request)
    target = get_object_or_404(Target, pk=target_id)
    call = provider_calls.test(target=target, who=request.user.get_username())
    if call.fault:
        messages.error(request, _("The connection doesn't work. %(fault)s") % {"fault": call.fault})
    else:
        messages.success(request, works(call=call, target=target))
    return HttpResponseRedirect(reverse(f"{admin_site.name}:scaling_target_change", args=[target.pk]))


def works(*, call: Call, target: Target) -> str:
    """Say what a test read."""
    seen = call.after or {}
    return _("The connection works: %(size)s, %(serving)s of them serving. It took %(ms)s ms; nothing was changed.") % {
        "size": words.size(target=target, count=seen.get("size", 0)),
        "serving": seen.get("serving", 0),
        "ms": call.milliseconds,
    }


def permit(request: HttpRequest) -> None:
    """Refuse those who may only look, with 403."""
    if not request.user.has_perm(MAY):
        raise PermissionDenied
