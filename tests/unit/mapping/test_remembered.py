"""A dictionary with a bound keeps what is asked for."""

import random

import pytest

from topdown.mapping.remembered import Remembered


def test_it_never_holds_more_than_its_bound_and_never_a_wrong_value():
    known = Remembered(10)
    rng = random.Random(1)
    found = 0
    for _ in range(3000):
        key = rng.randrange(30)
        value = known.get(key)
        assert value in (None, -key)
        assert (value is None) == (key not in known)
        found += value is not None
        known[key] = -key
        assert len(known) <= 10
    assert found > 500


def test_what_is_asked_for_again_and_again_is_kept():
    known = Remembered(10)
    known["often"] = 1
    for number in range(100):
        known[number] = number
        assert known.get("often") == 1
    assert 0 not in known


def test_a_value_may_be_replaced_and_everything_forgotten():
    known = Remembered(2)
    known["a"], known["a"] = 1, 2
    assert known.get("a") == 2
    assert len(known) == 1
    known.clear()
    assert known.get("a") is None
    assert len(known) == 0


def test_a_bound_below_two_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        Remembered(1)
