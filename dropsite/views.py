"""Pages that belong to no app: health, and the error pages."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dropsite import health
from shop.core import caching, database, problems


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Whether this process answers. Nothing else is checked: a dead database is no reason to restart it."""
    return HttpResponse("live\n", content_type="text/plain", headers={"Cache-Control": "no-store"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Whether this process can serve requests, and if not, what is missing.

    `?exclude=broker,line` leaves out what shoppers' requests do without; the faults are named all the same.
    """
    faults = health.find_problems()
    excluded = request.GET.get("exclude", "").split(",")
    is_ready = all(name in excluded for name in faults)
    status = 503
    if is_ready:
        status = 200
    body = {"ready": is_ready, "faults": faults}
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Show the API's schema.

    Swagger UI's pictures are data: URLs, which the CSP allows; it needs nothing unsafe.
    """
    return render(request, "api/docs.html")


def refuse(request: HttpRequest, *, status: int, detail: str) -> HttpResponse:
    """Answer with the page of that status, or with problem details if the client asks for JSON."""
    if problems.is_wanted(request):
        return problems.response(status=status, detail=detail)
    return caching.private(
        render(request, [f"{status}.html", "refusal.html"], {"title": detail}, status=status)
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that none of our pages sends."""
    return refuse(request, status=400, detail=_("That request isn't valid here. Nothing was changed."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for something that belongs to somebody else."""
    return refuse(request, status=403, detail=_("You don't have access to this page."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unknown address."""
    response = refuse(
        request, status=404, detail=_("We can't find that page. Check the address, or go to the next drop.")
    )
    if request.method not in {"GET", "HEAD"} or request.path.startswith("/admin/"):
        return response
    # The same for everybody, so a crowd that follows a bad link costs nothing.
    patch_vary_headers(response, ["Accept"])
    return caching.public(response, seconds=1)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after an error of ours: 503 if the database is unreachable, otherwise 500."""
    if database.is_unavailable(sys.exc_info()[1]):
        detail = _("The shop is temporarily unavailable. Your place is kept. Trying again in 10 s.")
        response = refuse(request, status=503, detail=detail)
        response["Retry-After"] = "10"
        return response
    detail = _(
        "Something went wrong on our side. Your place in line and your order are safe. "
        "If you were paying, you can't be charged twice."
    )
    return refuse(request, status=500, detail=detail)


def wrong_method(request: HttpRequest, *, allowed: str) -> HttpResponse:
    """Answer a request by a method that the address doesn't take; `allowed` names those that it does."""
    title = _("That doesn't work here.")
    reason = _("This address only accepts {allowed}.").format(allowed=allowed)
    if problems.is_wanted(request):
        response = problems.response(status=405, detail=f"{title} {reason}")
    else:
        response = caching.private(
            render(request, "refusal.html", {"title": title, "reason": reason}, status=405)
        )
    response["Allow"] = allowed
    return response


def csrf_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose CSRF token is missing or expired."""
    return form_refused(
        request,
        _("The form has expired, or cookies are turned off. Go back, reload the page and send it again."),
    )


def cross_site_refused(request: HttpRequest) -> HttpResponse:
    """Answer a form that another site sent. Nothing was changed."""
    return form_refused(request, _("The form came from another site. Open the page here and send it again."))


def form_refused(request: HttpRequest, why: str) -> HttpResponse:
    """Answer a form that was not processed, with what to do next."""
    if problems.is_wanted(request):
        return problems.response(status=403, detail=why)
    return caching.private(
        render(request, "refusal.html", {"title": _("This request was blocked."), "reason": why}, status=403)
    )
