"""The timeline of a drop's pre-scaling at the desk, on a phone and on a desktop, under the strict policy."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Manage
from tests.journeys.conftest import Look, Visit

# A drop that is over, with the steps, calls and bill it left; its targets are switched off, so no tick touches them.
ROWS = """
import json
from datetime import timedelta
from django.contrib.auth.models import Group, User
from django.utils import timezone
from drops.models import Drop
from drops.scaling.models import Call, Preparation, Share, Step, Target
from shop.models import Product

user, _ = User.objects.get_or_create(username="olga", defaults={"is_staff": True})
user.set_password("a-password-for-the-test")
user.save()
user.groups.add(Group.objects.get(name="ops"))

now, minute = timezone.now(), timedelta(minutes=1)
lobby = now - 25 * minute
needed = lobby - 10 * minute
drop, new = Drop.objects.get_or_create(
    slug="scaled-journey",
    defaults={"title": "Scaled", "listed": False, "product": Product.objects.first(), "announced_at": now - 90 * minute,
              "lobby_opens_at": lobby, "opens_at": lobby + 5 * minute, "closed_at": now - 8 * minute,
              "nonce": bytes(16), "commitment": bytes(32)},
)
ECS = {"region": "eu-central-1", "cluster": "journey"}
SPECS = [  # name, kind, where, group, tier, size before, wanted, starts so many minutes ahead, took so many
    ("Aurora, half ACUs", "aurora-serverless", ECS, "database", 0, 4, 32, 9, 3),
    ("Gate on ECS", "ecs", ECS | {"service": "gate"}, "gate", 1, 4, 12, 6, 2),
    ("Web on ECS", "ecs", ECS | {"service": "web"}, "web", 1, 6, 24, 6, 9),
    ("Checkout on ECS", "ecs", ECS | {"service": "checkout"}, "checkout", 2, 2, 9, 3, 1),
]
if new:
    lines = []
    for name, kind, where, group, tier, before, wanted, ahead, took in SPECS:
        target = Target.objects.create(name=name, kind=kind, where=where, resource=f"journey:{name}", enabled=False,
            ceiling=60, lead_seconds=180, seen={"size": before, "serving": before}, seen_at=now, ready_size=before)
        Share.objects.create(target=target, group=group, per_second=100)
        starts = needed - ahead * minute
        late = starts + took * minute > needed
        step = Step.objects.create(drop=drop, target=target, tier=tier, state="restored", wanted=wanted,
            starts_at=starts, needed_at=needed, requested_at=starts + minute / 15,
            ready_at=starts + took * minute, holding_at=lobby,
            released_at=now - 8 * minute, ended_at=now - (2 + tier) * minute,
            message="It was not ready at the go / no-go." if late else "")
        Call.objects.create(target=target, step=step, at=starts + minute / 15, act="ask", before={"min": before},
            after={"min": wanted}, request_id="7c9e6679-7425-40de-944b-e07fc1f90ae7", milliseconds=312, who="beat")
        if late:
            Call.objects.create(target=target, step=step, at=starts + minute, act="read", milliseconds=8004, who="beat",
                fault="ECS is throttling. Nothing to do: it is read again in 10 s.")
        lines.append({"target_id": target.pk, "target": name, "unit": "tasks", "wanted": wanted, "allowed": wanted,
            "now_size": before, "tier": tier, "starts_at": starts.isoformat(), "needed_at": needed.isoformat(),
            "held_back": False, "reasons": [f"{group}: 100 % of 900/s / 40/s an instance", "with 30 % headroom"],
            "price": "0.42"})
    plan = {"slug": drop.slug, "expected": 20000, "per_second": 20, "demand": {}, "lines": lines, "problems": [],
        "warnings": ["No target carries hooks: they stay as they are."], "notes": ["Arrivals: the default curve."],
        "price": "1.68", "always_on": "876.00", "ends_at": now.isoformat()}
    Preparation.objects.create(drop=drop, expected=20000, plan=plan, planned_at=needed, verdict="no go",
        verdict_at=needed, reachable=310, verdict_words=["Web on ECS has 9 tasks of 24 tasks: it is on its way, later "
        "than its lead time. Look at its last reading."])
print(json.dumps({"drop": str(drop.pk), "target": Target.objects.get(name="Web on ECS").pk}))
"""


@pytest.fixture(scope="module")
def rows(manage: Manage, live_drop: str) -> dict[str, str]:
    """What the drop left: `{"drop": its id, "target": the late one's}`."""
    found: dict[str, str] = json.loads(manage("shell", "-v", "0", "-c", ROWS).strip().splitlines()[-1])
    return found


def sign_in(page: Page, shop: str) -> Page:
    page.goto(f"{shop}/admin/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill("a-password-for-the-test")
    page.get_by_role("button", name="Log in").click()
    return page


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_look_at_the_timeline(visit: Visit, look: Look, shop: str, rows: dict[str, str], size: str) -> None:
    page = sign_in(visit(size), shop)
    page.goto(f"{shop}/admin/scaling/scaleplan/{rows['drop']}/change/")

    expect(page.locator(".scaling-row")).to_have_count(4)
    expect(page.locator(".scaling-times .late")).to_contain_text("late")
    late = page.locator(".scaling-track rect.late")
    assert late.evaluate("rect => getComputedStyle(rect).fill") != "rgb(0, 0, 0)"
    assert (late.bounding_box() or {"width": 0})["width"] > 5
    look(page, "scaling-timeline")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_look_at_targets_and_how_all_stands(
    visit: Visit, look: Look, shop: str, rows: dict[str, str], size: str
) -> None:
    page = sign_in(visit(size), shop)

    page.goto(f"{shop}/admin/scaling/target/{rows['target']}/change/")
    expect(page.get_by_label("ECS cluster")).to_have_value("journey")
    page.screenshot(path=f"var/artefacts/scaling-target-{size}.png")
    page.goto(f"{shop}/admin/scaling/scaleplan/learned/")
    look(page, "scaling-learned")
    page.goto(f"{shop}/admin/scaling/scaleplan/")
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator(".scaling-list")).to_be_visible()
    look(page, "scaling-dry-run")
