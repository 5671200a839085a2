"""A purchase on the running shop, with one decline on the way; and as far as possible without script."""

import re

from playwright.sync_api import Page, expect

from deploy.local.runner.stack import RunningStack
from tests.journeys.conftest import SIZES, Look, Visit, read
from tests.servers import until

DECLINED = "4000 0000 0000 0002"
GOOD = "4242 4242 4242 4242"
ASKS_IN_THE_PAGE = "4000 0000 0000 3220"  # the bank wants the shopper to confirm the payment
ASKS_ON_ITS_OWN_PAGE = "4000 0000 0000 3063"


def pay(page: Page, number: str) -> None:
    """Fill in the card form, which is the bank's own frame, and press."""
    card = page.frame_locator("#card iframe")
    card.get_by_label("Card number").fill(number)
    card.get_by_label("Expiry").fill("12 / 34")
    card.get_by_label("Security code").fill("123")
    page.get_by_role("button", name="Pay").click()


def fill_address(page: Page) -> None:
    """Fill in the contact and shipping fields."""
    for label, text in (
        ("Email", "ada@example.com"),
        ("Name", "Ada Lovelace"),
        ("Address line 1", "12 St James's Square"),
        ("Postcode", "SW1Y 4JH"),
        ("Town or city", "London"),
    ):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_label("Country").select_option("GB")


def get_in(page: Page, look: Look) -> None:
    """Join, wait for one's turn, choose, hold: ends on the checkout page."""
    join(page, look)
    enter(page, look)


def join(page: Page, look: Look) -> None:
    look(page, "lobby")
    page.get_by_role("button", name="Join the line").click()
    expect(page.locator("#state")).to_have_attribute("data-now", re.compile("joined|drawing"))
    look(page, "in the lobby")


def enter(page: Page, look: Look) -> None:
    """Wait for one's turn, choose, hold: ends on the checkout page."""
    state = page.locator("#state")
    expect(state).to_have_attribute("data-now", re.compile("waiting|turn"))
    look(page, "in line")
    expect(state).to_have_attribute("data-now", "turn")
    look(page, "turn")
    page.get_by_role("button", name="Enter the drop").click()
    page.wait_for_url("**/pick/")
    look(page, "pick")
    page.get_by_role("button", name="Hold one").click()
    page.wait_for_url("**/holds/*/")


def wait_for_mail(stack: RunningStack, words: str) -> None:
    """Wait, bounded, until the mail catcher shows the words."""
    address = f"http://127.0.0.1:{stack.environment['PORT_MAIL_PAGE']}/messages.json"
    until(lambda: words in read(address).read().decode(), f"a mail that says {words}")


def test_buys_after_a_decline_and_with_the_bank_asking(
    stack: RunningStack, lobby: str, visit: Visit, look: Look
) -> None:
    """On a phone the tab is closed while the shopper is in the bank's app, which then opens a new one."""
    shop = stack.environment["SHOP_ORIGIN"]
    phone, desktop = (visit(size) for size in SIZES)
    for page in (phone, desktop):
        page.goto(shop)
        expect(page.locator("#main")).to_have_attribute("data-slug", lobby)
        expect(page.locator("#state")).to_have_attribute("data-now", "lobby")
        join(page, look)

    enter(desktop, look)
    be_declined(desktop, look)
    pay(desktop, ASKS_IN_THE_PAGE)
    bank = desktop.frame_locator("dialog iframe")
    expect(bank.get_by_role("button", name="Confirm")).to_be_visible()
    look(desktop, "confirm with your bank")
    bank.get_by_role("button", name="Confirm").click()
    see_the_order(desktop, look, stack)
    desktop.goto(f"{shop}/drops/{lobby}/")
    expect(desktop.get_by_role("link", name="Yours: No.")).to_be_visible()
    look(desktop, "yours")

    enter(phone, look)
    look(phone, "checkout")
    fill_address(phone)
    pay(phone, ASKS_ON_ITS_OWN_PAGE)
    phone.wait_for_url("**/bank/**")
    at_the_bank = phone.url
    phone.close()
    app = visit("phone")
    app.goto(at_the_bank)
    app.get_by_role("button", name="Confirm").click()
    app.wait_for_url("**/orders/*/")
    see_the_order(app, look, stack)


def be_declined(page: Page, look: Look) -> None:
    """Pay on the checkout page with a card that is declined, and go back to it."""
    look(page, "checkout")
    fill_address(page)
    pay(page, DECLINED)
    expect(page.get_by_text("Your bank declined the payment. You haven't been charged.")).to_be_visible()
    look(page, "declined")
    again = page.get_by_role("link", name="Try again")
    if again.is_visible():
        again.click()


def see_the_order(page: Page, look: Look, stack: RunningStack) -> None:
    """The page says that the piece is the shopper's, an email does too, and so does the page later."""
    expect(page.get_by_role("heading", name=re.compile(r"^Yours: No\. [\d,]+ of [\d,]+"))).to_be_visible()
    look(page, "placed")
    wait_for_mail(stack, page.locator("dd").first.inner_text())
    page.reload()
    expect(page.get_by_role("heading", name="Yours: No.")).to_be_visible()


def test_gets_to_the_card_form_without_script(shop: str, lobby: str, visit: Visit) -> None:
    page = visit("phone", java_script_enabled=False)
    page.goto(f"{shop}/drops/{lobby}/")
    page.get_by_role("button", name="Join the line").click()
    page.wait_for_url(f"**/line/{lobby}/")
    page.get_by_role(
        "button", name="Enter the drop"
    ).click()  # the page renews itself until the button is there
    page.wait_for_url("**/pick/")
    page.get_by_role("button", name="Hold one").click()
    page.wait_for_url("**/holds/*/")

    expect(page.get_by_text("Paying needs JavaScript")).to_be_visible()
