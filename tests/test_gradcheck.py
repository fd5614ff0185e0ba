"""gradcheck and gradgradcheck: they find wrong rules, and leave alone what they are given."""

import math

import numpy as np
import pytest

import minigrad
from minigrad import gradcheck, gradgradcheck, ops
from minigrad.autograd import Fused, GradcheckError, Op


class Cube(Op):
    """x^3 with a derivative that a test can bend."""

    def forward(self, x, bend):
        self.bend = bend
        return x**3

    def backward(self, g):
        (x,) = self.operands()
        return g * x * x * 3 if self.bend is None else self.bend(g, x)


def cube(bend=None):
    return lambda x: Cube.apply(x, bend=bend)


@pytest.fixture
def x(rng):
    return minigrad.tensor(rng.uniform(0.5, 2, (2, 3)), requires_grad=True)


def test_right_rules_pass(x):
    assert gradcheck(cube(), x) is True and gradgradcheck(cube(), x) is True
    assert gradcheck(lambda a, b: (a * b, a - b), (x, x.clone().detach().requires_grad_())) is True


WRONG = {
    "factor": lambda g, x: g * x * x * 2,
    "sign": lambda g, x: -g * x * x * 3,
    "a little": lambda g, x: g * x * x * 3.01,
    "one element": lambda g, x: g * x * x * 3 * minigrad.tensor([[1.0, 1, 1], [1, 1, 0.9]]),
    "no gradient": lambda g, x: None,
    "the cotangent forgotten": lambda g, x: x * x * 3 + g * 0,
    "summed up": lambda g, x: (g * x * x * 3).sum().reshape(1, 1) + x * 0,
    "infinite": lambda g, x: g * math.inf,
    "NaN": lambda g, x: g * math.nan,
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rules_fail(name, x):
    bend = WRONG[name]
    f = cube(lambda g, a: unwrapped(bend, g, a))
    assert gradcheck(f, x, raise_exception=False) is False
    with pytest.raises(GradcheckError, match=r"the gradient of inputs\[0\], of shape \(2, 3\), disagrees"):
        gradcheck(f, x)


def unwrapped(bend, g, x):
    """Apply a bent rule to arrays or Tensors, and give back what came in."""
    if isinstance(g, minigrad.Tensor):
        return bend(g, x)
    result = bend(minigrad.as_tensor(g), minigrad.as_tensor(x))
    return None if result is None else result.array


def test_a_wrong_softmax_that_a_sum_would_pass(x):
    class Wrong(ops.reduce.Softmax):
        def backward(self, g):
            return g * 0

    def f(a):
        return Wrong.apply(a, dim=1)

    assert gradcheck(lambda a: f(a).sum(), x), "the sum of a softmax is constant: a rule of zeros looks right"
    assert not gradcheck(f, x, raise_exception=False)


def test_a_rule_that_is_right_once_but_not_twice_fails_the_second_check(x):
    class Flat(Op):
        """x^3; the derivative is right, but cut out of the graph: the second one is lost."""

        def forward(self, x):
            self.x = x
            return x**3

        def backward(self, g):
            return g * (self.x**2 * 3)

    assert gradcheck(Flat.apply, x)
    with pytest.raises(GradcheckError, match="the gradient of"):
        gradgradcheck(Flat.apply, x)
    assert gradgradcheck(Flat.apply, x, raise_exception=False) is False


def test_a_recorded_gradient_that_is_not_the_plain_one_is_found(x):
    class Odd(Fused):
        """x^3; the definition that a recorded backward differentiates is another function's."""

        def forward(self, x):
            return x**3

        def kernel_backward(self, g):
            (x,) = self.operands()
            return g * x**2 * 3

        def definition(self, x):
            return x**3 * 2

    assert gradcheck(Odd.apply, x)
    with pytest.raises(
        GradcheckError, match=r"inputs\[0\] under create_graph=True differs from the plain one, by up to"
    ):
        gradgradcheck(Odd.apply, x)


def test_a_result_that_left_the_graph_is_found(x):
    with pytest.raises(GradcheckError, match="disagrees"):
        gradcheck(lambda a: (a * 3).detach(), x)
    assert gradcheck(lambda a: ops.sign(a), x), "constant indeed"


def test_constants_and_integers_among_the_results_are_passed_over(x):
    assert gradcheck(lambda a: (a.max(1).indices, a.max(1).values, minigrad.ones(2), a * 2), x)
    assert gradcheck(lambda a: ops.BatchNorm.apply(a.reshape(3, 2, 1), None, None, eps=1e-3), x)
    assert gradgradcheck(lambda a: (ops.sign(a), a * 2, a * a), x)


def test_inputs_that_need_no_gradient_and_are_no_tensors(x):
    assert gradcheck(lambda a, b, n: (a * b).sum(n), (x, minigrad.ones(3).double(), 0))
    assert gradcheck(lambda a, unused: a * 2, (x, minigrad.ones(3, dtype=minigrad.float64, requires_grad=True)))


def test_the_message_says_where_and_how_much(x):
    bend = WRONG["one element"]
    with pytest.raises(GradcheckError) as caught:
        gradcheck(cube(lambda g, a: unwrapped(bend, g, a)), x)
    text = str(caught.value)
    assert (
        "in 1 of 6 elements; the worst is (1, 2): backward gives" in text
        and f"at the value {x[1, 2].item():.9g}" in text
    )


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (lambda: minigrad.ones(2, dtype=minigrad.float64), "none of the inputs requires grad"),
        (lambda: 3.0, "none of the inputs requires grad"),
        (lambda: minigrad.ones(2, requires_grad=True), r"inputs\[0\] is float32; .* use x.double\(\)"),
        (lambda: minigrad.ones(1, dtype=minigrad.float64).expand(3).requires_grad_(), r"inputs\[0\] is read-only"),
    ],
)
def test_bad_inputs(inputs, text):
    with pytest.raises(ValueError, match=text):
        gradcheck(lambda a: a * 2, inputs())


