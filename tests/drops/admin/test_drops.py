"""The admin page of a drop: a draft's form, an announced drop's form, deleting, the list."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from drops.models import Drop, Edition, Unit
from shop.core.models import AuditEntry
from shop.models import Product
from tests.admin_clients import TIMES, LogIn, errors, queries
from tests.factories import make_drop, make_hold, make_product, make_variant

LIST = reverse("admin:drops_drop_changelist")
ADD = reverse("admin:drops_drop_add")
TWICE = (
    "27 Oct 2030 02:30 comes twice in Europe/Berlin, when the clocks go back: "
    "as 02:30 CEST (00:30 UTC) and as 02:30 CET (01:30 UTC). Choose a time outside that hour."
)


def page(drop: Drop, name: str = "change") -> str:
    return reverse(f"admin:drops_drop_{name}", args=[drop.pk])


def form(*, product: Product, editions: Sequence[dict[str, Any]] = (), **fields: Any) -> dict[str, Any]:
    """Return what a browser posts for a draft; `editions` are dicts of their fields."""
    sent = {
        "title": "Nth Place",
        "slug": "nth-place",
        "product": product.pk,
        "listed": "on",
        "currency": "EUR",
        "limit_per_order": 2,
        "hold_seconds": 300,
        **TIMES,
        "editions-TOTAL_FORMS": len(editions),
        "editions-INITIAL_FORMS": sum("id" in edition for edition in editions),
    }
    for number, edition in enumerate(editions):
        row = {"price": "96", "quantity": 500, "limit_per_order": 1, "position": number} | edition
        sent |= {f"editions-{number}-{name}": value for name, value in row.items()}
    return sent | fields


@pytest.fixture
def product(db: None) -> Product:
    return make_product(pictures=1)


def test_draft_is_created_with_its_editions(log_in: LogIn, product: Product) -> None:
    variant = make_variant(product=product)

    answer = log_in("merchandisers").post(ADD, form(product=product, editions=[{"variant": variant.pk}]))

    assert answer.status_code == 302
    drop = Drop.objects.get(slug="nth-place")
    assert list(drop.editions.values_list("variant", "price", "quantity")) == [(variant.pk, 9600, 500)]
    assert drop.announced_at is None
    assert Unit.objects.count() == 0


def test_draft_times_are_read_in_the_shops_zone(log_in: LogIn, product: Product) -> None:
    sent = form(product=product, lobby_opens_at="2030-07-01T08:30", opens_at="2030-07-01T09:00", closes_at="")

    log_in("merchandisers").post(ADD, sent)

    assert Drop.objects.get().opens_at == datetime(2030, 7, 1, 7, tzinfo=UTC)


def test_draft_shows_its_times_in_utc_and_from_now(log_in: LogIn, product: Product) -> None:
    noon = (timezone.now() + timedelta(days=4)).replace(hour=12, minute=0)
    drop = make_drop(phase="draft", product=product, opens_at=noon)

    text = log_in("merchandisers").get(page(drop)).content.decode()

    assert re.search(r"= 12:00 UTC · in [34]\xa0days", text)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (
            {"opens_at": "2020-01-01T09:00", "lobby_opens_at": "2020-01-01T08:00"},
            {"opens_at": ["This time has passed. Choose a time in the future."]},
        ),
        (
            {
                "opens_at": "2030-01-02T09:00",
                "lobby_opens_at": "2030-01-02T08:00",
                "closes_at": "2030-01-02T09:00",
            },
            {"closes_at": ["The drop would close before it opens. Choose a later time, or leave it empty."]},
        ),
        (
            {"opens_at": "2030-01-02T09:00", "lobby_opens_at": "2030-01-02T09:00", "closes_at": ""},
            {"lobby_opens_at": ["The lobby must open before the drop does. Choose an earlier time."]},
        ),
        (
            {"opens_at": "2030-10-27T02:30", "lobby_opens_at": "", "closes_at": ""},
            {"opens_at": [TWICE]},
        ),
    ],
)
def test_draft_is_refused_with_an_error_at_the_field(
    log_in: LogIn, product: Product, fields: dict[str, Any], found: dict[str, list[str]]
) -> None:
    answer = log_in("merchandisers").post(ADD, form(product=product, **fields))

    assert errors(answer) == found
    assert Drop.objects.count() == 0


def test_draft_is_refused_in_a_currency_that_cannot_be_charged(log_in: LogIn, product: Product) -> None:
    answer = log_in("merchandisers").post(ADD, form(product=product, currency="xyz"))

    assert errors(answer)["currency"][0].startswith("“XYZ” can't be charged. Choose one of AED, ARS, ")


@pytest.mark.parametrize(
    ("edition", "found"),
    [
        (
            {"price": "0"},
            {"editions-0-price": ["The lowest amount that Stripe charges is €0.50. Raise the price."]},
        ),
        (
            {"price": "0.49"},
            {"editions-0-price": ["The lowest amount that Stripe charges is €0.50. Raise the price."]},
        ),
        (
            {"price": "96 USD"},
            {"editions-0-price": ["The drop sells in EUR, but this price is in “USD”. Enter it in EUR."]},
        ),
        ({"quantity": 0}, {"editions-0-quantity": ["Ensure this value is greater than or equal to 1."]}),
        (
            {"limit_per_order": 3},
            {"editions-0-limit_per_order": ["Choose a number from 1 to 2, the drop's own limit."]},
        ),
    ],
)
def test_edition_is_refused_with_an_error_at_the_field(
    log_in: LogIn, product: Product, edition: dict[str, Any], found: dict[str, list[str]]
) -> None:
    edition |= {"variant": make_variant(product=product).pk}

    answer = log_in("merchandisers").post(ADD, form(product=product, editions=[edition]))

    assert errors(answer) == found
    assert Edition.objects.count() == 0


def test_edition_of_another_product_is_refused(log_in: LogIn, product: Product) -> None:
    variant = make_variant(product=make_product())

    answer = log_in("merchandisers").post(ADD, form(product=product, editions=[{"variant": variant.pk}]))

    assert list(errors(answer)) == ["editions-0-variant"]


def test_page_of_an_unready_draft_names_its_problems_and_offers_no_action(
    log_in: LogIn, product: Product
) -> None:
    drop = make_drop(phase="draft", product=product, editions=0)

    answer = log_in("merchandisers").get(page(drop))

    assert answer.context["problems"] == [
        "Editions: there are none. Add at least one, with its price and quantity."
    ]
    assert page(drop, "announce") not in answer.content.decode()


def test_changed_draft_is_audited_with_old_and_new_values(log_in: LogIn, product: Product) -> None:
    client = log_in("merchandisers")
    variant = make_variant(product=product)
    client.post(ADD, form(product=product, editions=[{"variant": variant.pk}]))
    drop, edition = Drop.objects.get(), Edition.objects.get()
    row = {"id": edition.pk, "drop": drop.pk, "variant": variant.pk, "price": "99,5", "quantity": 4}

    client.post(page(drop), form(product=product, editions=[row], title="Another"))

    changed, added = AuditEntry.objects.all()
    assert [(str(entry.actor), entry.about, entry.action) for entry in (added, changed)] == [
        ("merchandisers", "drop:nth-place", "added"),
        ("merchandisers", "drop:nth-place", "changed"),
    ]
    assert changed.before == {
        "title": "Nth Place",
        f"{variant} · price": "9600",
        f"{variant} · quantity": "500",
    }
    assert changed.after == {"title": "Another", f"{variant} · price": "9950", f"{variant} · quantity": "4"}


def test_edition_removed_from_a_draft_is_audited_once(log_in: LogIn, product: Product) -> None:
    client = log_in("merchandisers")
    variant = make_variant(product=product)
    client.post(ADD, form(product=product, editions=[{"variant": variant.pk}]))
    drop, edition = Drop.objects.get(), Edition.objects.get()
    row = {"id": edition.pk, "drop": drop.pk, "variant": variant.pk}
    client.post(page(drop), form(product=product, editions=[row]))  # nothing is changed: nothing is written

    client.post(page(drop), form(product=product, editions=[row | {"DELETE": "on"}]))

    assert drop.editions.count() == 0
    assert [(entry.action, entry.before, entry.after) for entry in AuditEntry.objects.all()][:-1] == [
        ("changed", {str(variant): "deleted"}, {})
    ]


def test_form_of_an_announced_drop_has_its_title_and_the_expected_shoppers(
    log_in: LogIn, product: Product
) -> None:
    drop = make_drop(phase="live", product=product)

    answer = log_in("merchandisers").get(page(drop))

    assert list(answer.context["adminform"].form.fields) == ["title", "expected"]
    assert answer.context["inline_admin_formsets"] == []
    assert bytes(drop.commitment or b"").hex() in answer.content.decode()


def test_stale_form_cannot_change_what_was_announced(log_in: LogIn, product: Product) -> None:
    drop = make_drop(phase="live", product=product, quantity=3, limit_per_order=1)
    edition = drop.editions.get()
    row = {"id": edition.pk, "drop": drop.pk, "variant": edition.variant_id, "quantity": 900, "price": "1"}
    sent = form(product=make_product(), editions=[row], slug="elsewhere", currency="USD", title="New title")
    fixed = (
        "product",
        "slug",
        "currency",
        "limit_per_order",
        "lobby_opens_at",
        "opens_at",
        "closes_at",
        "listed",
    )
    before = Drop.objects.filter(pk=drop.pk).values(*fixed, "hold_seconds", "commitment").get()

    answer = log_in("merchandisers").post(page(drop), sent, follow=True)

    assert Drop.objects.filter(pk=drop.pk).values(*fixed, "hold_seconds", "commitment").get() == before
    assert list(drop.editions.values_list("quantity", "price")) == [(3, 9600)]
    assert Drop.objects.get().title == "New title"
    assert "The drop has been announced in the meantime: only its title was saved." in [
        str(m) for m in answer.context["messages"]
    ]


def test_stale_form_deletes_no_editions(log_in: LogIn, product: Product) -> None:
    drop = make_drop(phase="live", product=product)
    edition = drop.editions.get()
    row = {"id": edition.pk, "drop": drop.pk, "variant": edition.variant_id, "DELETE": "on"}

    log_in("merchandisers").post(page(drop), form(product=product, editions=[row]))

    assert drop.editions.count() == 1


def test_deleting_an_announced_drop_is_refused_with_a_reason(log_in: LogIn) -> None:
    drop = make_drop(phase="live", title="Nth Place")
    make_hold(drop=drop)

    answer = log_in("merchandisers").post(page(drop, "delete"), {"post": "yes"})

    assert answer.status_code == 409
    assert answer.context["why"] == [
        "“Nth Place” has been announced and may have orders, so it can't be deleted. Close it instead."
    ]
    assert Drop.objects.filter(pk=drop.pk).exists()


def test_deleting_without_permission_is_forbidden(log_in: LogIn) -> None:
    assert log_in().post(page(make_drop(phase="live"), "delete"), {"post": "yes"}).status_code == 403


def test_deleting_a_draft_is_audited(log_in: LogIn) -> None:
    drop = make_drop(phase="draft", slug="nth-place", title="Nth Place")

    answer = log_in("merchandisers").post(page(drop, "delete"), {"post": "yes"})

    assert answer.status_code == 302
    assert not Drop.objects.exists()
    assert list(AuditEntry.objects.values_list("about", "action")) == [("drop:nth-place", "deleted")]


def test_ops_may_view_a_draft(log_in: LogIn) -> None:
    drop = make_drop(phase="draft", title="Nth")

    assert log_in("ops").get(page(drop)).status_code == 200
    assert log_in("merchandisers").get(ADD).status_code == 200
    assert log_in().get(page(drop)).status_code == 403


def test_list_takes_as_many_queries_for_three_drops_as_for_one(log_in: LogIn) -> None:
    client = log_in("merchandisers")
    make_drop(phase="live")
    one, _answer = queries(client, LIST)
    make_drop(phase="paused")
    make_drop(phase="draft")

    three, answer = queries(client, LIST)

    assert three == one
    assert [f">{phase}<" in answer.content.decode() for phase in ("live", "paused", "draft")] == [True] * 3
