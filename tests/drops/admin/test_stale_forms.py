"""A form saved while its drop is being announced: it waits, then changes nothing that has been fixed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection, transaction
from django.urls import reverse

from drops import drop_actions
from drops.models import Drop, Edition, Unit
from tests.admin_clients import TIMES, LogIn, wait_for_a_waiter
from tests.factories import make_drop, make_product

SECONDS = 20


def test_form_saved_during_the_announcement_changes_only_the_title(
    log_in: LogIn, transactional_db: None
) -> None:
    client = log_in("merchandisers")
    drop = make_drop(phase="draft", quantity=3, product=make_product(pictures=1))
    edition = drop.editions.get()
    sent = {
        "title": "New",
        "slug": drop.slug,
        "product": drop.product_id,
        "currency": "EUR",
        "limit_per_order": 2,
        "hold_seconds": 300,
        **TIMES,
        "editions-TOTAL_FORMS": 1,
        "editions-INITIAL_FORMS": 1,
        "editions-0-id": edition.pk,
        "editions-0-drop": drop.pk,
        "editions-0-variant": edition.variant_id,
        "editions-0-price": "96",
        "editions-0-quantity": 9,
        "editions-0-limit_per_order": 1,
        "editions-0-position": 0,
    }

    def save() -> Any:
        try:
            return client.post(reverse("admin:drops_drop_change", args=[drop.pk]), sent)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            drop_actions.announce(drop=drop, actor=None)
            saved = pool.submit(save)
            wait_for_a_waiter()
        answer = saved.result(SECONDS)

    assert answer.status_code == 302
    assert Drop.objects.get(announced_at__isnull=False).title == "New"
    assert (Unit.objects.filter(edition=edition).count(), Edition.objects.get().quantity) == (3, 3)
