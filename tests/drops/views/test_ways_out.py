"""Ways out on the way to a hold: entering again, how many holds are left, a drop that has ended."""

import json
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from drops import holds, tokens
from drops.models import Drop, Hold
from tests.drops.views.shopping import choose, let_in
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db

ENTER_AGAIN = '<button type="submit">Enter again</button>'
ENDED = 121  # seconds since the entry, after which a pass is over
ALMOST = 110


def text(response: Any) -> str:
    return unescape(response.content.decode())


def close(drop: Drop, phase: str = "closed") -> None:
    """End the drop in one of the ways that there are."""
    now = timezone.now()
    fields = {
        "closed": {"closed_at": now},
        "past its closing time": {"closes_at": now - timedelta(seconds=2)},
    }
    fields["cancelled"] = {"cancelled_at": now}
    Drop.objects.filter(pk=drop.pk).update(**fields[phase])


class TestTwoMinutesAreUp:
    """A pass that has ended, or was never here, leads to "Enter again" and not back to the start."""

    @pytest.mark.parametrize("phase", ["live", "paused"])
    @pytest.mark.parametrize(
        ("cookie", "status", "title"),
        [
            ("ended", 410, "Your two minutes to choose are up."),
            ("none", 403, "You need to enter the drop first."),
            ("forged", 403, "You need to enter the drop first."),
        ],
    )
    def test_offers_to_enter_again(
        self, client: Client, phase: str, cookie: str, status: int, title: str
    ) -> None:
        drop = make_drop(phase=phase, limit_per_order=1)
        if cookie == "ended":
            let_in(client, drop, entered=int(timezone.now().timestamp()) - ENDED)
        elif cookie == "forged":
            client.cookies[f"pass-{drop.slug}"] = "1.k1.AAAA.AAAA"

        for response in (
            client.get(f"/drops/{drop.slug}/pick/"),
            choose(client, drop, edition=drop.editions.get().pk),
        ):
            html = text(response)
            assert (response.status_code, response["Cache-Control"]) == (status, "no-store")
            assert title in html
            assert f'action="/line/{drop.slug}/enter"' in html
            assert ENTER_AGAIN in html
            assert "our place is kept." in html

    @pytest.mark.parametrize("phase", ["lobby", "opening"])
    def test_does_not_offer_it_before_anybody_may_enter(self, client: Client, phase: str) -> None:
        drop = make_drop(phase=phase)

        assert ENTER_AGAIN not in text(choose(client, drop, edition=drop.editions.get().pk))

    @pytest.mark.parametrize("seconds_ago", [0, ALMOST])
    def test_page_without_script_loads_again_when_they_are_up(self, client: Client, seconds_ago: int) -> None:
        drop = make_drop(phase="live")
        let_in(client, drop, entered=int(timezone.now().timestamp()) - seconds_ago)

        html = text(client.get(f"/drops/{drop.slug}/pick/"))

        left = html.split('<noscript><meta http-equiv="refresh" content="')[1].split('"')[0]
        assert 120 - seconds_ago - 5 <= int(left) <= 120 - seconds_ago

    def test_leads_to_what_is_held_instead(self, client: Client) -> None:
        drop = make_drop(phase="live", limit_per_order=1)
        edition = drop.editions.get().pk
        let_in(client, drop)
        first = choose(client, drop, edition=edition)
        let_in(client, drop, entered=int(timezone.now().timestamp()) - ENDED)

        again = choose(client, drop, edition=edition)

        assert (again.status_code, again["Location"]) == (303, first["Location"])


