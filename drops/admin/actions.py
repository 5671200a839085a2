"""The actions of a drop: each asks on a page of its own, then calls drops.drop_actions."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from drops import drop_actions, lifecycle
from drops.lifecycle import Phase
from drops.models import Drop
from shop.admin.actions import Action, ReasonForm
from shop.admin.base import person
from shop.admin.refusals import refusal_page
from shop.core import money
from shop.core.plain_text import OneLineField

SHOWN = "_shown"  # the posted name of what the page of an announcement showed


@dataclass(frozen=True, kw_only=True)
class DropAction(Action):
    """A button of a drop, the permission it needs and the phases in which it is offered."""

    permission: str
    phases: tuple[Phase, ...]


class CancelForm(ReasonForm):
    """Asks for the drop's name, so that nobody cancels the wrong drop, or by a slip."""

    drop_name = OneLineField(label="The drop's name", max_length=200)
    expected = ""

    def clean_drop_name(self) -> str:
        typed = self.cleaned_data["drop_name"]
        if " ".join(typed.split()).casefold() != " ".join(self.expected.split()).casefold():
            raise ValidationError(
                f"Type “{self.expected}”, the name of the drop that you are about to cancel."
            )
        return str(typed)


ANNOUNCE = DropAction(
    name="announce",
    label="Announce",
    warning="Shoppers will see the drop. After that, its product, address, currency, times, limits, prices "
    "and quantities can't be changed.",
    done="The drop is announced.",
    permission="drops.change_drop",
    phases=(Phase.DRAFT,),
    do=lambda drop, actor, _reason: drop_actions.announce(drop=drop, actor=actor),
)
PAUSE = DropAction(
    name="pause",
    label="Pause",
    warning="Nobody is admitted until you resume the drop. Shoppers with a hold keep it, and can still pay.",
    done="The drop is paused.",
    permission="drops.add_pause",
    phases=(*lifecycle.UPCOMING_PHASES, Phase.LIVE),
    do=lambda drop, actor, reason: drop_actions.pause(drop=drop, actor=actor, reason=reason),
    form=ReasonForm,
)
RESUME = DropAction(
    name="resume",
    label="Resume",
    warning="The line continues where it stopped. Shoppers with a hold have at least two minutes left to pay.",
    done="The drop has resumed.",
    permission="drops.change_pause",
    phases=(Phase.PAUSED,),
    do=lambda drop, actor, _reason: drop_actions.resume(drop=drop, actor=actor),
)
CLOSE = DropAction(
    name="close",
    label="Close",
    warning="The drop ends for good and can't be opened again. Shoppers with a hold can still pay.",
    done="The drop is closed.",
    permission="drops.change_drop",
    phases=(*lifecycle.UPCOMING_PHASES, *lifecycle.SELLING_PHASES),
    do=lambda drop, actor, _reason: drop_actions.close(drop=drop, actor=actor),
)
CANCEL = DropAction(
    name="cancel",
    label="Cancel the drop",
    warning="The drop is called off for good. Nobody can hold or pay any more, and what is paid is yours to refund.",
    done="The drop is cancelled.",
    permission="drops.change_drop",
    phases=(
        *lifecycle.UPCOMING_PHASES,
        *lifecycle.SELLING_PHASES,
        Phase.SOLD_OUT,
        Phase.CLOSED,
    ),
    do=lambda drop, actor, reason: drop_actions.cancel(drop=drop, actor=actor, reason=reason),
    form=CancelForm,
)
ACTIONS = {action.name: action for action in (ANNOUNCE, PAUSE, RESUME, CLOSE, CANCEL)}


def available_actions(*, request: HttpRequest, drop: Drop, phase: Phase) -> list[DropAction]:
    """Return the actions that this person may take now."""
    return [
        action
        for action in ACTIONS.values()
        if request.user.has_perm(action.permission) and is_offered(action, phase=phase, paused=drop.paused)
    ]


