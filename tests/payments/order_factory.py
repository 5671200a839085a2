"""Orders for tests, made as shoppers make them."""

from drops.models import Hold
from payments.checkout import submission
from payments.models import Order
from payments.orders import line_items
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.factories import make_drop, make_hold

ADDRESS = submission.Address(
    email="ada@example.com",
    name="Ada L.",
    line1="1 Loopback Lane",
    line2="",
    postcode="10115",
    city="Berlin",
    region="",
    country="DE",
)
TOTAL = 9600 + 490  # one unit, sent within the home country


def submit(hold: Hold, token: str, total: int = TOTAL) -> Order:
    return submission.submit_order(
        hold=hold,
        items=line_items.of_hold(hold=hold),
        address=ADDRESS,
        confirmation_token=token,
        shown_total=total,
        shown_version=hold.version,
    )


def make_order(sandbox: SandboxProcess, card: str = "visa", quantity: int = 1) -> Order:
    """Return an order of one unit with an unsent attempt. `card` is a name after pm_card_ in the sandbox."""
    return submit(
        make_hold(drop=make_drop(phase="live", quantity=quantity)), sandbox.token(f"pm_card_{card}")
    )


def states(order: Order) -> tuple[str, str]:
    order = Order.objects.select_related("payment", "hold").get(pk=order.pk)
    return order.payment.state, order.hold.state