class TestHoldsOfATicket:
    """How many of its two holds a ticket has used is said before, not when they are used up."""

    @pytest.mark.parametrize("used", [0, 1])
    def test_pick_page_says_which_hold_it_would_be(self, client: Client, used: int) -> None:
        drop = make_drop(phase="live")
        pass_ = let_in(client, drop)
        for _ in range(used):
            make_hold(drop=drop, pass_=pass_, state=Hold.State.RELEASED)

        html = text(client.get(f"/drops/{drop.slug}/pick/"))

        assert f"This will be hold {used + 1} of 2." in html

    def test_pick_page_says_when_both_are_used_up(self, client: Client) -> None:
        drop = make_drop(phase="live")
        pass_ = let_in(client, drop)
        for _ in range(2):
            make_hold(drop=drop, pass_=pass_, state=Hold.State.RELEASED)

        response = client.get(f"/drops/{drop.slug}/pick/")

        assert response.status_code == 409
        assert "You've used both your holds." in text(response)
        assert "Choose again" not in text(response)

    @pytest.mark.parametrize("state", ["open", "paying", "allocated"])
    def test_pick_page_leads_to_what_the_ticket_holds_in_another_browser(
        self, client: Client, state: str
    ) -> None:
        drop = make_drop(phase="live")
        pass_ = let_in(client, drop)
        hold = make_hold(drop=drop, pass_=pass_, state=state)

        response = client.get(f"/drops/{drop.slug}/pick/")

        token = tokens.hold_token(hold.uuid)
        assert (response.status_code, response["Location"]) == (303, f"/holds/{token}/")
        assert response.cookies[f"hold-{drop.slug}"].value == token

    def test_pick_page_offers_the_second_after_the_first_has_lapsed(self, client: Client) -> None:
        drop = make_drop(phase="live")
        pass_ = let_in(client, drop)
        make_hold(drop=drop, pass_=pass_, expires_at=timezone.now() - timedelta(seconds=1))

        assert "This will be hold 2 of 2" in text(client.get(f"/drops/{drop.slug}/pick/"))

    def test_changing_says_nothing_of_another_hold(self, client: Client) -> None:
        hold = make_hold(drop=make_drop(phase="live", editions=2))

        html = text(client.get(f"/holds/{tokens.hold_token(hold.uuid)}/change/"))

        assert "This will be hold" not in html
        assert "Enter again" not in html


class TestDropHasEnded:
    """A drop that is over says so; what is held stays within reach."""

    @pytest.mark.parametrize("how", ["closed", "past its closing time", "cancelled"])
    @pytest.mark.parametrize("remembered", [True, False])
    def test_choosing_says_that_it_has_ended(self, client: Client, how: str, remembered: bool) -> None:
        drop = make_drop(phase="live", limit_per_order=1)
        let_in(client, drop)
        if remembered:  # the page that this process read up to a second ago
            client.get(f"/drops/{drop.slug}/pick/")
        close(drop, how)

        response = choose(client, drop, edition=drop.editions.get().pk)

        said = "This drop was cancelled." if how == "cancelled" else "This drop has ended."
        assert response.status_code == 410
        assert said in text(response)
        assert "You haven't been charged." in text(response)
        assert "place is kept" not in text(response)
        assert Hold.objects.count() == 0

    @pytest.mark.parametrize("how", ["closed", "past its closing time"])
    @pytest.mark.parametrize("pass_ended", [True, False])
    def test_choosing_leads_to_what_is_held(self, client: Client, how: str, pass_ended: bool) -> None:
        drop = make_drop(phase="live", limit_per_order=1)
        let_in(client, drop)
        first = choose(client, drop, edition=drop.editions.get().pk)
        close(drop, how)
        if pass_ended:
            let_in(client, drop, entered=int(timezone.now().timestamp()) - ENDED)

        again = choose(client, drop, edition=drop.editions.get().pk)

        assert (again.status_code, again["Location"]) == (303, first["Location"])

    def test_lapsed_hold_is_not_placed_again(self, client: Client) -> None:
        drop = make_drop(phase="live")
        pass_ = let_in(client, drop)
        make_hold(drop=drop, pass_=pass_, expires_at=timezone.now() - timedelta(seconds=1))
        close(drop)

        with pytest.raises(holds.DropEnded):
            holds.place(drop=drop, pass_=pass_, quantities={drop.editions.get().pk: 1})

    @pytest.mark.parametrize(
        ("phase", "state", "note"),
        [
            ("closed", "open", "You can still pay for what you hold."),
            ("past its closing time", "open", "You can still pay for what you hold."),
            ("closed", "allocated", ""),
            ("live", "open", ""),
        ],
    )
    def test_page_tells_the_holder_that_paying_goes_on(
        self, client: Client, phase: str, state: str, note: str
    ) -> None:
        drop = make_drop(phase="live")
        hold = make_hold(drop=drop, state=state)
        if phase != "live":
            close(drop, phase)
        client.cookies[f"hold-{drop.slug}"] = tokens.hold_token(hold.uuid)

        assert json.loads(client.get(f"/drops/{drop.slug}/mine/").content)["note"] == note

    @pytest.mark.parametrize("phase", ["closed", "sold out", "cancelled"])
    def test_page_without_script_leads_to_what_is_held(self, client: Client, phase: str) -> None:
        drop = make_drop(phase=phase)

        html = text(client.get(f"/drops/{drop.slug}/"))

        assert (
            f'<p class="without-script"><a href="/drops/{drop.slug}/pick/">Go to what you hold</a></p>'
            in html
        )
