"""Holds: units set aside for one ticket.

    open ──pay──▶ paying ──allocate──▶ allocated ──withhold──▶ returned
     │ ▲            │        open ──change──▶ open, with the next version
     │ └──reopen────┤
     └─▶ released ◀─┘   release_open, expire_due; release_unpaid

A hold is all or nothing, and units change hands only behind the winning UPDATE on their hold row. Every guard
compares with the database's clock: a hold is payable until `expires_at`, and its units may be reclaimed five
seconds later. No hold lapses in a pause.
"""

import random
import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now
from django.dispatch import Signal
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from drops import queries
from drops.models import Drop, Edition, Hold, HoldLine, Unit
from drops.models.stock import HoldQuerySet, drop_is_cancelled, drop_is_paused, time_to_pay
from drops.refusals import HoldRefused
from drops.waitingroom.protocol.tickets import Pass
from shop.core import sql

MAX_RETRIES = 3  # for units that are free but were locked a moment ago
MIN_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.01, 0.05
MAX_HOLDS_PER_SWEEP = 500
units_withheld = Signal()  # sent with `drop`, after the commit; pre-scaling plans it again
OPEN, PAYING, ALLOCATED = Hold.State.OPEN, Hold.State.PAYING, Hold.State.ALLOCATED
RELEASED, RETURNED = Hold.State.RELEASED, Hold.State.RETURNED


class NotLive(HoldRefused):
    """The drop is not open yet, or it is paused."""

    title = _("This drop isn't taking orders right now.")
    reason = _("Your place is kept.")


class DropCancelled(HoldRefused):
    """The drop was cancelled: nothing can be held, and no units are allocated any more."""

    title = _("This drop was cancelled.")
    reason = _("Paid orders will be refunded. Nobody else is charged.")
    status = 410


class DropEnded(HoldRefused):
    """The drop is closed: nothing can be held any more."""

    title = _("This drop has ended.")
    reason = _("Nothing more can be held. Paid orders will be shipped.")
    status = 410


class WrongQuantity(HoldRefused):
    """The order would be empty, or larger than `limit`."""

    title = _("Choose a different quantity.")
    status = 422

    def __init__(self, *, limit: int) -> None:
        super().__init__()
        text = ngettext("An order can have %(n)s piece.", "An order can have up to %(n)s pieces.", limit)
        self.reason = text % {"n": limit}


class OtherUnitsHeld(Exception):
    """The ticket has a live hold, of other units than were chosen now."""

    def __init__(self, hold: Hold) -> None:
        super().__init__()
        self.hold = hold


class ChangeRefused(HoldRefused):
    """The drop is paused or closed, so that no other units can be taken."""

    title = _("You can't choose again right now.")
    reason = _("You keep what you hold, and you haven't been charged.")


class HoldChanged(HoldRefused):
    """The hold has other units than the version that was named."""

    title = _("What you hold has changed since this page was loaded.")
    reason = _("Please check it before you pay.")


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
            self.title = text % {"n": number_format(free, force_grouping=True)}
        else:
            self.title = _("None available right now.")
        self.reason = ""
        if held:
            text = ngettext(
                "%(n)s is in a checkout and may come back.", "%(n)s are in checkouts and may come back.", held
            )
            self.reason = text % {"n": number_format(held, force_grouping=True)}


def place(*, drop: Drop, pass_: Pass, quantities: Mapping[int, int]) -> Hold:
    """Hold the units {edition id: quantity} for the pass's ticket, all or none; return the hold.

    A ticket that has a live hold of these units gets that one. Raises HoldRefused, or OtherUnitsHeld if its
    live hold has other units; with nothing changed.
    """
    editions = chosen_editions(drop=drop, quantities=quantities)
    with transaction.atomic():
        hold = insert(drop=drop, pass_=pass_)
        if hold is None and release_own_lapsed(drop=drop, ticket=pass_.ticket):
            hold = insert(drop=drop, pass_=pass_)
        if hold is None:
            hold = existing_hold(drop=drop, ticket=pass_.ticket)
            if dict(hold.lines.values_list("edition", "quantity")) != dict(quantities):
                raise OtherUnitsHeld(hold)
            return hold
        for edition in editions:
            quantity = quantities[edition.pk]
            HoldLine.objects.create(hold=hold, edition=edition, quantity=quantity, price=edition.price)
            fill(hold=hold, edition=edition, quantity=quantity, quantities=quantities)
    return hold


