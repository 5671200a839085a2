"""The shuffle: which place a lobby ticket gets.

Pure arithmetic that anyone can repeat (layouts: docs/verifying.md).

secret     = HMAC-SHA256(SHUFFLE_KEY, drop id ‖ nonce)        fixed when the drop is announced
commitment = SHA-256(secret)                                  published then
seed       = SHA-256("dropsite-shuffle-1" ‖ 00 ‖ drop id ‖ secret ‖ N ‖ beacon)
place      = ⌊ SHA-256(seed ‖ index) ÷ 2²⁵⁶ × N ⌋             for index < N, else the index itself

N and index are u32, big-endian; the drop id is the 16 bytes of its UUID. Two lobby tickets may share a place.
"""

import hmac
from hashlib import sha256
from uuid import UUID

VERSION = b"dropsite-shuffle-1"


def secret(key: bytes, drop: UUID, nonce: bytes) -> bytes:
    """Return the 32 bytes that decide the shuffle, secret until the seal. `nonce` has 16 bytes."""
    return hmac.digest(key, drop.bytes + nonce, "sha256")


def commitment(secret: bytes) -> bytes:
    """Return the 32 bytes that bind the shop to a secret without revealing it."""
    return sha256(secret).digest()


def seed(drop: UUID, secret: bytes, n: int, beacon: bytes = b"") -> bytes:
    """Return the 32 bytes from which the places of a lobby of `n` indices are computed."""
    return sha256(VERSION + b"\0" + drop.bytes + secret + n.to_bytes(4) + beacon).digest()


def place(seed: bytes, index: int, n: int) -> int:
    """Return the place of an index; 0 is first. Below `n` it is drawn, from `n` on it is the index itself."""
    if index >= n:
        return index
    return (int.from_bytes(sha256(seed + index.to_bytes(4)).digest()) * n) >> 256
