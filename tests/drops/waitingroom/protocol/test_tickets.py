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
def test_read_returns_what_was_signed(purpose: str, scope: str, payload: bytes) -> None:
    assert tickets.read(purpose, scope, tickets.sign(purpose, scope, payload, KEYS), KEYS) == payload


@given(ID, U32)
def test_read_ticket_returns_what_was_signed(id_: bytes, index: int) -> None:
    ticket = Ticket(id_, index)

    assert tickets.read_ticket(tickets.sign_ticket(ticket, "x", KEYS), "x", KEYS) == ticket


@given(ID, U32, U32, U32, U32)
def test_read_pass_returns_what_was_signed(
    id_: bytes, index: int, place: int, cursor: int, entered: int
) -> None:
    pass_ = Pass(id_, index, place, cursor, entered)

    assert tickets.read_pass(tickets.sign_pass(pass_, "x", KEYS), "x", KEYS) == pass_


def test_sign_returns_the_documented_bytes() -> None:
    mac = hmac.new(bytes.fromhex("11" * 32), b"hold\x001\x00a1\x00\x00payload", sha256).digest()[:16]
    text = [urlsafe_b64encode(part).decode().rstrip("=") for part in (b"payload", mac)]

    assert tickets.sign("hold", "", b"payload", KEYS) == f"1.a1.{text[0]}.{text[1]}"


@given(ID, U32, st.data())
def test_read_refuses_a_ticket_with_any_character_changed(
    id_: bytes, index: int, data: st.DataObject
) -> None:
    value = tickets.sign_ticket(Ticket(id_, index), "x", KEYS)
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != value[at]))

    with pytest.raises(InvalidSignature):
        tickets.read_ticket(value[:at] + other + value[at + 1 :], "x", KEYS)


@given(st.text(max_size=500))
def test_read_refuses_anything_unsigned(value: str) -> None:
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
        tickets.sign_ticket(
            Ticket(bytes(16), 7), "x", Keyring.parse("a1:" + "33" * 32)
        ),  # another shop's key
        "1.a1." + 400 * "A",
    ],
)
def test_read_ticket_refuses_anything_but_a_ticket_of_this_line(careless: str) -> None:
    with pytest.raises(InvalidSignature):
        tickets.read_ticket(careless, "x", KEYS)


def test_read_accepts_the_older_key_after_a_rotation() -> None:
    value = tickets.sign_ticket(Ticket(bytes(16), 7), "x", KEYS)

    assert tickets.read_ticket(value, "x", Keyring.parse(f"{NEW},{OLD}")) == Ticket(bytes(16), 7)


def test_sign_uses_the_first_key() -> None:
    assert tickets.sign("order", "", b"", Keyring.parse(f"{NEW},{OLD}")).split(".")[1] == "b2"


def test_read_refuses_a_retired_key() -> None:
    value = tickets.sign_ticket(Ticket(bytes(16), 7), "x", KEYS)

    with pytest.raises(InvalidSignature):
        tickets.read_ticket(value, "x", Keyring.parse(NEW))


def test_issue_returns_the_same_ticket_to_a_repeat() -> None:
    client = bytes(range(16))

    assert tickets.issue("x", 7, client, KEYS) == tickets.issue("x", 7, client, KEYS)


@pytest.mark.parametrize(
    ("slug", "index", "client", "keys"),
    [("y", 7, 0, OLD), ("x", 8, 0, OLD), ("x", 7, 1, OLD), ("x", 7, 0, NEW)],
)
def test_issue_returns_a_different_id_to_anyone_else(slug: str, index: int, client: int, keys: str) -> None:
    mine = tickets.issue("x", 7, bytes(16), KEYS)

    assert tickets.issue(slug, index, bytes([client]) * 16, Keyring.parse(keys)).id != mine.id


def test_a_pass_ends_two_minutes_after_the_entry() -> None:
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
def test_parse_refuses_malformed_keys_and_reveals_none(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="key") as refused:
        Keyring.parse(text)

    assert str(refused.value) == words
