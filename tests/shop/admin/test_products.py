"""Products with variants and pictures on one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from shop.core.models import AuditEntry
from shop.models import Picture, Product, Variant
from tests.admin_clients import errors, queries
from tests.factories import make_drop, make_product, make_variant

Rows = Sequence[dict[str, Any]]

ADD = reverse("admin:shop_product_add")
LIST = reverse("admin:shop_product_changelist")


def page(product: Product, name: str = "change") -> str:
    return reverse(f"admin:shop_product_{name}", args=[product.pk])


@pytest.fixture
def photo(tmp_path: Path, settings: Any) -> SimpleUploadedFile:
    """A picture file of 8 × 10 pixels; what is uploaded lands in a folder of the test."""
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }
    path = tmp_path / "made.png"
    Image.new("RGB", (8, 10)).save(path)
    return SimpleUploadedFile("hero.png", path.read_bytes(), content_type="image/png")


def form(*, variants: Rows = (), pictures: Rows = (), **fields: object) -> dict[str, Any]:
    sent: dict[str, Any] = {
        "name": "Nth Place",
        "slug": "nth-place",
        "tagline": "For everybody else.",
        "story": "One.",
        "ground": "#efe9dc",
        "ink": "#1c1a17",
        "signal": "#b23200",
        "face": "host-grotesk",
    }
    for prefix, rows in (("variants", variants), ("pictures", pictures)):
        known = sum("id" in row for row in rows)
        sent |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": known}
        for number, row in enumerate(rows):
            sent |= {
                f"{prefix}-{number}-{name}": value for name, value in ({"position": number} | row).items()
            }
    return sent | fields


def test_product_is_made_with_variants_and_pictures(log_in: Any, photo: SimpleUploadedFile) -> None:
    sent = form(
        variants=[{"sku": "NTH-G", "options": "finish=gold, size=M"}],
        pictures=[{"role": "hero", "image": photo, "alt": "A trophy."}],
    )

    answer = log_in("merchandisers").post(ADD, sent)

    assert answer.status_code == 302
    assert Variant.objects.get().options == {"finish": "gold", "size": "M"}
    picture = Picture.objects.get()
    assert (picture.width, picture.height, picture.alt) == (8, 10, "A trophy.")
    assert list(AuditEntry.objects.values_list("actor__username", "about", "action")) == [
        ("merchandisers", "product:nth-place", "added")
    ]


def test_new_row_that_is_marked_for_deletion_is_ignored(log_in: Any) -> None:
    rows = [{"sku": "NP-1", "options": "size=M"}, {"sku": "NP-2", "options": "size=L", "DELETE": "on"}]
    answer = log_in("merchandisers").post(ADD, form(variants=rows))

    assert answer.status_code == 302
    assert [variant.sku for variant in Variant.objects.all()] == ["NP-1"]
    assert "NP-2" not in str(AuditEntry.objects.get().after)


def test_picture_without_alternative_text_is_refused(log_in: Any, photo: SimpleUploadedFile) -> None:
    answer = log_in("merchandisers").post(ADD, form(pictures=[{"role": "hero", "image": photo, "alt": ""}]))

    assert errors(answer) == {"pictures-0-alt": ["This field is required."]}
    assert Product.objects.count() == 0


def test_picture_that_is_none_is_refused(log_in: Any, photo: SimpleUploadedFile) -> None:
    text = SimpleUploadedFile("hero.png", b"no picture", content_type="image/png")

    answer = log_in("merchandisers").post(
        ADD, form(pictures=[{"role": "hero", "image": text, "alt": "A trophy."}])
    )

    assert list(errors(answer)) == ["pictures-0-image"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["M"], "“M” isn't a valid option. Enter name=value, such as size=M."),
        (["{"], "This isn't valid JSON from character 2 on. Enter name=value, such as size=M."),
        (["size=M", "size=M"], "Another variant has the same options. Change one of them."),
    ],
)
def test_variant_is_refused_with_a_way_out(log_in: Any, options: list[str], sentence: str) -> None:
    rows = [{"sku": f"NTH-{number}", "options": text} for number, text in enumerate(options)]

    answer = log_in("merchandisers").post(ADD, form(variants=rows))

    assert errors(answer) == {f"variants-{len(options) - 1}-options": [sentence]}


def test_sku_stays_once_it_is_saved(log_in: Any) -> None:
    product = make_product(slug="nth-place")
    variant = make_variant(product=product, sku="NTH-G", options={"size": "M"})
    row = {"id": variant.pk, "product": product.pk, "sku": "OTHER", "options": "size=L"}

    answer = log_in("merchandisers").post(page(product), form(variants=[row]))

    assert answer.status_code == 302
    variant.refresh_from_db()
    assert (variant.sku, variant.options) == ("NTH-G", {"size": "L"})
    entry = AuditEntry.objects.get()
    assert (entry.before[f"{variant} · options"], entry.after[f"{variant} · options"]) == (
        "{'size': 'M'}",
        "{'size': 'L'}",
    )


def test_variant_of_a_drop_cannot_be_deleted(log_in: Any) -> None:
    drop = make_drop(phase="live")
    variant = drop.editions.get().variant
    row = {"id": variant.pk, "product": drop.product_id, "options": "size=M", "DELETE": "on"}

    answer = log_in("merchandisers").post(page(drop.product), form(variants=[row]))

    assert answer.status_code == 200
    assert "would require deleting the following protected related objects" in str(errors(answer))
    assert Variant.objects.filter(pk=variant.pk).exists()


def test_delete_of_a_product_in_no_drop_is_logged(log_in: Any) -> None:
    product = make_product(slug="nth-place")

    answer = log_in("merchandisers").post(page(product, "delete"), {"post": "yes"})

    assert (answer.status_code, Product.objects.count()) == (302, 0)
    assert list(AuditEntry.objects.values_list("about", "action")) == [("product:nth-place", "deleted")]


def test_list_asks_as_much_for_three_products_as_for_one(log_in: Any) -> None:
    client = log_in("merchandisers")
    make_drop()
    one, _answer = queries(client, LIST)
    make_drop()
    make_drop()

    three, answer = queries(client, LIST)

    assert (three, len(answer.context["cl"].result_list)) == (one, 3)
