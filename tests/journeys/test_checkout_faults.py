"""The checkout page when a part of it doesn't arrive: Stripe's script, the card form's frame, or a price."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.conftest import SIZES, Look, Visit, announced, wait_for
from tests.journeys.test_purchase import GOOD, pay

AWAY = "The card form didn't load."
NOT_CHARGED = "You haven't been charged."
Fault = Callable[[Route], None]


@pytest.fixture(scope="module")
def checkout(shop: str, inside: Any, browser: Any) -> str:
    """The address of an open hold's checkout page."""
    slug = announced(inside, opens_in=3, lobby_before=2)
    wait_for("live", shop=shop, slug=slug)
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(f"{shop}/drops/{slug}/")
    page.get_by_role("button", name="Join the line").click()
    page.get_by_role("button", name="Enter the drop").click()
    page.get_by_role("button", name="Hold one").click()
    page.wait_for_url("**/holds/*/")
    page.context.close()
    return str(page.url)


def pay_button(page: Page) -> Any:
    return page.locator("#button")


def fail(route: Route) -> None:
    route.abort()


def hang(route: Route) -> None:
    """Leave a request without an answer."""


def mendable(page: Page, url: str, fault: Fault) -> Callable[[], None]:
    """Make requests fail until the function that is returned is called."""
    broken = [True]

    def answer(route: Route) -> None:
        if broken:
            fault(route)
        else:
            route.continue_()

    page.route(url, answer)
    return broken.clear


def look_at(page: Page, look: Look, selector: str, name: str) -> None:
    """Keep pictures of a part of the page in each size."""
    for width, height in reversed(SIZES.values()):
        page.set_viewport_size({"width": width, "height": height})
        page.locator(selector).scroll_into_view_if_needed()
        look(page, name)


def no_file(route: Route) -> None:
    route.fulfill(status=503, body="")


def stub(route: Route) -> None:
    """What some content blockers put in the script's place."""
    route.fulfill(content_type="text/javascript", body="window.Stripe = () => undefined;")


def throwing_stub(route: Route) -> None:
    route.fulfill(content_type="text/javascript", body="window.Stripe = () => { throw Error('blocked') };")


def empty_script(route: Route) -> None:
    route.fulfill(content_type="text/javascript", body="")


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_loads_the_card_form(checkout: str, visit: Visit, size: str) -> None:
    page = visit(size)
    page.goto(checkout)

    expect(pay_button(page)).to_be_enabled()
    expect(page.locator("#away")).to_be_hidden()


@pytest.mark.parametrize(
    "fault", [fail, hang, no_file, stub, throwing_stub, empty_script], ids=lambda fault: fault.__name__
)
def test_says_that_the_card_form_is_missing_and_loads_it_again(
    checkout: str, visit: Visit, look: Look, fault: Fault
) -> None:
    page = visit("phone")
    mend = mendable(page, "**/stripe.js*", fault)
    page.goto(checkout, wait_until="domcontentloaded")  # "load" waits for the script

    expect(page.locator("#away").get_by_text(AWAY)).to_be_visible()
    expect(page.locator("#away")).to_contain_text(NOT_CHARGED)
    expect(pay_button(page)).to_be_disabled()
    look_at(page, look, "#away", f"no card form {fault.__name__}")

    mend()
    page.evaluate("delete window.Stripe")
    page.get_by_role("button", name="Load the card form again").click()
    expect(pay_button(page)).to_be_enabled()
    expect(page.locator("#away")).to_be_hidden()
    expect(page.locator("#card iframe")).to_have_count(1)


def test_takes_a_script_that_comes_late(checkout: str, visit: Visit) -> None:
    page = visit("phone")
    late: list[Route] = []

    def hold_back(route: Route) -> None:
        late.append(route)

    page.route("**/stripe.js*", hold_back)
    page.goto(checkout, wait_until="domcontentloaded")
    expect(page.locator("#away").get_by_text(AWAY)).to_be_visible()

    late[0].continue_()

    expect(pay_button(page)).to_be_enabled()
    expect(page.locator("#away")).to_be_hidden()


def test_says_that_the_card_forms_frame_is_missing(checkout: str, visit: Visit) -> None:
    page = visit("phone")
    mend = mendable(page, "**/frame/card", hang)
    page.goto(checkout, wait_until="domcontentloaded")
    expect(page.locator("#away").get_by_text(AWAY)).to_be_visible()

    mend()
    page.get_by_role("button", name="Load the card form again").click()

    expect(pay_button(page)).to_be_enabled()
    expect(page.locator("#card iframe")).to_have_count(1)


def problem(route: Route) -> None:
    route.fulfill(status=422, json={"detail": "We can't ship there.", "errors": []})


def page_of_the_edge(route: Route) -> None:
    route.fulfill(status=503, content_type="text/html", body="<h1>Unavailable</h1>")


