from dropsite.loadtest import plans
from dropsite.loadtest.plans import AtHold, Card, Leaves


def test_same_seed_draws_the_same_crowd():
    assert plans.draw(shoppers=50, seed=7) == plans.draw(shoppers=50, seed=7)


def test_another_seed_draws_another_crowd():
    assert plans.draw(shoppers=50, seed=7) != plans.draw(shoppers=50, seed=8)


def test_a_larger_crowd_begins_with_the_smaller_one():
    assert plans.draw(shoppers=80, seed=7)[:50] == plans.draw(shoppers=50, seed=7)


def test_a_crowd_of_300_does_everything():
    crowd = plans.draw(shoppers=300, seed=1)

    assert {plan.leaves for plan in crowd} == set(Leaves)
    assert {plan.at_hold for plan in crowd} == set(AtHold)
    assert {plan.card for plan in crowd} == set(Card)
    assert {plan.joins_twice for plan in crowd} == {plan.pays_twice for plan in crowd} == {True, False}
    assert {plan.late for plan in crowd} == {True, False}


def test_fractions_stay_below_one():
    crowd = plans.draw(shoppers=300, seed=2)

    assert all(0 <= part < 1 for plan in crowd for part in (plan.arrives, plan.taste, plan.greed, plan.haste))
