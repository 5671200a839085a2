"""Signed values: tickets, passes, and the tokens of holds and orders. Pure; bytes in, text out.

A value is `1.<kid>.<payload>.<mac>`, both base64url without padding. The MAC is the first 16 bytes of
HMAC-SHA256 over `purpose 00 "1" 00 kid 00 scope 00 payload`, so a value is valid for one purpose and one
scope only (the slug for tickets and passes, "" otherwise). Of a purpose's keys the first signs and all
verify: that is how they are rotated.
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
MAX_VALUE_LENGTH = 400  # characters; ours are below 120

_TICKET = struct.Struct(">16sI")
_PASS = struct.Struct(">16sIIII")


class InvalidSignature(Exception):
    """The value isn't one of ours, or isn't for this purpose and scope, or its key has been retired."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one purpose, by key id. `signer` is the id of the key that signs."""

    signer: str
    keys: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `kid:hex,kid:hex`. Raises: ValueError, whose message contains no key."""
        keys: dict[str, bytes] = {}
        for number, item in enumerate(text.split(","), 1):
            kid, colon, digits = item.strip().partition(":")
            if not (colon and kid.isalnum() and kid.isascii()):
                raise ValueError(f"key {number} must look like kid:hex")
            try:
                key = bytes.fromhex(digits)
            except ValueError:
                raise ValueError(f"key {number} ({kid}) isn't hex") from None
            if len(key) < 16:
                raise ValueError(f"key {number} ({kid}) has fewer than 16 bytes")
            if kid in keys:
                raise ValueError(f"two keys are named {kid}")
            keys[kid] = key
        return cls(signer=next(iter(keys)), keys=keys)


def sign(purpose: str, scope: str, payload: bytes, keyring: Keyring) -> str:
    """Return the value from which `read` returns the payload, for the same purpose and scope."""
    kid = keyring.signer
    return f"{VERSION}.{kid}.{_text(payload)}.{_mac(purpose, scope, payload, kid, keyring)}"


def read(purpose: str, scope: str, value: str, keyring: Keyring) -> bytes:
    """Verify a value and return its payload. Raises: InvalidSignature."""
    if len(value) > MAX_VALUE_LENGTH or not value.isascii():
        raise InvalidSignature
    parts = value.split(".")
    if len(parts) != 4 or parts[0] != VERSION or parts[1] not in keyring.keys:
        raise InvalidSignature
    _, kid, text, mac = parts
    try:
        payload = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except NotBase64:
        raise InvalidSignature from None
    # One text per payload: a second spelling of the same bytes would be a second value.
    if _text(payload) != text or not hmac.compare_digest(_mac(purpose, scope, payload, kid, keyring), mac):
        raise InvalidSignature
    return payload


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _mac(purpose: str, scope: str, payload: bytes, kid: str, keyring: Keyring) -> str:
    message = f"{purpose}\0{VERSION}\0{kid}\0{scope}\0".encode() + payload
    return _text(hmac.digest(keyring.keys[kid], message, "sha256")[:MAC_BYTES])


@dataclass(frozen=True, slots=True)
class Ticket:
    """Proof that a visitor joined. Holds are counted by `id` (16 bytes)."""

    id: bytes
    index: int


@dataclass(frozen=True, slots=True)
class Pass:
    """Permission to place a hold.

    `entered` is the unix second of the entry, `cursor` that moment's: place < cursor.
    """

    ticket: bytes
    index: int
    place: int
    cursor: int
    entered: int

    @property
    def ends(self) -> int:
        """The unix second from which the pass is no longer valid."""
        return self.entered + PASS_SECONDS


def issue(slug: str, index: int, client_key: bytes, keyring: Keyring) -> Ticket:
    """Return the ticket of an index.

    The same client key gets the same id while the signing key stays the same.
    """
    message = b"id\0" + slug.encode() + b"\0" + index.to_bytes(4) + client_key
    return Ticket(hmac.digest(keyring.keys[keyring.signer], message, "sha256")[:16], index)


def sign_ticket(ticket: Ticket, slug: str, keyring: Keyring) -> str:
    """Return the value of the ticket cookie."""
    return sign("ticket", slug, _TICKET.pack(ticket.id, ticket.index), keyring)


def read_ticket(value: str, slug: str, keyring: Keyring) -> Ticket:
    """Return the ticket in a cookie. Raises: InvalidSignature."""
    return Ticket(*_unpack(_TICKET, read("ticket", slug, value, keyring)))


def sign_pass(pass_: Pass, slug: str, keyring: Keyring) -> str:
    """Return the value of the pass cookie."""
    payload = _PASS.pack(pass_.ticket, pass_.index, pass_.place, pass_.cursor, pass_.entered)
    return sign("pass", slug, payload, keyring)


def read_pass(value: str, slug: str, keyring: Keyring) -> Pass:
    """Return the pass in a cookie, which may have ended: that is for the caller to check.

    Raises: InvalidSignature.
    """
    return Pass(*_unpack(_PASS, read("pass", slug, value, keyring)))


def _unpack(layout: struct.Struct, payload: bytes) -> tuple[Any, ...]:
    try:
        return layout.unpack(payload)
    except struct.error:
        raise InvalidSignature from None
