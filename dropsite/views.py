"""Pages that belong to no app: health, and what is said when something can't be had or broke."""

import sys

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dropsite import health
from shop import caching, problems


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Say that this process answers. Nothing else is looked at: a dead database is no reason to restart it."""
    return HttpResponse("live\n", content_type="text/plain", headers={"Cache-Control": "no-store"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Say whether this process can serve, and if not, what is missing."""
    faults = health.faults()
    return JsonResponse(
        {"ready": not faults, "faults": faults},
        status=503 if faults else 200,
        headers={"Cache-Control": "no-store"},
    )


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Draw the API's schema. Swagger UI puts its pictures in data: addresses; it needs nothing unsafe."""
    return render(request, "api/docs.html")


def refuse(request: HttpRequest, *, status: int, detail: str) -> HttpResponse:
    """Answer with the page of that status, or with a problem if a program asks."""
    if problems.is_wanted(request):
        return problems.response(status=status, detail=detail)
    return caching.private(render(request, [f"{status}.html", "refusal.html"], {"what": detail}, status=status))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what no page of ours sends."""
    return refuse(request, status=400, detail=_("That request makes no sense here. Nothing was changed."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer who asks for something of somebody else's."""
    return refuse(request, status=403, detail=_("That isn't yours."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for an address that leads nowhere."""
    response = refuse(request, status=404, detail=_("There is nothing here. There may never have been."))
    if request.method not in {"GET", "HEAD"} or request.path.startswith("/admin/"):
        return response
    return caching.public(response, seconds=1)  # it is wrong for everybody: a crowd behind a bad link costs nothing


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for a fault of ours; a database that can't be reached is said to be just that, and to come back."""
    if isinstance(sys.exc_info()[1], OperationalError):
        response = refuse(request, status=503, detail=_("The door is stuck. Your place is kept. Trying again in 10 s."))
        response["Retry-After"] = "10"
        return response
    return refuse(request, status=500, detail=_("We broke this page. Your place and your order are kept elsewhere."))


def csrf_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose token is missing, old or of another page."""
    return form_refused(
        request, _("This form is too old, or cookies are off. Go back, load the page again and send it once more.")
    )


def cross_site_refused(request: HttpRequest) -> HttpResponse:
    """Answer a form that another site sent. Nothing was done."""
    return form_refused(request, _("Another site sent this form. Open the page here and send it again."))


def form_refused(request: HttpRequest, why: str) -> HttpResponse:
    """Answer a form that was not looked at: nothing was done, and here is what to do."""
    if problems.is_wanted(request):
        return problems.response(status=403, detail=why)
    return caching.private(render(request, "refusal.html", {"what": _("That isn't yours."), "why": why}, status=403))