def is_offered(action: DropAction, *, phase: Phase, paused: bool) -> bool:
    """Whether the action makes sense.

    A drop can also be paused before it opens, which its phase doesn't show.
    """
    if action is PAUSE and paused:
        return False
    if action is RESUME and paused:
        return True
    return phase in action.phases


def action_page(request: HttpRequest, *, admin_site: AdminSite, drop_id: object, name: str) -> HttpResponse:
    """Serve the page of an action. 403 for a person who may not take it."""
    action = ACTIONS[name]
    if not request.user.has_perm(action.permission):
        raise PermissionDenied
    drop = get_object_or_404(Drop, pk=drop_id)
    form = action.form(request.POST if request.method == "POST" else None)
    consequences = []
    if isinstance(form, CancelForm):
        form.expected = str(drop)
        form.fields["drop_name"].help_text = f"Type “{drop}” to confirm."
        consequences = drop_actions.consequences(drop=drop)
    is_outdated = False
    if form.is_valid():
        reason = form.cleaned_data.get("reason", "")
        with transaction.atomic():
            is_outdated = action is ANNOUNCE and was_changed(drop_id=drop.pk, shown=request.POST.get(SHOWN))
            if not is_outdated:
                return run(request, admin_site=admin_site, drop=drop, action=action, reason=reason)
        drop.refresh_from_db()
    status = 200
    if form.errors:
        status = 422
    elif is_outdated:
        status = 409
    context = {
        **admin_site.each_context(request),
        **confirmation(drop=drop, action=action),
        "form": form,
        "consequences": consequences,
        "is_outdated": is_outdated,
    }
    return TemplateResponse(request, "admin/drops/drop/action.html", context, status=status)


def confirmation(*, drop: Drop, action: DropAction) -> dict[str, object]:
    """Return the context of what the page of an action shows of the drop."""
    problems = []
    if action is ANNOUNCE and drop.announced_at is None:
        problems = drop_actions.find_problems(drop=drop, now=timezone.now())
    editions = drop.editions.select_related("variant__product")
    return {
        "title": f"{action.label} “{drop}”?",
        "action": action,
        "drop": drop,
        "problems": problems,
        "editions": [
            (edition, money.format_amount(amount=edition.price, currency=drop.currency))
            for edition in editions
        ],
        "shown": digest(drop=drop),
    }


def was_changed(*, drop_id: UUID, shown: str | None) -> bool:
    """Whether somebody changed a draft after the page of its announcement was shown to this person.

    Until the caller's transaction ends, nobody else can.
    """
    drop = Drop.objects.select_for_update().get(pk=drop_id)
    return bool(shown) and drop.announced_at is None and shown != digest(drop=drop)


def digest(*, drop: Drop) -> str:
    """Return a hash of what the announcement fixes."""
    editions = drop.editions.order_by("pk").values_list(
        "pk", "variant", "price", "quantity", "limit_per_order"
    )
    fixed = (
        drop.product_id, drop.slug, drop.listed, drop.currency, drop.limit_per_order, drop.hold_seconds,
        drop.lobby_opens_at, drop.opens_at, drop.closes_at, list(editions),
    )  # fmt: skip
    return hashlib.sha256(repr(fixed).encode()).hexdigest()


def run(
    request: HttpRequest, *, admin_site: AdminSite, drop: Drop, action: DropAction, reason: str
) -> HttpResponse:
    """Take the action and return to the drop's page, or explain on a page of its own why it was refused."""
    try:
        action.do(drop, person(request), reason)
    except drop_actions.NotReady as refusal:
        return refusal_page(request, admin_site=admin_site, about=drop, why=refusal.problems)
    except drop_actions.ActionRefused as refusal:
        return refusal_page(request, admin_site=admin_site, about=drop, why=[str(refusal)])
    messages.success(request, str(action.done))
    return HttpResponseRedirect(reverse(f"{admin_site.name}:drops_drop_change", args=[drop.pk]))
