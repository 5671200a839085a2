"""The browser draws as Python does: the same vectors, and a check page that redoes a real draw."""

import json

from playwright.sync_api import Page, expect

from deploy.local.runner.programs import ROOT
from tests.journeys.conftest import Look, Visit

VECTORS = json.loads((ROOT / "tests/data/shuffle-vectors.json").read_text())
REDO = """async ({cases, module}) => {
  const shuffle = await import(module);
  const found = [];
  for (const { drop, secret, n, beacon, places } of cases) {
    const seed = await shuffle.seedOf(drop, secret, n, beacon);
    const drawn = [];
    for (const [index] of places) drawn.push([index, await shuffle.placeOf(seed, index, n)]);
    found.push({ commitment: await shuffle.commitmentOf(secret), seed: shuffle.hexOf(seed), places: drawn });
  }
  return found;
}"""


def open_a_page(visit: Visit, shop: str) -> Page:
    page = visit("phone")
    page.goto(f"{shop}/how/")
    return page


def test_browser_draws_what_python_draws(shop: str, visit: Visit) -> None:
    page = open_a_page(visit, shop)

    found = page.evaluate(REDO, {"cases": VECTORS["cases"], "module": f"{shop}/static/shop/js/shuffle.js"})

    assert found == [
        {key: case[key] for key in ("commitment", "seed", "places")} for case in VECTORS["cases"]
    ]


def test_check_page_redoes_the_draw(shop: str, live_drop: str, visit: Visit, look: Look) -> None:
    page = visit("desktop")
    page.goto(f"{shop}/drops/{live_drop}/check/")

    expect(page.get_by_role("status").first).to_have_text(
        "The secret matches the commitment: it was fixed before the line opened."
    )
    for typed in ("4000000", "4,000,000", "4.000.000", "4 000 000", "４０００", "4.000"):
        page.get_by_label("Your ticket number").fill(typed)
        number = "4,000,000" if len(typed) > 5 else "4,000"
        expect(
            page.get_by_text(f"That ticket came after the draw, so its place is its own number, {number}.")
        ).to_be_visible()
    look(page, "check")
    for typed in ("1.5", "-1", "five", "4294967296", "1,00"):
        page.get_by_label("Your ticket number").fill(typed)
        expect(page.locator("[data-answer]")).to_have_text("")
