"""Powers of bools and integers, rounding in float16, and aliases: what no derivative depends on."""

import numpy as np
import pytest

import minigrad
from minigrad import ops


def test_powers_that_no_float_stands_for():
    x = minigrad.tensor([True, False])
    assert (x**True).tolist() == [True, False] and (x**False).tolist() == [True, True]
    x = minigrad.tensor([2, -1, 1, 0])
    assert (x ** minigrad.tensor([-1, -1, -2, 2])).tolist() == [0, -1, 1, 0]  # rounded towards 0


def test_sigmoid_rounds_float16_once():
    x = np.linspace(-17, 17, 2001).astype(np.float16)
    wanted = (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float16)
    np.testing.assert_array_equal(minigrad.sigmoid(minigrad.from_numpy(x)).numpy(), wanted)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("subtract", "sub"), ("multiply", "mul"), ("divide", "div"), ("true_divide", "div"), ("negative", "neg")]
    + [("absolute", "abs"), ("clip", "clamp"), ("fix", "trunc"), ("arctan2", "atan2")]
    + [(f"arc{name}", f"a{name}") for name in ("sin", "cos", "tan")],
)
def test_other_names_are_the_same_function(alias, name):
    for home in (ops, minigrad, minigrad.Tensor):
        assert getattr(home, alias) is getattr(home, name)
