"""The pages' one clock: what a countdown shows, and that it tells when it is over."""

import pytest
from playwright.sync_api import Page

from tests.journeys.conftest import Visit

REMAINING = "async ([module, seconds]) => (await import(module)).remaining(seconds)"
COUNT_DOWN = """async ([module, seconds]) => {
  const { countdown, learn, now } = await import(module);
  learn(1_000_000);  // the server's clock, far from this computer's
  const element = document.createElement("p");
  Object.assign(element.dataset, { ends: now() + seconds, text: "{time} left", over: "Over." });
  const over = new Promise((resolve) => element.addEventListener("over", resolve));
  countdown(element);
  const first = element.textContent;
  await over;
  return [first, element.textContent];
}"""


@pytest.fixture
def page(shop: str, visit: Visit) -> Page:
    """Any page of the shop."""
    page = visit("phone")
    page.goto(f"{shop}/how/")
    return page


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (300, "5 minutes"),
        (299, "4 minutes"),
        (120, "2 minutes"),
        (119, "1:59"),
        (61, "1:01"),
        (9.2, "0:10"),
        (0, "0:00"),
    ],
)
def test_remaining_is_rounded_down_and_exact_at_the_end(
    shop: str, page: Page, seconds: float, text: str
) -> None:
    assert page.evaluate(REMAINING, [f"{shop}/static/shop/js/clock.js", seconds]) == text


def test_countdown_goes_by_the_servers_clock_and_tells_when_it_is_over(shop: str, page: Page) -> None:
    assert page.evaluate(COUNT_DOWN, [f"{shop}/static/shop/js/clock.js", 0.5]) == ["0:01 left", "Over."]
