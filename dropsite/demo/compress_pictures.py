"""Make the demo's pictures: each 640 and 1280 pixels wide, as AVIF, WebP and JPEG.

    python -m dropsite.demo.compress_pictures ORIGINALS

ORIGINALS is a folder of JPEGs at least 1280 pixels wide, named <product>-<what>.jpg. The results are what is committed,
in dropsite/demo/pictures/. None of them weighs more than 150,000 bytes, however it has to be squeezed.
"""

import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image

RESULTS = Path(__file__).parent / "pictures"
WIDTHS = (640, 1280)
FORMATS: dict[str, tuple[str, int, dict[str, Any]]] = {  # suffix: name for Pillow, best quality to try, options
    "avif": ("AVIF", 68, {"speed": 4}),
    "webp": ("WEBP", 84, {"method": 6}),
    "jpg": ("JPEG", 88, {"optimize": True, "progressive": True}),
}
MOST_BYTES = 150_000
STEP = 4  # of quality, until it fits


def main(originals: Path) -> None:
    """Write every rendition of every original and say what each weighs."""
    for path in sorted(originals.glob("*-*.jpg")):
        with Image.open(path) as image:
            for width in WIDTHS:
                size = (width, round(image.height * width / image.width))
                smaller = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
                for suffix in FORMATS:
                    data = squeezed(smaller, suffix)
                    (RESULTS / f"{path.stem}-{width}.{suffix}").write_bytes(data)
                    print(f"{path.stem}-{width}.{suffix}: {len(data):,} bytes")


def squeezed(image: Image.Image, suffix: str) -> bytes:
    """Encode at the best quality that fits into MOST_BYTES."""
    name, quality, options = FORMATS[suffix]
    while True:
        file = io.BytesIO()
        image.save(file, name, quality=quality, **options)
        if file.tell() <= MOST_BYTES:
            return file.getvalue()
        quality -= STEP


if __name__ == "__main__":
    main(Path(sys.argv[1]))
