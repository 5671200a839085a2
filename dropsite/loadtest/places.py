"""The public formula of the shuffle, written a second time: from what docs/verifying.md says, not from the shop's code.

A shopper's place is computed here from status.json and the index cookie alone. That it agrees with what the shop
did to the same shopper is one of a rehearsal's checks.
"""

import hashlib
import uuid
from functools import lru_cache

VERSION = b"dropsite-shuffle-1"


@lru_cache(maxsize=64)
def seed(*, drop: str, secret: str, sealed: int, beacon: str = "") -> bytes:
    """SHA-256 of version, zero byte, the drop's id, the secret, N as u32be and the beacon. `secret`, `beacon`: hex."""
    parts = [VERSION, b"\0", uuid.UUID(drop).bytes, bytes.fromhex(secret), sealed.to_bytes(4, "big")]
    return hashlib.sha256(b"".join([*parts, bytes.fromhex(beacon)])).digest()


def place(*, seed: bytes, index: int, sealed: int) -> int:
    """Where the ticket stands, from 0: the hash as a fraction of N for an index below N, else the index."""
    if index >= sealed:
        return index
    fraction = int.from_bytes(hashlib.sha256(seed + index.to_bytes(4, "big")).digest(), "big")
    return fraction * sealed >> 256


def keeps_its_word(*, commitment: str, secret: str) -> bool:
    """Say whether the revealed secret is the one that was committed to before the lobby. Both hex."""
    return hashlib.sha256(bytes.fromhex(secret)).hexdigest() == commitment
