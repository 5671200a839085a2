"""The actions on a drop: announce, pause, resume, close, cancel.

    draft ──announce──▶ announced … live ──close──▶ closed
                           │  ▲                       │
                         pause resume                 │
                           └──────────cancel──────────┴──▶ cancelled

An announcement fixes what shoppers rely on: product, address, currency, times, limits, editions with their
price and quantity, and the commitment to the shuffle. It also makes every unit. Each action is guarded by the
database's clock, is safe to repeat, and writes its audit entry in the same transaction.
"""

import secrets
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Count, Exists, Max, OuterRef, Q
from django.db.models.functions import Now
from django.dispatch import Signal
from django.utils import timezone

from drops import shuffle_keys
from drops.models import Checkpoint, Drop, Edition, Hold, Pause, Unit
from drops.models.stock import time_to_pay
from drops.waitingroom.protocol import places
from shop.core import audit_log, money
from shop.models import Picture, Rendition

# The lowest amounts that Stripe charges, in the smallest unit; a drop sells in one of these currencies.
# docs.stripe.com/currencies, "Minimum and maximum charge amounts"
MIN_CHARGES = {
    "AED": 200, "ARS": 50, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "COP": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "IDR": 50, "ILS": 50, "INR": 50, "JPY": 50, "KRW": 50, "MXN": 1000,
    "MYR": 200, "NOK": 300, "NZD": 50, "PHP": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
    "ZAR": 50,
}  # fmt: skip
MAX_UNITS = 200_000  # in a drop: one statement makes them all
announced = Signal()  # sent with `drop`, in the transaction that announces it; pre-scaling plans it then
# Sent with `drop` before somebody cancels it: receivers return sentences about what that means to them.
cancelling = Signal()
NUMBERING_LOCK_ID = 7_001  # of the advisory lock under which listed drops get their numbers
OPENS_IN_THE_PAST = "Opens: this time has passed. Choose a time in the future."


class ActionRefused(Exception):
    """The drop's state doesn't allow the action. Nothing was changed; the text says what to do instead."""


class NotReady(ActionRefused):
    """The drop can't be announced yet. `problems` are sentences that say what to change."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def find_problems(*, drop: Drop, now: datetime) -> list[str]:
    """Return what keeps the drop from being announced: sentences that name the field and what to change."""
    editions = list(drop.editions.select_related("variant"))
    problems = [*time_problems(drop=drop, now=now), *currency_problems(drop=drop)]
    for edition in editions:
        problems += edition_problems(drop=drop, edition=edition)
    return [*problems, *quantity_problems(drop=drop, editions=editions), *picture_problems(drop=drop)]


def time_problems(*, drop: Drop, now: datetime) -> list[str]:
    """Return what is wrong with the drop's times, in themselves and by the clock."""
    problems = []
    if drop.opens_at is None:
        problems.append("Opens: enter when the drop opens.")
    elif drop.opens_at <= now:
        problems.append(OPENS_IN_THE_PAST)
    if drop.lobby_opens_at is None:
        problems.append("Lobby opens: enter when shoppers may join the line, before the drop opens.")
    elif drop.opens_at is not None and drop.lobby_opens_at >= drop.opens_at:
        problems.append("Lobby opens: the lobby must open before the drop does. Choose an earlier time.")
    if drop.closes_at is not None and drop.opens_at is not None and drop.closes_at <= drop.opens_at:
        problems.append(
            "Closes: the drop would close before it opens. Choose a later time, or leave it empty."
        )
    return problems


def currency_problems(*, drop: Drop) -> list[str]:
    """Return what is wrong with the drop's currency: orders can't be charged in it."""
    if drop.currency in MIN_CHARGES:
        return []
    return [f"Currency: “{drop.currency}” can't be charged. Choose one of {', '.join(MIN_CHARGES)}."]


def edition_problems(*, drop: Drop, edition: Edition) -> list[str]:
    """Return what is wrong with one edition."""
    problems = []
    sku = edition.variant.sku
    min_charge = MIN_CHARGES.get(drop.currency, 1)
    if edition.variant.product_id != drop.product_id:
        problems.append(f"Edition {sku}: the variant belongs to another product. Choose one of this drop's.")
    if edition.price < min_charge:
        lowest = money.format_amount(amount=min_charge, currency=drop.currency)
        problems.append(
            f"Price of {sku}: the lowest amount that Stripe charges is {lowest}. Raise the price."
        )
    if not 1 <= edition.limit_per_order <= drop.limit_per_order:
        problems.append(
            f"Limit per order of {sku}: choose a number from 1 to {drop.limit_per_order}, the drop's own limit."
        )
    return problems


