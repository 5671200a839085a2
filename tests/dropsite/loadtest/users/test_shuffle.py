"""The second implementation of the shuffle against the vectors that Python and the browser share."""

import json
from pathlib import Path
from typing import Any

import pytest

from dropsite.loadtest.users import shuffle

DATA = Path(__file__).parents[3] / "data"
VECTORS: list[dict[str, Any]] = json.loads((DATA / "shuffle-vectors.json").read_text())["cases"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["note"])
def test_place_agrees_with_the_vectors(case: dict[str, Any]) -> None:
    seed = shuffle.seed(drop=case["drop"], secret=case["secret"], sealed=case["n"], beacon=case["beacon"])

    found = [
        [index, shuffle.place(seed=seed, index=index, sealed=case["n"])] for index, _place in case["places"]
    ]

    assert (seed.hex(), found) == (case["seed"], case["places"])


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["note"])
def test_matches_commitment_accepts_the_committed_secret(case: dict[str, Any]) -> None:
    assert shuffle.matches_commitment(commitment=case["commitment"], secret=case["secret"])


def test_matches_commitment_refuses_a_different_secret() -> None:
    assert not shuffle.matches_commitment(commitment=VECTORS[0]["commitment"], secret=VECTORS[1]["secret"])
