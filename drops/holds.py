"""Holds: units set aside for one ticket.

    open ──pay──▶ paying ──allocate──▶ allocated ──take back──▶ returned
      │  ▲           │
      │  └──reopen───┤
      └─▶ released ◀─┘   give_back, expire_due; let_go

A hold is all or nothing, and units change hands only behind the winning UPDATE on their hold row. Every guard
compares with the database's clock: a hold is payable until `expires_at` and reclaimable five seconds later. In a
pause nothing lapses.
"""

import random
import time
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from drops import queries
from drops.models import Drop, Edition, Hold, HoldLine, Pause, Unit
from drops.refusals import HoldRefused
from drops.waitingroom.protocol.tickets import Pass
from shop.core.prepared import Change, Given, columns

TRIES = 3  # for units that are free but were locked a moment ago
NOT_PAUSED = "NOT EXISTS (SELECT FROM drops_pause p WHERE p.drop_id = h.drop_id AND p.ended_at IS NULL)"
OPEN, PAYING, ALLOCATED = Hold.State.OPEN, Hold.State.PAYING, Hold.State.ALLOCATED
RELEASED, RETURNED = Hold.State.RELEASED, Hold.State.RETURNED
PAUSED = Exists(Pause.objects.filter(drop=OuterRef("drop"), ended_at=None))
PAID = Change(Hold.objects.filter(Q(expires_at__gt=Now()) | PAUSED, pk=Given("hold"), state=OPEN), state=PAYING)
KEPT = Change(Hold.objects.filter(pk=Given("hold"), state=PAYING), state=ALLOCATED, ended_at=Now())


class NotLive(HoldRefused):
    """The drop is not open yet, paused, closed or cancelled."""

    title = _("This drop isn't taking orders right now.")
    reason = _("Your place is kept.")


class WrongQuantity(HoldRefused):
    """The order would be empty, or larger than `limit`."""

    title = _("Choose a different quantity.")
    status = 422

    def __init__(self, *, limit: int) -> None:
        super().__init__()
        text = ngettext("An order can have %(limit)s piece.", "An order can have up to %(limit)s pieces.", limit)
        self.reason = text % {"limit": limit}


class ForeignEdition(HoldRefused):
    title = _("That edition isn't part of this drop.")
    reason = _("Choose one from the list.")
    status = 422


class UsedUp(HoldRefused):
    title = _("You've used both your holds.")
    reason = _("Each ticket can hold twice. After that, it's someone else's turn.")


class HoldOver(HoldRefused):
    title = _("Your hold has ended.")
    reason = _("What you held has been released. You keep your place.")
    status = 410


class Gone(HoldRefused):
    title = _("Sold out.")
    reason = _("Every piece of this edition has been sold.")
    status = 410


class NoneFree(HoldRefused):
    """Fewer are free than were wanted. `offers` says how many are, per edition; `held` more may come back."""

    def __init__(self, *, offers: Mapping[int, int], held: int) -> None:
        super().__init__()
        self.offers, self.held = dict(offers), held
        free = sum(offers.values())
        if free:
            text = ngettext("Only %(n)s is available right now.", "Only %(n)s are available right now.", free)
            self.title = text % {"n": free}
        else:
            self.title = _("None available right now.")
        self.reason = ""
        if held:
            text = ngettext(
                "%(n)s is in a checkout and may come back.", "%(n)s are in checkouts and may come back.", held
            )
            self.reason = text % {"n": held}


def place(*, drop: Drop, admit: Pass, wanted: Mapping[int, int]) -> Hold:
    """Hold the wanted units {edition id: quantity} for the pass's ticket, all or none; its live hold, if it has one.

    Raises HoldRefused, with nothing changed.
    """
    editions = chosen_editions(drop=drop, wanted=wanted)
    with transaction.atomic():
        release_own_lapsed(drop=drop, ticket=admit.ticket)
        hold = insert(drop=drop, admit=admit)
        if hold is None:
            return existing_hold(drop=drop, ticket=admit.ticket)
        for edition in editions:
            add_line(hold=hold, edition=edition, quantity=wanted[edition.pk])
            fill(hold=hold, edition=edition, quantity=wanted[edition.pk], wanted=wanted)
    return hold


def chosen_editions(*, drop: Drop, wanted: Mapping[int, int]) -> list[Edition]:
    """Give the wanted editions in the order in which their units are taken. Raises ForeignEdition, WrongQuantity."""
    fixed = queries.cached_fixed_parts(drop_id=drop.pk)
    editions = sorted((row for row in fixed.editions.all() if row.pk in wanted), key=lambda row: row.pk)
    if len(editions) != len(wanted):
        raise ForeignEdition
    within = all(1 <= wanted[edition.pk] <= edition.limit_per_order for edition in editions)
    if not (editions and within and sum(wanted.values()) <= drop.limit_per_order):
        raise WrongQuantity(limit=drop.limit_per_order)
    return editions


