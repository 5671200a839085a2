"""Refunds: a row first, sent by a sweep, and what Stripe reports of them, ours and those of its dashboard.

A row is committed as sent before the call, which carries the row's uuid as the refund's metadata. If the
answer is unclear, the charge's refunds are looked through for that uuid, and only if it is absent is the
refund sent again: under a new key Stripe would refund twice.

What is requested stays within what is left of the captured amount (payments_refund_bound, in the database).
What Stripe reports is recorded whatever our limits say.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Now

from drops import holds
from payments.models import Dispute, LedgerEntry, Order, OrderLine, Payment, Refund, RefundLine
from payments.orders import emails
from payments.processing import gateway, money_alerts, rate_limit
from shop.core import audit_log, money

log = logging.getLogger(__name__)

State = Refund.State
DECIDED = (Payment.State.AUTHORISED, Payment.State.CAPTURING, Payment.State.CAPTURED)
# What Stripe calls a refund's states; the other states are ours.
BY_STATUS: dict[str, State] = {
    "pending": State.PENDING,
    "requires_action": State.REQUIRES_ACTION,
    "succeeded": State.SUCCEEDED,
    "failed": State.FAILED,
    "canceled": State.CANCELED,
}
# From which states a refund comes to one that Stripe reports. Any other report is an old one.
FROM: dict[str, tuple[State, ...]] = {
    State.PENDING: (State.SENT, State.UNKNOWN),
    State.REQUIRES_ACTION: (State.SENT, State.UNKNOWN, State.PENDING),
    State.SUCCEEDED: (State.SENT, State.UNKNOWN, State.PENDING, State.REQUIRES_ACTION),
    State.FAILED: (State.SENT, State.UNKNOWN, State.PENDING, State.REQUIRES_ACTION, State.SUCCEEDED),
    State.CANCELED: (State.SENT, State.UNKNOWN, State.PENDING, State.REQUIRES_ACTION),
}
MOVED = (State.PENDING, State.SUCCEEDED)  # Stripe has taken the amount off our balance
ANSWER_WITHIN = timedelta(seconds=30)  # a row that is longer `sent` lost the answer to its call
RETRY_AFTER = timedelta(seconds=30)  # after a refusal or an unclear answer
CHECK_AFTER = timedelta(days=1)  # Stripe is asked about a refund that is still on its way
MAX_PER_SWEEP = 20


class RefundRefused(Exception):
    """The refund can't be requested; the text says why. Nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class LinePart:
    """What is refunded of one order line, and for which pieces. The amount is in the smallest unit."""

    line: OrderLine
    amount: int
    numbers: Sequence[int] = ()
    units: str = RefundLine.Units.KEPT


def list_due() -> int:
    """List captured payments of cancelled drops for refund, and have their shoppers told; return how many."""
    captured = Payment.objects.filter(state=Payment.State.CAPTURED, refund_due_at=None)
    of_cancelled = captured.filter(order__hold__drop__cancelled_at__isnull=False)
    # A confirmation that could not be written yet would be wrong by now: the new notice replaces it.
    due = Payment.objects.filter(pk__in=of_cancelled.values("pk"), refund_due_at=None)
    return due.update(refund_due_at=Now(), notice_due=Payment.Notice.CANCELLATION)


def request(
    *,
    order: Order,
    parts: Sequence[LinePart],
    shipping: int = 0,
    goodwill: int = 0,
    reason: str,
    note: str = "",
    by: User | None,
) -> Refund:
    """Request a refund; a worker sends it once the payment is captured. Raises RefundRefused.

    Pieces that are to be withheld leave the order's hold in the same transaction.
    """
    amounts = [*(part.amount for part in parts), shipping, goodwill]
    amount = sum(amounts)
    if amount <= 0 or min(amounts) < 0:
        raise RefundRefused("Amount: enter what to refund, for a piece, for shipping, or as goodwill.")
    try:
        with transaction.atomic():
            # Locked, so that of two people who refund at once the second sees what the first has done.
            payment = Payment.objects.select_for_update().get(order=order)
            problem = find_problem(payment=payment, order=order, parts=parts, shipping=shipping)
            if problem:
                raise RefundRefused(problem)
            refund = Refund.objects.create(
                payment=payment,
                amount=amount,
                shipping=shipping,
                goodwill=goodwill,
                currency=payment.currency,
                reason=reason,
                note=note,
                by=by,
                livemode=payment.livemode,
                units_decided_at=Now(),
            )
            for part in parts:
                add_line(refund=refund, order=order, part=part)
            audit_log.write(
                actor=by,
                about=f"order:{order.number}",
                action="refund requested",
                after={"amount": amount, "currency": payment.currency, "reason": reason},
            )
    except holds.UnitsElsewhere:
        raise RefundRefused(
            "Pieces: some of them have been taken back already. Load the page again."
        ) from None
    except IntegrityError as error:
        if "left to refund" not in str(error):
            raise
        left = money.format_amount(amount=remaining(order=order), currency=order.currency)
        raise RefundRefused(f"Amount: only {left} of this payment is left to refund.") from None
    return refund


