"""The public formula of the shuffle, implemented a second time, from docs/verifying.md.

A shopper's place is computed here from status.json and the index cookie alone. One of a rehearsal's checks is
that it equals the place which the shop stored for that shopper.
"""

import hashlib
import uuid
from functools import lru_cache

VERSION = b"dropsite-shuffle-1"


@lru_cache(maxsize=64)
def seed(*, drop: str, secret: str, sealed: int, beacon: str = "") -> bytes:
    """Return SHA-256(version ‖ zero byte ‖ drop id ‖ secret ‖ N as u32be ‖ beacon).

    `secret` and `beacon` are hex.
    """
    parts = [VERSION, b"\0", uuid.UUID(drop).bytes, bytes.fromhex(secret), sealed.to_bytes(4, "big")]
    return hashlib.sha256(b"".join([*parts, bytes.fromhex(beacon)])).digest()


def place(*, seed: bytes, index: int, sealed: int) -> int:
    """Return the ticket's place, from 0: for an index below N the hash as a fraction of N, else the index."""
    if index >= sealed:
        return index
    digest = int.from_bytes(hashlib.sha256(seed + index.to_bytes(4, "big")).digest(), "big")
    return digest * sealed >> 256


def matches_commitment(*, commitment: str, secret: str) -> bool:
    """Whether the revealed secret is the one that was committed to before the lobby. Both are hex."""
    return hashlib.sha256(bytes.fromhex(secret)).hexdigest() == commitment
