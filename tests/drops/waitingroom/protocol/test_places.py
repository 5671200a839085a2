import json
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.waitingroom.protocol import places

VECTORS = json.loads((Path(__file__).parents[3] / "data" / "shuffle-vectors.json").read_text())["cases"]
SEEDS = st.binary(min_size=32, max_size=32)

Shuffle = Callable[[bytes, int, int], int]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["note"])
def test_arithmetic_follows_the_vectors(case: Any) -> None:
    drop, key, nonce = UUID(case["drop"]), bytes.fromhex(case["key"]), bytes.fromhex(case["nonce"])
    secret = places.secret(key, drop, nonce)
    seed = places.seed(drop, secret, case["n"], bytes.fromhex(case["beacon"]))
    found = [[index, places.place(seed, index, case["n"])] for index, _ in case["places"]]

    assert (secret.hex(), places.commitment(secret).hex(), seed.hex(), found) == (
        case["secret"],
        case["commitment"],
        case["seed"],
        case["places"],
    )


@given(SEEDS, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_place_stays_inside_the_lobby_or_is_the_index(seed: bytes, index: int, n: int) -> None:
    place = places.place(seed, index, n)

    assert 0 <= place < n if index < n else place == index


@given(SEEDS, st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_place_depends_on_n_and_the_drop_through_the_seed(secret: bytes, n: int, m: int) -> None:
    drop, other = UUID(int=1), UUID(int=2)

    assert places.seed(drop, secret, n) != places.seed(other, secret, n)
    assert (places.seed(drop, secret, n) == places.seed(drop, secret, m)) == (n == m)


def seeds(count: int) -> list[bytes]:
    return [sha256(b"seed %d" % number).digest() for number in range(count)]


def unevenness(shuffle: Shuffle, *, index: int, n: int = 20, draws: int = 4000) -> float:
    """χ² of where one index lands over many seeds, with n − 1 degrees of freedom."""
    landed = Counter(shuffle(seed, index, n) for seed in seeds(draws))
    expected = draws / n
    return sum((landed[place] - expected) ** 2 / expected for place in range(n))


def likeness(shuffle: Shuffle, *, n: int = 5000) -> float:
    """Rank correlation of index and place under one seed: 0 for a shuffle, 1 for none at all."""
    (seed,) = seeds(1)
    order = sorted(range(n), key=lambda index: shuffle(seed, index, n))
    squares = sum((rank - index) ** 2 for rank, index in enumerate(order))
    return 1 - 6 * squares / (n * (n * n - 1))


FAIR = 43.8  # χ² with 19 degrees of freedom stays below in 999 of 1,000
ALIKE = 0.05  # 3.5 standard deviations of the rank correlation of 5,000


@pytest.mark.parametrize("index", [0, 1, 7, 19])
def test_place_of_one_index_is_uniform_over_many_seeds(index: int) -> None:
    assert unevenness(places.place, index=index) < FAIR


def test_place_under_one_seed_does_not_correlate_with_the_index() -> None:
    assert abs(likeness(places.place)) < ALIKE


def in_order(seed: bytes, index: int, n: int) -> int:
    return index


def of_the_index_alone(seed: bytes, index: int, n: int) -> int:
    return (int.from_bytes(sha256(index.to_bytes(4)).digest()) * n) >> 256


def rotated(seed: bytes, index: int, n: int) -> int:
    return (index + int.from_bytes(seed)) % n


@pytest.mark.parametrize("careless", [in_order, of_the_index_alone, rotated])
def test_control_careless_shuffles_fail_the_same_checks(careless: Shuffle) -> None:
    assert unevenness(careless, index=7) >= FAIR or abs(likeness(careless)) >= ALIKE