def decide_units(*, refund: Refund, parts: Sequence[LinePart], by: User | None) -> None:
    """Say what becomes of the pieces of a refund from Stripe's dashboard. Raises RefundRefused."""
    order = refund.payment.order
    try:
        with transaction.atomic():
            # One UPDATE decides between two people.
            undecided = Refund.objects.filter(pk=refund.pk, units_decided_at=None)
            if not undecided.update(units_decided_at=Now(), by=by):
                raise RefundRefused("Somebody has said by now what becomes of these pieces.")
            problem = part_problem(payment=refund.payment, order=order, parts=parts, shipping=0)
            if problem:
                raise RefundRefused(problem)
            for part in parts:
                add_line(refund=refund, order=order, part=part)
            numbers = [number for part in parts for number in part.numbers]
            audit_log.write(
                actor=by, about=f"order:{order.number}", action="units decided", after={"numbers": numbers}
            )
    except holds.UnitsElsewhere:
        raise RefundRefused(
            "Pieces: some of them have been taken back already. Load the page again."
        ) from None
    if not Refund.objects.filter(payment=refund.payment, units_decided_at=None).exists():
        money_alerts.units_decided(refund.payment)


def add_line(*, refund: Refund, order: Order, part: LinePart) -> None:
    RefundLine.objects.create(
        refund=refund, line=part.line, amount=part.amount, numbers=sorted(part.numbers), units=part.units
    )
    if part.numbers and part.units == RefundLine.Units.WITHHELD:
        holds.withhold_units(
            hold=order.hold,
            edition_id=part.line.edition_id,
            numbers=part.numbers,
            reason=f"refunded: {refund.get_reason_display()}",
        )


def find_problem(*, payment: Payment, order: Order, parts: Sequence[LinePart], shipping: int) -> str:
    """Return why the refund can't be requested, or nothing."""
    if payment.state in {Payment.State.VOIDING, Payment.State.VOIDED}:
        return "This payment was voided: nothing was charged, so there is nothing to refund."
    if payment.state not in DECIDED or payment.decision != Payment.Decision.CAPTURE:
        return "This payment isn't decided yet, so there is nothing to refund. Look again in a minute."
    if payment.disputes.filter(state=Dispute.State.OPEN).exists():
        return (
            "A dispute about this payment is open: the bank decides about the money, so nothing is refunded."
        )
    return part_problem(payment=payment, order=order, parts=parts, shipping=shipping)


def part_problem(*, payment: Payment, order: Order, parts: Sequence[LinePart], shipping: int) -> str:
    """Return which part of the refund is more than was paid for it and not refunded yet, or nothing."""
    live = Refund.objects.filter(payment=payment).exclude(state__in=Refund.VOID)
    left = shipping_paid(order) - (live.aggregate(sum=Sum("shipping"))["sum"] or 0)
    if shipping > left:
        text = money.format_amount(amount=left, currency=order.currency)
        return f"Shipping: only {text} of it is left to refund."
    problems = ((part, line_problem(part=part, live=live, order=order)) for part in parts)
    return next((f"{part.line}: {problem}" for part, problem in problems if problem), "")


def line_problem(*, part: LinePart, live: Any, order: Order) -> str:
    lines = RefundLine.objects.filter(line=part.line, refund__in=live)
    left = line_paid(part.line, order) - (lines.aggregate(sum=Sum("amount"))["sum"] or 0)
    if part.amount > left:
        return f"only {money.format_amount(amount=left, currency=order.currency)} of it is left to refund."
    unknown = set(part.numbers) - set(part.line.numbers)
    if unknown:
        return f"No. {min(unknown)} isn't one of its pieces."
    named = {number for numbers in lines.values_list("numbers", flat=True) for number in numbers}
    if named & set(part.numbers):
        return f"No. {min(named & set(part.numbers))} is part of an earlier refund."
    return ""


