"""A rehearsal announces a drop of its own in any shop, even an empty one, or one with unprepared pictures."""

import pytest

from dropsite.loadtest import rehearsal_drop
from shop.models import Picture, Rendition
from tests.factories import make_product

pytestmark = pytest.mark.django_db


def test_an_empty_shop_gets_a_product_that_can_be_announced() -> None:
    drop = rehearsal_drop.create(units=3, shoppers=10)

    assert drop.announced_at is not None
    assert drop.product.slug == "rehearsal"
    assert not Picture.objects.filter(renditions=None).exists()


def test_a_product_whose_pictures_are_not_prepared_is_passed_over() -> None:
    product = make_product(pictures=1)
    Rendition.objects.filter(picture__product=product).delete()

    drop = rehearsal_drop.create(units=3, shoppers=10)

    assert drop.product.slug == "rehearsal"
    assert rehearsal_drop.create(units=3, shoppers=10).product == drop.product
