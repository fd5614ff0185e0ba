"""The checks of options that the layers, optimizers, loaders and scripts share."""

import math

import numpy as np
import pytest

import minigrad
from minigrad import checks


@pytest.mark.parametrize("value", [2, 2.5, np.float32(2.5), np.int64(2)])
def test_numbers_pass_as_they_are(value):
    assert checks.number("SGD", "lr", value, " >= 0") is value


@pytest.mark.parametrize("value", ["1", None, True, np.bool_(True), 1j, [1.0], np.ones(1)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match=r"SGD: lr must be a number >= 0, got lr="):
        checks.number("SGD", "lr", value, " >= 0")


def test_a_tensor_is_advised_of_item():
    with pytest.raises(TypeError, match=r"pass its \.item\(\)"):
        checks.number("SGD", "lr", minigrad.tensor(0.1))


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_numbers_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match=r"SGD: lr must be a finite number >= 0, got lr="):
        checks.number("SGD", "lr", value, " >= 0")


def test_infinite_numbers_where_they_are_allowed():
    assert checks.number("Hardtanh", "max_val", math.inf, finite=False) == math.inf
    with pytest.raises(ValueError, match="eps must be a number >= 0, got eps=nan"):
        checks.number("normalize", "eps", math.nan, " >= 0", finite=False)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_ints_of_any_kind_become_int(value):
    found = checks.whole("BatchSampler", "batch_size", value, " >= 1")
    assert found == 3 and type(found) is int


def test_ints_of_the_wrong_kind_and_out_of_range():
    for value in (2.0, "2", None, True, np.ones(1, int)):
        with pytest.raises(TypeError, match="BatchSampler: batch_size must be an int >= 1, got batch_size="):
            checks.whole("BatchSampler", "batch_size", value, " >= 1")
    with pytest.raises(ValueError, match="BatchSampler: batch_size must be an int >= 1, got batch_size=0"):
        checks.whole("BatchSampler", "batch_size", 0, " >= 1")


@pytest.mark.parametrize("value", [1, 0, None, "yes", np.bool_(True)])
def test_flags(value):
    assert checks.flag("SGD", "nesterov", True) is True
    with pytest.raises(TypeError, match="SGD: nesterov must be True or False, got nesterov="):
        checks.flag("SGD", "nesterov", value)


@pytest.mark.parametrize("value", ["mean", None, np.ones(3)])
def test_choices(value):
    assert checks.choice("Plateau", "mode", "min", "min", "max") == "min"
    with pytest.raises(ValueError, match='Plateau: mode must be "min" or "max", got mode='):
        checks.choice("Plateau", "mode", value, "min", "max")
