"""Strangers at the admin's door: each try is recorded, guessing is slowed, and no colleague is locked out."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from dropsite.backoffice import sessions
from shop.core import addresses, sign_ins
from shop.core.models import SignIn
from tests.admin_clients import PLAIN, LogIn
from tests.conftest import Race

LOGIN = reverse("admin:login")
STRANGER, OFFICE, HOME = "203.0.113.9", "198.51.100.7", "192.0.2.33"
PASSWORD = "correct horse battery staple"


@pytest.fixture
def ada(db: None, settings: Settings) -> User:
    """A colleague with a password."""
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}
    return User.objects.create_user("ada", password=PASSWORD, is_staff=True)


def browser(address: str) -> Client:
    return Client(headers={"sec-fetch-site": "same-origin", "x-forwarded-for": address})


def attempt(client: Client, *, name: str = "ada", password: str = "wrong") -> Any:
    return client.post(LOGIN, {"username": name, "password": password, "next": "/admin/"})


def statuses(client: Client, count: int, **fields: str) -> list[int]:
    return [attempt(client, **fields).status_code for _ in range(count)]


def later(**duration: int) -> None:
    """Let time pass, for what is recorded."""
    SignIn.objects.update(at=F("at") - timedelta(**duration))


# --- throttling ---


@pytest.mark.parametrize("name", ["ada", "nobody", "ADA", "\u202eada", "a\0da", "x" * 4_400, "1' OR 1=1"])
def test_wrong_passwords_are_slowed(ada: User, name: str) -> None:
    """Also for names without an account: the answer doesn't tell which exist."""
    answers = [attempt(browser(STRANGER), name=name) for _ in range(12)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 7
    assert 1 <= int(answers[-1]["Retry-After"]) <= sign_ins.WAIT_SECONDS
    assert "too many wrong tries" in answers[-1].content.decode()


def test_the_right_password_isn_t_looked_at_while_its_network_must_wait(ada: User) -> None:
    stranger = browser(STRANGER)
    statuses(stranger, 5)

    assert attempt(stranger, password=PASSWORD).status_code == 429
    later(seconds=sign_ins.WAIT_SECONDS + 1)
    assert attempt(stranger, password=PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("failed", "seconds"), [(4, 0), (5, 5), (6, 10), (7, 20), (8, 40), (12, 640), (13, 900), (400, 900)]
)
def test_waits_double_up_to_a_quarter_of_an_hour(failed: int, seconds: int) -> None:
    assert sign_ins.wait_after(failed, free=sign_ins.FREE_TRIES) == seconds


def test_a_stranger_who_hammers_locks_no_colleague_out(ada: User) -> None:
    """The stranger has tried from many networks, the colleague's own included."""
    known = browser(OFFICE)
    assert attempt(known, password=PASSWORD).status_code == 302
    known.post(reverse("admin:logout"))
    for network in range(12):
        statuses(browser(f"203.0.113.{network}"), 8)
    statuses(browser(OFFICE), 8)

    assert attempt(known, password=PASSWORD).status_code == 302  # a browser that it knows, wherever it is
    assert (
        attempt(browser(HOME), password=PASSWORD).status_code == 302
    )  # another one, in a network of her own
    assert attempt(browser(OFFICE), password=PASSWORD).status_code == 429


def test_an_account_under_attack_leaves_each_network_one_free_try(ada: User) -> None:
    for network in range(10):
        statuses(browser(f"203.0.113.{network}"), 5)

    assert statuses(browser(HOME), 3) == [200, 429, 429]


def test_a_network_that_tries_many_accounts_has_one_free_try_for_each(ada: User) -> None:
    for number in range(6):
        statuses(browser(STRANGER), 5, name=f"guess-{number}")

    assert statuses(browser(STRANGER), 3, name="another") == [200, 429, 429]
    assert statuses(browser(HOME), 3, name="another") == [200, 200, 200]


def test_a_known_browser_is_slowed_by_its_own_failures(ada: User) -> None:
    known = browser(OFFICE)
    attempt(known, password=PASSWORD)

    assert statuses(known, 7) == [200] * 5 + [429] * 2


@pytest.mark.parametrize("spoilt", ["", "x", "changed", "other account", "old password"])
def test_only_the_cookie_of_this_account_makes_a_browser_known(ada: User, spoilt: str) -> None:
    statuses(browser(STRANGER), 5)
    name, value = sign_ins.browser_cookie(ada), sign_ins.sign_browser(ada, "")
    if spoilt == "changed":
        value = value[:-1] + ("A" if value[-1] != "A" else "B")
    elif spoilt == "other account":
        value = sign_ins.sign_browser(User.objects.create_user("eve", password=PASSWORD), "")
    elif spoilt == "old password":
        ada.set_password("another long one")
        ada.save()
    else:
        value = spoilt
    client = browser(STRANGER)
    client.cookies[name] = value

    assert attempt(client).status_code == 429


def test_success_forgives_what_was_mistyped_before(ada: User) -> None:
    statuses(browser(OFFICE), 4)
    attempt(browser(OFFICE), password=PASSWORD)

    assert statuses(browser(OFFICE), 5) == [200] * 5


def test_the_old_password_is_guessed_no_faster_where_it_is_changed(ada: User) -> None:
    client = browser(OFFICE)
    client.force_login(ada)
    form = {"old_password": "wrong", "new_password1": "a new long one", "new_password2": "a new long one"}
    page = reverse("admin:password_change")

    assert [client.post(page, form).status_code for _ in range(7)] == [200] * 5 + [429] * 2
    later(minutes=1)
    assert client.post(page, form | {"old_password": PASSWORD}).status_code == 302
    assert SignIn.objects.filter(outcome="changed", name="ada").count() == 1


def test_tries_at_once_are_counted_before_a_password_is_looked_at(race: Race) -> None:
    who = sign_ins.Visitor(name="ada", address=STRANGER)

    results = race(20, lambda _: sign_ins.begin(who))

    assert sum(isinstance(result, SignIn) for result in results) == sign_ins.FREE_TRIES


def test_control_counting_without_a_lock_lets_more_through(
    race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(key: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.2)")  # so that all of them have begun

    monkeypatch.setattr(sign_ins, "lock", careless)
    who = sign_ins.Visitor(name="ada", address=STRANGER)

    results = race(20, lambda _: sign_ins.begin(who))

    assert sum(isinstance(result, SignIn) for result in results) > sign_ins.FREE_TRIES


# --- addresses ---


@pytest.mark.parametrize(
    ("forwarded", "remote", "address", "network"),
    [
        ("203.0.113.9", "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("", "10.0.0.7", "10.0.0.7", "10.0.0.7"),
        ("nonsense", "10.0.0.7", "10.0.0.7", "10.0.0.7"),
        ("1" * 4_400, "", "0.0.0.0", "0.0.0.0"),
        ("::ffff:203.0.113.9", "", "203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "", "fe80::1", "fe80::/64"),
    ],
)
def test_address_is_what_the_edge_says(forwarded: str, remote: str, address: str, network: str) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = RequestFactory(headers=headers).get("/", REMOTE_ADDR=remote)

    assert addresses.client_address(request) == address
    assert addresses.network(address) == network


# --- what is recorded ---


def test_sign_ins_are_recorded_for_ops(log_in: LogIn, ada: User, caplog: pytest.LogCaptureFixture) -> None:
    attempt(browser(STRANGER), name="hunter2-typed-in-the-wrong-field")
    attempt(browser(STRANGER))
    attempt(browser(OFFICE), password=PASSWORD)

    rows = [(row.name, row.address, row.outcome) for row in SignIn.objects.order_by("pk")]
    assert rows == [
        ("", STRANGER, "failed"),
        ("ada", STRANGER, "failed"),
        ("ada", OFFICE, "signed in"),
    ]
    assert "ada from 203.0.113.9" in caplog.text
    assert "hunter2" not in caplog.text + str(list(SignIn.objects.values()))
    page = reverse("admin:shop_signin_changelist")
    assert STRANGER in log_in("ops").get(page).content.decode()
    assert log_in("merchandisers").get(page).status_code == 403


def test_refused_tries_are_logged_and_add_no_rows(ada: User, caplog: pytest.LogCaptureFixture) -> None:
    statuses(browser(STRANGER), 40)

    assert SignIn.objects.count() == 5
    assert "Sign-in refused for 5 s: ada from 203.0.113.9" in caplog.text


def test_old_rows_and_ended_sessions_are_forgotten(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_ins, "MAX_ROWS", 3)
    statuses(browser(STRANGER), 5)
    SignIn.objects.filter(pk=SignIn.objects.latest("pk").pk).update(at=Now() - sign_ins.KEPT)
    attempt(browser(OFFICE), password=PASSWORD)
    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - timedelta(1))

    assert sign_ins.forget_old() == 4
    assert (SignIn.objects.count(), Session.objects.count()) == (3, 1)


# --- how long a session lasts ---


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Clock:
        now = 1_900_000_000.0

        def time(self) -> float:
            return self.now

    found = Clock()
    monkeypatch.setattr(sessions, "time", found)
    return found


def is_in(client: Client, page: str = "/admin/") -> bool:
    return client.get(page).status_code == 200


@pytest.mark.parametrize(("minutes", "stays"), [(119, True), (121, False), (60 * 11, False)])
def test_an_idle_session_ends(ada: User, clock: Any, minutes: int, stays: bool) -> None:
    client = browser(OFFICE)
    attempt(client, password=PASSWORD)
    clock.now += minutes * 60

    assert is_in(client) == stays
    if not stays:
        assert "signed out after 120 minutes without activity" in client.get(LOGIN).content.decode()


def test_a_session_that_is_used_ends_after_hours(ada: User, clock: Any) -> None:
    client = browser(OFFICE)
    attempt(client, password=PASSWORD)
    seen = []
    for _hour in range(13):
        clock.now += 3_600 + 1
        seen.append(is_in(client))

    assert seen == [True] * 11 + [False] * 2
    assert attempt(client, password=PASSWORD).status_code == 302
    assert is_in(client)


def test_a_page_that_reloads_itself_is_no_activity(ada: User, clock: Any) -> None:
    ada.is_superuser = True
    ada.save()
    client = browser(OFFICE)
    attempt(client, password=PASSWORD)
    page = client.get(reverse("admin:now"))["Refresh"].split("url=")[1]
    seen = []
    for _reload in range(5):
        clock.now += 30 * 60
        seen.append(is_in(client, page))

    assert seen == [True] * 4 + [False]


def test_sessions_from_before_the_limits_go_on(ada: User) -> None:
    client = browser(OFFICE)
    client.force_login(ada)

    assert is_in(client)
    assert sessions.SIGNED_IN in client.session
