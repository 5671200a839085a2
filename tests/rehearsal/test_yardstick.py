"""The price of a bare view, measured for real."""

from dropsite.rehearsal.yardstick import Yardstick


def test_a_bare_view_costs_something():
    assert 0 < Yardstick().read() < 100
