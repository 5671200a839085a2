"""Make the demo's pictures: each 640 and 1280 pixels wide, as AVIF, WebP and JPEG.

    python -m dropsite.demo.compress_pictures ORIGINALS

ORIGINALS is a folder of JPEGs at least 1280 pixels wide, named <product>-<view>.jpg. The results, in
dropsite/demo/pictures/, are what is committed. Each is compressed until it is no larger than 150,000 bytes.
"""

import io
import sys
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

RESULTS = Path(__file__).parent / "pictures"
WIDTHS = (640, 1280)
MAX_BYTES = 150_000
QUALITY_STEP = 4


class Encoding(NamedTuple):
    """`name` is Pillow's, `quality` the best that is tried."""

    name: str
    quality: int
    options: dict[str, Any]


ENCODINGS = {
    "avif": Encoding("AVIF", 68, {"speed": 4}),
    "webp": Encoding("WEBP", 84, {"method": 6}),
    "jpg": Encoding("JPEG", 88, {"optimize": True, "progressive": True}),
}


def main(originals: Path) -> None:
    """Write every rendition of every original and print its size."""
    for path in sorted(originals.glob("*-*.jpg")):
        with Image.open(path) as image:
            for width in WIDTHS:
                height = round(image.height * width / image.width)
                resized = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
                for suffix, encoding in ENCODINGS.items():
                    data = compress(resized, encoding)
                    (RESULTS / f"{path.stem}-{width}.{suffix}").write_bytes(data)
                    print(f"{path.stem}-{width}.{suffix}: {len(data):,} bytes")


def compress(image: Image.Image, encoding: Encoding) -> bytes:
    """Return the picture at the best quality that fits into MAX_BYTES."""
    quality = encoding.quality
    while True:
        file = io.BytesIO()
        image.save(file, encoding.name, quality=quality, **encoding.options)
        if file.tell() <= MAX_BYTES:
            return file.getvalue()
        quality -= QUALITY_STEP


if __name__ == "__main__":
    main(Path(sys.argv[1]))
