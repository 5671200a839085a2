"""Reading the pick page and the order page as a shopper does."""

import re
from html import unescape

from dropsite.loadtest.users.forms import Control, Form

QUANTITY_PREFIX = "quantity-"
ORDER_ROW = re.compile(r"<dt>(?:\d+ × )?([^<]*?), (No\. [^<]*?) of [^<]*</dt>")
NUMBER = re.compile(r"No\. ([\d,]+)")


def choose(form: Form, *, taste: float, greed: float) -> dict[str, str]:
    """Return the form filled in with one available edition and a quantity; empty if nothing is available.

    `taste` and `greed` are in [0, 1).
    """
    available = [control for control in form.controls if _is_available(control)]
    if not available:
        return {}
    data = {name: value for name, value in form.default_data().items() if not _picks_edition(name)}
    chosen = available[int(taste * len(available))]
    if chosen.kind == "radio":
        return data | {chosen.name: chosen.value}
    limit = int(chosen.attributes.get("max") or 1)
    quantity = 1 + int(greed * limit)
    return data | {control.name: "0" for control in available} | {chosen.name: str(quantity)}


def _is_available(control: Control) -> bool:
    return _picks_edition(control.name) and not control.disabled and control.attributes.get("max") != "0"


def _picks_edition(name: str) -> bool:
    return name == "edition" or name.startswith(QUANTITY_PREFIX)


def parse_pieces(html: str) -> list[str]:
    """Return every piece that the order page lists: "0 kg M No. 37".

    Its rows read "2 × 0 kg M, No. 3 and No. 9 of 40".
    """
    return [
        f"{unescape(name)} No. {number}"
        for name, numbers in ORDER_ROW.findall(html)
        for number in NUMBER.findall(numbers)
    ]
