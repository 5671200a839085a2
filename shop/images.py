"""Pictures as pages need them: formats and widths that a browser may choose from, the best format first."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin

from django.conf import settings

from shop.models import Picture

FORMATS = ("image/avif", "image/webp")  # preferred to JPEG, the best first


@dataclass(frozen=True)
class Source:
    """One <source>: a media type and its srcset."""

    type: str
    srcset: str


@dataclass(frozen=True)
class ImageSet:
    """The attributes of an <img> and of the <source>s around it, except for `sizes`."""

    sources: list[Source]
    src: str
    srcset: str
    width: int
    height: int
    alt: str


def image_set(picture: Picture) -> ImageSet:
    """Return everything that a picture comes in. It makes no query if the renditions are prefetched."""
    widths: dict[str, dict[int, str]] = {}
    for rendition in picture.renditions.all():
        widths.setdefault(rendition.type, {})[rendition.width] = rendition.image.url
    jpegs = {**widths.get("image/jpeg", {}), picture.width: picture.image.url}
    return ImageSet(
        sources=[Source(type=kind, srcset=srcset(widths[kind])) for kind in FORMATS if kind in widths],
        src=picture.image.url,
        srcset=srcset(jpegs),
        width=picture.width,
        height=picture.height,
        alt=picture.alt,
    )


def is_servable(picture: Picture) -> bool:
    """Whether the picture has renditions. Without, it is what somebody uploaded, which no page shows."""
    return bool(picture.renditions.all())


def servable(pictures: Iterable[Picture]) -> list[Picture]:
    """Return the pictures that pages may show, in the same order."""
    return [picture for picture in pictures if is_servable(picture)]


def srcset(urls: dict[int, str]) -> str:
    """Return {width: url} as the attribute's text."""
    return ", ".join(f"{url} {width}w" for width, url in sorted(urls.items()))


def absolute_url(picture: Picture) -> str:
    """Return the JPEG's address for other sites, with the shop's origin."""
    return urljoin(settings.SHOP_ORIGIN, picture.image.url)
