"""Pictures as pages need them: what a browser may choose from, the best format first."""

from dataclasses import dataclass
from urllib.parse import urljoin

from django.conf import settings

from shop.models import Picture

BETTER = ("image/avif", "image/webp")  # than JPEG, the best first


@dataclass(frozen=True)
class Source:
    """One <source>: a media type and its srcset."""

    type: str
    srcset: str


@dataclass(frozen=True)
class Choice:
    """All that an <img> and its <picture> say, but for `sizes`."""

    sources: list[Source]
    src: str
    srcset: str
    width: int
    height: int
    alt: str


def choice(picture: Picture) -> Choice:
    """List what a picture comes in. No query if its renditions are prefetched."""
    widths: dict[str, dict[int, str]] = {}
    for rendition in picture.renditions.all():
        widths.setdefault(rendition.type, {})[rendition.width] = rendition.image.url
    whole = {**widths.get("image/jpeg", {}), picture.width: picture.image.url}
    return Choice(
        sources=[Source(type=kind, srcset=srcset(widths[kind])) for kind in BETTER if kind in widths],
        src=picture.image.url,
        srcset=srcset(whole),
        width=picture.width,
        height=picture.height,
        alt=picture.alt,
    )


def srcset(urls: dict[int, str]) -> str:
    """Write {width: url} as the attribute."""
    return ", ".join(f"{url} {width}w" for width, url in sorted(urls.items()))


def absolute(picture: Picture) -> str:
    """Give the address of the JPEG as other sites need it."""
    return urljoin(settings.SHOP_ORIGIN, picture.image.url)
