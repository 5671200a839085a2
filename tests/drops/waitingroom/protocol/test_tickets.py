import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.waitingroom.protocol import tickets
from drops.waitingroom.protocol.tickets import InvalidSignature, Keyring, Pass, Ticket

OLD, NEW = "a1:" + "11" * 32, "b2:" + "22" * 32
KEYS = Keyring.parse(OLD)
PURPOSES = st.sampled_from(["ticket", "pass", "hold", "order"])
SCOPES = st.from_regex(r"[A-Za-z0-9_-]{0,50}", fullmatch=True)
U32 = st.integers(0, 2**32 - 1)
ID = st.binary(min_size=16, max_size=16)


@given(PURPOSES, SCOPES, st.binary(max_size=64))
def test_read_returns_what_was_signed(purpose, scope, payload):
    assert tickets.read(purpose, scope, tickets.sign(purpose, scope, payload, KEYS), KEYS) == payload


@given(ID, U32)
def test_read_ticket_returns_what_was_signed(id_, index):
    ticket = Ticket(id_, index)

    assert tickets.read_ticket(tickets.sign_ticket(ticket, "x", KEYS), "x", KEYS) == ticket


@given(ID, U32, U32, U32, U32)
def test_read_pass_returns_what_was_signed(id_, index, place, cursor, entered):
    admit = Pass(id_, index, place, cursor, entered)

    assert tickets.read_pass(tickets.sign_pass(admit, "x", KEYS), "x", KEYS) == admit


def test_sign_makes_the_documented_bytes():
    mac = hmac.new(bytes.fromhex("11" * 32), b"hold\x001\x00a1\x00\x00payload", sha256).digest()[:16]
    text = [urlsafe_b64encode(part).decode().rstrip("=") for part in (b"payload", mac)]

    assert tickets.sign("hold", "", b"payload", KEYS) == f"1.a1.{text[0]}.{text[1]}"


@given(ID, U32, st.data())
def test_read_refuses_a_ticket_with_any_character_changed(id_, index, data):
    value = tickets.sign_ticket(Ticket(id_, index), "x", KEYS)
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != value[at]))

    with pytest.raises(InvalidSignature):
        tickets.read_ticket(value[:at] + other + value[at + 1 :], "x", KEYS)


@given(st.text(max_size=500))
def test_read_refuses_whatever_was_not_signed(value):
    with pytest.raises(InvalidSignature):
        tickets.read("ticket", "x", value, KEYS)


@pytest.mark.parametrize(
    "careless",
    [
        "",
        "1.a1..",
        "2." + tickets.sign_ticket(Ticket(bytes(16), 7), "x", KEYS)[2:],  # another version
        tickets.sign_ticket(Ticket(bytes(16), 7), "x", KEYS) + "=",  # a second spelling
        tickets.sign_ticket(Ticket(bytes(16), 7), "x", KEYS).replace(".a1.", ".a2."),  # another key's id
        tickets.sign_ticket(Ticket(bytes(16), 7), "y", KEYS),  # another drop's
        tickets.sign_pass(Pass(bytes(16), 7, 7, 8, 9), "x", KEYS),  # another purpose
        tickets.sign("ticket", "x", bytes(19), KEYS),  # another length
        tickets.sign_ticket(Ticket(bytes(16), 7), "x", Keyring.parse("a1:" + "33" * 32)),  # another shop's key
        "1.a1." + 400 * "A",
    ],
)
def test_read_ticket_refuses_what_is_not_for_this_line(careless):
    with pytest.raises(InvalidSignature):
        tickets.read_ticket(careless, "x", KEYS)


def test_read_accepts_the_older_key_after_a_rotation():
    value = tickets.sign_ticket(Ticket(bytes(16), 7), "x", KEYS)

    assert tickets.read_ticket(value, "x", Keyring.parse(f"{NEW},{OLD}")) == Ticket(bytes(16), 7)


def test_sign_uses_the_first_key():
    assert tickets.sign("order", "", b"", Keyring.parse(f"{NEW},{OLD}")).split(".")[1] == "b2"


def test_read_refuses_a_key_that_is_no_longer_kept():
    value = tickets.sign_ticket(Ticket(bytes(16), 7), "x", KEYS)

    with pytest.raises(InvalidSignature):
        tickets.read_ticket(value, "x", Keyring.parse(NEW))


def test_issue_gives_a_repeat_the_same_ticket():
    client = bytes(range(16))

    assert tickets.issue("x", 7, client, KEYS) == tickets.issue("x", 7, client, KEYS)


@pytest.mark.parametrize(
    ("slug", "index", "client", "keys"),
    [("y", 7, 0, OLD), ("x", 8, 0, OLD), ("x", 7, 1, OLD), ("x", 7, 0, NEW)],
)
def test_issue_gives_another_shopper_another_id(slug, index, client, keys):
    mine = tickets.issue("x", 7, bytes(16), KEYS)

    assert tickets.issue(slug, index, bytes([client]) * 16, Keyring.parse(keys)).id != mine.id


def test_a_pass_ends_two_minutes_after_the_entry():
    assert Pass(bytes(16), 7, 7, 8, 1000).ends == 1120


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "key 1 must look like kid:hex"),
        ("a1", "key 1 must look like kid:hex"),
        (f"{OLD},:{'22' * 32}", "key 2 must look like kid:hex"),
        (f"a.1:{'22' * 32}", "key 1 must look like kid:hex"),
        ("a1:secret", "key 1 (a1) isn't hex"),
        ("a1:0011", "key 1 (a1) has fewer than 16 bytes"),
        (f"{OLD},{OLD}", "two keys are named a1"),
    ],
)
def test_parse_refuses_what_is_no_list_of_keys_and_tells_no_key(text, words):
    with pytest.raises(ValueError, match="key") as refused:
        Keyring.parse(text)

    assert str(refused.value) == words
