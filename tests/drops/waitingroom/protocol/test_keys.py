import pytest

from drops.waitingroom.protocol import keys


def test_keys_of_a_drop_stay_together_in_a_cluster() -> None:
    assert keys.all_of("0-kg") == [
        "line1:{0-kg}:state",
        "line1:{0-kg}:clients",
        "line1:{0-kg}:entries",
        "line1:{0-kg}:seconds",
        "line1:{0-kg}:status",
    ]


@pytest.mark.parametrize(("secure", "name"), [(True, "__Host-ticket-0-kg"), (False, "ticket-0-kg")])
def test_cookie_has_no_prefix_over_plain_http_only(secure: bool, name: str) -> None:
    assert keys.cookie("ticket", "0-kg", secure) == name


def test_cookie_refuses_an_unknown_kind() -> None:
    with pytest.raises(ValueError, match="tickets"):
        keys.cookie("tickets", "0-kg", secure=True)
