import pytest

from drops.waitingroom.protocol import config

WHOLE = {
    "LINE_REDIS_URL": "redis://127.0.0.1/0",
    "SHOP_ORIGIN": "https://shop.example",
    "TICKET_KEYS": "a:" + "00" * 32,
    "PASS_KEYS": "b:" + "11" * 32,
}


def test_read_returns_the_configuration() -> None:
    found = config.read(WHOLE | {"SHOP_NAME": "Nothing", "STATIC_ROOT": "/srv/static"})

    assert (found.redis_url, found.origin, found.secure) == (
        "redis://127.0.0.1/0",
        "https://shop.example",
        True,
    )
    assert (found.ticket_keys.signer, found.pass_keys.signer) == ("a", "b")
    assert found.time_zone.key == "Europe/Berlin"
    assert (found.shop_name, str(found.static_root)) == ("Nothing", "/srv/static")


def test_read_lists_everything_that_is_missing() -> None:
    with pytest.raises(config.GateConfigError) as refused:
        config.read({})

    assert str(refused.value) == (
        "The gate can't start. These environment variables are missing or wrong: "
        "SHOP_ORIGIN, LINE_REDIS_URL, TICKET_KEYS, PASS_KEYS."
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"SHOP_ORIGIN": "shop.example"}, "SHOP_ORIGIN (must look like https://shop.example)"),
        ({"SHOP_ORIGIN": "https://shop.example/shop"}, "SHOP_ORIGIN (must look like https://shop.example)"),
        ({"SHOP_ORIGIN": "http://shop.example"}, "SHOP_ORIGIN (plain http needs DEMO=1)"),
        ({"SHOP_TIME_ZONE": "Berlin"}, "SHOP_TIME_ZONE (must look like Europe/Berlin)"),
        ({"SHOP_TIME_ZONE": "../etc/passwd"}, "SHOP_TIME_ZONE (must look like Europe/Berlin)"),
        ({"TICKET_KEYS": "a:secret"}, "TICKET_KEYS (key 1 (a) isn't hex)"),
    ],
)
def test_read_explains_what_is_wrong(changed: dict[str, str], words: str) -> None:
    with pytest.raises(config.GateConfigError) as refused:
        config.read(WHOLE | changed)

    assert str(refused.value).endswith(f": {words}.")


def test_read_allows_plain_http_in_a_demo() -> None:
    assert config.read(WHOLE | {"SHOP_ORIGIN": "http://127.0.0.1:8000", "DEMO": "1"}).secure is False
