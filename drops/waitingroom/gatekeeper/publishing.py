"""What the line's Redis is told, after Postgres has committed it: the status document, cursor, allowance, the seal."""

from math import ceil
from typing import cast

from django.conf import settings
from django.utils.translation import gettext as _
from redis import Redis

from drops import queries, stock
from drops.lifecycle import Phase
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import lua
from drops.waitingroom.protocol.status import (
    POLL,
    VERSION,
    EditionStatus,
    PhaseName,
    PollRule,
    Status,
    encode,
    max_poll_seconds,
)

RATE_WINDOW_SECONDS = 30


def publish(*, redis: Redis, term: int, row: DropSnapshot) -> None:
    """Say what was committed. Raises: lua.Refused, RedisError."""
    lua.publish(
        redis,
        row.drop.slug,
        term=term,
        limit=row.checkpoint.counter_limit,
        cursor=row.checkpoint.cursor,
        allowance=row.checkpoint.allowance,
        paused=row.drop.paused,
        closed=is_closed(row),
        status=encode(build_status(row)),
        seal=committed_seal(row),
        theme=theme(row),
    )


def adopt(*, redis: Redis, term: int, row: DropSnapshot, counter: int) -> None:
    """Take the Redis server for the drop's line; counting goes on at `counter`. Raises: lua.Refused, RedisError."""
    lua.adopt(
        redis,
        row.drop.slug,
        drop=row.drop.pk,
        run_id=row.checkpoint.run_id,
        term=term,
        epoch=row.checkpoint.epoch,
        counter=counter,
        limit=row.checkpoint.counter_limit,
        cursor=row.checkpoint.cursor,
        allowance=row.checkpoint.allowance,
        entered=row.checkpoint.entered,
        lobby=ceil(row.drop.lobby_opens_at.timestamp()) if row.drop.lobby_opens_at else 0,
        paused=row.drop.paused,
        closed=is_closed(row),
        seal=committed_seal(row),
        theme=theme(row),
    )


def is_closed(row: DropSnapshot) -> bool:
    """Say whether the line is over for good. What is sold out is not: a unit may come back."""
    return row.phase in {Phase.CLOSED, Phase.CANCELLED} or row.drop.closed_at is not None


def committed_seal(row: DropSnapshot) -> lua.Seal | None:
    """Give the seed, and how many indices it places, once Postgres has them."""
    check = queries.draw_proof(drop=row.drop)
    return None if check.n is None or check.seed is None else lua.Seal(n=check.n, seed=check.seed)


def theme(row: DropSnapshot) -> dict[str, str]:
    """Give the gate's page its name and colours."""
    product = row.drop.product
    return {
        "title": row.drop.title or product.name,
        "ground": product.ground,
        "ink": product.ink,
        "signal": product.signal,
        "face": product.face,
    }


def build_status(row: DropSnapshot) -> Status:
    """Write the document that everybody may read."""
    drop, checkpoint, check = row.drop, row.checkpoint, queries.draw_proof(drop=row.drop)
    return Status(
        v=VERSION,
        epoch=checkpoint.epoch,
        tick=checkpoint.tick,
        now=round(row.now.timestamp(), 3),
        slug=drop.slug,
        drop=str(drop.pk),
        phase=cast("PhaseName", row.phase.value),
        lobby_opens=drop.lobby_opens_at.timestamp() if drop.lobby_opens_at else 0,
        opens=drop.opens_at.timestamp() if drop.opens_at else 0,
        closes=drop.closes_at.timestamp() if drop.closes_at else None,
        sealed=check.n,
        commitment=check.commitment.hex(),
        secret=check.secret.hex() if check.secret else None,
        cursor=checkpoint.cursor,
        joined=checkpoint.joined,
        rate=admission_rate(row),
        poll=poll_rule(row),
        editions=edition_statuses(row),
        sentence=notice(row),
    )


def edition_statuses(row: DropSnapshot) -> list[EditionStatus]:
    """Say of each edition how much is left."""
    found = []
    for edition in row.editions:
        count = row.counts.get(edition.pk, stock.NO_UNITS)
        found.append(
            EditionStatus(
                sku=edition.variant.sku,
                name=edition.variant.name,
                band=stock.band(count),
                free=count.free,
                held=count.held,
            )
        )
    return found


def poll_rule(row: DropSnapshot) -> PollRule:
    """How often pages look again."""
    if row.phase is not Phase.LIVE:
        return POLL
    return POLL | {"most": round(max_poll_seconds(row.checkpoint.joined - row.checkpoint.cursor))}


def admission_rate(row: DropSnapshot) -> float:
    """Shoppers let in per second, over the last half minute or since the first was.

    Until then it is the rate that letting in begins with: pages at the head of the line look again within seconds.
    """
    if row.phase is Phase.LIVE and not row.checkpoint.entered:
        return float(settings.READY_PER_SECOND)
    if not row.entered_at or row.seen is None:
        return 0.0
    age = row.seen.now - min(row.entered_at) + 1
    return round(row.entered_within(RATE_WINDOW_SECONDS) / max(1.0, min(RATE_WINDOW_SECONDS, age)), 2)


def notice(row: DropSnapshot) -> str:
    """Say what shoppers should know of the line beyond the numbers; often nothing."""
    if row.phase is Phase.PAUSED:
        return _("Paused. Your place is kept.")
    if row.phase is not Phase.LIVE or row.free:
        return ""
    return _("All remaining pieces are in checkouts. Any that come back go to the next in line.")
