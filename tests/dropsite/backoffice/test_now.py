"""The "now" page: which drop, what the machinery says, how it stays fresh."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from drops import drop_actions
from drops.models import Checkpoint, Leadership
from drops.scaling.models import Heartbeat, ScalePlan
from dropsite.backoffice import now
from payments.models import Attempt, Event
from payments.processing import rate_limit
from shop.core import outbox
from shop.core.models import Alert, Email
from tests.admin_clients import LogIn
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import submit

PAGE = reverse("admin:now")


def titles(answer: Any) -> Any:
    return answer.context["overview"] and answer.context["overview"].drop.title


def test_page_refreshes_itself_and_is_kept_nowhere(log_in: LogIn) -> None:
    make_drop(phase="live")

    answer = log_in("ops").get(PAGE)

    assert (answer["Refresh"].split(";")[0], "no-store" in answer["Cache-Control"]) == ("5", True)
    assert "<script" not in answer.content.decode().split("<body", 1)[1]


@pytest.mark.parametrize(
    ("phase", "opens_in", "seconds"),
    [
        ("lobby", timedelta(hours=1), "5"),
        ("paused", timedelta(hours=-1), "5"),
        ("announced", timedelta(days=3), "60"),
        ("announced", timedelta(minutes=10), "5"),
        ("closed", timedelta(hours=-1), "60"),
    ],
)
def test_page_refreshes_often_only_while_something_happens(
    log_in: LogIn, phase: str, opens_in: Any, seconds: str
) -> None:
    opens_at = timezone.now() + opens_in
    lobby = opens_at - (timedelta(hours=2) if phase == "lobby" else timedelta(minutes=1))
    make_drop(phase=phase, opens_at=opens_at, lobby_opens_at=lobby)

    assert log_in("ops").get(PAGE)["Refresh"].split(";")[0] == seconds


def test_page_refreshes_often_until_the_last_hold_is_over(log_in: LogIn) -> None:
    drop = make_drop(phase="live")
    make_hold(drop=drop)
    drop_actions.close(drop=drop, actor=None)

    assert log_in("ops").get(PAGE)["Refresh"].split(";")[0] == "5"


def test_page_says_when_no_drop_is_announced(log_in: LogIn) -> None:
    make_drop(phase="draft")

    answer = log_in("merchandisers").get(PAGE)

    assert "No drop is announced." in answer.content.decode()


@pytest.mark.parametrize(
    ("phases", "first"),
    [
        (["announced", "lobby", "paused", "live"], "live"),
        (["announced", "lobby", "paused", "closed"], "paused"),
        (["announced", "lobby", "closed"], "lobby"),
        (["closed", "sold out", "announced"], "announced"),
        (["draft", "closed"], "closed"),
    ],
)
def test_page_shows_the_drop_of_the_moment(log_in: LogIn, phases: list[str], first: str) -> None:
    for phase in phases:
        make_drop(phase=phase, title=phase)

    assert titles(log_in("ops").get(PAGE)) == first


def test_page_shows_the_next_of_two_that_come(log_in: LogIn) -> None:
    soon = timezone.now() + timedelta(hours=2)
    for title, opens_at in (("later", soon + timedelta(hours=9)), ("soon", soon)):
        make_drop(
            phase="announced", title=title, opens_at=opens_at, lobby_opens_at=opens_at - timedelta(hours=1)
        )

    assert titles(log_in("ops").get(PAGE)) == "soon"


def test_page_counts_down_to_the_next_change(log_in: LogIn) -> None:
    make_drop(phase="lobby", opens_at=timezone.now() + timedelta(hours=3, minutes=30, seconds=30))

    assert "in 3\xa0hours, 30\xa0minutes" in log_in("ops").get(PAGE).content.decode()


def test_page_shows_line_stock_and_money(log_in: LogIn) -> None:
    drop = make_drop(phase="live", quantity=5)
    Checkpoint.objects.filter(drop=drop).update(
        counter_limit=2000, joined=1204, cursor=77, allowance=60, entered=55, reason="checkout slots"
    )
    submit(make_hold(drop=drop, index=1), "ctoken_1")
    make_hold(drop=drop, index=2)

    answer = log_in("ops").get(PAGE)

    text = " ".join(answer.content.decode().split())
    assert [n for n in (1204, 77, 60, 55) if f"<dd> {n} </dd>" not in text] == []
    assert "Limited by: checkout slots" in text
    overview = answer.context["overview"]
    assert (overview.total.free, overview.total.held, overview.total.total) == (3, 2, 5)
    assert dict(overview.holds) == {"open": 1, "paying": 1, "allocated": 0, "released": 0, "returned": 0}
    assert (overview.orders, overview.paid, overview.captured) == (1, 0, "€0")


def test_page_names_the_leader_while_it_leads(log_in: LogIn) -> None:
    client = log_in("ops")
    Leadership.objects.update_or_create(
        pk=1, defaults={"term": 4, "holder": "box-1:77", "until": timezone.now() + timedelta(seconds=60)}
    )
    assert "box-1:77" in client.get(PAGE).content.decode()

    Leadership.objects.update(until=timezone.now() - timedelta(seconds=1))

    assert "no leader" in client.get(PAGE).content.decode()


def test_ages_tell_what_waits_too_long() -> None:
    at, on = timezone.now(), "pytest"
    none = now.QueueAge("", None, at, rate_limit.HALVE_AFTER)
    fresh = now.QueueAge(on, at - timedelta(seconds=9), at, rate_limit.HALVE_AFTER)
    stale = now.QueueAge(on, at - timedelta(seconds=71), at, rate_limit.HALVE_AFTER)

    assert [(age.late, age.text) for age in (none, fresh, stale)] == [
        (False, "none"),
        (False, "9 seconds"),
        (True, "1 minute 11 seconds"),
    ]


@pytest.mark.django_db
def test_ages_are_those_of_the_oldest_that_wait() -> None:
    at = timezone.now()
    for seconds in (40, 60):
        drop = make_drop(phase="live")
        order = submit(make_hold(drop=drop), "ctoken_1")
        then = at - timedelta(seconds=seconds)
        Attempt.objects.filter(payment__order=order).update(created_at=then)
        type(order).objects.filter(pk=order.pk).update(created_at=then)
        Event.objects.create(id=f"evt_{seconds}", type="x", livemode=False, payload={}, received_at=then)
        outbox.put_email(kind="x", about=str(seconds), to="ada@example.com", subject="", text="", html="")
        Email.objects.filter(about=str(seconds)).update(created_at=then)
    Event.objects.create(
        id="evt_old", type="x", livemode=False, payload={}, state="processed", received_at=at, processed_at=at
    )

    assert [age.text for age in now.queue_ages(now=at)] == ["1 minute"] * 4


def test_page_is_refused_to_those_who_may_not_see_drops(log_in: LogIn) -> None:
    assert log_in().get(PAGE).status_code == 403


def test_page_is_reached_from_the_desks_first_page(log_in: LogIn) -> None:
    assert f'href="{PAGE}"' in log_in("merchandisers").get(reverse("admin:index")).content.decode()
    assert f'href="{PAGE}"' not in log_in().get(reverse("admin:index")).content.decode()


def test_page_asks_for_the_desks_door_first(client: Client, log_in: LogIn) -> None:
    answer = client.get(PAGE)

    assert (answer.status_code, answer["Location"]) == (302, f"{reverse('admin:login')}?next={PAGE}")


def test_page_tells_how_pre_scaling_stands(log_in: LogIn) -> None:
    drop = make_drop(phase="lobby", expected_shoppers=20_000)
    ScalePlan.objects.create(drop=drop, verdict="no-go", verdict_at=timezone.now())
    Heartbeat.objects.create(ticked_at=timezone.now() - timedelta(hours=1), actor="beat", paused_reason="")

    answer = log_in("merchandisers").get(PAGE)

    text = answer.content.decode()
    assert answer.context["heartbeat_age"].late
    assert ("no-go" in text, "20,000 shoppers expected" in text) == (True, True)
    assert reverse("admin:scaling_scaleplan_change", args=[drop.pk]) in text


def test_page_shows_open_alerts_of_every_source(log_in: LogIn) -> None:
    Alert.objects.create(source="scaling", subject="heartbeat", message="Pre-scaling has stopped.")
    Alert.objects.create(source="payments", subject="order", message="A capture is stuck.")
    Alert.objects.create(source="mail", subject="old", message="Long ago.", resolved_at=timezone.now())

    text = log_in("ops").get(PAGE).content.decode()

    shown = [message in text for message in ("Pre-scaling has stopped.", "A capture is stuck.", "Long ago.")]
    assert shown == [True, True, False]


def test_heartbeat_is_not_late_while_nothing_is_to_be_scaled(log_in: LogIn) -> None:
    make_drop(phase="lobby")
    Heartbeat.objects.create(ticked_at=timezone.now() - timedelta(hours=1), actor="beat", paused_reason="")

    age = log_in("ops").get(PAGE).context["heartbeat_age"]

    assert (age.late, age.text) == (False, "none")
