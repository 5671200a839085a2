"""The buttons of a drop: each asks on a page of its own, then does one act of drops.drop_actions."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drops import drop_actions
from drops.lifecycle import Phase
from drops.models import Drop
from shop.admin.actions import Action, ReasonForm
from shop.admin.base import person
from shop.admin.refusals import refusal_page
from shop.core import money


@dataclass(frozen=True, kw_only=True)
class DropAction(Action):
    """A button of a drop, with who may press it and in which phases it makes sense."""

    permission: str
    phases: tuple[Phase, ...]


BEFORE = (Phase.ANNOUNCED, Phase.LOBBY, Phase.OPENING)
ACTS = {
    act.name: act
    for act in (
        DropAction(
            name="announce",
            label=gettext_lazy("Announce"),
            warning=gettext_lazy(
                "Shoppers will see the drop. Its product, address, currency, times, limits, prices and quantities are "
                "fixed from then on."
            ),
            done=gettext_lazy("The drop is announced."),
            permission="drops.change_drop",
            phases=(Phase.DRAFT,),
            do=lambda drop, who, _reason: drop_actions.announce(drop=drop, who=who),
        ),
        DropAction(
            name="pause",
            label=gettext_lazy("Pause"),
            warning=gettext_lazy("Nobody is let in until you resume. Whoever holds units keeps them, and may pay."),
            done=gettext_lazy("The drop is paused."),
            permission="drops.add_pause",
            phases=(*BEFORE, Phase.LIVE),
            do=lambda drop, who, reason: drop_actions.pause(drop=drop, who=who, reason=reason),
            form=ReasonForm,
        ),
        DropAction(
            name="resume",
            label=gettext_lazy("Resume"),
            warning=gettext_lazy("The line goes on where it stood. Whoever holds units has two minutes at least."),
            done=gettext_lazy("The drop goes on."),
            permission="drops.change_pause",
            phases=(Phase.PAUSED,),
            do=lambda drop, who, _reason: drop_actions.resume(drop=drop, who=who),
        ),
        DropAction(
            name="close",
            label=gettext_lazy("Close"),
            warning=gettext_lazy(
                "The drop ends for good and can't be opened again. Whoever holds units may still pay for them."
            ),
            done=gettext_lazy("The drop is closed."),
            permission="drops.change_drop",
            phases=(*BEFORE, Phase.LIVE, Phase.PAUSED),
            do=lambda drop, who, _reason: drop_actions.close(drop=drop, who=who),
        ),
    )
}


def offered(*, request: HttpRequest, drop: Drop, phase: Phase, paused: bool) -> list[DropAction]:
    """Give the buttons that this person may press now."""
    return [
        act
        for act in ACTS.values()
        if request.user.has_perm(act.permission)
        and (act.name != "pause" or not paused)
        and (phase in act.phases or (act.name == "resume" and paused))
    ]


def view(request: HttpRequest, *, admin_site: AdminSite, drop: Drop, act: DropAction) -> HttpResponse:
    """Ask, then do it; a refusal says why on a page of its own."""
    form = act.form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act.do(drop, person(request), form.cleaned_data.get("reason", ""))
        except drop_actions.NotReady as refusal:
            return refusal_page(request, admin_site=admin_site, about=drop, why=refusal.missing)
        except drop_actions.ActionRefused as refusal:
            return refusal_page(request, admin_site=admin_site, about=drop, why=[str(refusal)])
        messages.success(request, str(act.done))
        return HttpResponseRedirect(reverse(f"{admin_site.name}:drops_drop_change", args=[drop.pk]))
    lacks = drop_actions.missing(drop=drop, now=timezone.now()) if act.name == "announce" else []
    context = {
        **admin_site.each_context(request),
        "title": _("%(act)s “%(drop)s”?") % {"act": act.label, "drop": drop},
        "act": act,
        "form": form,
        "drop": drop,
        "missing": lacks if drop.announced_at is None else [],
        "editions": [
            (edition, money.format_amount(amount=edition.price, currency=drop.currency))
            for edition in drop.editions.select_related("variant__product")
        ],
    }
    return TemplateResponse(request, "admin/drops/drop/act.html", context, status=200 if not form.errors else 422)


def ask(request: HttpRequest, *, admin_site: AdminSite, drop_id: object, name: str) -> HttpResponse:
    """Answer the page of one button. 403 for those who may not press it."""
    act = ACTS[name]
    if not request.user.has_perm(act.permission):
        raise PermissionDenied
    return view(request, admin_site=admin_site, drop=get_object_or_404(Drop, pk=drop_id), act=act)
