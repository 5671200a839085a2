"""Admin users for tests: `log_in("merchandisers")` is a browser that is logged in as one of them."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shop.admin import conflicts

LogIn = Callable[..., Client]
SECONDS = 20
# The times of a planned drop, as a browser sends them: far off, and not in an hour that clocks skip.
TIMES = {
    "lobby_opens_at": "2040-01-02T08:30",
    "opens_at": "2040-01-02T09:00",
    "closes_at": "2040-01-02T21:00",
}
PLAIN = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.fixture
def log_in(settings: Any, db: None) -> LogIn:
    """Log in somebody of a group, or without a group, somebody who may only see the empty admin."""
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}  # no collectstatic before unit tests

    def run(group: str | None = None) -> Client:
        user = User.objects.create_user(group or "nobody", is_staff=True)
        if group:
            user.groups.add(Group.objects.get(name=group))
        client = Client(headers={"sec-fetch-site": "same-origin"})
        client.force_login(user)
        return client

    return run


def browser_form(answer: Any) -> dict[str, Any]:
    """Return what a browser posts if nothing was changed on the page of a change form."""
    forms = [answer.context["adminform"].form]
    for inline in answer.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    sent = {"_loaded": answer.context["loaded"]}
    with timezone.override(settings.SHOP_TIME_ZONE):  # as the admin's pages are
        for form in forms:
            sent |= {bound.html_name: conflicts.shown_value(bound) for bound in form}
    return {name: value for name, value in sent.items() if value and not value.startswith("pictures/")}


def errors(answer: Any) -> dict[str, list[str]]:
    """Return the errors of a refused form by field; the rows of its inlines are named `editions-0-price`."""
    found = dict(answer.context["adminform"].form.errors)
    for inline in answer.context["inline_admin_formsets"]:
        for form in inline.formset.forms:
            found |= {f"{form.prefix}-{name}": list(said) for name, said in form.errors.items()}
        if inline.formset.non_form_errors():
            found[inline.formset.prefix] = list(inline.formset.non_form_errors())
    return {name: list(said) for name, said in found.items()}


def queries(client: Client, url: str) -> tuple[int, Any]:
    """Get a page; how many queries it took once everything is warm, and the answer."""
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(url)
    assert answer.status_code == 200
    return len(captured), answer


def wait_for_a_waiter() -> None:
    """Wait until another connection of the test waits for a row that this one has locked."""
    end = time.monotonic() + SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute("SELECT pg_sleep(0.01), pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")
