"""stripe.js and the card frame in a browser, on a shop page of another origin with a strict CSP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.deploy.stripe_sandbox.process import PUBLISHABLE_KEY, SandboxProcess, StartSandbox
from tests.servers import QuietHandler, ThreadedServer

CHECKOUT_SCRIPT = (Path(__file__).parent / "checkout_page.js").read_text()
CHECKOUT_PAGE = """<!doctype html><html lang="en"><head><title>Shop</title>
<script src="{sandbox}/stripe.js"></script><script src="/shop.js" type="module"></script></head>
<body data-key="{key}"><main><h1>Checkout</h1><div id="card"></div><button>Pay</button><output></output></main></body>
</html>"""


class Shop(ThreadedServer):
    """Serves a checkout page and its script from an origin of its own."""

    def __init__(self) -> None:
        self.sandbox = ""
        shop = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802 http.server's name
                content_type, body = "text/javascript", CHECKOUT_SCRIPT
                if self.path != "/shop.js":
                    content_type = "text/html"
                    body = CHECKOUT_PAGE.format(sandbox=shop.sandbox, key=PUBLISHABLE_KEY)
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header(
                    "Content-Security-Policy",
                    f"default-src 'none'; script-src 'self' {shop.sandbox}; frame-src {shop.sandbox}; "
                    f"connect-src {shop.sandbox}",
                )
                self.end_headers()
                self.wfile.write(body.encode())

        super().__init__(Handler)


@pytest.fixture
def shop() -> Iterator[Shop]:
    started = Shop()
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


def open_checkout(page: Page, shop: Shop, sandbox: SandboxProcess) -> FrameLocator:
    shop.sandbox = sandbox.base
    page.goto(shop.origin + "/")
    expect(page.locator("body")).to_have_attribute("data-ready", "yes")
    return page.frame_locator("iframe")


def fill(frame: FrameLocator, number: str) -> None:
    frame.locator("#card-number").press_sequentially(number)
    frame.locator("#card-expiry").press_sequentially("1240")
    frame.locator("#card-cvc").press_sequentially("123")


def test_card_form_creates_a_token_that_pays(page: Page, shop: Shop, start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SANDBOX_SHOP_ORIGINS=shop.origin)
    console: list[str] = []
    page.on(
        "console",
        lambda message: console.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: console.append(str(error)))
    frame = open_checkout(page, shop, sandbox)

    fill(frame, "4242424242424242")
    page.get_by_role("button", name="Pay").click()

    result = page.locator("output")
    expect(result).to_contain_text("ctoken_")
    confirmed = sandbox.client.v1.payment_intents.confirm(
        sandbox.intent().id, {"confirmation_token": str(result.text_content())}
    )
    assert confirmed.status == "requires_capture"
    charge = sandbox.client.v1.charges.retrieve(str(confirmed.latest_charge))
    assert (charge.billing_details.email, charge.billing_details.name) == ("ada@example.com", None)
    assert page.evaluate("window.changes.at(-1)") == [True, False]
    assert frame.locator("#card-number").input_value() == "4242 4242 4242 4242"
    assert frame.locator("#card-expiry").input_value() == "12 / 40"
    assert [line for line in console if "favicon" not in line] == []


def test_incomplete_and_invalid_digits_show_an_error_at_their_field(
    page: Page, shop: Shop, start_sandbox: StartSandbox
) -> None:
    frame = open_checkout(page, shop, start_sandbox(SANDBOX_SHOP_ORIGINS=shop.origin))
    result = page.locator("output")

    page.get_by_role("button", name="Pay").click()
    expect(result).to_have_text("validation_error incomplete_number")
    expect(frame.locator("#card-number")).to_be_focused()
    expect(frame.locator("#card-cvc-error")).to_have_text("Your card's security code is incomplete.")
    fill(frame, "4242424242424241")
    page.get_by_role("button", name="Pay").click()

    expect(result).to_have_text("validation_error invalid_number")
    expect(frame.locator("#card-number")).to_have_attribute("aria-invalid", "true")


def test_frame_uses_the_shops_appearance(page: Page, shop: Shop, start_sandbox: StartSandbox) -> None:
    frame = open_checkout(page, shop, start_sandbox(SANDBOX_SHOP_ORIGINS=shop.origin))

    style = frame.locator("#card-number").evaluate(
        "node => { const s = getComputedStyle(node); return [s.backgroundColor, s.color, s.height, "
        "s.fontSize, s.borderTopWidth, s.borderTopLeftRadius, s.fontFamily] }"
    )
    assert style == ["rgb(10, 60, 40)", "rgb(250, 240, 230)", "48px", "16px", "1px", "0px", "serif"]
    box, field = page.locator("iframe").bounding_box(), frame.locator("#card-number").bounding_box()
    container = page.locator("#card").bounding_box()
    assert box is not None
    assert field is not None
    assert container is not None
    assert (field["x"], field["width"]) == (container["x"], container["width"])
    assert frame.locator("html").evaluate("node => node.scrollHeight") <= box["height"]


def test_frame_is_accessible(page: Page, shop: Shop, start_sandbox: StartSandbox) -> None:
    open_checkout(page, shop, start_sandbox(SANDBOX_SHOP_ORIGINS=shop.origin))
    page.goto(page.frames[1].url)

    found = Axe().run(page)

    assert [
        fault["id"] for fault in found.response["violations"] if fault["impact"] in ("serious", "critical")
    ] == []


def test_frame_refuses_pages_of_another_origin(page: Page, shop: Shop, start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SANDBOX_SHOP_ORIGINS="http://shop.example")
    shop.sandbox = sandbox.base
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text))

    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(shop.origin + "/")

    assert any("frame-ancestors" in line for line in console)
    assert page.locator("body").get_attribute("data-ready") != "yes"


@pytest.mark.parametrize(("button", "status"), [("Confirm", "requires_capture"), ("Refuse", "")])
def test_handle_next_action_shows_the_banks_page_and_returns_what_came_of_it(
    page: Page, shop: Shop, start_sandbox: StartSandbox, button: str, status: str
) -> None:
    sandbox = start_sandbox(SANDBOX_SHOP_ORIGINS=shop.origin)
    open_checkout(page, shop, sandbox)
    authorised = sandbox.confirmed_intent()
    requires_action = sandbox.confirmed_intent("pm_card_authenticationRequired")

    result = page.evaluate("secret => handleNextAction(secret)", authorised.client_secret)
    assert result["paymentIntent"]["status"] == "requires_capture"
    page.evaluate("secret => { window.done = handleNextAction(secret); }", requires_action.client_secret)
    page.frame_locator("dialog iframe").get_by_role("button", name=button).click()
    result = page.evaluate("window.done")
    if status:
        assert result["paymentIntent"]["status"] == status
    else:
        assert result["error"]["code"] == "payment_intent_authentication_failure"
    assert page.locator("dialog").count() == 0
