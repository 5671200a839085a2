"""Every URL of the web group. Shopper pages leave room for a language prefix; /line/ belongs to the gate."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from drops import api
from drops import views as drop_views
from dropsite import metrics, views
from payments.views import stripe_webhook
from shop.core import caching

Page = Callable[..., HttpResponse]
KEPT_SECONDS = 60  # at the edge: what changes with a release only


def kept(view: Page) -> Page:
    """Let the edge keep what a view shows, and none of its refusals."""

    @wraps(view)
    def show(request: HttpRequest) -> HttpResponse:
        response = view(request)
        if response.status_code != HTTPStatus.OK:
            return caching.private(response)
        return caching.public(response, seconds=KEPT_SECONDS)

    return show


urlpatterns = [
    path("admin/", admin.site.urls),
    path("healthz/live", views.live, name="live"),
    path("healthz/ready", views.ready, name="ready"),
    path("metrics/scaling.json", metrics.scaling, name="metrics-scaling"),
    path("metrics/prometheus", metrics.prometheus, name="metrics-prometheus"),
    path("webhooks/stripe/", stripe_webhook, name="stripe-webhook"),
    path("sitemap.xml", drop_views.sitemap, name="sitemap"),
    path("robots.txt", drop_views.robots, name="robots"),
    path("api/v1/drops/", api.drops, name="api-drops"),
    path("api/v1/drops/<slug:slug>/", api.drop, name="api-drop"),
    path("api/v1/schema/", kept(SpectacularJSONAPIView.as_view()), name="api-schema"),
    path("api/v1/docs/", kept(views.api_docs), name="api-docs"),
    *i18n_patterns(
        path("", include("drops.urls")),
        path("", include("payments.urls")),
        prefix_default_language=False,
    ),
]

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler500 = views.server_error
