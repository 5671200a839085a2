"""A merchandiser plans, announces, pauses and closes a drop in the admin, under the strict policy."""

import pytest
from playwright.sync_api import Page, expect

from tests.journeys import rows
from tests.journeys.conftest import ARTEFACTS, Visit
from tests.journeys.inside import Inside


@pytest.fixture
def merchandiser(shop: str, inside: Inside, visit: Visit, live_drop: str) -> Page:
    """The back office's first page, logged in, in a shop that has products."""
    inside.call(rows.add_person, name="mia", group="merchandisers")
    page = visit("desktop")
    page.goto(f"{shop}/admin/")
    page.get_by_label("Username").fill("mia")
    page.get_by_label("Password").fill(rows.PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def keep(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"backoffice-{name}-1280.png", full_page=True)


def badge(page: Page) -> str:
    return page.locator(".backoffice-badge").inner_text()


def test_plan_and_run_a_drop(merchandiser: Page) -> None:
    page = merchandiser
    keep(page, "index")
    page.get_by_role("link", name="Plan a drop").click()
    page.locator("#id_title").fill("Planned in the back office")
    page.locator("#id_product").select_option(index=1)
    page.locator("#id_listed").uncheck()
    page.locator("#id_lobby_opens_at").fill("2035-10-28T02:30")
    page.locator("#id_opens_at").fill("2035-10-28T09:00")
    page.get_by_role("button", name="Save and continue editing").click()

    expect(page.locator(".errorlist")).to_contain_text(
        "comes twice in Europe/Berlin, when the clocks go back"
    )
    keep(page, "refused")
    page.locator("#id_lobby_opens_at").fill("2035-10-28T08:30")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".backoffice-missing")).to_contain_text("Editions: there are none.")
    keep(page, "draft")

    page.locator("#id_editions-0-variant").select_option(index=1)
    page.locator("#id_editions-0-price").fill("96")
    page.locator("#id_editions-0-quantity").fill("500")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_role("link", name="Announce…").click()
    expect(page.locator(".backoffice table")).to_contain_text("500")
    keep(page, "announce")
    page.get_by_role("button", name="Announce").click()
    expect(page.locator(".messagelist")).to_contain_text("The drop is announced.")
    assert badge(page) == "announced"
    expect(page.locator("input[name^=editions], #id_opens_at")).to_have_count(0)
    keep(page, "announced")

    page.get_by_role("link", name="Pause…").click()
    page.get_by_label("Reason").fill("a look at the machinery")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("link", name="Resume…").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("link", name="Close…").click()
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".messagelist")).to_contain_text("The drop is closed.")
    assert badge(page) == "closed"


def test_watch_the_drop_of_the_moment(merchandiser: Page, live_drop: str) -> None:
    page = merchandiser
    page.get_by_role("link", name="Now: the current drop").click()

    assert badge(page) == "live"
    expect(page.locator("#content .late")).to_have_count(0)
    keep(page, "now")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    first = page.locator("#content-main > p.quiet").inner_text()
    expect(page.locator("#content-main > p.quiet")).not_to_have_text(first)