def add_line(*, hold: Hold, edition: Edition, quantity: int) -> None:
    """Write what the hold is to own of one edition, and at which price."""
    run(
        "INSERT INTO drops_holdline (hold_id, edition_id, quantity, price, taken_back) VALUES (%s, %s, %s, %s, 0)",
        [hold.pk, edition.pk, quantity, edition.price],
    )


def release_own_lapsed(*, drop: Drop, ticket: bytes) -> None:
    """Release the ticket's own hold if it lapsed, so that it does not block the ticket."""
    run(
        f"""
        WITH over AS (
            UPDATE drops_hold h SET state = 'released', ended_at = statement_timestamp()
            WHERE h.drop_id = %s AND h.ticket = %s AND h.state = 'open'
              AND h.expires_at < statement_timestamp() AND {NOT_PAUSED}
            RETURNING id
        )
        UPDATE drops_unit SET hold_id = NULL WHERE hold_id IN (SELECT id FROM over)
        """,
        [drop.pk, ticket.hex()],
    )


def insert(*, drop: Drop, admit: Pass) -> Hold | None:
    """Insert an open hold if the drop takes holds and the ticket has one left; None if the row was not inserted."""
    rows = Hold.objects.raw(
        f"""
        INSERT INTO drops_hold (uuid, drop_id, state, nth, currency, created_at, expires_at, ticket, index, place,
                                cursor, entered_at)
        SELECT gen_random_uuid(), h.id, 'open', 1 + had.n, h.currency, statement_timestamp(),
               statement_timestamp() + h.hold_seconds * interval '1 second', %s, %s, %s, %s, to_timestamp(%s)
        FROM (SELECT d.*, d.id AS drop_id FROM drops_drop d) h,
             LATERAL (SELECT count(*) AS n FROM drops_hold WHERE drop_id = h.id AND ticket = %s) had
        WHERE h.id = %s AND h.sealed_at IS NOT NULL AND h.closed_at IS NULL AND h.cancelled_at IS NULL
          AND (h.closes_at IS NULL OR h.closes_at > statement_timestamp()) AND {NOT_PAUSED} AND had.n < 2
        ON CONFLICT DO NOTHING
        RETURNING {columns(Hold)}
        """,
        [admit.ticket.hex(), admit.index, admit.place, admit.cursor, admit.entered, admit.ticket.hex(), drop.pk],
    )
    return next(iter(rows), None)


def existing_hold(*, drop: Drop, ticket: bytes) -> Hold:
    """Give the ticket's live hold, since no new one was inserted. Raises NotLive, UsedUp."""
    mine = Hold.objects.filter(drop=drop, ticket=ticket.hex())
    if live := mine.filter(state__in=Hold.LIVE).first():
        return live
    if mine.count() >= 2:
        raise UsedUp
    raise NotLive


def fill(*, hold: Hold, edition: Edition, quantity: int, wanted: Mapping[int, int]) -> None:
    """Give the hold exactly that many units of the edition. Raises NoneFree or Gone, for the transaction to undo."""
    taken = take_free(hold=hold, edition=edition, quantity=quantity)
    if taken < quantity:
        reclaim(edition=edition, quantity=quantity - taken)
        taken += take_free(hold=hold, edition=edition, quantity=quantity - taken)
    for _try in range(TRIES):
        if taken == quantity or taken + count_free(edition=edition) < quantity:
            break
        time.sleep(random.uniform(0.01, 0.05))  # they are free, but somebody's transaction has them locked
        taken += take_free(hold=hold, edition=edition, quantity=quantity - taken)
    if taken == quantity:
        return
    held = Unit.objects.filter(edition=edition, hold__state__in=[OPEN, PAYING]).exclude(hold=hold).count()
    here = taken + count_free(edition=edition)
    if not held and not here:
        raise Gone
    raise NoneFree(offers={**wanted, edition.pk: min(here, quantity)} if here else {}, held=held)


