"""Rows for tests: plain functions with unremarkable defaults. Every field can be given by name."""

import uuid
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from django.utils import timezone

from drops import holds, shuffle_keys
from drops.models import Checkpoint, Drop, Edition, Hold, Pause, Unit
from drops.waitingroom.protocol import places, tickets
from shop.models import Picture, Product, Rendition, Variant

SERIAL = count(1)
MINUTE = timedelta(minutes=1)
# Seconds from now until the lobby opens and until the drop opens, by phase.
TIMES = {"draft": (3600, 7200), "announced": (3600, 7200), "lobby": (-60, 3600), "opening": (-600, -1)}
LIVE = (-600, -300)


def make_product(**fields: Any) -> Product:
    """Create a product; `pictures` is a number of rows with a rendition each, and without files."""
    pictures = fields.pop("pictures", 0)
    number = next(SERIAL)
    product = Product.objects.create(
        **{
            "name": f"Object {number}",
            "slug": f"object-{number}-{uuid.uuid4().hex[:8]}",
            "tagline": "It exists.",
        }
        | {"story": "Somebody made it.", "facts": "Steel, 1 kg."}
        | fields
    )
    made = Picture.objects.bulk_create(
        Picture(
            product=product,
            image=f"pictures/{product.slug}-{i}.jpg",
            width=1280,
            height=1600,
            alt="It.",
            position=i,
        )
        for i in range(pictures)
    )
    Rendition.objects.bulk_create(
        Rendition(picture=picture, image=f"{picture.image}.webp", type="image/webp", width=1280)
        for picture in made
    )
    return product


def make_variant(*, product: Product, **fields: Any) -> Variant:
    """Create a variant with a size."""
    number = next(SERIAL)
    return Variant.objects.create(
        product=product,
        **{
            "sku": f"SKU-{number}-{uuid.uuid4().hex[:6]}",
            "options": {"size": f"S{number}"},
            "position": number,
        }
        | fields,
    )


def make_edition(*, drop: Drop, **fields: Any) -> Edition:
    """Create an edition of three at 96.00, with its units unless the drop is a draft."""
    fields.setdefault("variant", fields.get("variant") or make_variant(product=drop.product))
    edition = Edition.objects.create(
        drop=drop, **{"price": 9600, "quantity": 3, "limit_per_order": drop.limit_per_order} | fields
    )
    if drop.announced_at:
        Unit.objects.bulk_create(Unit(edition=edition, number=n) for n in range(1, edition.quantity + 1))
    return edition


def make_drop(*, phase: str = "announced", quantity: int = 3, editions: int = 1, **fields: Any) -> Drop:
    """Create a drop in `phase`, announced by default, with `editions` of `quantity` units each at 96.00.

    A sealed drop has N = 100 and opened five minutes ago. A sold-out one has no unit free, a draft no units.
    """
    now, number = timezone.now(), next(SERIAL)
    lobby, opens = TIMES.get(phase, LIVE)
    pictures = fields.pop("pictures", 0)
    drop = Drop(
        **{"slug": f"drop-{number}-{uuid.uuid4().hex[:8]}", "title": f"Drop {number}", "limit_per_order": 2}
        | {"lobby_opens_at": now + timedelta(seconds=lobby), "opens_at": now + timedelta(seconds=opens)}
        | (_sealed(now) if phase not in TIMES else {})
        | fields
    )
    drop.product = fields.get("product") or make_product(pictures=pictures)
    if phase != "draft":
        _commit(drop)
    drop.save()
    for _ in range(editions):
        make_edition(drop=drop, quantity=quantity)
    _bring_to(drop, phase, now)
    return drop


def _sealed(now: datetime) -> dict[str, Any]:
    return {"sealed": 100, "sealed_at": now - 4 * MINUTE}


def _commit(drop: Drop) -> None:
    drop.announced_at = drop.announced_at or timezone.now() - 60 * MINUTE
    drop.nonce = nonce = bytes(drop.nonce or uuid.uuid4().bytes)
    drop.shuffle_key_id = shuffle_keys.newest()
    secret = places.secret(shuffle_keys.keys()[drop.shuffle_key_id], drop.pk, nonce)
    drop.commitment = places.commitment(secret)
    if drop.sealed is not None:
        drop.secret = secret


def _bring_to(drop: Drop, phase: str, now: datetime) -> None:
    if phase == "paused":
        Pause.objects.create(drop=drop, began_at=now)
    elif phase == "sold out":
        Unit.objects.filter(edition__drop=drop).update(withheld_at=now, withheld_reason="sample")
        Drop.objects.filter(pk=drop.pk).update(sold_out_at=now - MINUTE)
    elif phase in {"closed", "cancelled"}:
        Drop.objects.filter(pk=drop.pk).update(**{f"{phase}_at": now - MINUTE})
    drop.refresh_from_db()
    if phase != "draft":
        Checkpoint.objects.get_or_create(drop=drop)  # a running gatekeeper may have made it by now


def make_pass(*, drop: Drop, index: int = 0, **fields: Any) -> tickets.Pass:
    """Return a pass for the ticket of `index`, entered just now: its place is the index, just called."""
    place = fields.get("place", index)
    return tickets.Pass(
        **{"ticket": sha256(f"{drop.slug} {index}".encode()).digest()[:16], "index": index, "place": place}
        | {"cursor": place + 1, "entered": int(timezone.now().timestamp())}
        | fields
    )


def make_hold(*, drop: Drop, index: int = 0, quantities: dict[int, int] | None = None, **fields: Any) -> Hold:
    """Place a hold, by default of one unit of the first edition; then set `state` and other fields."""
    pass_ = fields.pop("pass_", None) or make_pass(drop=drop, index=index)
    first = drop.editions.order_by("position", "pk").first()
    if quantities is None:
        quantities = {first.pk: 1} if first else {}
    hold = holds.place(drop=drop, pass_=pass_, quantities=quantities)
    if fields:
        if fields.get("state", "open") not in Hold.BUSY:
            fields.setdefault("ended_at", timezone.now())
        Hold.objects.filter(pk=hold.pk).update(**fields)
        if fields.get("state") == Hold.State.RELEASED:
            Unit.objects.filter(hold=hold).update(hold=None)
    hold.refresh_from_db()
    return hold
