"""A form saved while a tick begins to scale the target: it waits, then leaves the locator as it is."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection, transaction
from django.urls import reverse

from drops.scaling.models import Share, Target
from tests.admin_clients import LogIn, wait_for_a_waiter
from tests.drops.scaling.cloud import Cloud, make_target

SECONDS = 20


def test_form_saved_while_the_baseline_is_written_keeps_the_locator(
    log_in: LogIn, taps: Cloud, transactional_db: None
) -> None:
    client = log_in("ops")
    target = make_target(taps, name="web-fleet", provider="tap")
    share = Share.objects.create(target=target, group="web", per_second=150)
    sent = {
        "name": "web-fleet",
        "enabled": "on",
        "locator_name": "other-fleet",
        "floor": 1,
        "ceiling": 90,
        "headroom_percent": 30,
        "zones": 1,
        "lead_seconds": 10,
        "connections": 0,
        "connection_limit": 0,
        "shares-TOTAL_FORMS": 1,
        "shares-INITIAL_FORMS": 1,
        "shares-0-id": share.pk,
        "shares-0-target": target.pk,
        "shares-0-group": "web",
        "shares-0-percent": 100,
        "shares-0-per_second": "150",
    }

    def save() -> Any:
        try:
            return client.post(reverse("admin:scaling_target_change", args=[target.pk]), sent)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Target.objects.update(baseline={"wanted": 2}, baseline_size=2)
            saved = pool.submit(save)
            wait_for_a_waiter()
        answer = saved.result(SECONDS)

    row = Target.objects.get()
    assert answer.status_code == 302
    assert (row.locator, row.resource) == ({"name": "web-fleet"}, "stand-in:web-fleet")
    assert (row.ceiling, row.baseline_size) == (90, 2)