def quantity_problems(*, drop: Drop, editions: list[Edition]) -> list[str]:
    """Return what is wrong with the quantities: none, too many, or fewer than one order may have."""
    units = sum(edition.quantity for edition in editions)
    if not editions:
        return ["Editions: there are none. Add at least one, with its price and quantity."]
    if units > MAX_UNITS:
        return [f"Quantity: a drop can have up to {MAX_UNITS:,} pieces. Lower the quantities."]
    if drop.limit_per_order > units:
        return [f"Limit per order: it is higher than the number of pieces, {units}. Lower it."]
    return []


def picture_problems(*, drop: Drop) -> list[str]:
    """Return what is wrong with the product's pictures.

    None is the main one, or one has no description or no renditions.
    """
    renditions = Rendition.objects.filter(picture=OuterRef("pk"))
    found = Picture.objects.filter(product=drop.product_id).annotate(is_shown=Exists(renditions))
    counts = found.aggregate(
        hero=Count("pk", filter=Q(role=Picture.Role.HERO)),
        undescribed=Count("pk", filter=Q(alt="")),
        original=Count("pk", filter=Q(is_shown=False)),
    )
    problems = []
    if not counts["hero"]:
        problems.append("Pictures: none has the role “hero”. Add one on the product's page.")
    if counts["undescribed"]:
        problems.append("Pictures: one has no alternative text. Add it on the product's page.")
    if counts["original"]:
        problems.append("Pictures: one isn't prepared for pages yet. Wait some minutes, or upload it again.")
    return problems


def announce(*, drop: Drop, actor: AbstractBaseUser | None) -> Drop:
    """Fix the drop, commit to its shuffle and make its units; return it as announced. Safe to repeat.

    Raises NotReady, with nothing changed.
    """
    with transaction.atomic():
        # The lock keeps forms from changing editions between the check and the announcement.
        row = Drop.objects.select_for_update().get(pk=drop.pk)
        if row.announced_at is not None:
            return row
        problems = find_problems(drop=row, now=timezone.now())
        if problems:
            raise NotReady(problems)
        mark_announced(drop=row)
        row.refresh_from_db()
        units = make_units(drop=row)
        Checkpoint.objects.create(drop=row)
        commitment = bytes(row.commitment or b"").hex()
        after = {"opens_at": str(row.opens_at), "units": units, "commitment": commitment}
        audit_log.write(actor=actor, about=f"drop:{row.slug}", action="announced", after=after)
        announced.send(sender=Drop, drop=row)
    return row


def mark_announced(*, drop: Drop) -> None:
    """Write the announcement, the commitment and, for a listed drop, its number.

    Raises NotReady if too late.
    """
    nonce = secrets.token_bytes(16)
    key_id = shuffle_keys.newest()
    secret = places.secret(shuffle_keys.keys()[key_id], drop.pk, nonce)
    number = None
    if drop.listed:
        number = next_number()
    # Whether the drop opens in the future was checked by this machine's clock. The database's clock decides.
    updated = Drop.objects.filter(pk=drop.pk, announced_at=None, opens_at__gt=Now()).update(
        announced_at=Now(),
        nonce=nonce,
        shuffle_key_id=key_id,
        commitment=places.commitment(secret),
        number=number,
    )
    if not updated:
        raise NotReady([OPENS_IN_THE_PAST])


def next_number() -> int:
    """Return the number for the next listed drop, in the caller's transaction."""
    # The lock is held until that transaction ends, so that two announcements at once get two numbers. A
    # sequence would leave a gap when an announcement fails.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NUMBERING_LOCK_ID])
    highest = Drop.objects.aggregate(highest=Max("number"))["highest"]
    return (highest or 0) + 1


def make_units(*, drop: Drop) -> int:
    """Make every unit of the drop in one statement; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO drops_unit (edition_id, number, withheld_reason)
            SELECT e.id, n, '' FROM drops_edition e CROSS JOIN LATERAL generate_series(1, e.quantity) n
            WHERE e.drop_id = %s ORDER BY e.id, n
            """,
            [drop.pk],
        )
        return int(cursor.rowcount)


