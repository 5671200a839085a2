"""Products in the admin, with their drops."""

from typing import Any

from django.urls import reverse

from shop.models import Product
from tests.factories import make_drop, make_product


def test_list_counts_variants_and_drops(log_in: Any) -> None:
    product = make_product(name="Nth Place")
    make_drop(product=product)
    make_drop(product=product)

    answer = log_in("merchandisers").get(reverse("admin:shop_product_changelist"))

    (row,) = answer.context["cl"].result_list
    assert (row.name, row.variant_count, row.drop_count) == ("Nth Place", product.variants.count(), 2)


def test_product_of_a_drop_cannot_be_deleted(log_in: Any) -> None:
    product = make_drop(phase="live", product=make_product(name="Nth Place")).product

    answer = log_in("merchandisers").post(
        reverse("admin:shop_product_delete", args=[product.pk]), {"post": "yes"}
    )

    assert (answer.status_code, answer.context["why"]) == (
        409,
        ["“Nth Place” is in a drop, so it can't be deleted. If the drop is a draft, delete that first."],
    )
    assert Product.objects.filter(pk=product.pk).exists()
