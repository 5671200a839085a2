"""Indices that were given twice, because Redis went back to an earlier state of its own: found, and listed.

The line goes on above every index. Those of the time in between belong to two shoppers each, who have the
same place. Nobody can tell which of the two tickets is the right one, so both stay valid: ops decide.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from redis import Redis

from drops import queries
from drops.models import Drop, Hold
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import keys, places, tickets
from shop.core import alerts
from shop.core.models import Alert

logger = logging.getLogger(__name__)

INDICES = "indices"  # in an alert's details: the ranges as text


def subject(slug: str) -> str:
    return f"drop:{slug} indices given twice"


def record(snapshot: DropSnapshot, indices: range) -> None:
    """Alert ops of indices that may have been given twice, beside those that are known already."""
    slug = snapshot.drop.slug
    logger.error("Redis went back to an earlier state of drop %s", slug)
    if not indices:
        return  # nobody joined in between
    known = merge([*found(snapshot.drop), indices])
    text = ", ".join(f"{one.start}-{one.stop - 1}" for one in known)
    count = sum(map(len, known))
    alert = alerts.raise_alert(
        source="waitingroom",
        subject=subject(slug),
        message=(
            f"The waiting room's Redis went back to an earlier state of drop {slug}, as after the restore of a "
            f"machine's snapshot. The line goes on above every index. Up to {count} indices may belong to two "
            f"shoppers each, who have the same place: {text}. List their tickets and holds with "
            f"manage.py repeated_tickets --drop {slug}"
        ),
        details={"drop": slug, INDICES: text},
    )
    Alert.objects.filter(pk=alert.pk).update(details={"drop": slug, INDICES: text})


def resolve(drop: Drop) -> None:
    """Resolve that alert, if it was raised: the drop is over."""
    alerts.resolve(subject=subject(drop.slug))


def found(drop: Drop) -> list[range]:
    """Return the indices of a drop that may have been given twice, in order."""
    known = []
    for alert in Alert.objects.filter(subject=subject(drop.slug)):
        for text in alert.details[INDICES].split(", "):
            first, last = map(int, text.split("-"))
            known.append(range(first, last + 1))
    return merge(known)


def merge(ranges: list[range]) -> list[range]:
    """Return the ranges in order, with those that overlap or touch as one."""
    merged: list[range] = []
    for one in sorted(ranges, key=lambda each: each.start):
        if merged and one.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, one.stop))
        else:
            merged.append(one)
    return merged


@dataclass(frozen=True, slots=True)
class RepeatedIndex:
    """An index that may belong to two shoppers, and what is known of their tickets.

    Redis knows the ticket that was given last. Any other has left a trace only if it placed a hold.
    """

    index: int
    place: int | None  # None: the drop isn't sealed
    tickets: set[UUID]
    holds: list[Hold]


def listed(*, drop: Drop, redis: Redis) -> Iterator[RepeatedIndex]:
    """Yield each index that may have been given twice. Raises: RedisError."""
    indices = [index for one in found(drop) for index in one]
    wanted = set(indices)
    given = tickets_in_redis(drop, redis, wanted)
    holds: dict[int, list[Hold]] = {}
    for hold in Hold.objects.filter(drop=drop, index__in=wanted).order_by("created_at"):
        holds.setdefault(hold.index, []).append(hold)
    proof = queries.draw_proof(drop=drop)
    for index in indices:
        place = None
        if proof.seed is not None and proof.n is not None:
            place = places.place(proof.seed, index, proof.n)
        placed = holds.get(index, [])
        known = given.get(index, set()) | {hold.ticket for hold in placed}
        yield RepeatedIndex(index=index, place=place, tickets=known, holds=placed)


def tickets_in_redis(drop: Drop, redis: Redis, wanted: set[int]) -> dict[int, set[UUID]]:
    """Return the tickets of the wanted indices as Redis knows them, under the key that signs today."""
    keyring = tickets.Keyring.parse(settings.TICKET_KEYS)
    found_tickets: dict[int, set[UUID]] = {}
    for client, given in redis.hscan_iter(keys.clients(drop.slug), count=1000):
        index = int(given)
        if index in wanted:
            ticket = tickets.issue(drop.slug, index, bytes.fromhex(client.decode()), keyring)
            found_tickets.setdefault(index, set()).add(UUID(bytes=ticket.id))
    return found_tickets
