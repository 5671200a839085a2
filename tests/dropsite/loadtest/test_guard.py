import pytest

from dropsite.loadtest import guard

SANDBOX, SHOP = "http://127.0.0.1:8004", "http://127.0.0.1:8000"


def test_lets_a_demo_on_loopback_through():
    assert guard.refusal(demo=True, api=SANDBOX, origin=SHOP) == ""


@pytest.mark.parametrize(
    ("demo", "api", "origin", "word"),
    [
        (False, SANDBOX, SHOP, "DEMO"),
        (True, "https://api.stripe.com", SHOP, "api.stripe.com"),
        (True, "http://127.0.0.1.example.com", SHOP, "127.0.0.1.example.com"),
        (True, SANDBOX, "https://shop.example.com", "shop.example.com"),
    ],
)
def test_refuses_anything_else_and_says_why(demo, api, origin, word):
    assert word in guard.refusal(demo=demo, api=api, origin=origin)


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://localhost:8000", True),
        ("http://shop.localhost", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("", False),
    ],
)
def test_knows_this_machine(url, near):
    assert guard.is_loopback(url) is near
