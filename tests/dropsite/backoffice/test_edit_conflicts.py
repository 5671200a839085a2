"""Two people edit one row: the second is told who changed what, with both values, and loses nothing typed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from drops.models import Drop
from drops.scaling.control import scale_plans
from drops.scaling.models import FixedGroup, ScalePlan, Share, Target
from shop.admin import conflicts
from shop.admin.base import ConflictAdmin
from shop.core.models import AuditEntry
from shop.models import Product
from tests.admin_clients import LogIn, browser_form, wait_for_a_waiter
from tests.drops.scaling.cloud import Cloud, cloud
from tests.factories import make_drop, make_product, make_variant

__all__ = ["cloud"]

pytestmark = pytest.mark.django_db
SECONDS = 20
# Forms that add a row, or that replace one whole: nothing in them is edited.
NEVER_EDITED = {"drops.Ceiling"}


def colleague(group: str) -> Client:
    user = User.objects.create_user(f"colleague of {group}", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client(headers={"sec-fetch-site": "same-origin"})
    client.force_login(user)
    return client


def product_page() -> str:
    product = make_product()
    make_variant(product=product)
    return reverse("admin:shop_product_change", args=[product.pk])


def drop_page() -> str:
    return reverse("admin:drops_drop_change", args=[make_drop(phase="draft", quantity=5).pk])


def announced_drop_page() -> str:
    return reverse("admin:drops_drop_change", args=[make_drop().pk])


def target_page() -> str:
    target = Target.objects.create(
        name="web", provider="stand-in", locator={"name": "web"}, ceiling=9, lead_seconds=9
    )
    Share.objects.create(target=target, group="web", per_second=10)
    return reverse("admin:scaling_target_change", args=[target.pk])


def fixed_group_page() -> str:
    row = FixedGroup.objects.create(group="edge", reason="behind a CDN")
    return reverse("admin:scaling_fixedgroup_change", args=[row.pk])


def scale_plan_page() -> str:
    drop = make_drop()
    scale_plans.set_expected(drop=drop, expected=100, actor=None)
    return reverse("admin:scaling_scaleplan_change", args=[drop.pk])


Case = tuple[str, Callable[[], str], str, str, str]  # group, page, field, the first value, the second
CASES: list[Case] = [
    ("merchandisers", product_page, "tagline", "Theirs.", "Mine."),
    ("merchandisers", product_page, "variants-0-position", "7", "8"),
    ("merchandisers", drop_page, "title", "Theirs", "Mine"),
    ("merchandisers", drop_page, "opens_at", "2040-01-02T09:30:00", "2040-01-02T10:30:00"),
    ("merchandisers", drop_page, "editions-0-quantity", "7", "8"),
    ("merchandisers", drop_page, "editions-0-price", "97.00", "98.00"),
    ("merchandisers", announced_drop_page, "title", "Theirs", "Mine"),
    ("ops", target_page, "ceiling", "20", "30"),
    ("ops", target_page, "shares-0-per_second", "20.00", "30.00"),
    ("ops", fixed_group_page, "reason", "one machine", "two machines"),
    ("ops", scale_plan_page, "expected", "200", "300"),
]


@pytest.mark.parametrize("case", CASES)
def test_second_person_sees_both_values_and_keeps_what_was_typed(
    log_in: LogIn, cloud: Cloud, case: Case
) -> None:
    group, make, name, theirs, mine = case
    page, first, second = make(), colleague(group), log_in(group)
    loaded = [browser_form(client.get(page)) for client in (first, second)]
    assert first.post(page, loaded[0] | {name: theirs}).status_code == 302

    answer = second.post(page, loaded[1] | {name: mine})

    assert answer.status_code == 200
    [found] = answer.context["conflicts"]
    assert (found.kind, found.who) == ("changed", f"colleague of {group}")
    assert (found.before, found.theirs, found.yours) == (loaded[1].get(name, ""), theirs, mine)
    assert browser_form(answer)[name] == mine
    text = answer.content.decode()
    assert all(value in text for value in (theirs, mine, "Changed since you opened this page"))
    assert browser_form(first.get(page))[name] == theirs

    assert second.post(page, browser_form(answer)).status_code == 302
    assert browser_form(first.get(page))[name] == mine


@pytest.mark.parametrize("case", [CASES[1], CASES[3], CASES[5], CASES[8]])
def test_what_the_second_person_left_alone_is_not_turned_back(
    log_in: LogIn, cloud: Cloud, case: Case
) -> None:
    group, make, name, theirs, _mine = case
    page, first, second = make(), colleague(group), log_in(group)
    loaded = browser_form(second.get(page))
    first.post(page, browser_form(first.get(page)) | {name: theirs})

    answer = second.post(page, loaded)

    assert [found.theirs for found in answer.context["conflicts"]] == [theirs]
    assert "You hadn't changed it." in answer.content.decode()
    assert second.post(page, browser_form(answer)).status_code == 302
    assert browser_form(first.get(page))[name] == theirs


@pytest.mark.parametrize("group", ["merchandisers"])
def test_the_same_change_by_both_is_no_conflict(log_in: LogIn, group: str) -> None:
    page, first, second = product_page(), colleague(group), log_in(group)
    loaded = browser_form(second.get(page)) | {"tagline": "Both."}
    first.post(page, browser_form(first.get(page)) | {"tagline": "Both."})

    assert second.post(page, loaded).status_code == 302


def test_a_form_that_nobody_else_saved_is_saved(log_in: LogIn) -> None:
    page, client = product_page(), log_in("merchandisers")

    for tagline in ("One.", "Two."):
        sent = browser_form(client.get(page)) | {"tagline": tagline, "story": "Line.\r\n\r\nLine."}
        assert client.post(page, sent).status_code == 302

    assert Product.objects.get().tagline == "Two."


def test_row_that_was_added_meanwhile_stays(log_in: LogIn) -> None:
    page, second = product_page(), log_in("merchandisers")
    loaded = browser_form(second.get(page)) | {
        "variants-TOTAL_FORMS": "2", "variants-1-sku": "MINE", "variants-1-options": "size=Mine",
        "variants-1-position": "2",
    }  # fmt: skip
    make_variant(product=Product.objects.get(), sku="THEIRS")

    answer = second.post(page, loaded)
    assert [found.kind for found in answer.context["conflicts"]] == ["added"]
    assert second.post(page, browser_form(answer)).status_code == 302

    skus = set(Product.objects.get().variants.values_list("sku", flat=True))
    assert {"MINE", "THEIRS"} < skus
    assert len(skus) == 3


@pytest.mark.parametrize(("typed", "left"), [({}, 1), ({"variants-1-options": "size=Typed"}, 2)])
def test_row_that_was_deleted_meanwhile_comes_back_only_if_something_was_typed_into_it(
    log_in: LogIn, typed: dict[str, str], left: int
) -> None:
    page, second = product_page(), log_in("merchandisers")
    extra = make_variant(product=Product.objects.get(), sku="EXTRA", position=10_000)
    loaded = browser_form(second.get(page)) | typed
    extra.delete()

    answer = second.post(page, loaded)
    assert [found.kind for found in answer.context["conflicts"]] == ["deleted"]
    sent = browser_form(answer)
    if typed:
        assert sent["variants-1-options"] == "size=Typed"
        sent |= {"variants-1-sku": "EXTRA-2"}
    assert second.post(page, sent).status_code == 302

    assert Product.objects.get().variants.count() == left


FIXED: list[tuple[str, str, str, str]] = [  # field, what is typed, how it is named, how it is shown
    ("slug", "mine", "Slug", "mine"),
    ("listed", "", "Listed", ""),
    ("currency", "USD", "Currency", "USD"),
    ("opens_at", "2040-01-02T10:30:00", "Opens", "2040-01-02T10:30:00"),
    ("limit_per_order", "4", "Limit per order", "4"),
    ("hold_seconds", "700", "Length of a hold in seconds", "700"),
    ("editions-0-price", "98.00", "EDITION", "Price: 98.00"),
    ("editions-0-quantity", "8", "EDITION", "Quantity: 8"),
    ("editions-0-DELETE", "on", "EDITION", "to be deleted"),
    ("editions-1-quantity", "9", "A new row", "Quantity: 9"),
]


def announced_while_open(client: Client, typed: dict[str, str]) -> tuple[str, Any]:
    """Post a draft's form that was open while a colleague announced the drop; return page and answer."""
    drop = make_drop(phase="draft", quantity=5, product=make_product(pictures=1))
    page = reverse("admin:drops_drop_change", args=[drop.pk])
    sent = browser_form(client.get(page)) | typed
    if "editions-1-quantity" in typed:
        sent |= {"editions-TOTAL_FORMS": "2", "editions-1-position": "0", "editions-1-limit_per_order": "1"}
    sent = {name: value for name, value in sent.items() if value}  # an unticked box isn't sent
    announce = reverse("admin:drops_drop_announce", args=[drop.pk])
    colleague("merchandisers").post(announce)
    assert Drop.objects.get().announced_at is not None
    return page, client.post(page, sent)


