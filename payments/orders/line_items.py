"""The line items of a hold or an order: which pieces, their numbers, what they cost.

A hold's are named as the catalogue names them now. An order's were copied when it was made, so that nothing
that is renamed later changes what was bought.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from drops import queries
from drops.models import Hold
from payments.models import Order, OrderLine

# For a statement that reads `drops_hold h`. Selects [[edition id, quantity, price, [unit number, …]], …],
# or NULL.
JSON_SQL = """
    (SELECT jsonb_agg(jsonb_build_array(l.edition_id, l.quantity, l.price, array(
        SELECT u.number FROM drops_unit u WHERE u.hold_id = l.hold_id AND u.edition_id = l.edition_id ORDER BY 1
    ))) FROM drops_holdline l WHERE l.hold_id = h.id)
"""
# For a statement that reads `payments_order o`. Selects an order's lines, or NULL.
ORDER_JSON_SQL = """
    (SELECT jsonb_agg(jsonb_build_object(
        'edition_id', l.edition_id, 'variant_id', e.variant_id, 'product', l.product_name, 'variant', l.variant_name,
        'numbers', l.numbers, 'of', l.of, 'quantity', l.quantity, 'price', l.price) ORDER BY l.position, l.id)
    FROM payments_orderline l JOIN drops_edition e ON e.id = l.edition_id WHERE l.order_id = o.id)
"""
OVER = (Hold.State.RELEASED, Hold.State.RETURNED)  # the units of such holds may be somebody else's
MAX_NUMBERS = 6  # in a heading or a sentence; the line items name all of them


@dataclass(frozen=True, kw_only=True)
class LineItem:
    """One edition in a hold. Amounts are in the currency's smallest unit."""

    edition_id: int
    variant_id: int
    name: str  # the product's and what tells the edition from the others: "0 kg M"
    edition: str  # what tells it from the others alone: "M"
    numbers: list[int]  # of its units; empty once they left the hold
    of: int  # how many pieces of the edition exist
    quantity: int
    price: int  # each
    currency: str

    @property
    def sum(self) -> int:
        """Quantity times price."""
        return self.quantity * self.price

    @property
    def words(self) -> str:
        """Return "No. 37 of 500" or "No. 37 and No. 41 of 500"; the quantity once they have left the hold."""
        if not self.numbers:
            return str(self.quantity)
        return numbered(numbers=self.numbers, of=self.of)


def of_hold(*, hold: Hold) -> list[LineItem]:
    """Return the line items of a hold, in the order of its drop's editions."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {JSON_SQL} FROM drops_hold h WHERE h.id = %s", [hold.pk])
        text: str | None = cursor.fetchone()[0]
    return from_json(text, hold=hold)


def from_json(text: str | None, *, hold: Hold) -> list[LineItem]:
    """Return the line items of a hold from what `JSON_SQL` selects, in the order of its drop's editions."""
    rows = {edition_id: row for edition_id, *row in json.loads(text or "[]")}
    drop = queries.cached_fixed_parts(drop_id=hold.drop_id)
    items = []
    for edition in drop.editions.all():
        if edition.pk not in rows:
            continue
        quantity, price, numbers = rows[edition.pk]
        items.append(
            LineItem(
                edition_id=edition.pk,
                variant_id=edition.variant_id,
                name=f"{drop.product.name} {edition.variant.name}".strip(),
                edition=edition.variant.name or drop.product.name,
                numbers=numbers,
                of=edition.quantity,
                quantity=quantity,
                price=price,
                currency=hold.currency,
            )
        )
    return items


def of_order(*, order: Order) -> list[LineItem]:
    """Return the line items of an order, whose hold is loaded, as they were copied when it was made."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {ORDER_JSON_SQL} FROM payments_order o WHERE o.id = %s", [order.pk])
        text: str | None = cursor.fetchone()[0]
    if text is None:  # made by the release before, which copied nothing
        return of_hold(hold=order.hold)
    return from_order_json(text, hold=order.hold)


def from_order_json(text: str, *, hold: Hold) -> list[LineItem]:
    """Return the line items of an order from what `ORDER_JSON_SQL` selects. `hold` is the order's."""
    return [
        LineItem(
            edition_id=row["edition_id"],
            variant_id=row["variant_id"],
            name=f"{row['product']} {row['variant']}".strip(),
            edition=row["variant"] or row["product"],
            numbers=[] if hold.state in OVER else row["numbers"],
            of=row["of"],
            quantity=row["quantity"],
            price=row["price"],
            currency=hold.currency,
        )
        for row in json.loads(text)
    ]