def chosen_editions(*, drop: Drop, quantities: Mapping[int, int]) -> list[Edition]:
    """Return the chosen editions in the order in which their units are taken.

    Raises ForeignEdition, WrongQuantity.
    """
    fixed = queries.cached_fixed_parts(drop_id=drop.pk)
    editions = [edition for edition in fixed.editions.all() if edition.pk in quantities]
    if len(editions) != len(quantities):
        raise ForeignEdition
    for edition in editions:
        if not 1 <= quantities[edition.pk] <= edition.limit_per_order:
            raise WrongQuantity(limit=edition.limit_per_order)
    if not editions or sum(quantities.values()) > drop.limit_per_order:
        raise WrongQuantity(limit=drop.limit_per_order)
    # Everybody locks editions in the same order, so that no two transactions wait for each other.
    return sorted(editions, key=lambda edition: edition.pk)


def change(*, hold: Hold, quantities: Mapping[int, int]) -> None:
    """Swap the units of an open hold for {edition id: quantity}, all or none. Its end stays the same.

    Units of editions that stay are kept as far as possible. Raises HoldRefused, with nothing changed.
    """
    editions = chosen_editions(drop=hold.drop, quantities=quantities)
    with transaction.atomic():
        raise_version(hold=hold)
        held = dict(HoldLine.objects.filter(hold=hold).values_list("edition", "quantity"))
        HoldLine.objects.filter(hold=hold).delete()
        for edition_id, quantity in held.items():
            drop_surplus(hold=hold, edition_id=edition_id, keep=min(quantity, quantities.get(edition_id, 0)))
        for edition in editions:
            quantity = quantities[edition.pk]
            HoldLine.objects.create(hold=hold, edition=edition, quantity=quantity, price=edition.price)
            kept = min(quantity, held.get(edition.pk, 0))
            fill(hold=hold, edition=edition, quantity=quantity, quantities=quantities, owned=kept)


def raise_version(*, hold: Hold) -> None:
    """Raise the version of an open hold that has not lapsed, while its drop sells.

    Raises HoldOver, ChangeRefused, DropCancelled.
    """
    # The conditions on the hold stand beside each other, not in a subquery: only so does Postgres test them
    # again after it has waited for another transaction.
    is_selling = Exists(Drop.objects.not_closed().filter(pk=OuterRef("drop")))
    row = Hold.objects.filter(pk=hold.pk, state=OPEN, expires_at__gt=Now())
    if row.filter(is_selling, ~drop_is_paused()).update(version=F("version") + 1):
        return
    if Drop.objects.cancelled().filter(pk=hold.drop_id).exists():
        raise DropCancelled
    if row.exists() or Hold.objects.filter(drop_is_paused(), pk=hold.pk, state=OPEN).exists():
        raise ChangeRefused
    raise HoldOver


def drop_surplus(*, hold: Hold, edition_id: int, keep: int) -> None:
    """Free the hold's units of an edition, but for the `keep` lowest numbers."""
    units = Unit.objects.filter(hold=hold, edition=edition_id)
    kept = units.order_by("number").values("pk")[:keep]
    units.exclude(pk__in=list(kept.values_list("pk", flat=True))).update(hold=None)


def release_own_lapsed(*, drop: Drop, ticket: bytes) -> bool:
    """Release the ticket's own hold if it lapsed; return whether it had."""
    own = Hold.objects.filter(drop=drop, ticket=ticket.hex())
    if not own.lapsed().update(state=RELEASED, ended_at=Now()):
        return False
    Unit.objects.filter(hold__in=own.filter(state=RELEASED)).update(hold=None)
    return True


