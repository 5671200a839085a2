"""Publishing to Redis, after Postgres has committed: the status document, cursor, allowance and seal."""

from datetime import datetime
from math import ceil
from typing import cast

from django.conf import settings
from django.utils.translation import gettext as _
from redis import Redis

from drops import queries, stock
from drops.lifecycle import Phase
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import lua
from drops.waitingroom.protocol import status as documents
from drops.waitingroom.protocol.status import EditionStatus, PhaseName, PollRule, Status

RATE_WINDOW_SECONDS = 30


def publish(*, redis: Redis, term: int, snapshot: DropSnapshot) -> None:
    """Write what was committed. Raises: lua.ScriptRefused, RedisError."""
    checkpoint = snapshot.checkpoint
    lua.publish(
        redis,
        snapshot.drop.slug,
        term=term,
        limit=checkpoint.counter_limit,
        cursor=checkpoint.cursor,
        allowance=checkpoint.allowance,
        paused=snapshot.drop.paused,
        closed=is_closed(snapshot),
        status=documents.encode(build_status(snapshot)),
        seal=committed_seal(snapshot),
        theme=theme(snapshot),
        progress=progress(snapshot),
    )


def progress(snapshot: DropSnapshot) -> lua.Progress:
    """Return what says, at the next tick, whether the server still has what this tick published."""
    checkpoint = snapshot.checkpoint
    seen_tick = checkpoint.tick  # the adoption has just written it
    if snapshot.adopt_from is None and snapshot.redis is not None:
        seen_tick = snapshot.redis.number("tick")
    return lua.Progress(seen_tick=seen_tick, tick=checkpoint.tick, joined=checkpoint.joined)


def adopt(*, redis: Redis, term: int, snapshot: DropSnapshot, counter: int) -> int:
    """Adopt the Redis server for the drop; counting resumes at `counter`.

    Returns the server's own counter until now.

    Raises: lua.ScriptRefused, RedisError.
    """
    drop, checkpoint = snapshot.drop, snapshot.checkpoint
    return lua.adopt(
        redis,
        drop.slug,
        drop=drop.pk,
        run_id=checkpoint.run_id,
        term=term,
        epoch=checkpoint.epoch,
        counter=counter,
        limit=checkpoint.counter_limit,
        cursor=checkpoint.cursor,
        allowance=checkpoint.allowance,
        entered=checkpoint.entered,
        lobby=ceil(unix_seconds(drop.lobby_opens_at) or 0),
        paused=drop.paused,
        closed=is_closed(snapshot),
        seal=committed_seal(snapshot),
        theme=theme(snapshot),
        tick=checkpoint.tick,
    )


def is_closed(snapshot: DropSnapshot) -> bool:
    """Whether the waiting room is closed for good. That of a sold-out drop isn't: a unit may come back."""
    return snapshot.phase in {Phase.CLOSED, Phase.CANCELLED} or snapshot.drop.closed_at is not None


def committed_seal(snapshot: DropSnapshot) -> lua.Seal | None:
    """Return the seed, and how many indices it places, once Postgres has committed them."""
    proof = queries.draw_proof(drop=snapshot.drop)
    if proof.n is None or proof.seed is None:
        return None
    return lua.Seal(n=proof.n, seed=proof.seed)


def theme(snapshot: DropSnapshot) -> dict[str, str]:
    """Return title, colours and typeface of the gate's page."""
    product = snapshot.drop.product
    return {
        "title": snapshot.drop.title or product.name,
        "ground": product.ground,
        "ink": product.ink,
        "signal": product.signal,
        "face": product.face,
    }


def build_status(snapshot: DropSnapshot) -> Status:
    """Return the status document."""
    drop, checkpoint = snapshot.drop, snapshot.checkpoint
    proof = queries.draw_proof(drop=drop)
    secret = None
    if proof.secret is not None:
        secret = proof.secret.hex()
    return Status(
        v=documents.VERSION,
        epoch=checkpoint.epoch,
        tick=checkpoint.tick,
        now=round(snapshot.now.timestamp(), 3),
        slug=drop.slug,
        drop=str(drop.pk),
        phase=cast("PhaseName", snapshot.phase.value),
        lobby_opens=unix_seconds(drop.lobby_opens_at) or 0,
        opens=unix_seconds(drop.opens_at) or 0,
        closes=unix_seconds(drop.closes_at),
        sealed=proof.n,
        commitment=proof.commitment.hex(),
        secret=secret,
        cursor=checkpoint.cursor,
        joined=checkpoint.joined,
        entered=checkpoint.entered,
        pace=snapshot.pace,
        rate=admission_rate(snapshot),
        poll=poll_rule(snapshot),
        editions=edition_statuses(snapshot),
        sentence=notice(snapshot),
    )


def unix_seconds(at: datetime | None) -> float | None:
    """Return a time in unix seconds, None for none."""
    if at is None:
        return None
    return at.timestamp()


def edition_statuses(snapshot: DropSnapshot) -> list[EditionStatus]:
    """Return how much is left of each edition."""
    found = []
    for edition in snapshot.editions:
        count = snapshot.counts.get(edition.pk, stock.NO_UNITS)
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


def poll_rule(snapshot: DropSnapshot) -> PollRule:
    """Return how often pages poll: in a live drop the more often, the shorter the line is.

    Before a pace is measured, it is the rate at which admission starts, so pages near the head of the line
    poll within seconds. Pages don't estimate a wait from it.
    """
    if snapshot.phase is not Phase.LIVE:
        return documents.POLL
    waiting = snapshot.checkpoint.joined - snapshot.checkpoint.cursor
    pace = snapshot.pace
    if pace is None:
        pace = float(settings.READY_PER_SECOND)
    return documents.POLL | {"most": round(documents.max_poll_seconds(waiting)), "pace": pace}


def admission_rate(snapshot: DropSnapshot) -> float:
    """Return the shoppers who entered per second, over the last half minute or since the first one."""
    if not snapshot.entered_at or snapshot.redis is None:
        return 0.0
    age = snapshot.redis.now - min(snapshot.entered_at) + 1
    return round(snapshot.entered_within(RATE_WINDOW_SECONDS) / max(1.0, min(RATE_WINDOW_SECONDS, age)), 2)


def notice(snapshot: DropSnapshot) -> str:
    """Return a sentence for shoppers on what the numbers don't show; mostly empty."""
    if snapshot.phase is Phase.PAUSED:
        return _("Paused. Your place is kept.")
    if snapshot.phase is not Phase.LIVE or snapshot.free:
        return ""
    return _("All remaining pieces are in checkouts. Any that come back go to the next in line.")


def stop_admission(*, redis: Redis, term: int, slug: str, is_paused: bool) -> None:
    """Lower the allowance to what has entered; all else stays as it was last published.

    Raises: lua.NotAdopted, lua.OutdatedTerm, RedisError.
    """
    lua.publish(
        redis, slug, term=term, limit=0, cursor=0, allowance=0, paused=is_paused, closed=False, status=""
    )
