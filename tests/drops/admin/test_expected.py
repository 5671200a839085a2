"""Expected shoppers, entered on the drop's page: saved, planned, audited, suggested; stale forms."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from drops.models import Checkpoint, Drop
from drops.scaling.models import ScalePlan, Step
from shop.core.models import AuditEntry
from tests.admin_clients import TIMES, LogIn, errors
from tests.factories import make_drop, make_product, make_variant

ADD = reverse("admin:drops_drop_add")


def page(drop: Drop, name: str = "change") -> str:
    return reverse(f"admin:drops_drop_{name}", args=[drop.pk])


def draft(**fields: Any) -> dict[str, Any]:
    """Return what a browser posts for a draft with one edition."""
    product = fields.pop("product", None) or make_product(pictures=1)
    return {
        "title": "Nth Place",
        "slug": "nth-place",
        "product": product.pk,
        "currency": "EUR",
        "limit_per_order": 1,
        "hold_seconds": 300,
        **TIMES,
        "editions-TOTAL_FORMS": 1,
        "editions-INITIAL_FORMS": 0,
        "editions-0-variant": make_variant(product=product).pk,
        "editions-0-price": "96",
        "editions-0-quantity": 500,
        "editions-0-limit_per_order": 1,
        "editions-0-position": 0,
        "initial-expected": "",
        **fields,
    }


def expect(client: Client, drop: Drop, expected: str, *, shown: str = "", **fields: Any) -> Any:
    """Save the page of an announced drop; `shown` was in the field when it was opened."""
    sent = {"title": drop.title, "expected": expected, "initial-expected": shown} | fields
    return client.post(page(drop), sent, follow=True)


def messages(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_draft_is_created_with_its_expected_shoppers(log_in: LogIn, db: None) -> None:
    log_in("merchandisers").post(ADD, draft(expected="20000"))

    scale_plan = ScalePlan.objects.get()
    assert scale_plan.plan is not None
    assert (scale_plan.drop.slug, scale_plan.expected, scale_plan.plan["expected"]) == (
        "nth-place",
        20000,
        20000,
    )
    entries = AuditEntry.objects.order_by("pk").values_list("actor__username", "about", "action")
    assert list(entries) == [
        ("merchandisers", "drop:nth-place", "added"),
        ("merchandisers", "drop:nth-place", "expected shoppers"),
    ]


def test_draft_without_a_number_has_no_scale_plan(log_in: LogIn, db: None) -> None:
    log_in("merchandisers").post(ADD, draft(expected=""))

    assert (Drop.objects.count(), ScalePlan.objects.count()) == (1, 0)


@pytest.mark.parametrize("typed", ["0", "-1", "10000001"])
def test_draft_with_an_absurd_number_is_refused_with_the_range(log_in: LogIn, db: None, typed: str) -> None:
    answer = log_in("merchandisers").post(ADD, draft(expected=typed))

    assert errors(answer)["expected"][0].endswith(
        "can't be planned for. Enter a number from 1 to 10,000,000."
    )
    assert Drop.objects.count() == 0


def test_expected_shoppers_of_an_announced_drop_are_entered_on_its_page(log_in: LogIn, db: None) -> None:
    drop = make_drop(slug="zero")

    expect(log_in("merchandisers"), drop, "5000")

    assert ScalePlan.objects.get(drop=drop).expected == 5000
    entry = AuditEntry.objects.get()
    assert (entry.about, entry.action, entry.before, entry.after) == (
        "drop:zero",
        "expected shoppers",
        {"expected": None},
        {"expected": 5000},
    )


def test_page_left_open_does_not_undo_a_later_number(log_in: LogIn, db: None) -> None:
    drop = make_drop()
    client = log_in("merchandisers")
    expect(client, drop, "5000")

    expect(client, drop, "", shown="", title="New title")

    assert (ScalePlan.objects.get().expected, Drop.objects.get().title) == (5000, "New title")


def test_removed_number_removes_the_scale_plan(log_in: LogIn, db: None) -> None:
    drop = make_drop()
    client = log_in("merchandisers")
    expect(client, drop, "5000")

    expect(client, drop, "", shown="5000")

    assert (ScalePlan.objects.count(), Step.objects.count()) == (0, 0)


def test_page_shows_the_problems_of_the_plan(log_in: LogIn, db: None) -> None:
    drop = make_drop(quantity=1)
    drop.editions.get().units.update(withheld_at=drop.announced_at, withheld_reason="sample")

    client = log_in("merchandisers")

    (sentence,) = [one for one in messages(expect(client, drop, "5000")) if "nothing to sell" in one]

    answer = client.get(page(drop))
    assert sentence in answer.context["scale_plan"]["problems"]
    assert reverse("admin:scaling_scaleplan_change", args=[drop.pk]) in answer.content.decode()


def test_page_suggests_a_number_from_the_last_drops(log_in: LogIn, db: None) -> None:
    Checkpoint.objects.filter(drop=make_drop(phase="sold out", slug="last")).update(
        joined=2310, counter_limit=5000
    )
    drop = make_drop()

    text = log_in("merchandisers").get(page(drop)).content.decode()

    assert "Suggested: 2,772. 2,310 shoppers joined last" in text


def test_expected_shoppers_need_permission_to_change_the_drop(log_in: LogIn, db: None) -> None:
    drop = make_drop()
    client = log_in("ops")

    assert "expected" not in client.get(page(drop)).context["adminform"].form.fields
    assert client.post(page(drop), {"title": drop.title, "expected": "5"}).status_code == 403
    assert ScalePlan.objects.count() == 0


def test_draft_is_deleted_with_its_scale_plan(log_in: LogIn, db: None) -> None:
    client = log_in("merchandisers")
    client.post(ADD, draft(expected="100", lobby_opens_at="", opens_at="", closes_at=""))
    assert ScalePlan.objects.count() == 1

    answer = client.post(page(Drop.objects.get(), "delete"), {"post": "yes"})

    assert (answer.status_code, Drop.objects.count(), ScalePlan.objects.count()) == (302, 0, 0)