def insert(*, drop: Drop, pass_: Pass) -> Hold | None:
    """Insert an open hold. None if the drop isn't live, or the ticket has a live hold or had two."""
    # One statement checks and inserts, so that no pause, closing or second request gets in between.
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO drops_hold (uuid, drop_id, state, nth, currency, created_at, expires_at, ticket, index, place,
                                    cursor, entered_at)
            SELECT gen_random_uuid(), d.id, 'open', 1 + earlier.count, d.currency, statement_timestamp(),
                   statement_timestamp() + d.hold_seconds * interval '1 second',
                   %(ticket)s, %(index)s, %(place)s, %(cursor)s, to_timestamp(%(entered)s)
            FROM drops_drop d,
                 LATERAL (SELECT count(*) FROM drops_hold WHERE drop_id = d.id AND ticket = %(ticket)s) earlier
            WHERE d.id = %(drop)s AND d.sealed_at IS NOT NULL AND d.closed_at IS NULL AND d.cancelled_at IS NULL
              AND (d.closes_at IS NULL OR d.closes_at > statement_timestamp())
              AND NOT EXISTS (SELECT FROM drops_pause WHERE drop_id = d.id AND ended_at IS NULL)
              AND earlier.count < %(max_per_ticket)s
            ON CONFLICT DO NOTHING
            RETURNING {sql.columns(Hold)}
            """,
            {
                "drop": drop.pk,
                "ticket": pass_.ticket.hex(),
                "index": pass_.index,
                "place": pass_.place,
                "cursor": pass_.cursor,
                "entered": pass_.entered,
                "max_per_ticket": Hold.MAX_PER_TICKET,
            },
        )
        row = cursor.fetchone()
    return sql.from_row(Hold, row) if row else None


def existing_hold(*, drop: Drop, ticket: bytes) -> Hold:
    """Return the ticket's live hold, for which no new one was inserted.

    Raises DropCancelled, DropEnded, UsedUp, NotLive.
    """
    own = Hold.objects.filter(drop=drop, ticket=ticket.hex())
    live = own.live().first()
    if live is not None:
        return live
    if Drop.objects.cancelled().filter(pk=drop.pk).exists():
        raise DropCancelled
    if not Drop.objects.not_closed().filter(pk=drop.pk).exists():
        raise DropEnded
    if own.count() >= Hold.MAX_PER_TICKET:
        raise UsedUp
    raise NotLive


def of_ticket(*, drop: Drop, ticket: bytes) -> list[Hold]:
    """Return every hold that the ticket has had, Hold.MAX_PER_TICKET at most, first to last."""
    own = Hold.objects.with_drop_state().filter(drop=drop, ticket=ticket.hex())
    return list(own.order_by("nth"))


def fill(
    *, hold: Hold, edition: Edition, quantity: int, quantities: Mapping[int, int], owned: int = 0
) -> None:
    """Move as many units of the edition to the hold as it needs to have `quantity`; it owns `owned` of them.

    Raises Gone, or NoneFree, which offers `quantities` with as many of this edition as are free. The caller's
    transaction undoes what was taken.
    """
    taken = owned + take_free(hold=hold, edition=edition, quantity=quantity - owned)
    if taken < quantity:
        reclaim(edition=edition, max_holds=quantity - taken)
        taken += take_free(hold=hold, edition=edition, quantity=quantity - taken)
    for _attempt in range(MAX_RETRIES):
        if taken == quantity or taken + count_free(edition=edition) < quantity:
            break
        # Enough units are free, but other transactions have them locked at this moment.
        time.sleep(random.uniform(MIN_RETRY_SECONDS, MAX_RETRY_SECONDS))
        taken += take_free(hold=hold, edition=edition, quantity=quantity - taken)
    if taken == quantity:
        return
    held = Unit.objects.filter(edition=edition, hold__state__in=Hold.BUSY).exclude(hold=hold).count()
    available = taken + count_free(edition=edition)
    if available:
        raise NoneFree(offers={**quantities, edition.pk: min(available, quantity)}, held=held)
    if held:
        raise NoneFree(offers={}, held=held)
    raise Gone


def take_free(*, hold: Hold, edition: Edition, quantity: int) -> int:
    """Move up to `quantity` free units to the hold in one statement; return how many."""
    # SKIP LOCKED passes over units that other transactions are taking. Each starts at a random number and
    # wraps round at the end; otherwise hundreds at once would all try the lowest numbers and skip the same
    # locked rows.
    with connection.cursor() as cursor:
        cursor.execute(
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
            {
                "edition": edition.pk,
                "start": random.randint(1, edition.quantity),
                "quantity": quantity,
                "hold": hold.pk,
            },
        )
        return int(cursor.rowcount)


def count_free(*, edition: Edition) -> int:
    """Return how many units of the edition are free as committed, locked or not."""
    return Unit.objects.free().filter(edition=edition).count()


def reclaim(*, edition: Edition, max_holds: int) -> int:
    """Release lapsed holds of the edition, in the caller's transaction; return how many."""
    lapsed = Hold.objects.lapsed(ago=Hold.RECLAIM_AFTER).filter(lines__edition=edition)
    return release_lapsed(lapsed=lapsed, max_holds=max_holds)


