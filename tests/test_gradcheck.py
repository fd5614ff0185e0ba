"""gradcheck and gradgradcheck: they find wrong rules, and leave alone what they are given."""

import math
import re

import numpy as np
import pytest

import minigrad
from minigrad import gradcheck, gradgradcheck, nn, ops
from minigrad.autograd import Function, Fused, GradcheckError, Op


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
    assert gradcheck(lambda a: ops.LayerNorm.apply(a, None, None, eps=1e-3), x)
    assert gradgradcheck(lambda a: (ops.sign(a), a * 2, a * a), x)


def test_inputs_that_need_no_gradient_and_are_no_tensors(x):
    assert gradcheck(lambda a, b, n: (a * b).sum(n), (x, minigrad.ones(3).double(), 0))
    assert gradcheck(lambda a, unused: a * 2, (x, minigrad.ones(3, dtype=minigrad.float64, requires_grad=True)))


def report(f, inputs, check=gradcheck, **options):
    """The text of the error that the check must raise."""
    assert check(f, inputs, raise_exception=False, **options) is False
    with pytest.raises(GradcheckError) as caught:
        check(f, inputs, **options)
    return str(caught.value)


def test_the_report_says_where_and_how_much(x):
    bend = WRONG["one element"]
    text = report(cube(lambda g, a: unwrapped(bend, g, a)), x)
    headline, columns, row, cause = text.splitlines()
    assert headline.startswith(
        "<lambda>: the gradient of inputs[0], of shape (2, 3), disagrees with central differences"
    )
    assert headline.endswith("in 1 of 6 elements:")
    assert columns.split() == ["element", "value", "backward", "differences", "off", "by"]
    place, value, backward, differences, off = row.rsplit(maxsplit=4)
    assert place.strip() == "(1, 2)" and value == f"{x[1, 2].item():.7g}"
    assert float(backward) == pytest.approx(0.9 * float(differences), rel=1e-5)
    assert float(off) == pytest.approx(-0.1 * float(differences), rel=1e-5)
    assert cause == "  Likely cause: only this element is wrong, so look for a special case: a border, a tie, a limit"


def test_the_report_shows_the_worst_elements_of_every_wrong_input(rng):
    a, b, c = (minigrad.tensor(rng.uniform(0.5, 2, (3, 3)), requires_grad=True) for _ in range(3))

    class Wrong(Op):
        def forward(self, a, b, c):
            return a * b * c

        def backward(self, g):
            a, b, c = self.operands()
            return g * b * c * 2, g * a * c, g * a * b * np.arange(9.0).reshape(3, 3)

    text = report(Wrong.apply, (a, b, c))
    first, third = text.split("Wrong: ")[1:]
    assert first.startswith("the gradient of inputs[0]") and third.startswith("the gradient of inputs[2]")
    assert "and 4 more" in first and "and 3 more" in third  # element 1 of the third is right
    assert text.endswith("The gradient of inputs[1] agrees.")
    off = [abs(float(line.split()[-1])) for line in first.splitlines()[2:7]]
    assert off == sorted(off, reverse=True) and len(off) == 5


