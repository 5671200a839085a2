import pytest

from dropsite.loadtest import guard

SANDBOX = "http://127.0.0.1:8004"
SHOP = "http://127.0.0.1:8000"


def test_refusal_is_empty_for_a_demo_on_loopback() -> None:
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
def test_refusal_names_what_is_not_local(demo: bool, api: str, origin: str, word: str) -> None:
    assert word in guard.refusal(demo=demo, api=api, origin=origin)


@pytest.mark.parametrize(
    ("url", "expected"),
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
def test_is_loopback_recognises_this_machine(url: str, expected: bool) -> None:
    assert guard.is_loopback(url) is expected