@pytest.mark.parametrize("fault", [fail, hang, problem, page_of_the_edge], ids=lambda fault: fault.__name__)
def test_a_price_that_does_not_arrive_says_whose_total_is_shown(
    checkout: str, visit: Visit, look: Look, fault: Fault
) -> None:
    page = visit("phone")
    page.goto(checkout)
    expect(pay_button(page)).to_be_enabled()
    country = page.get_by_label("Country")
    before = country.locator("option:checked").inner_text()
    total = page.locator("[data-sum=total]").inner_text()
    page.route("**/quote/**", fault)

    country.focus()
    country.select_option("JP")

    notice = page.locator("#stale")
    expect(notice).to_contain_text(
        f"We couldn't fetch the total for Japan. The total shown is still for {before}."
    )
    expect(page.locator("[data-sum=total]")).to_have_text(total)
    expect(country).to_be_focused()
    expect(page.locator("#error")).to_be_hidden()
    assert "charged" not in page.locator("form#pay").inner_text()
    look_at(page, look, "#stale", f"stale total {fault.__name__}")

    page.unroute("**/quote/**")
    page.get_by_role("button", name="Fetch the total again").click()
    expect(notice).to_be_hidden()
    expect(page.locator("[data-sum=total]")).not_to_have_text(total)


def test_choosing_the_first_country_again_makes_its_total_right(checkout: str, visit: Visit) -> None:
    page = visit("phone")
    page.goto(checkout)
    country = page.get_by_label("Country")
    first = country.input_value()
    page.route("**/quote/**", fail)
    country.select_option("JP")
    expect(page.locator("#stale")).to_be_visible()

    country.select_option(first)

    expect(page.locator("#stale")).to_be_hidden()


# Answers are read before the page gets them, so what it does with one is over by the next timer.
COUNT_USED_ANSWERS = """
window.used = [];
const fetched = window.fetch;
window.fetch = async (...args) => {
  const answer = await fetched(...args);
  const text = await answer.text();
  setTimeout(() => window.used.push(answer.url));
  return Object.assign(new Response(text, answer), { json: async () => JSON.parse(text) });
};
"""


def test_an_older_price_does_not_replace_a_newer_one(checkout: str, visit: Visit) -> None:
    page = visit("phone")
    page.add_init_script(COUNT_USED_ANSWERS)
    page.goto(checkout)
    late: list[Route] = []

    def hold_back(route: Route) -> None:
        late.append(route)

    page.route("**/quote/?country=GB", hold_back)
    country = page.get_by_label("Country")
    total = page.locator("[data-sum=total]")
    first = total.inner_text()
    country.select_option("GB")
    country.select_option("JP")
    expect(total).not_to_have_text(first)
    newest = total.inner_text()

    late[0].fulfill(json={"total": "€999", "amount": 99900, "pay": "Pay €999"})
    page.wait_for_function("window.used.some((url) => url.endsWith('country=GB'))")

    expect(total).to_have_text(newest)


def fill(page: Page) -> None:
    """Fill in everything but the country."""
    for label, text in (
        ("Email", "ada@example.com"),
        ("Name", "Ada Lovelace"),
        ("Address line 1", "1-1 Chiyoda"),
        ("Postcode", "100-0001"),
        ("Town or city", "Tokyo"),
    ):
        page.get_by_label(label, exact=True).fill(text)


@pytest.mark.parametrize("fault", [fail, hang, page_of_the_edge], ids=lambda fault: fault.__name__)
def test_a_payment_without_an_answer_may_be_sent_again(checkout: str, visit: Visit, fault: Fault) -> None:
    page = visit("phone")
    page.goto(checkout)
    expect(pay_button(page)).to_be_enabled()
    fill(page)
    page.route("**/pay/", fault)
    page.clock.install()

    with page.expect_request("**/pay/"):
        pay(page, GOOD)
    if fault is hang:
        expect(pay_button(page)).to_have_text("Paying…")
        page.clock.fast_forward(31_000)

    expect(page.locator("#error")).to_have_text(
        "The connection was lost. Press Pay again – you can't be charged twice."
    )
    expect(pay_button(page)).to_have_attribute("aria-disabled", "false")


def test_pay_with_a_stale_total_sends_nothing(checkout: str, visit: Visit) -> None:
    page = visit("phone")
    page.goto(checkout)
    expect(pay_button(page)).to_be_enabled()
    fill(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.route("**/quote/**", fail)
    page.get_by_label("Country").select_option("JP")
    expect(page.locator("#stale")).to_be_visible()

    pay_button(page).click()
    expect(page.locator("#error")).to_contain_text("nothing was sent. You haven't been charged.")

    page.unroute("**/quote/**")
    pay_button(page).click()
    expect(page.locator("#error")).to_contain_text("The total has changed. Please check it")
    assert [url for url in sent if url.endswith("/pay/")] == []
