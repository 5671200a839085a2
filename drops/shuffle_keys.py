"""The keys from which the secrets of draws are derived: SHUFFLE_KEY is `id:hex,id:hex`, or bare hex.

New drops use the first. Each drop remembers the id of its key. At the seal its secret is stored; from then on
the key isn't needed any more.
"""

from collections.abc import Mapping
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from drops.models import Drop
from drops.waitingroom.protocol import places

KEY_BYTES = 32
MAX_ID_CHARACTERS = 20


class ShuffleKeyUnusable(Exception):
    """A drop's key is missing, or doesn't give the secret that the drop has committed to."""

    def __init__(self, *, drop: Drop, fault: str) -> None:
        name = f"key “{drop.shuffle_key_id}”" if drop.shuffle_key_id else "key without an id"
        super().__init__(
            f"The draw of {drop.slug} needs the {name} in SHUFFLE_KEY, which {fault}. Put it back, or close the drop."
        )


def newest() -> str:
    """Return the id of the key for new drops."""
    return next(iter(keys()))


def keys() -> Mapping[str, bytes]:
    """Return the keys by id, the newest first. Raises ImproperlyConfigured, whose message contains no key."""
    return parse(settings.SHUFFLE_KEY)


@lru_cache(maxsize=8)
def parse(text: str) -> Mapping[str, bytes]:
    """Read the setting. A key without an id has the id ""; it may stand among those with one."""
    found: dict[str, bytes] = {}
    for number, item in enumerate(text.split(","), 1):
        key_id, _colon, digits = item.strip().rpartition(":")
        if key_id in found:
            raise ImproperlyConfigured(f"SHUFFLE_KEY: key {number} has the id of an earlier one.")
        if key_id and not (key_id.isascii() and key_id.isalnum() and len(key_id) <= MAX_ID_CHARACTERS):
            raise ImproperlyConfigured(
                f"SHUFFLE_KEY: the id of key {number} must be up to {MAX_ID_CHARACTERS} letters and digits."
            )
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ImproperlyConfigured(f"SHUFFLE_KEY: key {number} must be {KEY_BYTES} bytes in hex.")
        found[key_id] = key
    return found


def secret_of(drop: Drop) -> bytes:
    """Return the secret that an announced drop has committed to. Raises ShuffleKeyUnusable."""
    if drop.secret is not None:
        return bytes(drop.secret)
    key = keys().get(drop.shuffle_key_id)
    if key is None:
        raise ShuffleKeyUnusable(drop=drop, fault="is missing")
    secret = places.secret(key, drop.pk, bytes(drop.nonce or b""))
    if places.commitment(secret) != bytes(drop.commitment or b""):
        raise ShuffleKeyUnusable(drop=drop, fault="doesn't give the secret that the drop has committed to")
    return secret


def find_unusable() -> list[ShuffleKeyUnusable]:
    """Return what is wrong with the keys of the drops that are announced and not sealed yet. One query."""
    found = []
    for drop in Drop.objects.not_closed().filter(sealed=None):
        try:
            secret_of(drop)
        except ShuffleKeyUnusable as unusable:
            found.append(unusable)
    return found