def expire_due(*, max_holds: int = MAX_HOLDS_PER_SWEEP) -> int:
    """Release lapsed holds of all drops, and open ones of cancelled drops; return how many."""
    with transaction.atomic():
        lapsed = release_lapsed(lapsed=Hold.objects.lapsed(ago=Hold.RECLAIM_AFTER), max_holds=max_holds)
        # Placed while the drop was being cancelled, or open again after a decline.
        return lapsed + release_lapsed(lapsed=Hold.objects.of_cancelled_drops(), max_holds=max_holds)


def release_lapsed(*, lapsed: HoldQuerySet, max_holds: int) -> int:
    """Release the holds that lapsed first, in the caller's transaction; return how many."""
    # A hold that is locked is being paid for, or released by another caller. Ours can't change while locked.
    rows = lapsed.order_by("expires_at").select_for_update(of=("self",), skip_locked=True)
    due = list(rows.values_list("pk", flat=True)[:max_holds])
    if due:
        Hold.objects.filter(pk__in=due).update(state=RELEASED, ended_at=Now())
        Unit.objects.filter(hold__in=due).update(hold=None)
    return len(due)


def release_open(*, hold: Hold) -> None:
    """Free the units of an open hold. Does nothing if it is being paid for or has ended."""
    release(hold=hold, state=OPEN)


def release_unpaid(*, hold: Hold) -> None:
    """Free the units of a hold being paid for: its intent is canceled, or nothing was ever sent."""
    release(hold=hold, state=PAYING)


def release(*, hold: Hold, state: Hold.State) -> None:
    with transaction.atomic():
        if Hold.objects.filter(pk=hold.pk, state=state).update(state=RELEASED, ended_at=Now()):
            Unit.objects.filter(hold=hold).update(hold=None)


def pay(*, hold: Hold, version: int) -> None:
    """Keep the units while the payment is under way, if they are those of the `version` that was priced.

    Raises HoldOver if the hold has lapsed or ended, or its drop is cancelled; HoldChanged if its units have
    changed.
    """
    row = Hold.objects.filter(~drop_is_cancelled(), pk=hold.pk, state=OPEN, version=version)
    updated = row.filter(expires_at__gt=Now()).update(state=PAYING)
    if not updated:
        updated = row.filter(drop_is_paused()).update(state=PAYING)  # no hold lapses in a pause
    if updated:
        return
    if Hold.objects.filter(pk=hold.pk, state=OPEN).exclude(version=version).exists():
        raise HoldChanged
    raise HoldOver


def reopen(*, hold: Hold) -> None:
    """Let the shopper pay again after a decline, for at least two minutes.

    Raises HoldOver if the hold ended.
    """
    updated = Hold.objects.filter(pk=hold.pk, state=PAYING).update(state=OPEN, expires_at=time_to_pay())
    if not updated and locked_state(hold=hold) != OPEN:
        raise HoldOver


