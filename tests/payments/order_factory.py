"""Orders for tests of money: made as shoppers make them."""

from payments.checkout import submit as checkout
from payments.models import Order
from tests.factories import make_drop, make_hold

ADDRESS = checkout.Address(
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


def submit(hold, token, total=TOTAL):
    return checkout.submit(hold=hold, address=ADDRESS, token=token, shown_total=total)


def make_order(till, card="visa", quantity=1):
    """An order of one unit whose attempt waits to be sent; `card` is one of the sandbox's pm_card_ shortcuts."""
    return submit(make_hold(drop=make_drop(phase="live", quantity=quantity)), till.token(f"pm_card_{card}"))


def states(order):
    order = Order.objects.select_related("payment", "hold").get(pk=order.pk)
    return order.payment.state, order.hold.state
