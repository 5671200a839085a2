"""The second factor of the admin: set up by each colleague, asked for when signing in, replaceable."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from dropsite.backoffice import second_factor
from shop.core.models import AuditEntry, SignIn
from tests.admin_clients import PLAIN
from tests.conftest import Race

LOGIN, PAGE, INDEX = (reverse(f"admin:{name}") for name in ("login", "second_factor", "index"))
PASSWORD = "correct horse battery staple"


@pytest.fixture
def ada(db: None, settings: Settings) -> User:
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}
    return User.objects.create_user("ada", password=PASSWORD, is_staff=True)


def sign_in(code: str | None = None, client: Client | None = None) -> Any:
    client = client or Client(headers={"sec-fetch-site": "same-origin"})
    form = {"username": "ada", "password": PASSWORD, "next": INDEX}
    if code is not None:
        form["code"] = code
    answer = client.post(LOGIN, form)
    return client, answer


def code(user: User) -> str:
    """Return what the app shows now; the last one counts as not yet used."""
    device = TOTPDevice.objects.get(user=user)
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=-1)
    return f"{totp(device.bin_key):06}"


def set_up(user: User) -> tuple[Client, list[str]]:
    """Set up the second factor as a colleague does; return the client and the recovery codes."""
    client, _ = sign_in()
    client.get(PAGE)
    answer = client.post(PAGE, {"code": code(user)})
    return client, answer.context["codes"]


def is_in(client: Client) -> bool:
    return client.get(INDEX).status_code == 200


def test_set_up_shows_the_secret_and_gives_recovery_codes(ada: User) -> None:
    client, _ = sign_in()
    text = client.get(PAGE).content.decode()

    assert 'src="data:image/svg+xml' in text
    assert re.search(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", text)
    client, codes = set_up(ada)
    assert (len(codes), len(set(codes)), is_in(client)) == (10, 10, True)
    again = client.get(PAGE).content.decode()
    assert ("10 recovery codes left" in again, [one for one in codes if one in again]) == (True, [])
    assert AuditEntry.objects.get().action == "second factor set up"


@pytest.mark.parametrize(
    "wrong", ["", "000000", "12345", "x" * 33, "9" * 4_400, "１２３４５６", "-1", "a\0b"]
)
def test_wrong_codes_set_nothing_up_and_let_nobody_in(ada: User, wrong: str) -> None:
    client, _ = sign_in()
    client.get(PAGE)
    assert client.post(PAGE, {"code": wrong}).context.get("codes") is None
    assert not second_factor.is_set_up(ada)
    set_up(ada)

    client, answer = sign_in(wrong)

    assert (answer.status_code, is_in(client)) == (200, False)
    assert SignIn.objects.latest("pk").outcome in SignIn.FAILURES


def test_the_code_is_asked_for_after_a_right_password_only(ada: User) -> None:
    set_up(ada)

    _client, answer = sign_in()
    assert second_factor.CODE_MISSING in answer.content.decode()
    assert SignIn.objects.latest("pk").outcome == "no code"
    answer = Client(headers={"sec-fetch-site": "same-origin"}).post(
        LOGIN, {"username": "ada", "password": "wrong"}
    )
    assert second_factor.CODE_MISSING not in answer.content.decode()


def test_a_right_code_lets_in_once(ada: User) -> None:
    set_up(ada)
    now = code(ada)

    client, answer = sign_in(f" {now[:3]} {now[3:]} ")
    assert (answer.status_code, is_in(client)) == (302, True)
    client, answer = sign_in(now)
    assert (answer.status_code, is_in(client)) == (200, False)


def test_a_recovery_code_lets_in_once(ada: User) -> None:
    _client, codes = set_up(ada)

    assert sign_in(codes[0].upper())[1].status_code == 302
    assert sign_in(codes[0])[1].status_code == 200
    assert sign_in(f"{codes[1][:4]}-{codes[1][4:]}")[1].status_code == 302
    assert StaticToken.objects.count() == 8


def test_one_recovery_code_sent_twice_at_once_counts_once(race: Race) -> None:
    user = User.objects.create_user("ada")
    TOTPDevice.objects.create(user=user, name="app", confirmed=True)
    recovery = second_factor.renew_recovery_codes(user=user, action="renewed")[0]

    results = race(6, lambda _: second_factor.check(user, recovery))

    assert [result is not None for result in results].count(True) == 1


def test_sessions_without_the_code_end_when_it_is_set_up(ada: User) -> None:
    before, _ = sign_in()
    assert is_in(before)
    set_up(ada)

    assert not is_in(before)


def test_wrong_codes_are_slowed_like_wrong_passwords(ada: User) -> None:
    set_up(ada)

    assert [sign_in("000000")[1].status_code for _ in range(7)] == [200] * 5 + [429] * 2


def test_codes_are_slowed_on_the_page_itself(ada: User) -> None:
    client, _codes = set_up(ada)

    statuses = [client.post(PAGE, {"code": "000000", "remove": ""}).status_code for _ in range(7)]

    assert statuses == [200] * 5 + [429] * 2
    assert second_factor.is_set_up(ada)


def test_a_code_renews_the_recovery_codes(ada: User) -> None:
    client, codes = set_up(ada)

    renewed = client.post(PAGE, {"code": code(ada), "renew": ""}).context["codes"]

    assert (len(renewed), set(renewed) & set(codes)) == (10, set())
    assert sign_in(codes[0])[1].status_code == 200


def test_a_code_removes_the_second_factor(ada: User) -> None:
    client, _codes = set_up(ada)

    assert client.post(PAGE, {"code": code(ada), "remove": ""}).status_code == 302
    assert sign_in()[1].status_code == 302
    assert is_in(client)


def test_a_colleague_who_may_change_users_removes_a_lost_one(ada: User) -> None:
    set_up(ada)
    grace = Client(headers={"sec-fetch-site": "same-origin"})
    grace.force_login(User.objects.create_superuser("grace"))
    users = reverse("admin:auth_user_changelist")

    offered = grace.get(users).context["cl"].model_admin.get_actions(grace.get(users).wsgi_request)
    grace.post(users, {"action": "remove_second_factor", "_selected_action": str(ada.pk), "index": "0"})

    assert list(offered) == ["remove_second_factor"]
    assert sign_in()[1].status_code == 302
    assert AuditEntry.objects.filter(about="user:ada", action="second factor removed").count() == 1


@pytest.mark.parametrize("page", [INDEX, reverse("admin:now"), reverse("admin:password_change")])
def test_where_it_is_required_nothing_else_comes_first(ada: User, settings: Settings, page: str) -> None:
    settings.ADMIN_SECOND_FACTOR_REQUIRED = True
    ada.is_superuser = True
    ada.save()
    client, _ = sign_in()

    assert client.get(page)["Location"] == PAGE
    assert "asks every colleague" in client.get(PAGE).content.decode()
    client, _codes = set_up(ada)
    assert client.get(page).status_code == 200


def test_no_page_shows_the_secrets_of_others(ada: User) -> None:
    set_up(ada)
    grace = Client(headers={"sec-fetch-site": "same-origin"})
    grace.force_login(User.objects.create_superuser("grace"))
    device = TOTPDevice.objects.get(user=ada)

    for address in ("/admin/otp_totp/totpdevice/", f"/admin/otp_totp/totpdevice/{device.pk}/change/"):
        assert grace.get(address).status_code == 404
    assert device.key not in grace.get(reverse("admin:auth_user_change", args=[ada.pk])).content.decode()
