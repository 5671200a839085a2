"""A role reads no more by searching, filtering, sorting or pressing a button than its pages show."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, reverse

from drops.models import Drop, Hold
from drops.scaling.models import ScalePlan, Target
from payments.models import Order
from shop.admin import visibility
from shop.core import audit_log, emails
from shop.core.models import AuditEntry, Email
from tests.admin_clients import LogIn
from tests.factories import make_drop, make_hold

EMAIL, NAME, STREET = "zsofia@customer.example", "Zsofia Testvevo", "17 Hidden Lane"
CUSTOMER = (EMAIL, NAME, STREET)
CUSTOMERS_MODELS = {"order", "email", "user"}  # a person who may view one of these may read what it holds
ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)\$?")
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def order(db: None) -> Order:
    """An order of a customer, with a stuck email about it that has raised an alert."""
    hold = make_hold(drop=make_drop(phase="live"), index=1, state="allocated")
    amounts = {"currency": "EUR", "subtotal": 9600, "shipping": 490, "tax": 1611, "total": 10090}
    order = Order.objects.create(
        hold=hold, number="7KQ29XMD", email=EMAIL, name=NAME, line1=STREET, city="Town", country="DE",
        livemode=False, **amounts,
    )  # fmt: skip
    apps.get_model("payments", "payment").objects.create(
        order=order, amount=10090, currency="EUR", livemode=False
    )
    refusal = f"{{'{EMAIL}': (550, b'5.1.1 <{EMAIL}>: no such user')}}"
    Email.objects.create(
        kind="sold", about=f"order:{order.uuid}", to=EMAIL, subject="Yours", text=NAME, html=NAME,
        tries=emails.ALERT_TRIES, last_error=refusal,
    )  # fmt: skip
    emails.watch()
    audit_log.write(actor=None, about=f"order:{order.number}", action="checked with Stripe")
    Target.objects.create(name="web", provider="local", locator={}, floor=1, ceiling=4, lead_seconds=60)
    make_drop(phase="draft")
    return order


def with_permission(*codes: str) -> Client:
    """Log in somebody with these permissions and no others."""
    user = User.objects.create_user("-".join(["only", *codes])[:150], is_staff=True)
    for code in codes:
        label, name = code.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=name))
    client = Client(headers={"sec-fetch-site": "same-origin"})
    client.force_login(user)
    return client


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def found(answer: Any) -> int | None:
    """Return how many rows a list found; None if it refused the question."""
    if answer.status_code != 200:
        return None
    return int(answer.context["cl"].result_count)


def pages(patterns: Any = None, prefix: str = "/admin/") -> Iterator[str]:
    """Return the address of every page of the admin, of a row where it needs one."""
    for pattern in patterns or admin.site.urls[0]:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from pages(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield ARGUMENT.sub(partial(value, path=route), route)


def value(found: re.Match[str], path: str) -> str:
    """Return an argument of an address: the key of a row of the model that the page is about."""
    name = found[1] or found[2]
    models = {"drop_id": Drop, "target_id": Target, "order_id": Order}
    if name == "app_label":
        return "drops"
    model: Any = models.get(name)
    if name == "object_id" and not path.startswith("/admin/r/"):
        label, model_name = path.split("/")[2:4]
        model = apps.get_model(label, model_name)
    row = model._default_manager.first() if model is not None else None
    return str(row.pk) if row is not None else "1"


def read(client: Client, page: str) -> HttpResponse:
    return client.get(page)  # type: ignore[return-value]


# --- by role ---


@pytest.mark.parametrize("group", ["merchandisers", None])
def test_no_page_shows_a_customer_to_a_role_without_the_right(
    log_in: LogIn, order: Order, group: str | None
) -> None:
    client = log_in(group)
    opened = 0

    for page in pages():
        if page.endswith("logout/"):
            continue
        answer = read(client, page)
        opened += answer.status_code == 200
        assert answer.status_code < 500, page
        assert [text for text in CUSTOMER if text in answer.content.decode()] == [], page
    assert opened > (20 if group else 2)


def test_ops_see_the_customer(log_in: LogIn, order: Order) -> None:
    client = log_in("ops")

    seen = [page for page in pages() if EMAIL in read(client, page).content.decode()]

    assert list_of(Order) in seen
    assert list_of(Email) in seen


@pytest.mark.parametrize("term", [EMAIL[:3], NAME, "7kq2"])
@pytest.mark.parametrize("group", ["merchandisers", "ops"])
def test_no_search_finds_rows_by_what_a_role_may_not_see(
    log_in: LogIn, order: Order, group: str, term: str
) -> None:
    client = log_in(group)

    searched = [model for model in MODELS if has_search(model)]
    counts = {model: found(client.get(list_of(model), {"q": term})) for model in searched}

    assert counts[Order] == (1 if group == "ops" else None)
    assert counts[Hold] == (1 if group == "ops" and term != NAME else 0)
    if group == "merchandisers":
        named = {AuditEntry} if term.lower() in "7kq29xmd" else set()  # which shows the order's number
        assert {model for model, count in counts.items() if count} == named


def has_search(model: type[Model]) -> bool:
    return bool(admin.site._registry[model].search_fields)


@pytest.mark.parametrize(
    "question",
    [
        "order__email__startswith=z",
        "order__email=" + EMAIL,
        "order__number__gte=7",
        "order__name__contains=So",
        "order__payment__state=captured",
        "order=1",
        "order__isnull=0",
        "order__id__lt=9",
    ],
)
def test_no_address_asks_for_what_a_role_may_not_see(log_in: LogIn, order: Order, question: str) -> None:
    assert log_in("merchandisers").get(f"{list_of(Hold)}?{question}").status_code == 400


@pytest.mark.parametrize("question", ["state__exact=open", "place__gte=0", "drop__id__exact=", "q=x"])
def test_addresses_may_still_filter_by_what_is_shown(log_in: LogIn, order: Order, question: str) -> None:
    question = question.replace("exact=", f"exact={order.hold.drop_id}") if "drop" in question else question

    assert log_in("merchandisers").get(f"{list_of(Hold)}?{question}").status_code == 200


@pytest.mark.parametrize(
    ("model", "question"),
    [
        ("auth.user", "password__startswith=pbkdf2"),
        ("drops.drop", "nonce__gt=0"),
        ("drops.drop", "secret__isnull=1"),
        ("shop.email", "html__contains=Zsofia"),
    ],
)
def test_nobody_asks_for_a_field_that_no_page_shows(order: Order, model: str, question: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("grace"))

    assert client.get(f"{list_of(apps.get_model(model))}?{question}").status_code == 400


# --- by permission: somebody who may view one model only ---


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_one_permission_shows_and_finds_nothing_of_other_models(order: Order, model: type[Model]) -> None:
    code = f"{model._meta.app_label}.view_{model._meta.model_name}"
    client = with_permission(code)
    site: Any = admin.site._registry[model]
    request = RequestFactory().get("/")
    request.user = User.objects.get()

    paths = [
        *site.get_search_fields(request),
        *[one if isinstance(one, str) else one[0] for one in site.get_list_filter(request)],
        *[site.ordering_path(name) for name in site.get_list_display(request)],
    ]

    shown = site.shown_relations
    assert [path for path in paths if leaves(model, path) and visibility.first_name(path) not in shown] == []
    assert client.get(list_of(model)).status_code == 200
    columns = range(1, len(site.get_list_display(request)) + 1)
    assert client.get(list_of(model), {"o": ".".join(map(str, columns))}).status_code == 200
    if model._meta.model_name not in CUSTOMERS_MODELS:
        own = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for page in pages():
            if page.endswith("logout/") or (page.count("/") > 4 and not page.startswith(own)):
                continue
            answer = read(client, page)
            assert [text for text in CUSTOMER if text in answer.content.decode()] == [], page


def leaves(model: type[Model], path: str) -> bool:
    """Whether a lookup leads to rows of another model, by the columns of the database."""
    names = {field.name for field in model._meta.get_fields() if field.is_relation}
    return visibility.first_name(path) in names and not issubclass(model, User)


def test_now_page_shows_alerts_and_scaling_to_those_who_may(order: Order) -> None:
    now = reverse("admin:now")
    may = with_permission("drops.view_drop", "shop.view_alert")

    assert "be sent" in may.get(now).content.decode()
    assert "be sent" not in with_permission("drops.view_drop").get(now).content.decode()


# --- actions ---


def test_actions_are_offered_to_those_who_may(log_in: LogIn, order: Order) -> None:
    request = RequestFactory().get("/")
    offered = {}
    for group in ("ops", "merchandisers", None):
        log_in(group)
        request.user = User.objects.get(username=group or "nobody")
        offered[group] = [
            name for site in admin.site._registry.values() for name in site.get_actions(request)
        ]

    assert offered == {"ops": ["send_again"], "merchandisers": [], None: []}


def test_an_action_that_is_not_offered_does_nothing(order: Order) -> None:
    client = with_permission("shop.view_email")
    email = Email.objects.get(kind="sold")

    client.post(list_of(Email), {"action": "send_again", "_selected_action": str(email.pk), "index": "0"})

    email.refresh_from_db()
    assert (email.tries, AuditEntry.objects.filter(action="sent again").count()) == (emails.ALERT_TRIES, 0)


@pytest.mark.parametrize("group", [None, "viewer"])
def test_no_button_works_for_somebody_who_may_only_look(
    log_in: LogIn, order: Order, group: str | None
) -> None:
    """Every page is posted to, with the answers that its forms ask for."""
    client = log_in(None)
    if group:
        views = Permission.objects.filter(codename__startswith="view_").exclude(codename="view_user")
        User.objects.get(username="nobody").user_permissions.set(views)
    before = AuditEntry.objects.count(), state()

    for page in pages():
        if page.endswith(("logout/", "login/", "password_change/", "second-factor/")):  # are recorded
            continue
        answer: Any = client.post(page, {"post": "yes", "confirm": "1", "reason": "x", "title": "Taken over"})
        assert answer.status_code < 500, page
    assert (AuditEntry.objects.count(), state()) == before


def state() -> list[Any]:
    """Return all rows that pages of the admin can change."""
    return [list(model._default_manager.order_by("pk").values()) for model in MODELS if model is not User]


@pytest.mark.parametrize(
    ("question", "refused"),
    [
        ("pk__holds__order__email__startswith=z", True),
        ("pk__holds__order__isnull=0", True),
        ("drop__pk__holds__order__email__startswith=z", True),
        ("drop__holds__order__pk__gt=0", True),
        ("pk__pk__holds__order__email=z", True),
        ("pk__exact={drop}", False),
        ("drop__id__exact={drop}", False),
        ("pk={drop}", False),
    ],
)
def test_a_primary_key_that_leads_to_another_model_leads_no_further(
    log_in: LogIn, order: Order, question: str, refused: bool
) -> None:
    plan = ScalePlan.objects.create(drop=order.hold.drop)
    asked = f"{list_of(ScalePlan)}?{question.format(drop=plan.pk)}"

    assert found(log_in("merchandisers").get(asked)) == (None if refused else 1)
