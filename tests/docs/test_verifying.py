"""The page that tells anyone how to redo the draw is right."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def test_the_code_in_the_docs_gives_the_places_of_the_vectors() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/verifying.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # our own page
    place = names["place"]
    cases = json.loads((ROOT / "tests/data/shuffle-vectors.json").read_text())["cases"]

    for case in (case for case in cases if not case["beacon"]):
        given = [
            [index, place(case["secret"], case["drop"], case["n"], index)] for index, _ in case["places"]
        ]
        assert given == case["places"], case["note"]