@pytest.mark.parametrize(("name", "typed", "label", "shown"), FIXED)
def test_announcement_meanwhile_tells_what_was_typed_and_cannot_be_saved(
    log_in: LogIn, name: str, typed: str, label: str, shown: str
) -> None:
    client = log_in("merchandisers")

    page, answer = announced_while_open(client, {"title": "Mine too", name: typed})

    assert answer.status_code == 200
    [found] = answer.context["conflicts"]
    label = label.replace("EDITION", str(Drop.objects.get().editions.get()))
    assert (found.kind, found.label, found.yours) == ("fixed", label, shown)
    assert found.who == "colleague of merchandisers"
    assert f"You entered “{shown or 'nothing'}”, which can't be saved." in answer.content.decode()
    assert browser_form(answer)["title"] == "Mine too"
    assert Drop.objects.get().title != "Mine too"

    assert client.post(page, browser_form(answer)).status_code == 302
    drop = Drop.objects.get()
    assert (drop.title, drop.editions.get().quantity, drop.listed) == ("Mine too", 5, True)


@pytest.mark.parametrize("typed", [{}, {"title": "Mine"}])
def test_announcement_meanwhile_is_no_conflict_if_nothing_fixed_was_typed(
    log_in: LogIn, typed: dict[str, str]
) -> None:
    client = log_in("merchandisers")

    page, answer = announced_while_open(client, typed)

    assert answer.status_code == 302
    assert browser_form(client.get(page))["title"] == typed.get("title", Drop.objects.get().title)


