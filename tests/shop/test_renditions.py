"""Uploaded pictures: several widths and formats, upright, without metadata; what can't be used is refused."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from PIL import Image, ImageCms

from drops import drop_actions
from shop import images, picture_files, renditions, tasks
from shop.core.models import Alert
from shop.models import Picture, RemovedFile, Rendition
from tests.admin_clients import LogIn, browser_form, errors, log_in
from tests.factories import make_drop, make_product, make_variant

__all__ = ["log_in"]

pytestmark = pytest.mark.django_db
GPS, MAKE, ORIENTATION = 0x8825, 0x010F, 0x0112
PHONE = Path(__file__).parents[1] / "data" / "phone.heic"


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def exif(**tags: int) -> Image.Exif:
    found = Image.Exif()
    found[MAKE] = "Phone of Ada"
    found.get_ifd(GPS)[1] = "N"
    found[ORIENTATION] = tags.get("orientation", 1)
    return found


def file(kind: str = "JPEG", *, size: tuple[int, int] = (80, 40), mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture whose left half is red."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    content = BytesIO()
    image.convert(mode).save(content, kind, **options)
    return content.getvalue()


def read(content: bytes) -> Image.Image:
    return renditions.read(file=BytesIO(content), size=len(content))


def upload(log_in: LogIn, content: bytes, name: str) -> Any:
    product = make_product()
    make_variant(product=product)
    client = log_in("merchandisers")
    page = reverse("admin:shop_product_change", args=[product.pk])
    sent = browser_form(client.get(page)) | {
        "pictures-TOTAL_FORMS": "1", "pictures-0-role": "hero", "pictures-0-alt": "It.", "pictures-0-position": "0",
        "pictures-0-image": SimpleUploadedFile(name, content),
    }  # fmt: skip
    return client.post(page, sent)


def main_format(picture: Picture) -> str | None:
    with picture.image.open("rb") as content:
        return Image.open(BytesIO(content.read())).format


def stored(media: Path) -> list[Path]:
    return sorted(path for path in media.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_upload_of_any_format_becomes_avif_webp_and_jpeg(log_in: LogIn, media: Path, kind: str) -> None:
    answer = upload(log_in, file(kind, size=(1500, 750), exif=exif()), f"Ada at home.{kind.lower()}")

    assert answer.status_code == 302
    picture = Picture.objects.get()
    assert (picture.width, picture.height, main_format(picture)) == (1280, 640, "JPEG")
    found = {(row.type, row.width) for row in picture.renditions.all()}
    assert found == {(f"image/{kind}", width) for kind in ("avif", "webp") for width in (640, 1280, 1500)} | {
        ("image/jpeg", 640), ("image/jpeg", 1500)
    }  # fmt: skip
    for path in stored(media):
        image = Image.open(BytesIO(path.read_bytes()))
        assert (dict(image.getexif()), image.info.get("icc_profile")) == ({}, None)
        assert b"Phone of Ada" not in path.read_bytes()
        assert "Ada" not in path.name
    served = images.image_set(Picture.objects.get())
    assert [source.type for source in served.sources] == ["image/avif", "image/webp"]


def test_upload_of_a_phones_heic_is_taken(log_in: LogIn) -> None:
    assert upload(log_in, PHONE.read_bytes(), "IMG_0001.HEIC").status_code == 302

    picture = Picture.objects.get()
    assert (picture.width, picture.height, main_format(picture)) == (64, 48, "JPEG")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_turns_the_picture_upright(orientation: int) -> None:
    image = read(file(exif=exif(orientation=orientation)))

    size = (80, 40) if orientation <= 4 else (40, 80)
    red = {1: (5, 20), 2: (75, 20), 3: (75, 20), 4: (5, 20), 5: (20, 5), 6: (20, 5), 7: (20, 75), 8: (20, 75)}
    assert image.size == size
    pixel: Any = image.getpixel(red[orientation])
    assert pixel[0] > 200


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("PNG", "1"), ("PNG", "I;16"), ("TIFF", "CMYK"), ("JPEG", "L"),
     ("WEBP", "RGBA"), ("PNG", "LA")],
)  # fmt: skip
def test_read_takes_every_kind_of_colour(kind: str, mode: str) -> None:
    via = "L" if mode in {"I;16", "LA"} else "RGB"
    content = BytesIO()
    Image.open(BytesIO(file("PNG"))).convert(via).convert(mode).save(content, kind)

    assert (read(content.getvalue()).mode, read(content.getvalue()).size) == ("RGB", (80, 40))


def test_read_puts_paper_behind_what_is_transparent() -> None:
    content = BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(content, "PNG")

    assert read(content.getvalue()).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize(
    "profile", [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"none"]
)
def test_read_survives_colour_profiles(profile: bytes) -> None:
    assert read(file(icc_profile=profile)).size == (80, 40)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "isn't a JPEG"),
        (b"no picture", "isn't a JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "isn't a JPEG"),
        (file("GIF"), "isn't a JPEG"),
        (file("BMP"), "isn't a JPEG"),
        (file("PNG")[:60], "damaged"),
        (file("JPEG", size=(800, 400))[:2000], "damaged"),
        (PHONE.read_bytes()[:300], "isn't a JPEG|damaged"),
    ],
)
def test_read_refuses_what_is_no_usable_picture(content: bytes, reason: str) -> None:
    with pytest.raises(renditions.PictureRefused, match=reason):
        read(content)


@pytest.mark.parametrize(
    ("width", "height", "taken"), [(10_000, 6_000, True), (10_000, 6_001, False), (30_000, 30_000, False)]
)
def test_read_refuses_too_many_pixels_before_they_are_decoded(width: int, height: int, taken: bool) -> None:
    if taken:
        renditions.refuse_too_many_pixels(width, height)
        return
    # A file that only claims to be so large: the size stands in the header of a PNG.
    content = file("PNG")
    header = content[12:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + content[24:29]
    content = content[:12] + header + crc32(header).to_bytes(4, "big") + content[33:]
    with pytest.raises(renditions.PictureRefused, match="60 million are the most"):
        read(content)
    with pytest.raises(renditions.PictureRefused, match="60 million are the most"):
        renditions.refuse_too_many_pixels(width, height)


def test_read_refuses_too_many_bytes_with_both_figures() -> None:
    content = file()

    assert renditions.read(file=BytesIO(content), size=20_000_000).size == (80, 40)
    with pytest.raises(renditions.PictureRefused, match=r"has 48\.0 MB; 20 MB is the most"):
        renditions.read(file=BytesIO(content), size=48_000_000)


def test_refused_upload_says_why_beside_the_field(log_in: LogIn, media: Path) -> None:
    answer = upload(log_in, file("GIF"), "hero.gif")

    [sentence] = errors(answer)["pictures-0-image"]
    assert sentence == "This isn't a JPEG, PNG, WebP, AVIF, TIFF or HEIC picture. Export it as JPEG."
    assert (Picture.objects.count(), stored(media)) == (0, [])


def test_small_upload_is_never_enlarged(log_in: LogIn) -> None:
    upload(log_in, file(), "hero.jpg")

    assert {row.width for row in Picture.objects.get().renditions.all()} == {80}


def make_original(content: bytes | None = None) -> Picture:
    """Make a picture as it was stored before there were renditions; without content, its file is lost."""
    picture = make_product(pictures=1).pictures.get()
    picture.renditions.all().delete()
    if content is not None:
        default_storage.save(str(picture.image), ContentFile(content))
    return picture


def sideways() -> bytes:
    return file(exif=exif(orientation=6))


@pytest.mark.parametrize("run", [lambda: call_command("renditions"), tasks.tend_pictures])
def test_what_was_uploaded_before_is_replaced(run: Callable[[], object]) -> None:
    picture = make_original(sideways())
    broken = [make_original(), make_original(b"no picture"), make_original(file("GIF"))]

    upload = str(picture.image)
    run()
    run()

    picture.refresh_from_db()
    assert (picture.renditions.count(), str(picture.image)[-7:]) == (2, "-40.jpg")
    assert (picture.width, picture.height, default_storage.exists(upload)) == (40, 80, False)
    for one in broken:
        assert str(Picture.objects.get(pk=one.pk).image) == str(one.image)


# --- files over time ---


def test_old_uploads_are_replaced_without_a_command(media: Path) -> None:
    pictures = [make_original(sideways()), make_original(sideways()), make_original()]
    uploads = [str(picture.image) for picture in pictures]

    assert picture_files.replace_uploads() == 2
    assert picture_files.replace_uploads() == 0  # the unreadable one isn't tried again

    for picture, upload in zip(pictures[:2], uploads, strict=False):
        picture.refresh_from_db()
        assert (picture.width, picture.renditions.count()) == (40, 2)
        assert not default_storage.exists(upload)
    alert = Alert.objects.open().get()
    assert "Upload it again." in alert.message
    picture_files.resolve_alerts()
    assert Alert.objects.open().count() == 1
    pictures[2].delete()
    picture_files.resolve_alerts()
    assert Alert.objects.open().count() == 0


def a_day_later() -> int:
    RemovedFile.objects.update(at=Now() - picture_files.KEPT)
    return picture_files.delete_removed()


def named_files() -> set[str]:
    return {
        *Picture.objects.values_list("image", flat=True),
        *Rendition.objects.values_list("image", flat=True),
    }


def names_of(media: Path) -> set[str]:
    return {str(path.relative_to(media)) for path in stored(media)}


def test_files_of_replaced_pictures_are_deleted_after_a_day(log_in: LogIn, media: Path) -> None:
    upload(log_in, file(size=(100, 50)), "hero.jpg")
    (media / "robots.txt").write_text("ours")
    before = named_files()
    assert a_day_later() == 0
    product = Picture.objects.get().product
    client = Client(headers={"sec-fetch-site": "same-origin"})
    client.force_login(User.objects.get(username="merchandisers"))
    page = reverse("admin:shop_product_change", args=[product.pk])
    sent = browser_form(client.get(page)) | {"pictures-0-image": SimpleUploadedFile("new.jpg", file())}

    assert client.post(page, sent).status_code == 302

    assert named_files() & before == set()
    assert picture_files.delete_removed() == 0  # open pages may still ask for them
    assert before <= names_of(media)
    assert a_day_later() == len(before)
    assert names_of(media) == named_files() | {"robots.txt"}


def test_files_of_removed_pictures_are_deleted_after_a_day(log_in: LogIn, media: Path) -> None:
    upload(log_in, file(size=(100, 50)), "hero.jpg")
    files = names_of(media)

    Picture.objects.get().product.delete()

    assert (names_of(media), a_day_later(), names_of(media)) == (files, len(files), set())


def test_a_file_that_a_picture_names_again_is_kept(log_in: LogIn, media: Path) -> None:
    upload(log_in, file(), "hero.jpg")
    for name in named_files():
        picture_files.note_removed(name)

    a_day_later()

    assert (names_of(media), RemovedFile.objects.count()) == (named_files(), 0)


def test_picture_that_was_replaced_while_it_was_read_stays() -> None:
    picture = make_original(sideways())
    Picture.objects.filter(pk=picture.pk).update(image="pictures/newer.jpg")

    picture_files.replace_upload(picture=picture)

    assert str(Picture.objects.get().image) == "pictures/newer.jpg"
    assert default_storage.exists(str(picture.image))


class TestPages:
    """No page serves an original."""

    @pytest.mark.parametrize("phase", ["announced", "lobby", "live", "sold out", "closed"])
    def test_leave_out_a_picture_without_renditions(self, client: Client, phase: str) -> None:
        product = make_product(pictures=3)
        original = product.pictures.all()[0]
        drop = make_drop(phase=phase, product=product)
        pages = [f"/drops/{drop.slug}/", f"/drops/{drop.slug}/check/", "/", "/archive/"]
        shown = [client.get(page).content.decode() for page in pages]
        original.renditions.all().delete()

        for page, before in zip(pages, shown, strict=True):
            after = client.get(page).content.decode()
            assert str(original.image) not in after
            # There is another one, which takes its place.
            assert ("og:image" in before) == ("og:image" in after)
            assert ("/media/pictures/" in before) == ("/media/pictures/" in after)
        assert str(original.image) in shown[0]

    @pytest.mark.parametrize("phase", ["announced", "live", "closed"])
    def test_do_without_any_picture(self, client: Client, phase: str) -> None:
        drop = make_drop(phase=phase, product=make_product(pictures=1))
        Rendition.objects.all().delete()

        for page in (f"/drops/{drop.slug}/", "/", "/archive/"):
            answer = client.get(page)
            assert (answer.status_code, b"pictures/" in answer.content) == (200, False)

    def test_of_the_admin_show_no_original(self, log_in: LogIn) -> None:
        picture = make_original(sideways())
        page = reverse("admin:shop_product_change", args=[picture.product_id])
        client = log_in("merchandisers")

        before = client.get(page).content.decode()
        picture_files.replace_uploads()
        after = client.get(page).content.decode()

        assert ("Being prepared." in before, 'class="backoffice-preview"' in before) == (True, False)
        assert ("Being prepared." in after, 'class="backoffice-preview"' in after) == (False, True)

    def test_wait_for_the_announcement_until_there_are_renditions(self) -> None:
        product = make_product(pictures=1)
        drop = make_drop(phase="draft", product=product)
        assert drop_actions.picture_problems(drop=drop) == []

        Rendition.objects.all().delete()

        assert drop_actions.picture_problems(drop=drop) == [
            "Pictures: one isn't prepared for pages yet. Wait some minutes, or upload it again."
        ]


def test_uploads_are_encoded_outside_the_transaction_that_locks_the_product(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    inside = []
    encode = renditions.encode

    def watched(*args: Any) -> bytes:
        inside.append(connection.in_atomic_block)
        return encode(*args)

    monkeypatch.setattr(renditions, "encode", watched)

    assert upload(log_in, file(), "hero.jpg").status_code == 302
    assert (len(inside), any(inside)) == (3, False)


@pytest.mark.parametrize(("count", "status"), [(20, 302), (21, 400)])
def test_number_of_uploads_in_a_form_is_limited(log_in: LogIn, count: int, status: int) -> None:
    product = make_product()
    make_variant(product=product)
    client = log_in("merchandisers")
    page = reverse("admin:shop_product_change", args=[product.pk])
    sent = browser_form(client.get(page)) | {"pictures-TOTAL_FORMS": str(count)}
    for n in range(count):
        sent |= {
            f"pictures-{n}-role": "detail", f"pictures-{n}-alt": "It.", f"pictures-{n}-position": "0",
            f"pictures-{n}-image": SimpleUploadedFile("x.jpg", file()),
        }  # fmt: skip

    assert client.post(page, sent).status_code == status
    assert Picture.objects.count() == (count if status == 302 else 0)


def test_upload_of_somebody_who_may_not_save_is_not_read(log_in: LogIn) -> None:
    product = make_product()
    page = reverse("admin:shop_product_change", args=[product.pk])

    answer = log_in("ops").post(page, {"pictures-0-image": SimpleUploadedFile("x.jpg", file())})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("size", "taken"), [((20, 160), True), ((640, 16_000), True), ((640, 16_001), False)]
)
def test_prepare_refuses_what_no_format_can_hold(size: tuple[int, int], taken: bool) -> None:
    content = file(size=size)
    if taken:
        assert renditions.prepare(file=BytesIO(content), size=len(content)).main.width == size[0]
        return
    with pytest.raises(renditions.PictureRefused, match="too tall for its width, 640 × 16001"):
        renditions.prepare(file=BytesIO(content), size=len(content))
