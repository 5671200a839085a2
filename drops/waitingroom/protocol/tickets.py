"""Signed values: tickets, passes, and the tokens of holds and orders. Pure; bytes in, text out.

A value is `1.<kid>.<payload>.<mac>`, both base64url without padding. The MAC is the first 16 bytes of HMAC-SHA256 over
`purpose 00 "1" 00 kid 00 scope 00 payload`, so a value is good for one purpose and one scope only (the slug for tickets
and passes, "" otherwise). Of a purpose's keys the first signs and all verify: that is how they are rotated.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

VERSION = "1"
MAC_BYTES = 16
PASS_SECONDS = 120
LONGEST_VALUE = 400  # characters; ours are below 120
CLIENT_KEY_BYTES = 16

_TICKET = struct.Struct(">16sI")
_PASS = struct.Struct(">16sIIII")


class Forged(Exception):
    """The value isn't one of ours, or isn't for this purpose and scope, or its key is no longer kept."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one purpose, by key id. `signer` is the id of the key that signs."""

    signer: str
    ring: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `kid:hex,kid:hex`. Raises: ValueError, without the keys in its words."""
        ring: dict[str, bytes] = {}
        for number, item in enumerate(text.split(","), 1):
            kid, colon, digits = item.strip().partition(":")
            if not (colon and kid.isalnum() and kid.isascii()):
                raise ValueError(f"key {number} must look like kid:hex")
            try:
                key = bytes.fromhex(digits)
            except ValueError:
                raise ValueError(f"key {number} ({kid}) is not hex") from None
            if len(key) < 16:
                raise ValueError(f"key {number} ({kid}) has fewer than 16 bytes")
            if kid in ring:
                raise ValueError(f"two keys are named {kid}")
            ring[kid] = key
        return cls(signer=next(iter(ring)), ring=ring)


def sign(purpose: str, scope: str, payload: bytes, keys: Keys) -> str:
    """Make the value that `read` takes back for the same purpose and scope."""
    return f"{VERSION}.{keys.signer}.{_text(payload)}.{_mac(purpose, scope, payload, keys.signer, keys)}"


def read(purpose: str, scope: str, value: str, keys: Keys) -> bytes:
    """Check a value and return its payload. Raises: Forged."""
    parts = value.split(".") if len(value) <= LONGEST_VALUE and value.isascii() else []
    if len(parts) != 4 or parts[0] != VERSION or parts[1] not in keys.ring:
        raise Forged
    _, kid, text, mac = parts
    try:
        payload = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except NotBase64:
        raise Forged from None
    # One text for one payload: a second spelling of the same bytes would be a second value.
    if _text(payload) != text or not hmac.compare_digest(_mac(purpose, scope, payload, kid, keys), mac):
        raise Forged
    return payload


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _mac(purpose: str, scope: str, payload: bytes, kid: str, keys: Keys) -> str:
    message = f"{purpose}\0{VERSION}\0{kid}\0{scope}\0".encode() + payload
    return _text(hmac.digest(keys.ring[kid], message, "sha256")[:MAC_BYTES])


@dataclass(frozen=True, slots=True)
class Ticket:
    """A shopper's standing in a line. `id` has 16 bytes and is what holds are counted by."""

    id: bytes
    index: int


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to place a hold. `cursor` is that of the moment of entry: place < cursor. `entered` is a unix second."""

    ticket: bytes
    index: int
    place: int
    cursor: int
    entered: int

    @property
    def ends(self) -> int:
        """The unix second from which it is no longer good."""
        return self.entered + PASS_SECONDS


def issue(slug: str, index: int, client_key: bytes, keys: Keys) -> Ticket:
    """Make the ticket of an index. The same client key gets the same id, as long as the signing key stays the same."""
    message = b"id\0" + slug.encode() + b"\0" + index.to_bytes(4) + client_key
    return Ticket(hmac.digest(keys.ring[keys.signer], message, "sha256")[:16], index)


def sign_ticket(ticket: Ticket, slug: str, keys: Keys) -> str:
    """The value of the ticket cookie."""
    return sign("ticket", slug, _TICKET.pack(ticket.id, ticket.index), keys)


def read_ticket(value: str, slug: str, keys: Keys) -> Ticket:
    """The ticket in a cookie. Raises: Forged."""
    return Ticket(*_unpack(_TICKET, read("ticket", slug, value, keys)))


def sign_pass(admit: Pass, slug: str, keys: Keys) -> str:
    """The value of the pass cookie."""
    payload = _PASS.pack(admit.ticket, admit.index, admit.place, admit.cursor, admit.entered)
    return sign("pass", slug, payload, keys)


def read_pass(value: str, slug: str, keys: Keys) -> Pass:
    """The pass in a cookie; whether it has ended is the caller's to ask. Raises: Forged."""
    return Pass(*_unpack(_PASS, read("pass", slug, value, keys)))


def _unpack(layout: struct.Struct, payload: bytes) -> tuple[Any, ...]:
    try:
        return layout.unpack(payload)
    except struct.error:
        raise Forged from None