def allocate(*, hold: Hold) -> None:
    """Assign the units for good, inside the caller's transaction: the payment is authorised.

    Raises HoldOver if the hold was released, DropCancelled.
    """
    if is_cancelled(drop_id=hold.drop_id) and locked_state(hold=hold) != ALLOCATED:
        raise DropCancelled
    # One UPDATE decides the race: whichever transaction changes the row first wins.
    updated = Hold.objects.filter(pk=hold.pk, state=PAYING).update(state=ALLOCATED, ended_at=Now())
    # Another caller may have allocated it already, which is just as good.
    if not updated and locked_state(hold=hold) != ALLOCATED:
        raise HoldOver


def is_cancelled(*, drop_id: UUID) -> bool:
    """Whether the drop is cancelled; if it isn't, it can't be until the caller's transaction ends."""
    # FOR SHARE: allocations don't wait for each other, and a cancellation waits for all of them.
    with connection.cursor() as cursor:
        cursor.execute("SELECT cancelled_at IS NOT NULL FROM drops_drop WHERE id = %s FOR SHARE", [drop_id])
        return bool(cursor.fetchone()[0])


def withhold(*, hold: Hold, reason: str) -> None:
    """Withhold the units of an allocated hold that can't be paid for. They are not on sale again."""

    def tell_receivers() -> None:
        units_withheld.send(sender=Hold, drop=hold.drop)

    with transaction.atomic():
        if Hold.objects.filter(pk=hold.pk, state=ALLOCATED).update(state=RETURNED, ended_at=Now()):
            HoldLine.objects.filter(hold=hold).update(withheld=F("quantity"))
            Unit.objects.filter(hold=hold).update(hold=None, withheld_at=Now(), withheld_reason=reason)
            # After the commit, and logged if it fails: no receiver can hold up or undo the record of money.
            transaction.on_commit(tell_receivers, robust=True)


class UnitsElsewhere(Exception):
    """Some of the units aren't the hold's, or not any more. Nothing was changed."""


def withhold_units(*, hold: Hold, edition_id: int, numbers: Sequence[int], reason: str) -> None:
    """Withhold some units of an allocated hold: its shopper gets the money back, and they aren't on sale.

    Raises UnitsElsewhere.
    """

    def tell_receivers() -> None:
        units_withheld.send(sender=Hold, drop=hold.drop)

    count = len(numbers)
    with transaction.atomic():
        # One UPDATE on the line decides between two people who take the same units back.
        line = HoldLine.objects.filter(
            hold=hold, edition=edition_id, hold__state=ALLOCATED, withheld__lte=F("quantity") - count
        )
        units = Unit.objects.filter(hold=hold, edition=edition_id, number__in=numbers)
        if not line.update(withheld=F("withheld") + count):
            raise UnitsElsewhere
        if units.update(hold=None, withheld_at=Now(), withheld_reason=reason) != count:
            raise UnitsElsewhere
        transaction.on_commit(tell_receivers, robust=True)


def withhold_all(*, drop: Drop, hold_ids: Sequence[int], reason: str) -> None:
    """Withhold every unit of allocated holds of one drop, inside the caller's transaction."""

    def tell_receivers() -> None:
        units_withheld.send(sender=Hold, drop=drop)

    lines = HoldLine.objects.filter(hold__in=hold_ids, hold__state=ALLOCATED)
    lines.update(withheld=F("quantity"))
    Unit.objects.filter(hold__in=hold_ids, hold__state=ALLOCATED).update(
        hold=None, withheld_at=Now(), withheld_reason=reason
    )
    transaction.on_commit(tell_receivers, robust=True)


def locked_state(*, hold: Hold) -> str:
    """Lock the hold and return its state: what an UPDATE of no rows leaves open."""
    return Hold.objects.select_for_update().values_list("state", flat=True).get(pk=hold.pk)