def pause(*, drop: Drop, actor: AbstractBaseUser | None, reason: str) -> None:
    """Stop admission until `resume`; no open hold lapses until then. Does nothing if the drop is paused.

    Raises ActionRefused unless the drop is announced and not closed.
    """
    with transaction.atomic():
        if not Drop.objects.not_closed().select_for_update().filter(pk=drop.pk).exists():
            raise ActionRefused("Only a drop that is announced and hasn't ended can be paused.")
        _pause, began = Pause.objects.get_or_create(
            drop=drop, ended_at=None, defaults={"began_at": Now(), "reason": reason}
        )
        if began:
            audit_log.write(actor=actor, about=f"drop:{drop.slug}", action="paused", after={"reason": reason})


def resume(*, drop: Drop, actor: AbstractBaseUser | None) -> None:
    """End the pause; open holds have at least two minutes left. Does nothing if the drop isn't paused."""
    with transaction.atomic():
        if end_pause(drop=drop):
            audit_log.write(actor=actor, about=f"drop:{drop.slug}", action="resumed")


def end_pause(*, drop: Drop) -> bool:
    """End the open pause, in the caller's transaction; return whether there was one."""
    if not Pause.objects.filter(drop=drop, ended_at=None).update(ended_at=Now()):
        return False
    Hold.objects.filter(drop=drop, state=Hold.State.OPEN).update(expires_at=time_to_pay())
    return True


def close(*, drop: Drop, actor: AbstractBaseUser | None) -> None:
    """End the drop for good: nobody is admitted any more. Does nothing if it has been closed.

    Holds stay payable until they expire. A pause ends, since it would keep them open for ever.

    Raises ActionRefused for a draft.
    """
    with transaction.atomic():
        announced = Drop.objects.filter(pk=drop.pk, announced_at__isnull=False)
        if announced.filter(closed_at=None, cancelled_at=None).update(closed_at=Now()):
            end_pause(drop=drop)
            audit_log.write(actor=actor, about=f"drop:{drop.slug}", action="closed")
        elif not announced.exists():
            raise ActionRefused("A draft can't be closed. Delete it if you don't need it.")


def cancel(*, drop: Drop, actor: AbstractBaseUser | None, reason: str = "") -> None:
    """Call the drop off: open holds are released, and no payment is decided for its shopper any more.

    What was decided before is captured, for the shop to refund. Attempts that weren't sent yet are withdrawn
    by a sweep. Does nothing if the drop has been cancelled.

    Raises ActionRefused for a draft.
    """
    with transaction.atomic():
        # An allocation locks this row too: it comes before us, or sees `cancelled_at`.
        announced = Drop.objects.filter(pk=drop.pk, announced_at__isnull=False)
        if not announced.filter(cancelled_at=None).update(cancelled_at=Now()):
            if not announced.exists():
                raise ActionRefused("A draft can't be cancelled. Delete it if you don't need it.")
            return
        Pause.objects.filter(drop=drop, ended_at=None).update(ended_at=Now())
        released = release_of_cancelled(drop=drop)
        after = {"reason": reason, "holds_released": released}
        audit_log.write(actor=actor, about=f"drop:{drop.slug}", action="cancelled", after=after)


def release_of_cancelled(*, drop: Drop) -> int:
    """Release the drop's open holds, in the caller's transaction; return how many."""
    holds = Hold.objects.filter(drop=drop, state=Hold.State.OPEN).select_for_update(of=("self",))
    found = list(holds.order_by("pk").values_list("pk", flat=True))
    Hold.objects.filter(pk__in=found).update(state=Hold.State.RELEASED, ended_at=Now())
    Unit.objects.filter(hold__in=found).update(hold=None)
    return len(found)


def consequences(*, drop: Drop) -> list[str]:
    """Return what cancelling the drop would mean now, in sentences for the person who decides."""
    checkpoint = Checkpoint.objects.filter(drop=drop).first()
    joined = checkpoint.joined if checkpoint else 0
    open_holds = Hold.objects.filter(drop=drop, state=Hold.State.OPEN).count()
    sentences = [
        f"In line: {joined:,}. Their pages say that the drop was cancelled, and nobody can join or enter.",
        f"Open holds: {open_holds:,}. They are released at once.",
    ]
    for _receiver, found in cancelling.send(sender=Drop, drop=drop):
        sentences += found or []
    return sentences
