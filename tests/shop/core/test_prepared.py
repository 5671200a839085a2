"""Reads, inserts and updates whose SQL is written once do what the queryset itself would."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F
from django.test.utils import CaptureQueriesContext

from shop.core.models import AuditEntry, Email
from shop.core.prepared import Change, Given, Insert, Read
from shop.models import Product, Variant
from tests.factories import make_drop

VARIANT = Read(Variant.objects.select_related("product").filter(sku=Given("sku")).annotate(shown=Count("pictures")))
MAIL = Insert(Email)
SHIFT = Change(Variant.objects.filter(sku=Given("sku")), position=F("position") + 1, swatch=Given("swatch"))
pytestmark = pytest.mark.django_db


def test_get_gives_what_the_queryset_gives():
    wanted = make_drop().editions.get().variant

    with CaptureQueriesContext(connection) as queries:
        read = VARIANT.get(sku=wanted.sku)
        known = read, read.product.name, read.options

    assert known == (wanted, wanted.product.name, wanted.options)
    assert vars(read)["shown"] == 0
    assert len(queries) == 1


def test_a_read_object_can_be_changed_and_saved():
    wanted = make_drop().editions.get().variant
    read = VARIANT.get(sku=wanted.sku)

    read.position = 7
    read.save(update_fields=["position"])

    wanted.refresh_from_db()
    assert wanted.position == 7


def test_each_read_is_made_with_its_own_values():
    skus = [make_drop().editions.get().variant.sku for _drop in range(3)]
    read = {}
    threads = [threading.Thread(target=lambda sku=sku: read.update({sku: VARIANT._write()[1]})) for sku in skus]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [VARIANT.get(sku=sku).sku for sku in skus] == skus
    assert len(set(read.values())) == 1


def test_get_raises_what_the_model_raises():
    with pytest.raises(Variant.DoesNotExist, match="no-such"):
        VARIANT.get(sku="no-such")
    assert VARIANT.first(sku="no-such") is None


def test_a_value_looks_like_nothing_but_itself():
    make_drop()

    assert Read(Product.objects.filter(name=Given("name"))).all(name="' OR 1=1 --") == []


def test_a_missing_relation_is_missing():
    AuditEntry.objects.create(who=None, about="drop:x", action="seen")

    entry = Read(AuditEntry.objects.select_related("who").filter(about=Given("about"))).get(about="drop:x")

    assert entry.who is None


def test_a_change_meets_the_rows_of_its_queryset_alone():
    wanted, other = (make_drop().editions.get().variant for _drop in range(2))
    positions, swatch = (wanted.position, other.position), other.swatch

    with CaptureQueriesContext(connection) as queries:
        met = [SHIFT.rows(sku=sku, swatch="#123456") for sku in (wanted.sku, "no-such", wanted.sku)]

    wanted.refresh_from_db()
    other.refresh_from_db()
    assert met == [1, 0, 1]
    assert len(queries) == 3
    assert (wanted.position, other.position) == (positions[0] + 2, positions[1])
    assert (wanted.swatch, other.swatch) == ("#123456", swatch)


def test_an_inserted_row_is_what_the_model_would_have_made():
    given = {"kind": "k", "about": "order:1", "to": "ann@shop.example"}

    with CaptureQueriesContext(connection) as queries:
        made = MAIL.row(**given)

    read = Email.objects.get()
    assert len(queries) == 1
    assert {name: value for name, value in vars(made).items() if name[0] != "_"} == {
        name: value for name, value in vars(read).items() if name[0] != "_"
    }
    made.last_error = "none"
    made.save()  # an UPDATE: it knows that it is there
    assert Email.objects.get().last_error == "none"


def test_what_the_database_fills_in_is_read_back():
    entry = Insert(AuditEntry).row(about="drop:nth-place", action="closed", after={"phase": "closed"})

    assert entry == AuditEntry.objects.get()
    assert AuditEntry.objects.get().after == {"phase": "closed"}


def test_a_clash_is_refused_or_passed_over_as_asked():
    given = {"kind": "k", "about": "order:1", "to": "ann@shop.example"}
    MAIL.row(**given)

    MAIL.unless_there(**given | {"to": "bob@shop.example"})
    with pytest.raises(IntegrityError), transaction.atomic():
        MAIL.row(**given)

    assert Email.objects.get().to == "ann@shop.example"