def line_paid(line: OrderLine, order: Order) -> int:
    """Return what was paid for the whole line, tax included."""
    return line.sum if order.tax_in_price else line.sum + line.tax


def shipping_paid(order: Order) -> int:
    """Return what was paid for shipping, tax included."""
    return order.shipping if order.tax_in_price else order.shipping + order.shipping_tax


def remaining(*, order: Order) -> int:
    """Return how much of the order's payment is left to refund."""
    payment = order.payment
    refunded = payment.refunds.exclude(state__in=Refund.VOID).aggregate(sum=Sum("amount"))["sum"] or 0
    disputed = payment.disputes.filter(state__in=Dispute.TAKING).aggregate(sum=Sum("amount"))["sum"] or 0
    return max(0, payment.amount - refunded - disputed)


def due(*, limit: int = MAX_PER_SWEEP) -> list[int]:
    """Return the ids of refunds that are to be sent, or to be asked about, oldest first."""
    captured = Q(payment__state__in=Payment.FINAL)
    found = Refund.objects.filter(
        Q(captured, state=State.REQUESTED)
        | Q(state=State.SENT, changed_at__lt=Now() - ANSWER_WITHIN)
        | Q(state=State.UNKNOWN)
        | Q(state__in=[State.PENDING, State.REQUIRES_ACTION], changed_at__lt=Now() - CHECK_AFTER),
        Q(checked_at=None) | Q(checked_at__lt=Now() - RETRY_AFTER),
    )
    return list(found.order_by("changed_at").values_list("pk", flat=True)[:limit])


def send_due() -> int:
    """Send the refunds that are due, and ask about those whose answer was unclear; return how many."""
    sent = 0
    for refund_id in due():
        try:
            advance(refund_id=refund_id)
        except rate_limit.RateLimited:
            break  # the next sweep goes on
        sent += 1
    return sent


def advance(*, refund_id: int) -> None:
    """Take a refund as far as it goes now. Raises RateLimited."""
    refund = Refund.objects.select_related("payment__order").get(pk=refund_id)
    if refund.state == State.REQUESTED:
        send_first(refund)
    elif refund.state in {State.SENT, State.UNKNOWN, State.PENDING, State.REQUIRES_ACTION}:
        look_for(refund)


def send_first(refund: Refund) -> None:
    """Send a requested refund for the first time; withdraw it if its payment came to nothing."""
    row = Refund.objects.filter(pk=refund.pk, state=State.REQUESTED)
    if refund.payment.state == Payment.State.VOIDED:
        row.update(state=State.WITHDRAWN, changed_at=Now())
        return
    rate_limit.acquire(operation=rate_limit.REFUND)
    # Committed before the call. The one UPDATE decides between two workers.
    if row.update(state=State.SENT, sent_at=Now(), changed_at=Now()):
        send(refund, key=f"refund:{refund.uuid}")


def send(refund: Refund, *, key: str) -> None:
    """Ask Stripe for the refund, and record the answer."""
    payment = refund.payment
    try:
        answer = gateway.refund(
            intent_id=payment.intent_id or "", amount=refund.amount, row=str(refund.uuid), key=key
        )
    except gateway.OutcomeUnknown as unknown:
        note_trouble(refund, str(unknown))
    except gateway.StripeRefused as refused:
        # Nothing is concluded from a refusal of our own request: it is tried again once it is mended.
        note_trouble(refund, refused.reason or str(refused))
        money_alerts.try_raising(money_alerts.refund_refused, payment, refund=refund, refused=refused)
    else:
        record(refund, answer)


def note_trouble(refund: Refund, error: str) -> None:
    row = Refund.objects.filter(pk=refund.pk, state__in=[State.SENT, State.UNKNOWN])
    row.update(
        state=State.UNKNOWN, tries=F("tries") + 1, last_error=error, checked_at=Now(), changed_at=Now()
    )