def test_choices_are_shown_by_name(log_in: LogIn) -> None:
    page, first, second = drop_page(), colleague("merchandisers"), log_in("merchandisers")
    products = [make_product(name=name) for name in ("Lamp", "Chair")]
    loaded = [browser_form(client.get(page)) for client in (first, second)]
    for sent in loaded:
        sent |= {"editions-0-DELETE": "on"}
    first.post(page, loaded[0] | {"product": str(products[0].pk)})

    answer = second.post(page, loaded[1] | {"product": str(products[1].pk)})

    found = [one for one in answer.context["conflicts"] if one.label == "Product"]
    assert [(one.theirs, one.yours) for one in found] == [("Lamp", "Chair")]


def test_the_system_is_named_where_nobody_changed_the_row(log_in: LogIn) -> None:
    page, client = product_page(), log_in("merchandisers")
    loaded = browser_form(client.get(page))
    Product.objects.update(tagline="By a migration.")

    answer = client.post(page, loaded)

    assert [found.who for found in answer.context["conflicts"]] == ["the system"]


@pytest.mark.parametrize("loaded", ["", "x", "x" * 5000, "\x00", "e30:1:2"])
def test_a_form_whose_origin_cannot_be_read_is_saved_as_before(log_in: LogIn, loaded: str) -> None:
    page, client = product_page(), log_in("merchandisers")

    sent = browser_form(client.get(page)) | {"_loaded": loaded, "tagline": "New."}

    assert client.post(page, sent).status_code == 302


@pytest.mark.parametrize("total", ["", "x", "-1", "99999999999999999999"])
def test_a_table_whose_size_is_nonsense_is_refused_as_before(log_in: LogIn, total: str) -> None:
    page, client = product_page(), log_in("merchandisers")

    sent = browser_form(client.get(page)) | {"variants-TOTAL_FORMS": total}

    assert client.post(page, sent).status_code in (200, 302, 400)
    assert Product.objects.get().variants.count() == 1


