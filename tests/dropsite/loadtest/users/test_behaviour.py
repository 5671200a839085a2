from dropsite.loadtest.users import behaviour
from dropsite.loadtest.users.behaviour import AtHold, Card, Leaves


def test_draw_repeats_the_crowd_of_a_seed() -> None:
    assert behaviour.draw(shoppers=50, seed=7) == behaviour.draw(shoppers=50, seed=7)


def test_draw_differs_between_seeds() -> None:
    assert behaviour.draw(shoppers=50, seed=7) != behaviour.draw(shoppers=50, seed=8)


def test_draw_starts_a_larger_crowd_with_the_smaller_one() -> None:
    assert behaviour.draw(shoppers=80, seed=7)[:50] == behaviour.draw(shoppers=50, seed=7)


def test_draw_covers_every_behaviour_with_300_shoppers() -> None:
    crowd = behaviour.draw(shoppers=300, seed=1)

    assert {shopper.leaves for shopper in crowd} == set(Leaves)
    assert {shopper.at_hold for shopper in crowd} == set(AtHold)
    assert {shopper.card for shopper in crowd} == set(Card)
    assert {shopper.joins_twice for shopper in crowd} == {True, False}
    assert {shopper.pays_twice for shopper in crowd} == {True, False}
    assert {shopper.late for shopper in crowd} == {True, False}


def test_draw_keeps_fractions_below_one() -> None:
    crowd = behaviour.draw(shoppers=300, seed=2)

    fractions = [
        fraction
        for shopper in crowd
        for fraction in (shopper.arrival, shopper.taste, shopper.greed, shopper.haste)
    ]
    assert all(0 <= fraction < 1 for fraction in fractions)
