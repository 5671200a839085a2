"""Pictures and galleries as pages need them."""

import pytest
from django.conf import settings

from shop import catalogue, images
from shop.models import Picture, Rendition
from shop.templatetags import pictures
from tests.factories import make_product, make_variant

pytestmark = pytest.mark.django_db
ROLE = Picture.Role


def make_picture(**fields: object) -> Picture:
    product = fields.pop("product", None) or make_product()
    return Picture.objects.create(
        **{"product": product, "image": "pictures/a-1280.jpg", "width": 1280, "height": 1600, "alt": "It."}
        | fields
    )


def test_image_set_has_the_best_format_first_and_every_width() -> None:
    picture = make_picture()
    for kind, suffix, width in (
        ("image/webp", "webp", 640),
        ("image/avif", "avif", 1280),
        ("image/avif", "avif", 640),
    ):
        Rendition.objects.create(
            picture=picture, type=kind, width=width, image=f"pictures/a-{width}.{suffix}"
        )
    Rendition.objects.create(picture=picture, type="image/jpeg", width=640, image="pictures/a-640.jpg")

    found = images.image_set(picture)

    assert found.sources == [
        images.Source("image/avif", "/media/pictures/a-640.avif 640w, /media/pictures/a-1280.avif 1280w"),
        images.Source("image/webp", "/media/pictures/a-640.webp 640w"),
    ]
    assert found.srcset == "/media/pictures/a-640.jpg 640w, /media/pictures/a-1280.jpg 1280w"
    assert (found.src, found.width, found.height, found.alt) == (
        "/media/pictures/a-1280.jpg",
        1280,
        1600,
        "It.",
    )


def test_image_set_works_without_renditions() -> None:
    found = images.image_set(make_picture())

    assert found.sources == []
    assert found.srcset == "/media/pictures/a-1280.jpg 1280w"


def test_absolute_url_carries_the_origin() -> None:
    assert images.absolute_url(make_picture()) == f"{settings.SHOP_ORIGIN}/media/pictures/a-1280.jpg"


def add_rendition(picture: Picture) -> None:
    picture.renditions.create(image="pictures/a.webp", type="image/webp", width=1280)


def test_gallery_sorts_pictures_by_role() -> None:
    product = make_product()
    silver = make_variant(product=product)
    of_silver = make_picture(product=product, variant=silver)
    wide, detail = (make_picture(product=product, role=role) for role in (ROLE.WIDE, ROLE.DETAIL))
    hero = make_picture(product=product)

    for picture in product.pictures.all():
        add_rendition(picture)

    gallery = catalogue.gallery(pictures=product.pictures.all())

    assert gallery == catalogue.Gallery(hero=hero, more=[detail, wide], of_variants={silver.pk: of_silver})


def test_gallery_leads_with_a_variant_if_there_is_no_other_picture() -> None:
    product = make_product()
    only = make_picture(product=product, variant=make_variant(product=product))
    add_rendition(only)

    assert catalogue.gallery(pictures=product.pictures.all()).hero == only


def test_gallery_leaves_out_what_has_no_renditions() -> None:
    product = make_product()
    original, shown = make_picture(product=product), make_picture(product=product)
    add_rendition(shown)

    assert catalogue.gallery(pictures=product.pictures.all()).hero == shown
    assert pictures.picture(original, sizes="96px") == ""


def test_gallery_has_no_hero_without_pictures() -> None:
    assert catalogue.gallery(pictures=[]).hero is None


def test_paragraphs_splits_a_story_at_empty_lines() -> None:
    product = make_product(story="One\nline.\r\n\r\nTwo.\n \n\n  Three. \n\n")

    assert catalogue.paragraphs(product) == ["One\nline.", "Two.", "Three."]