def test_of_two_saved_at_once_the_second_is_told(log_in: LogIn, transactional_db: None) -> None:
    page, client = product_page(), log_in("merchandisers")
    loaded = browser_form(client.get(page)) | {"tagline": "Mine."}

    def save() -> Any:
        try:
            return client.post(page, loaded)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Product.objects.select_for_update().get()
            saved = pool.submit(save)
            wait_for_a_waiter()
            Product.objects.update(tagline="Theirs.")
        answer = saved.result(SECONDS)

    assert [found.theirs for found in answer.context["conflicts"]] == ["Theirs."]
    assert Product.objects.get().tagline == "Theirs."


@pytest.fixture
def roots() -> list[Client]:
    """Two people who may do everything."""
    clients = []
    for name in ("ann", "bea"):
        client = Client(headers={"sec-fetch-site": "same-origin"})
        client.force_login(User.objects.create_superuser(name))
        clients.append(client)
    return clients


def test_two_people_edit_the_groups_of_a_user(log_in: LogIn, roots: list[Client]) -> None:
    log_in()
    user, groups = User.objects.get(username="nobody"), list(Group.objects.order_by("pk"))
    page = reverse("admin:auth_user_change", args=[user.pk])
    loaded = browser_form(roots[1].get(page))
    both = browser_form(roots[0].get(page)) | {"groups": [str(group.pk) for group in groups]}
    answer = roots[0].post(page, both)
    assert not answer.context, (answer.context.get("conflicts"), answer.context["errors"])

    answer = roots[1].post(page, loaded | {"email": "nobody@shop.example"})

    assert [(found.label, found.who) for found in answer.context["conflicts"]] == [("Groups", "ann")]
    again = browser_form(answer) | {"groups": [str(group.pk) for group in groups]}
    assert answer.context["adminform"].form["groups"].value() == again["groups"]
    answer = roots[1].post(page, again)
    assert not answer.context, (answer.context["conflicts"], answer.context["errors"])
    user.refresh_from_db()
    assert (user.email, user.groups.count()) == ("nobody@shop.example", 2)


def test_password_of_a_new_user_is_not_in_the_audit_log(roots: list[Client]) -> None:
    sent = {
        "username": "eve",
        "usable_password": "true",
        "password1": "long-enough-9",
        "password2": "long-enough-9",
    }

    assert roots[0].post(reverse("admin:auth_user_add"), sent).status_code == 302

    entry = AuditEntry.objects.get(about="user:eve")
    assert "long-enough-9" not in f"{entry.before} {entry.after}"


def test_who_may_not_change_a_row_learns_nothing_of_it(log_in: LogIn) -> None:
    page = product_page()
    loaded = browser_form(log_in("merchandisers").get(page))
    Product.objects.update(tagline="Secret.")

    answer = log_in("ops").post(page, loaded)

    assert (answer.status_code, b"Secret" in answer.content) == (403, False)


def test_every_form_that_edits_a_row_looks_for_conflicts() -> None:
    root = User(is_superuser=True, is_active=True, is_staff=True)
    editable = set()
    for model, model_admin in admin.site._registry.items():
        request: Any = type("Request", (), {"user": root})()
        if model_admin.has_change_permission(request) and not isinstance(model_admin, ConflictAdmin):
            editable.add(model._meta.label)

    assert editable - NEVER_EDITED == set()


def test_snapshot_survives_its_way_through_the_browser() -> None:
    snapshot = conflicts.Snapshot(
        3, {"story": "a\n\u2028“b”"}, {"variants": {"1": conflicts.Row("M", {"sku": "x"})}}
    )

    assert conflicts.unpack(conflicts.pack(snapshot)) == snapshot


def test_first_save_is_in_the_audit_log_once(log_in: LogIn) -> None:
    page, client = product_page(), log_in("merchandisers")
    client.post(page, browser_form(client.get(page)) | {"tagline": "New."})

    assert AuditEntry.objects.get().after == {"tagline": "New."}
    assert (Drop.objects.count(), ScalePlan.objects.count()) == (0, 0)
