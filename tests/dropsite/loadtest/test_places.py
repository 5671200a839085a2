"""The second implementation of the shuffle against the vectors that Python and the browser share."""

import json
from pathlib import Path

import pytest

from dropsite.loadtest import places

VECTORS = json.loads(Path(__file__).parents[2].joinpath("data/shuffle-vectors.json").read_text())["cases"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["note"])
def test_place_is_what_the_vectors_say(case):
    seed = places.seed(drop=case["drop"], secret=case["secret"], sealed=case["n"], beacon=case["beacon"])

    found = [[index, places.place(seed=seed, index=index, sealed=case["n"])] for index, _place in case["places"]]

    assert (seed.hex(), found) == (case["seed"], case["places"])


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["note"])
def test_secret_keeps_its_commitment(case):
    assert places.keeps_its_word(commitment=case["commitment"], secret=case["secret"])


def test_another_secret_breaks_the_commitment():
    assert not places.keeps_its_word(commitment=VECTORS[0]["commitment"], secret=VECTORS[1]["secret"])