def copy(*, order: Order, items: Sequence[LineItem], taxes: Sequence[int], tax_percent: Decimal) -> None:
    """Copy what is bought to the order, as the catalogue names it now. `taxes` has the tax on each item."""
    drop = queries.cached_fixed_parts(drop_id=order.hold.drop_id)
    editions = {edition.pk: edition for edition in drop.editions.all()}
    lines = []
    for position, (item, tax) in enumerate(zip(items, taxes, strict=True)):
        edition = editions[item.edition_id]
        lines.append(
            OrderLine(
                order=order,
                edition_id=edition.pk,
                position=position,
                product_name=drop.product.name,
                variant_name=edition.variant.name,
                options=edition.variant.options,
                sku=edition.variant.sku,
                numbers=item.numbers,
                of=item.of,
                quantity=item.quantity,
                price=item.price,
                tax_percent=tax_percent,
                tax=tax,
            )
        )
    OrderLine.objects.bulk_create(lines)


def headline(*, lines: list[LineItem]) -> str:
    """Return what is held in one go: "No. 37 of 500", "Silver No. 3 of 200 and Bronze No. 3 of 100"."""
    if len(lines) == 1:
        return lines[0].words
    return listed([in_edition(line, line.words) for line in lines])


def summary(*, lines: list[LineItem], max_numbers: int) -> str:
    """Return what was bought for a heading: the headline, or its first numbers and how many more.

    "No. 1, No. 2, No. 3 and 17 more"; of several editions "S No. 1, S No. 2, L No. 1 and 3 more".
    """
    numbers = [(line, number) for line in lines for number in numbers_of(line.numbers)]
    more = len(numbers) - max_numbers
    if more <= 0:
        return headline(lines=lines)
    first = [
        number if len(lines) == 1 else in_edition(line, number) for line, number in numbers[:max_numbers]
    ]
    text = ngettext("%(numbers)s and %(more)s more", "%(numbers)s and %(more)s more", more)
    return text % {"numbers": joined(first), "more": f"{more:,}"}


def pieces(*, lines: list[LineItem]) -> str:
    """Name the pieces for a sentence: "No. 37", "No. 37 and No. 41", "Silver No. 1 and Bronze No. 1".

    More than MAX_NUMBERS are counted: "20 pieces".
    """
    count = sum(len(line.numbers) for line in lines)
    if count > MAX_NUMBERS:
        return ngettext("%(n)s piece", "%(n)s pieces", count) % {"n": f"{count:,}"}
    if len(lines) == 1:
        return listed(numbers_of(lines[0].numbers))
    return listed([in_edition(line, number) for line in lines for number in numbers_of(line.numbers)])


def in_edition(line: LineItem, numbers: str) -> str:
    """Return "Silver No. 37", since editions have numbers of their own."""
    return _("%(edition)s %(numbers)s") % {"edition": line.edition, "numbers": numbers}


def numbered(*, numbers: Sequence[int], of: int) -> str:
    """Return "No. 37 of 500", "No. 37 and No. 41 of 500"."""
    return _("%(numbers)s of %(of)s") % {"numbers": listed(numbers_of(numbers)), "of": f"{of:,}"}


def numbers_of(numbers: Sequence[int]) -> list[str]:
    """Return ["No. 37", "No. 1,041"]."""
    return [_("No. %(number)s") % {"number": f"{number:,}"} for number in numbers]


def listed(items: Sequence[str]) -> str:
    """Return "A", "A and B", "A, B and C"."""
    if len(items) < 2:
        return joined(items)
    return _("%(list)s and %(last)s") % {"list": joined(items[:-1]), "last": items[-1]}


def joined(items: Sequence[str]) -> str:
    """Return "A", "A, B", "A, B, C"."""
    text = ""
    for item in items:
        text = _("%(list)s, %(next)s") % {"list": text, "next": item} if text else item
    return text
