"""What a shopper reads on the pick page and on the order page."""

import re
from html import unescape

from dropsite.loadtest.forms import Form

QUANTITY = "quantity-"
ROW = re.compile(r"<dt>(?:\d+ × )?([^<]*?), (No\. [^<]*?) of [^<]*</dt>")
NUMBER = re.compile(r"No\. ([\d,]+)")


def choose(form: Form, *, taste: float, greed: float) -> dict[str, str]:
    """The form filled in with one edition that can be had, in one piece or several; nothing if none can be had.

    `taste` and `greed` lie in [0, 1).
    """
    data = {name: value for name, value in form.fields().items() if not _picks(name)}
    boxes = [box for box in form.controls if _picks(box.name) and not box.disabled and box.attributes.get("max") != "0"]
    if not boxes:
        return {}
    box = boxes[int(taste * len(boxes))]
    if box.kind == "radio":
        return data | {box.name: box.value}
    most = int(box.attributes.get("max") or 1)
    return data | {other.name: "0" for other in boxes} | {box.name: str(1 + int(greed * most))}


def _picks(name: str) -> bool:
    return name == "edition" or name.startswith(QUANTITY)


def pieces(html: str) -> list[str]:
    """Every piece that the order page names: "0 kg M No. 37". Its rows read "2 × 0 kg M, No. 3 and No. 9 of 40"."""
    return [
        f"{unescape(name)} No. {number}" for name, numbers in ROW.findall(html) for number in NUMBER.findall(numbers)
    ]
