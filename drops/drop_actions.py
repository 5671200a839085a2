"""Announcing a drop, and what may be done to it afterwards: pause, resume, close. Nothing else changes it then.

    draft ──announce──▶ announced … live ──close──▶ closed
                           │  ▲
                         pause resume

Announcing fixes what shoppers rely on: product, address, currency, times, limits, editions with price and quantity, and
the commitment to the shuffle. It makes every unit. Each act is one guarded statement by the database's clock, safe to
click twice, and writes its journal entry in the same transaction.
"""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Count, F, Max, Q
from django.db.models.functions import Greatest, Now
from django.utils import timezone
from django.utils.translation import gettext as _

from drops.models import Checkpoint, Drop, Edition, Hold, Pause
from drops.waitingroom.protocol import places
from shop.core import audit_log, money
from shop.models import Picture

# The least that Stripe charges, in the smallest unit: docs.stripe.com/currencies, "Minimum and maximum charge amounts".
# A drop sells in one of these currencies.
MINIMUMS = {
    "AED": 200, "ARS": 50, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "COP": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "IDR": 50, "ILS": 50, "INR": 50, "JPY": 50, "KRW": 50, "MXN": 1000,
    "MYR": 200, "NOK": 300, "NZD": 50, "PHP": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
    "ZAR": 50,
}  # fmt: skip
MOST_UNITS = 200_000  # of a drop: they are made in one statement
RESUMED_SECONDS = 120  # what an open hold has left at least when a pause ends
NUMBERING = 7_001  # key of the advisory lock under which listed drops get their numbers

RUNNING = Q(announced_at__isnull=False, closed_at=None, cancelled_at=None) & (
    Q(closes_at=None) | Q(closes_at__gt=Now())
)


class ActionRefused(Exception):
    """An act that the drop's state doesn't allow. Nothing was changed; the text says what to do instead."""


class NotReady(ActionRefused):
    """The drop can't be announced. `missing` says in words what it still needs."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(" ".join(missing))
        self.missing = missing


def missing(*, drop: Drop, now: datetime) -> list[str]:
    """Say in words what an announcement of the drop still needs, with the field and its mend; nothing: it is ready."""
    editions = list(drop.editions.select_related("variant"))
    return [
        *times_missing(drop=drop, now=now),
        *currency_missing(drop=drop),
        *(sentence for edition in editions for sentence in edition_missing(drop=drop, edition=edition)),
        *quantity_missing(drop=drop, editions=editions),
        *pictures_missing(drop=drop),
    ]


def times_missing(*, drop: Drop, now: datetime) -> list[str]:
    """Say what is wrong with the drop's times, by themselves and by the clock."""
    found = []
    if drop.opens_at is None:
        found.append(_("Opens: say when the drop opens."))
    elif drop.opens_at <= now:
        found.append(_("Opens: that time has passed. Choose one that is still to come."))
    if drop.lobby_opens_at is None:
        found.append(_("Lobby opens: say when shoppers may line up, before the drop opens."))
    elif drop.opens_at is not None and drop.lobby_opens_at >= drop.opens_at:
        found.append(_("Lobby opens: the lobby has to open before the drop does. Choose an earlier time."))
    if drop.closes_at is not None and drop.opens_at is not None and drop.closes_at <= drop.opens_at:
        found.append(_("Closes: the drop would close before it opens. Choose a later time, or leave it empty."))
    return found


def currency_missing(*, drop: Drop) -> list[str]:
    """Say if the drop's currency is none that orders can be charged in."""
    if drop.currency in MINIMUMS:
        return []
    return [
        _("Currency: “%(currency)s” can't be charged. Choose one of %(known)s.")
        % {"currency": drop.currency, "known": ", ".join(MINIMUMS)}
    ]


def edition_missing(*, drop: Drop, edition: Edition) -> list[str]:
    """Say what is wrong with one edition."""
    found, name = [], {"edition": edition.variant.sku}
    least = MINIMUMS.get(drop.currency, 1)
    if edition.variant.product_id != drop.product_id:
        found.append(_("Edition %(edition)s: the variant is of another product. Choose one of this drop's.") % name)
    if edition.price < least:
        found.append(
            _("Price of %(edition)s: Stripe charges %(least)s at least. Raise the price.")
            % {**name, "least": money.format_amount(amount=least, currency=drop.currency)}
        )
    if not 1 <= edition.limit_per_order <= drop.limit_per_order:
        found.append(
            _("Limit per order of %(edition)s: choose 1 to %(limit)s, the drop's own limit.")
            % {**name, "limit": drop.limit_per_order}
        )
    return found