def look_for(refund: Refund) -> None:
    """Look for the refund among those of its charge; send it again only if it isn't there."""
    rate_limit.acquire(operation=rate_limit.RETRIEVE)
    # Whichever worker marks the row first looks for it; the other comes too late.
    claimed = Refund.objects.filter(pk=refund.pk, state=refund.state).filter(
        Q(checked_at=refund.checked_at) if refund.checked_at else Q(checked_at=None)
    )
    if not claimed.update(checked_at=Now()):
        return
    refund.refresh_from_db(fields=["checked_at"])
    try:
        found = gateway.refunds(intent_id=refund.payment.intent_id or "")
    except gateway.OutcomeUnknown:
        return
    ours = [one for one in found if one.row == str(refund.uuid) or one.id == refund.stripe_id]
    if ours:
        record(refund, ours[0])
    elif refund.stripe_id is None:
        rate_limit.acquire(operation=rate_limit.REFUND)
        # A new key, since Stripe repeats a stored 5xx under the old one for a day. It isn't there: we looked.
        send(refund, key=f"refund:{refund.uuid}:{refund.checked_at:%Y%m%dT%H%M%S.%f}")


def record(refund: Refund, answer: gateway.StripeRefund) -> None:
    """Record what Stripe says about the refund, unless our row says something newer."""
    state = BY_STATUS.get(answer.status)
    if state is None:
        log.error("refund %s: Stripe calls its status %r", refund.uuid, answer.status)
        return
    with transaction.atomic():
        row = Refund.objects.filter(pk=refund.pk, state__in=FROM[state])
        if not row.update(
            state=state,
            stripe_id=answer.id,
            failure_reason=answer.failure_reason,
            changed_at=Now(),
            last_error="",
        ):
            return
        enter_in_ledger(refund.payment, answer, state=state)
    money_alerts.refund_moved_on(refund)
    refund.state, refund.stripe_id, refund.failure_reason = state, answer.id, answer.failure_reason
    if state in MOVED:
        tell_shopper(refund)
    else:
        money_alerts.try_raising(money_alerts.refund_needs_somebody, refund.payment, refund=refund)


def enter_in_ledger(payment: Payment, answer: gateway.StripeRefund, *, state: State) -> None:
    """Enter the money that left, or came back, once each."""
    entry = {"order_id": payment.order_id, "currency": payment.currency, "livemode": payment.livemode}
    taken = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.REFUND, stripe_id=answer.id)
    if state in MOVED:
        LedgerEntry.objects.get_or_create(
            kind=LedgerEntry.Kind.REFUND,
            stripe_id=answer.id,
            defaults=entry | {"amount": -answer.amount},
        )
    elif state in Refund.VOID and taken.exists():
        LedgerEntry.objects.get_or_create(
            kind=LedgerEntry.Kind.REFUND_FAILED,
            stripe_id=answer.id,
            defaults=entry | {"amount": answer.amount},
        )


def tell_shopper(refund: Refund) -> None:
    """Put the email about the refund into the outbox, once. A failure is alerted, and undoes nothing."""
    try:
        with transaction.atomic():
            emails.put_refund(order=refund.payment.order, refund=refund)
    except Exception as error:  # whatever is wrong with a text, the money stays recorded
        log.exception("refund %s: its email could not be written", refund.uuid)
        money_alerts.try_raising(
            money_alerts.notice_failed, refund.payment, notice="email about a refund", error=error
        )


def record_event(payment: Payment, subject: dict[str, Any]) -> None:
    """Record a refund that an event of Stripe's reports: ours, or one made in Stripe's dashboard."""
    answer = gateway.refund_from_json(subject)
    ours = Q(stripe_id=answer.id)
    if answer.row:
        ours |= Q(uuid=answer.row)
    refund = Refund.objects.select_related("payment__order").filter(ours, payment=payment).first()
    if refund is None:
        refund = adopt(payment, answer)
    elif refund.state == State.REQUESTED:
        return  # it can't be at Stripe yet
    record(refund, answer)


def adopt(payment: Payment, answer: gateway.StripeRefund) -> Refund:
    """Make a row of a refund that was made in Stripe's dashboard. What becomes of its units isn't known."""
    refund, is_new = Refund.objects.get_or_create(
        stripe_id=answer.id,
        defaults={
            "payment": payment,
            "origin": Refund.Origin.STRIPE,
            "state": State.SENT,
            "amount": answer.amount,
            "goodwill": answer.amount,
            "currency": payment.currency,
            "livemode": payment.livemode,
            "requested_at": answer.created,
            "sent_at": answer.created,
        },
    )
    refund.payment = payment
    if is_new:
        money_alerts.try_raising(money_alerts.refunded_elsewhere, payment, refund=refund)
    return refund