def rule(backward, forward=lambda x: x**3):
    """A Function of one input with this backward(g, x)."""

    class Mine(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

    Mine.backward = staticmethod(lambda ctx, g: backward(g, *ctx.saved_tensors))
    return Mine.apply


def times(factor):
    return rule(lambda g, x: g * 3 * x * x * factor)


def leaf(*shape, low=0.5, high=2.0, seed=0):
    return minigrad.tensor(np.random.default_rng(seed).uniform(low, high, shape), requires_grad=True)


def double(*values):
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


class Swapped(Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return g * a, g * b


def through_numpy(x):
    return x * 2 + minigrad.from_numpy(np.sin(x.detach().numpy())) * 0 + minigrad.from_numpy(x.detach().numpy() ** 2)


def shared(x):
    return x, x.detach().requires_grad_()


CAUSES = {
    "factor": (times(2), lambda: leaf(2, 3), "every element is off by the factor 2"),
    "fraction": (times(0.25), lambda: leaf(2, 3), "every element is off by the factor 1/4"),
    "odd factor": (times(0.7), lambda: leaf(2, 3), "every element is off by the factor 0.7"),
    "sign": (times(-1), lambda: leaf(2, 3), r"every element has the opposite sign \(is off by the factor -1\)"),
    "sign and factor": (times(-2), lambda: leaf(2, 3), "every element is off by the factor -2"),
    "mean": (
        rule(lambda g, x: g.expand(4, 3) * x * 2, lambda x: (x * x).mean()),
        lambda: leaf(4, 3),
        "every element is off by the factor 12; 12 is the number of elements: does a mean divide twice, or not at all",
    ),
    "mean of rows": (
        rule(lambda g, x: g / 9 + x * 0, lambda x: x.mean(1, keepdim=True)),
        lambda: leaf(2, 3),
        "every element is off by the factor 1/3; 3 is a dimension: does a mean divide twice, or not at all",
    ),
    "factor of a single number": (
        times(3),
        lambda: double(1.5).sum().detach().requires_grad_(),
        "off by the factor 3$",
    ),
    "transposed": (rule(lambda g, x: (g * 3 * x * x).t()), lambda: leaf(3, 3), "the transpose of the right gradient"),
    "transposed, not square": (
        rule(lambda g, x: (g * 3 * x * x).t().reshape(2, 3)),
        lambda: leaf(2, 3),
        "the transpose of the right gradient",
    ),
    "exchanged": (
        Swapped.apply,
        lambda: (leaf(3), leaf(3, seed=1)),
        r"this is the gradient of inputs\[1\]; are the two e",
    ),
    "zero": (
        rule(lambda g, x: g * 0),
        lambda: leaf(2, 3),
        "backward gives zero everywhere: the rule forgets this input",
    ),
    "zero in places": (
        rule(lambda g, x: g * 3 * x * x * (x > 1).double()),
        lambda: double(0.5, 0.7, 1.5),
        "backward gives zero in these elements: the rule forgets",
    ),
    "detached": (
        lambda x: (x * 3).detach(),
        lambda: leaf(2, 3),
        r"no gradient reaches it: on the way there is a detach\(\)",
    ),
    "forgotten": (
        rule(lambda g, x: None),
        lambda: leaf(2, 3),
        r"no gradient reaches it: on the way there is a detach\(\)",
    ),
    "independent": (
        rule(lambda g, x: g, lambda x: x * 0 + 1),
        lambda: leaf(2),
        "func does not depend on it, but backward",
    ),
    "nearly independent": (rule(lambda g, x: g, lambda x: x * 1e-5), lambda: leaf(2), "no simple pattern; compare"),
    "partly through NumPy": (through_numpy, lambda: leaf(2, 3), "no simple pattern; compare the rule with the formula"),
    "kink": (
        minigrad.relu,
        lambda: double(0.0, 0.0),
        r"func has a kink: at \(.,\) differences to the left give",
    ),
    "jump": (
        lambda x: ops.sign(x) + x,
        lambda: double(0.0),
        r"func jumps at \(0,\): a step ten times smaller makes the differences ten times larger",
    ),
    "NaN in backward": (times(math.nan), lambda: leaf(2, 3), "backward gives NaN or inf where func is finite"),
    "inf in backward": (times(math.inf), lambda: leaf(2, 3), "backward gives NaN or inf where func is finite"),
    "NaN in func": (minigrad.log, lambda: double(0.0, 1.0), "func is not finite there, or a step beside it"),
    "float32 inside": (
        lambda x: (x.float() * 3).exp().double(),
        lambda: leaf(2, 3),
        "func computes in float32 somewhere: differences with the larger step 0.0",
    ),
    "float32 results": (
        lambda x: x.float().sin(),
        lambda: leaf(2, 3),
        "a result is float32: differences with the larger step",
    ),
    "shared memory": (
        lambda a, b: a * b,
        lambda: shared(leaf(2, 3)),
        r"it shares memory with inputs\[1\], which a step in it moves too; give a clone\(\)",
    ),
    "shared with a constant": (
        lambda a, b: a * b,
        lambda: (lambda x: (x, x.detach()[:]))(leaf(2, 3)),
        r"it shares memory with inputs\[1\]",
    ),
    "lost step": (
        lambda x: x * x,
        lambda: double(1e12, 1.0),
        "the step eps=1e-06 is lost beside the value 1e.12; pass a lar",
    ),
    "one row": (
        rule(lambda g, x: g * 3 * x * x * minigrad.tensor([[1.0], [0.5], [2.0]]) ** minigrad.tensor([[0.0, 1.0]])),
        lambda: leaf(3, 2),
        "all wrong elements have the index 1 in dimension 1: look for a border",
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_report_names_the_likely_cause(name):
    f, inputs, text = CAUSES[name]
    last = next(line for line in report(f, inputs()).splitlines() if line.startswith("  Likely cause: "))
    assert re.search("Likely cause: .*" + text, last), last


def test_a_gradient_of_the_wrong_shape(x):
    class Summed(Op):
        def forward(self, x):
            return x * 2

        def backward(self, g):
            return (g * 2).sum()

    text = report(Summed.apply, x * 1)  # a leaf's would be refused by backward itself
    assert text == "Summed: inputs[0] has shape (2, 3), but its gradient ()"


def test_the_second_check_has_the_same_report(x):
    class Half(Function):
        """x^3; of the gradient's two factors of x one is cut out of the graph."""

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x * x.detach()

    text = report(Half.apply, x, gradgradcheck)
    assert text.startswith("the gradient of Half: the gradient of inputs[0], of shape (2, 3), disagrees")
    assert "Likely cause: every element is off by the factor 1/2" in text and text.endswith(
        "The gradient of grad_outputs[0] agrees."
    )


# ----------------------------------------------------------------------------- functions that are another each time


def test_random_functions_are_named_as_such(x):
    for check in (gradcheck, gradgradcheck):
        text = report(lambda a: nn.functional.dropout(a, 0.5), x, check)
        assert (
            "two calls give different results, so there is nothing to take differences of. Does it draw rando" in text
        )
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Dropout(0.5))).double()
    text = report(model, x)
    assert text.startswith("Sequential: two calls") and text.endswith("1.1 (Dropout) is in training mode; call .eval()")
    assert gradcheck(model.eval(), x)


def test_results_that_repeat_with_gradients_that_do_not(x):
    drawn = np.random.default_rng(0)
    text = report(rule(lambda g, x: g * 3 * x * x * (1 + 1e-3 * drawn.random())), x)
    assert "two calls with the same results have different gradients" in text


def test_nondet_tol(x):
    drawn = np.random.default_rng(0)

    def f(a):
        return a * a + 1e-13 * drawn.random()

    assert gradcheck(f, x, raise_exception=False) is False
    assert gradcheck(f, x, nondet_tol=1e-12) and gradgradcheck(f, x, nondet_tol=1e-12)


def test_inputs_that_func_changes_are_found(x):
    def f(a):
        a.detach().mul_(1.5)
        return a * a

    assert "two calls give different results" in report(f, x.detach().clone().requires_grad_())


# -------------------------------------------------------------------------------------------------------- modules


def bits(module):
    return {name: (id(t), t.array.tobytes()) for name, t in [*module.named_buffers(), *module.named_parameters()]}


def network(training=True):
    layers = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)
    return nn.Sequential(*layers).double().train(training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_modules_are_checked_by_their_parameters_and_left_as_they_were(check, training, rng):
    model, x = network(training), minigrad.tensor(rng.standard_normal((5, 3)))
    model(x * 2) if training else None
    before = bits(model)
    assert check(model, x) and bits(model) == before
    assert check(model, x.requires_grad_()) and bits(model) == before
    assert all(p.grad is None for p in model.parameters()) and model.training is training


def test_buffers_are_put_back_after_a_failure_too(rng):
    model, x = network(), minigrad.tensor(rng.standard_normal((5, 3)))
    before = bits(model)
    assert gradcheck(lambda *a: wrong(model(*a)), x.requires_grad_(), raise_exception=False) is False
    assert bits(model) != before, "of a function that calls a module gradcheck does not know the buffers"

    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.calls = network(), 0

        def forward(self, x):
            self.calls += 1
            y = self.inner(x)
            if self.calls == 3:
                raise KeyError
            return wrong(y)

    for error in (KeyError, GradcheckError):
        model = Failing()
        model.calls = 0 if error is KeyError else 10
        before = bits(model)
        with pytest.raises(error):
            gradcheck(model, x)
        assert bits(model) == before


def wrong(y):
    return y * y.detach()


def test_a_buffer_that_a_call_replaces_is_put_back():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", minigrad.zeros((), dtype=minigrad.int64), persistent=False)
            self.register_buffer("scale", minigrad.ones(2, dtype=minigrad.float64).expand(2, 2))

        def forward(self, x):
            self.seen = self.seen + 1
            return x * self.scale * self.seen.double()  # depends on the state: each call must begin with the same

    model = Counting()
    before = bits(model)
    assert gradcheck(model, leaf(2, 2)) and gradgradcheck(model, leaf(2, 2))
    assert bits(model) == before and "seen" not in model.state_dict()


def test_the_report_names_the_parameter(rng):
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(minigrad.ones(3).double()), nn.Parameter(minigrad.ones(3).double())

        def forward(self, x):
            return Swapped.apply(x, self.weight.expand(2, 3)) * 0 + x * self.weight.detach() * self.weight + self.bias

    text = report(nn.Sequential(Scale()), minigrad.tensor(rng.standard_normal((2, 3))))
    assert text.startswith("Sequential: the gradient of 0.weight, of shape (3,), disagrees")
    assert "off by the factor 1/2" in text and text.endswith("The gradient of 0.bias agrees.")


def test_parameters_that_are_frozen_shared_or_given_as_inputs(rng):
    x = minigrad.tensor(rng.standard_normal((5, 3)))
    model = network().requires_grad_(False)
    with pytest.raises(ValueError, match="gradcheck: none of the inputs requires grad"):
        gradcheck(model, x)
    assert gradcheck(model, x.requires_grad_())

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = self.b = nn.Linear(3, 3).double()

        def forward(self, x, weight=None):
            return self.b(self.a(x).tanh())

    model = Tied()
    assert gradcheck(model, x) and gradcheck(model, (x, model.a.weight)) and gradgradcheck(model, x)
    assert gradcheck(lambda a, weight: model(a), (x, model.a.weight))


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_a_module_must_be_in_float64_throughout(check, rng):
    x, name = minigrad.tensor(rng.standard_normal((5, 3)), requires_grad=True), check.__name__
    with pytest.raises(
        ValueError, match=f"{name}: weight of Linear is float32; finite differences need float64, use mod"
    ):
        check(nn.Linear(3, 2), x)
    model = network()
    model[1].running_mean = model[1].running_mean.float()
    with pytest.raises(ValueError, match=f"{name}: 1.running_mean of Sequential is float32"):
        check(model, x)
    with pytest.raises(ValueError, match=r"grad_outputs\[0\] is float32"):
        gradgradcheck(cube(), x, minigrad.ones(5, 3, requires_grad=True))


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


def test_a_function_that_differentiates(x):
    def penalty(a):
        (g,) = minigrad.autograd.grad((a**3).sum(), a, create_graph=True)
        return (g * g).sum(), g

    assert gradcheck(penalty, x) and gradgradcheck(penalty, x)
    with minigrad.no_grad():
        assert gradcheck(cube(), x) and gradgradcheck(cube(), x)


@pytest.mark.parametrize("check", [minigrad.gradcheck, minigrad.gradgradcheck])
@pytest.mark.parametrize("eps", [0, -1e-6, float("nan")])
def test_a_step_that_is_none(check, eps):
    x = minigrad.ones(2, dtype=minigrad.float64, requires_grad=True)
    with pytest.raises(ValueError, match=f"^{check.__name__}: eps must be a finite number > 0, got"):
        check(lambda x: x * x, x, eps=eps)