def quantity_missing(*, drop: Drop, editions: list[Edition]) -> list[str]:
    """Say if there is nothing to sell, more than can be made at once, or less than one order may hold."""
    units = sum(edition.quantity for edition in editions)
    if not editions:
        return [_("Editions: there is none. Add one at least, with its price and quantity.")]
    if units > MOST_UNITS:
        return [_("Quantity: a drop has %(most)s pieces at most. Lower the quantities.") % {"most": f"{MOST_UNITS:,}"}]
    if drop.limit_per_order > units:
        return [_("Limit per order: it is above the %(units)s pieces there are. Lower it.") % {"units": units}]
    return []


def pictures_missing(*, drop: Drop) -> list[str]:
    """Say if the product has no picture to lead with, or one that is not described."""
    pictures = Picture.objects.filter(product=drop.product_id)
    count = pictures.aggregate(hero=Count("pk", filter=Q(role=Picture.Role.HERO)), mute=Count("pk", filter=Q(alt="")))
    found = []
    if not count["hero"]:
        found.append(_("Pictures: the product has none in the role “hero”. Add one on the product's page."))
    if count["mute"]:
        found.append(_("Pictures: one has no alternative text. Write it on the product's page."))
    return found


def announce(*, drop: Drop, who: AbstractBaseUser | None) -> Drop:
    """Fix the drop, commit to its shuffle and make its units; the drop as announced. A second call finds it done.

    Raises NotReady with nothing changed.
    """
    with transaction.atomic():
        # The lock keeps forms from changing editions between the check and the announcement.
        row = Drop.objects.select_for_update().get(pk=drop.pk)
        if row.announced_at is None:
            if lacks := missing(drop=row, now=timezone.now()):  # in words; the UPDATE decides by the database's clock
                raise NotReady(lacks)
            publish(drop=row)
            row.refresh_from_db()
            units = make_units(drop=row)
            Checkpoint.objects.create(drop=row)
            audit_log.write(
                who=who,
                about=f"drop:{row.slug}",
                action="announced",
                after={"opens_at": str(row.opens_at), "units": units, "commitment": bytes(row.commitment or b"").hex()},
            )
    return row


def publish(*, drop: Drop) -> None:
    """Set the announcement, the commitment and, for a listed drop, its number. Raises NotReady if its time passed."""
    nonce = secrets.token_bytes(16)
    secret = places.secret(bytes.fromhex(settings.SHUFFLE_KEY), drop.pk, nonce)
    number = next_number() if drop.listed else None
    due = Drop.objects.filter(pk=drop.pk, announced_at=None, opens_at__gt=Now())
    if not due.update(announced_at=Now(), nonce=nonce, commitment=places.commitment(secret), number=number):
        raise NotReady([_("Opens: that time has passed. Choose one that is still to come.")])


def next_number() -> int:
    """Give the number of the next listed drop; until the transaction ends, nobody else gets one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NUMBERING])
    return (Drop.objects.aggregate(last=Max("number"))["last"] or 0) + 1


def make_units(*, drop: Drop) -> int:
    """Make every unit of the drop in one statement; how many."""
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


def pause(*, drop: Drop, who: AbstractBaseUser | None, reason: str) -> None:
    """Let nobody in until `resume`; no open hold lapses meanwhile. Does nothing if it is paused. Raises Refused."""
    with transaction.atomic():
        if not Drop.objects.select_for_update().filter(RUNNING, pk=drop.pk).exists():
            raise ActionRefused(_("Only a drop that is announced and not over can be paused."))
        _pause, began = Pause.objects.get_or_create(
            drop=drop, ended_at=None, defaults={"began_at": Now(), "reason": reason}
        )
        if began:
            audit_log.write(who=who, about=f"drop:{drop.slug}", action="paused", after={"reason": reason})


def resume(*, drop: Drop, who: AbstractBaseUser | None) -> None:
    """End the pause; whoever holds units has two minutes at least. Does nothing if it isn't paused."""
    with transaction.atomic():
        if end_pause(drop=drop):
            audit_log.write(who=who, about=f"drop:{drop.slug}", action="resumed")


def end_pause(*, drop: Drop) -> bool:
    """End the open pause, in the caller's transaction; whether there was one."""
    if not Pause.objects.filter(drop=drop, ended_at=None).update(ended_at=Now()):
        return False
    least = Now() + timedelta(seconds=RESUMED_SECONDS)
    Hold.objects.filter(drop=drop, state=Hold.State.OPEN).update(expires_at=Greatest(F("expires_at"), least))
    return True


def close(*, drop: Drop, who: AbstractBaseUser | None) -> None:
    """End the drop for good: nobody is let in any more. Does nothing if it is closed. Raises Refused for a draft.

    Holds live on to their end; a pause ends, since it would keep them for ever.
    """
    with transaction.atomic():
        announced = Drop.objects.filter(pk=drop.pk, announced_at__isnull=False)
        if announced.filter(closed_at=None, cancelled_at=None).update(closed_at=Now()):
            end_pause(drop=drop)
            audit_log.write(who=who, about=f"drop:{drop.slug}", action="closed")
        elif not announced.exists():
            raise ActionRefused(_("A draft can't be closed. Delete it if it isn't wanted."))
