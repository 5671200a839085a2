"""Pre-scaling in the admin, on a phone and on a desktop, under the strict content security policy."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.journeys import rows
from tests.journeys.conftest import Look, Visit
from tests.journeys.inside import Inside


@pytest.fixture(scope="module")
def scaled(inside: Inside, live_drop: str) -> Iterator[dict[str, str]]:
    """A drop that was pre-scaled: `{"drop": its id, "target": the late one's}`."""
    inside.call(rows.add_person, name="olga", group="ops")
    yield inside.call(rows.add_scaled_drop)
    inside.call(rows.remove_scaled_drop)


def sign_in(page: Page, shop: str) -> Page:
    page.goto(f"{shop}/admin/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(rows.PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_look_at_the_timeline(visit: Visit, look: Look, shop: str, scaled: dict[str, str], size: str) -> None:
    page = sign_in(visit(size), shop)
    page.goto(f"{shop}/admin/scaling/scaleplan/{scaled['drop']}/change/")

    expect(page.locator(".scaling-row")).to_have_count(4)
    expect(page.locator(".scaling-times .late")).to_contain_text("late")
    late = page.locator(".scaling-track rect.late")
    assert late.evaluate("rect => getComputedStyle(rect).fill") != "rgb(0, 0, 0)"
    assert (late.bounding_box() or {"width": 0})["width"] > 5
    look(page, "scaling-timeline")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_look_at_a_target_what_was_learned_and_a_dry_run(
    visit: Visit, look: Look, shop: str, scaled: dict[str, str], size: str
) -> None:
    page = sign_in(visit(size), shop)

    page.goto(f"{shop}/admin/scaling/target/{scaled['target']}/change/")
    expect(page.get_by_label("ECS cluster")).to_have_value("journey")
    page.screenshot(path=f"var/artefacts/scaling-target-{size}.png")
    page.goto(f"{shop}/admin/scaling/scaleplan/learned/")
    look(page, "scaling-learned")
    page.goto(f"{shop}/admin/scaling/scaleplan/")
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator(".scaling-list")).to_be_visible()
    look(page, "scaling-dry-run")
