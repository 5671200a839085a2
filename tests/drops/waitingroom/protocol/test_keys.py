import pytest

from drops.waitingroom.protocol import keys


def test_keys_of_a_drop_stay_together_in_a_cluster():
    assert keys.all_of("0-kg") == [
        "line1:{0-kg}:state",
        "line1:{0-kg}:clients",
        "line1:{0-kg}:entries",
        "line1:{0-kg}:seconds",
        "line1:{0-kg}:status",
    ]


@pytest.mark.parametrize(("secure", "name"), [(True, "__Host-ticket-0-kg"), (False, "ticket-0-kg")])
def test_cookie_loses_its_prefix_over_plain_http_only(secure, name):
    assert keys.cookie("ticket", "0-kg", secure) == name


def test_cookie_refuses_a_kind_that_nobody_sets():
    with pytest.raises(ValueError, match="tickets"):
        keys.cookie("tickets", "0-kg", secure=True)