def test_inputs_and_their_gradients_are_left_as_they_were(x, rng):
    before, held = x.array.copy(), minigrad.tensor(rng.standard_normal((2, 3)))
    x.grad = held
    state = minigrad.get_rng_state().tolist()
    gradcheck(cube(), x)
    gradgradcheck(cube(), x)
    np.testing.assert_array_equal(x.array, before)
    assert x.grad is held and minigrad.get_rng_state().tolist() == state

    calls = []

    def fails(a):
        calls.append(1)
        if len(calls) == 3:
            raise KeyError
        return a * 2

    with pytest.raises(KeyError):
        gradcheck(fails, x)
    np.testing.assert_array_equal(x.array, before)


def test_views_0d_and_empty_inputs(rng):
    view = minigrad.tensor(rng.standard_normal((4, 6)))[::-2, ::3].requires_grad_()
    number = minigrad.tensor(1.5, dtype=minigrad.float64, requires_grad=True)
    empty = minigrad.zeros(0, 3, dtype=minigrad.float64, requires_grad=True)
    for t in (view, number, empty):
        assert gradcheck(minigrad.tanh, t) and gradgradcheck(minigrad.tanh, t)


def test_the_cotangent_can_be_drawn_or_given(x):
    assert gradcheck(cube(), x, generator=minigrad.Generator().manual_seed(4))
    v = minigrad.ones(2, 3, dtype=minigrad.float64, requires_grad=True)
    assert gradgradcheck(cube(), x, v) and gradgradcheck(cube(), x, (v,))


def test_tolerances(x):
    bend = WRONG["a little"]
    f = cube(lambda g, a: unwrapped(bend, g, a))
    assert gradcheck(f, x, rtol=0.05) and gradcheck(f, x, atol=1.0)
    assert not gradcheck(f, x, rtol=1e-3, atol=1e-5, raise_exception=False)
    assert gradcheck(cube(), x, eps=1e-4, atol=1e-6)


def test_a_function_that_gives_no_tensor():
    x = minigrad.tensor([1.0], dtype=minigrad.float64, requires_grad=True)
    for check in (gradcheck, gradgradcheck):
        with pytest.raises(TypeError, match="gradcheck: func must give a Tensor or a tuple of them, got int"):
            check(lambda x: 3, x)