def take_free(*, hold: Hold, edition: Edition, quantity: int) -> int:
    """Move up to `quantity` free units to the hold in one statement; how many it got.

    The free units are entered at a random number and read on from there, round the end, so that many shoppers at
    once meet at different rows; rows locked by others are passed over.
    """
    start = random.randint(1, edition.quantity)
    return run(
        """
        WITH ahead AS (
            SELECT id FROM drops_unit
            WHERE edition_id = %(edition)s AND hold_id IS NULL AND withheld_at IS NULL AND number >= %(start)s
            ORDER BY number LIMIT %(quantity)s FOR UPDATE SKIP LOCKED
        ), behind AS (
            SELECT id FROM drops_unit
            WHERE edition_id = %(edition)s AND hold_id IS NULL AND withheld_at IS NULL AND number < %(start)s
            ORDER BY number LIMIT %(quantity)s - (SELECT count(*) FROM ahead) FOR UPDATE SKIP LOCKED
        )
        UPDATE drops_unit SET hold_id = %(hold)s
        WHERE id IN (SELECT id FROM ahead UNION ALL SELECT id FROM behind)
        """,
        {"edition": edition.pk, "start": start, "quantity": quantity, "hold": hold.pk},
    )


def count_free(*, edition: Edition) -> int:
    """Count the edition's free units as committed, locked or not."""
    return Unit.objects.filter(edition=edition, hold=None, withheld_at=None).count()


def reclaim(*, edition: Edition, quantity: int) -> int:
    """Release lapsed holds of the edition, up to `quantity` of them; how many."""
    return release_lapsed(
        where="AND h.id IN (SELECT hold_id FROM drops_holdline WHERE edition_id = %(edition)s)",
        values={"edition": edition.pk, "most": quantity},
    )


def expire_due(*, most: int = 500) -> int:
    """Release lapsed holds of all drops; how many."""
    with transaction.atomic():
        return release_lapsed(where="", values={"most": most})


def release_lapsed(*, where: str, values: dict[str, int]) -> int:
    """Release open holds that lapsed five seconds ago and free their units; how many holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH due AS (
                SELECT h.id FROM drops_hold h
                WHERE h.state = 'open' AND h.expires_at < statement_timestamp() - interval '5 seconds'
                  AND {NOT_PAUSED} {where}
                ORDER BY h.expires_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
            ), over AS (
                UPDATE drops_hold SET state = 'released', ended_at = statement_timestamp()
                WHERE id IN (SELECT id FROM due) AND state = 'open'
                RETURNING id
            ), freed AS (
                UPDATE drops_unit SET hold_id = NULL WHERE hold_id IN (SELECT id FROM over)
            )
            SELECT count(*) FROM over
            """,
            values,
        )
        count: int = cursor.fetchone()[0]
        return count


def release_open(*, hold: Hold) -> None:
    """Free the units again. Does nothing if the hold is over or being paid for."""
    release(hold=hold, state=OPEN)


def release_unpaid(*, hold: Hold) -> None:
    """Free the units of a hold being paid for: its intent is canceled, or nothing was ever sent."""
    release(hold=hold, state=PAYING)


def release(*, hold: Hold, state: Hold.State) -> None:
    with transaction.atomic():
        if Hold.objects.filter(pk=hold.pk, state=state).update(state=RELEASED, ended_at=Now()):
            Unit.objects.filter(hold=hold).update(hold=None)


def pay(*, hold: Hold) -> None:
    """Keep the units while money is asked for. Raises HoldOver if it lapsed or is over, with nothing changed."""
    if not PAID.rows(hold=hold.pk):
        raise HoldOver


def reopen(*, hold: Hold, seconds: int = 120) -> None:
    """Give the hold back to its shopper after a decline, with at least two minutes left. Raises HoldOver."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE drops_hold
            SET state = 'open', expires_at = greatest(expires_at, statement_timestamp() + %s * interval '1 second')
            WHERE id = %s AND state = 'paying'
            """,
            [seconds, hold.pk],
        )
        if not cursor.rowcount and read_again(hold=hold) != OPEN:
            raise HoldOver


def allocate(*, hold: Hold) -> None:
    """Keep the units for good, in the caller's transaction: the money is authorised. Raises HoldOver if it can't."""
    # One UPDATE decides the race: whoever changes the row first wins.
    if not KEPT.rows(hold=hold.pk) and read_again(hold=hold) != ALLOCATED:
        raise HoldOver  # released; had another caller allocated it, that is as good as ours


def withhold(*, hold: Hold, reason: str) -> None:
    """Withhold the units of an allocated hold whose money can't be had. Selling them again is another act."""
    with transaction.atomic():
        if Hold.objects.filter(pk=hold.pk, state=ALLOCATED).update(state=RETURNED, ended_at=Now()):
            HoldLine.objects.filter(hold=hold).update(taken_back=F("quantity"))
            Unit.objects.filter(hold=hold).update(hold=None, withheld_at=Now(), withheld_reason=reason)


def read_again(*, hold: Hold) -> str:
    """Give the hold's state under its lock: what an UPDATE of 0 rows leaves open."""
    return Hold.objects.select_for_update().values_list("state", flat=True).get(pk=hold.pk)


def run(sql: str, values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        count: int = cursor.rowcount
        return count
