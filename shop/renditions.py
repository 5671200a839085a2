"""What becomes of an uploaded picture: a JPEG for every browser, and renditions in widths and formats.

Nothing of the upload itself is kept or served. Its orientation is applied, its colours become sRGB, and its
metadata, such as where it was taken, is gone.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO

import pi_heif
from django.core.files.base import ContentFile
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from shop.models import Picture, Rendition

MEGABYTE = 1_000_000
MAX_UPLOAD_BYTES = 20 * MEGABYTE  # the edge takes 25 MB, with the rest of the form
MAX_HEIGHT = 16_000  # at the widest width; WebP ends at 16,383
MAX_PIXELS = 60_000_000  # of an upload: decoded, it takes three bytes for each
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF")
FORMATS_TEXT = "JPEG, PNG, WebP, AVIF, TIFF or HEIC"
WIDTHS = (640, 1280, 1920)
JPEG_WIDTH = 1280  # of the picture that every browser can show
PAPER = "white"  # behind what is transparent

pi_heif.register_heif_opener()


class PictureRefused(Exception):
    """The upload can't be used. The text says why, and what to do instead."""


@dataclass(frozen=True)
class Encoding:
    """A format that is served, and how it is written."""

    type: str  # media type
    suffix: str
    options: tuple[tuple[str, int | bool], ...]

    @property
    def name(self) -> str:
        """Pillow's name of the format."""
        return self.type.removeprefix("image/").upper()


JPEG = Encoding("image/jpeg", "jpg", (("quality", 82), ("optimize", True), ("progressive", True)))
ENCODINGS = (
    Encoding("image/avif", "avif", (("quality", 60), ("speed", 8))),
    Encoding("image/webp", "webp", (("quality", 80), ("method", 4))),
    JPEG,
)


def read(*, file: IO[bytes], size: int) -> Image.Image:
    """Return an upload of `size` bytes as an upright sRGB picture without metadata. Raises PictureRefused."""
    if size > MAX_UPLOAD_BYTES:
        raise PictureRefused(
            f"The picture has {size / MEGABYTE:.1f} MB; {MAX_UPLOAD_BYTES // MEGABYTE} MB is the most."
            " Export it smaller or with a lower quality."
        )
    try:
        with Image.open(file, formats=FORMATS) as image:
            refuse_too_many_pixels(*image.size)
            return plain(image)
    except UnidentifiedImageError as error:
        raise PictureRefused(f"This isn't a {FORMATS_TEXT} picture. Export it as JPEG.") from error
    except Image.DecompressionBombError as error:
        raise PictureRefused(too_many_pixels("more than 100")) from error
    # Pillow's readers raise many kinds of errors for a damaged file.
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError) as error:
        raise PictureRefused("The picture is damaged or incomplete. Export it again.") from error


def refuse_too_many_pixels(width: int, height: int) -> None:
    """Refuse a picture that would take too much memory, before it is decoded. Raises PictureRefused."""
    if width * height > MAX_PIXELS:
        raise PictureRefused(too_many_pixels(f"{width} × {height}, {width * height / 1_000_000:.0f}"))


def too_many_pixels(found: str) -> str:
    """Return the text of the refusal."""
    return (
        f"The picture has {found} million pixels; {MAX_PIXELS // 1_000_000} million are the most."
        " Export it with a smaller size, such as 3,000 pixels wide."
    )


def plain(image: Image.Image) -> Image.Image:
    """Return the picture upright, in sRGB, without transparency and without metadata."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.point(lambda value: value / 256).convert("L")
    image = ImageOps.exif_transpose(image)
    if profile and image.mode in {"RGB", "RGBA", "CMYK", "L"}:
        image = to_srgb(image, profile)
    if image.has_transparency_data:
        image = image.convert("RGBA")
    found = Image.new("RGB", image.size, PAPER)
    if image.mode == "RGBA":
        found.paste(image, mask=image.getchannel("A"))
    else:
        found.paste(image.convert("RGB"))
    return found


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the picture in sRGB; as it is if its colour profile can't be used."""
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        return image
    return converted or image


@dataclass(frozen=True)
class EncodedFile:
    """One file that is served: the picture in a format and width."""

    type: str  # media type
    suffix: str
    width: int
    content: bytes


@dataclass(frozen=True)
class Prepared:
    """An upload as it is served: all that is left of it."""

    main: EncodedFile  # the JPEG that every browser can show
    others: tuple[EncodedFile, ...]


def prepare(*, file: IO[bytes], size: int) -> Prepared:
    """Return an upload of `size` bytes as it is served. Raises PictureRefused.

    This takes seconds for a large picture, so call it outside any transaction.
    """
    upright = read(file=file, size=size)
    # Once, and the narrower ones from that: each would take a second from 60 million pixels.
    widest = resize(upright, width=min(WIDTHS[-1], upright.width))
    if widest.height > MAX_HEIGHT:
        raise PictureRefused(
            f"The picture is too tall for its width, {upright.width} × {upright.height}. Crop it, and upload it again."
        )
    main_width = min(JPEG_WIDTH, widest.width)
    files = {(encoding, width): encoded(widest, encoding, width) for encoding, width in variants(widest)}
    main = files.pop((JPEG, main_width))
    return Prepared(main=main, others=tuple(files.values()))


def encoded(image: Image.Image, encoding: Encoding, width: int) -> EncodedFile:
    """Return the picture in that format and width."""
    content = encode(resize(image, width=width), encoding)
    return EncodedFile(type=encoding.type, suffix=encoding.suffix, width=width, content=content)


def main_file(prepared: Prepared) -> "ContentFile[bytes]":
    """Return the JPEG that every browser can show, under a new name."""
    main = prepared.main
    return ContentFile(main.content, name=f"{secrets.token_hex(8)}-{main.width}.{main.suffix}")


def store(*, picture: Picture, prepared: Prepared) -> None:
    """Store the renditions of a picture in place of those it has, in the caller's transaction."""
    picture.renditions.all().delete()
    stem = secrets.token_hex(8)
    for file in prepared.others:
        rendition = Rendition(picture=picture, type=file.type, width=file.width)
        rendition.image.save(f"{stem}-{file.width}.{file.suffix}", ContentFile(file.content))


def variants(image: Image.Image) -> Iterator[tuple[Encoding, int]]:
    """Return each format and width to make, none wider than the picture."""
    widths = sorted({min(width, image.width) for width in WIDTHS})
    for encoding in ENCODINGS:
        for width in widths:
            yield encoding, width


def resize(image: Image.Image, *, width: int) -> Image.Image:
    """Return the picture at that width."""
    if width == image.width:
        return image
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def encode(image: Image.Image, encoding: Encoding) -> bytes:
    """Return the picture as a file."""
    file = BytesIO()
    image.save(file, encoding.name, **dict(encoding.options))
    return file.getvalue()
