"""autograd.Function: PyTorch's form of an op of one's own, whose results and refusals are PyTorch's."""

import gc
import weakref

import numpy as np
import pytest

import minigrad
from minigrad import autograd, gradcheck, gradgradcheck
from minigrad.autograd import Function
from minigrad.autograd.function import Gradients, once_differentiable


class Exp(Function):
    """Saves its output."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class Product(Function):
    """x^n w: saves its inputs, takes a number too."""

    @staticmethod
    def forward(ctx, x, w, n):
        ctx.save_for_backward(x, w)
        ctx.n = n
        return x**n * w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        gx = g * ctx.n * x ** (ctx.n - 1) * w if ctx.needs_input_grad[0] else None
        gw = g * x**ctx.n if ctx.needs_input_grad[1] else None
        return gx, gw, None


class SinCos(Function):
    """Two outputs, each saved for the other's gradient, and two that have none."""

    @staticmethod
    def forward(ctx, x):
        s, c, places = x.sin(), x.cos(), x.argmax()
        ctx.save_for_backward(s, c)
        return s, c, places, "note"

    @staticmethod
    def backward(ctx, gs, gc, gplaces, gnote):
        assert gplaces.dtype == minigrad.int64 and gplaces.item() == 0 and gnote is None
        s, c = ctx.saved_tensors
        return gs * c - gc * s


class Softplus(Function):
    """The newer form."""

    @staticmethod
    def forward(x, beta=1.0):
        return (x * beta).exp().log1p() / beta

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.beta = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * (ctx.beta * (x - y)).exp(), None


@pytest.fixture
def x(rng):
    return minigrad.tensor(rng.uniform(0.5, 2, (2, 3)), requires_grad=True)


@pytest.fixture
def w(rng):
    return minigrad.tensor(rng.uniform(0.5, 2, (2, 3)), requires_grad=True)


def function(forward, backward=lambda ctx, g: g, **more):
    """A Function of two Python functions."""
    return type("Mine", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward), **more})


def saves(*what):
    """A forward that saves what the functions `what` make of its Tensor x, and gives 2 x."""

    def forward(ctx, x):
        ctx.save_for_backward(*(f(x) for f in what))
        return x * 2

    return forward


CALLS = {
    "saved output": lambda x, w: Exp.apply(x),
    "saved inputs": lambda x, w: Product.apply(x, w, 3),
    "two outputs": lambda x, w: SinCos.apply(x * w)[:2],
    "two outputs, used again": lambda x, w: (lambda s, c, *_: (s * c * w, s + x))(*SinCos.apply(x)),
    "one of two outputs": lambda x, w: SinCos.apply(x)[1] * w,
    "the newer form": lambda x, w: Softplus.apply(x * w, 2.0),
    "nested": lambda x, w: Product.apply(Exp.apply(x), Softplus.apply(w), 2),
}


@pytest.mark.parametrize("name", CALLS)
def test_derivatives_of_first_to_third_order(name, x, w, rng):
    f = CALLS[name]
    assert gradcheck(f, (x, w)) and gradgradcheck(f, (x, w))
    outputs = f(x, w)
    vs = [minigrad.tensor(rng.standard_normal((2, 3))) for _ in (outputs if isinstance(outputs, tuple) else [outputs])]

    def gradient(x, w):
        return autograd.grad(f(x, w), (x, w), vs, create_graph=True, materialize_grads=True)

    assert gradgradcheck(gradient, (x, w), atol=1e-4)


def test_a_plain_pass_and_a_recorded_one_give_the_same(x, w, rng):
    v = minigrad.tensor(rng.standard_normal((2, 3)))
    for f in CALLS.values():
        ys = f(x, w)
        y = ys[0] if isinstance(ys, tuple) else ys
        plain = autograd.grad(y, (x, w), v, retain_graph=True, materialize_grads=True)
        recorded = autograd.grad(y, (x, w), v, create_graph=True, materialize_grads=True)
        for a, b in zip(plain, recorded, strict=True):
            np.testing.assert_array_equal(a.array, b.array)


# ------------------------------------------------------------------------------------------ what forward sees


def test_forward_is_given_the_tensors_themselves_and_is_not_recorded(x):
    seen = []

    def forward(ctx, a, n, key):
        seen.append((a, n, key, minigrad.is_grad_enabled()))
        return a * n

    y = function(forward, lambda ctx, g: (g, None, None)).apply(x, 3, key="k")
    assert seen[0][0] is x and seen[0][1:] == (3, "k", False)
    assert y.requires_grad and repr(y.grad_fn) == "<Mine>" and y.grad_fn.next_functions[0][0].variable is x


def test_needs_input_grad_is_known_to_forward_and_to_backward(x):
    seen = []

    def forward(ctx, a, b, n):
        seen.append(ctx.needs_input_grad)
        return a * b

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g, g, None

    mine = function(forward, backward)
    mine.apply(minigrad.ones(2, 3).double(), x, 1).sum().backward()
    with minigrad.no_grad():
        assert not mine.apply(x, x, 1).requires_grad
    assert seen == [(False, True, False), (False, True, False), (True, True, False)]


def test_without_a_gradient_to_ask_for_nothing_is_recorded(x):
    for y in (Exp.apply(x.detach()), *SinCos.apply(x.detach())[:2]):
        assert not y.requires_grad and y.grad_fn is None
    with minigrad.no_grad():
        assert not any(y.requires_grad for y in SinCos.apply(x)[:2])
    assert function(lambda ctx, n: n + 1).apply(2) == 3


def test_what_forward_gives_comes_out_in_the_same_form(x):
    constant = object()
    y, note, none = function(lambda ctx, x: (x * 2, constant, None)).apply(x)
    assert note is constant and none is None and y.requires_grad
    assert isinstance(function(lambda ctx, x: (x * 2,)).apply(x), tuple)
    assert function(lambda ctx, x: None).apply(x) is None
    counts = function(lambda ctx, x: x.long()).apply(x)
    assert not counts.requires_grad and counts.dtype == minigrad.int64


def test_tensors_of_a_list_would_be_cut_out_of_the_graph(x):
    mine = function(lambda ctx, x: [x * 2, x * 3])
    with pytest.raises(
        TypeError, match="Mine: forward gave a list, whose Tensors would be cut out of the graph; return"
    ):
        mine.apply(x)
    assert len(mine.apply(x.detach())) == 2


@pytest.mark.parametrize(
    "forward", [lambda ctx, x: x, lambda ctx, x: x.view(3, 2), lambda ctx, x: (x, x), lambda ctx, x: (x[0], x[1])]
)
def test_an_output_has_memory_of_its_own(forward, x):
    shape = x.shape
    mine = function(forward, lambda ctx, *g: sum(g).reshape(-1)[0].expand(shape))
    ys = mine.apply(x)
    ys = ys if isinstance(ys, tuple) else (ys,)
    for i, y in enumerate(ys):
        assert y is not x and y.requires_grad and y.grad_fn is not None
        others = [x, *(z for j, z in enumerate(ys) if j != i)]
        assert not any(np.shares_memory(y.array, z.array) for z in others)
    ys[0].mul_(2)  # changes nothing else, and is recorded
    assert x.is_leaf


def test_keywords_are_put_in_their_places(x):
    mine = function(lambda ctx, x, n=2, m=1: x * n * m, lambda ctx, g: (g * 5, None))
    y = mine.apply(x, n=5)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.array, np.full((2, 3), 5.0))
    np.testing.assert_array_equal(y.array, x.array * 5)
    for kwargs, text in [
        ({"k": 1}, "Mine: got an unexpected keyword argument 'k'"),
        ({"m": 3}, "Mine: m cannot be given by keyword"),
        ({"x": x}, "Mine: multiple values for argument 'x'"),
    ]:
        with pytest.raises(TypeError, match=text):
            mine.apply(x, **kwargs)


def test_the_newer_form_fills_in_defaults(x):
    seen = []

    class Scale(Function):
        @staticmethod
        def forward(x, n=2):
            return x * n

        @staticmethod
        def setup_context(ctx, inputs, output):
            seen.append((inputs, output, minigrad.is_grad_enabled()))
            ctx.n = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.n, None

    y = Scale.apply(x)
    inputs, output, recorded = seen[0]
    assert inputs[0] is x and inputs[1] == 2 and not recorded and not output.requires_grad
    (g,) = autograd.grad(y.sum(), x)
    np.testing.assert_array_equal(g.array, np.full((2, 3), 2.0))


# ---------------------------------------------------------------------------------------------- what is saved


def test_saved_inputs_are_the_inputs_and_saved_outputs_are_tied_to_the_graph(x):
    seen = []

    def forward(ctx, x):
        y = x * 2
        ctx.save_for_backward(x, None, y, x + 1)
        assert ctx.saved_tensors == ()
        return y

    def backward(ctx, g):
        seen.append(ctx.saved_tensors)
        return g * 2

    y = function(forward, backward).apply(x)
    y.sum().backward(retain_graph=True)
    saved_x, none, saved_y, middle = seen[0]
    assert saved_x is x and none is None and saved_y is not y and saved_y.grad_fn is y.grad_fn
    assert not middle.requires_grad
    np.testing.assert_array_equal(saved_y.array, y.array)
    assert [t is None for t in y.grad_fn.saved_tensors] == [False, True, False, False]


def test_an_input_that_is_returned_is_saved_as_an_input(x):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x

    assert function(forward).apply(x).grad_fn.saved_tensors[0] is x


def test_what_is_not_saved_is_freed(x):
    h = x * 2
    dead = weakref.ref(h)
    y = function(lambda ctx, x: x * 2).apply(h)
    del h
    assert dead() is None and y.requires_grad


def test_a_saved_output_among_several_is_the_same_node(x):
    s, c, *_ = SinCos.apply(x)
    saved = s.grad_fn.next_functions[0][0].saved_tensors
    assert saved[0].grad_fn is s.grad_fn and saved[1].grad_fn is c.grad_fn
    (dx,) = autograd.grad(s.sum(), x, create_graph=True)  # cos(x), by the saved output
    (dc,) = autograd.grad(dx.sum(), c, retain_graph=True)
    np.testing.assert_array_equal(dc.array, np.ones((2, 3)))
    del s, saved, c
    (ddx,) = autograd.grad(dx.sum(), x)  # one of the outputs is gone; its node is made anew where it is needed
    np.testing.assert_allclose(ddx.array, -np.sin(x.array), rtol=1e-12)


def test_an_output_kept_as_an_attribute_is_tied_too(x):
    def forward(ctx, x):
        ctx.y, ctx.z = x.exp(), 3
        return ctx.y

    mine = function(forward, lambda ctx, g: g * ctx.y)
    assert gradcheck(mine.apply, x) and gradgradcheck(mine.apply, x)
    y = mine.apply(x)
    assert y.grad_fn.z == 3 and y.grad_fn.y.grad_fn is y.grad_fn
    node, y = weakref.ref(y.grad_fn), None
    assert node() is None


def test_saved_tensors_are_freed_by_backward(x):
    y = Exp.apply(x)
    y.sum().backward()
    with pytest.raises(
        RuntimeError, match=r"backward through Exp a second time, but what it saved was freed .* retain_gra"
    ):
        y.sum().backward()
    with pytest.raises(
        RuntimeError, match=r"backward through Exp a second time, but what it saved was freed .* retain_gra"
    ):
        y.grad_fn.saved_tensors
    y = function(lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(x)
    y.sum().backward()
    y.sum().backward()  # nothing was saved, so there is nothing to miss


def test_saving_twice_keeps_the_last(x):
    def forward(ctx, x):
        ctx.save_for_backward(x, x)
        ctx.save_for_backward(x)
        return x * 2

    assert len(function(forward).apply(x).grad_fn.saved_tensors) == 1


@pytest.mark.parametrize("value", [3.0, [1], "x", np.ones(2)])
def test_only_tensors_can_be_saved(value, x):
    with pytest.raises(
        TypeError, match=f"Mine: save_for_backward takes Tensors and None, argument 1 is {type(value).__name__}"
    ):
        function(saves(lambda x: x, lambda _: value)).apply(x)


def test_a_saved_tensor_changed_in_place_is_found(x):
    a = x * 1
    y = Product.apply(a, a, 2)
    a.mul_(2)
    with pytest.raises(
        RuntimeError, match=r"Product: backward needs what it saved as saved.* last changed in place by mul_"
    ):
        y.sum().backward()
    y = Exp.apply(x)
    y.add_(1)
    with pytest.raises(
        RuntimeError, match=r"Exp: backward needs what it saved as saved.* last changed in place by add_"
    ):
        y.sum().backward()
    s, c, *_ = SinCos.apply(x)
    c.detach().zero_()
    with pytest.raises(RuntimeError, match="SinCos: backward needs what it saved"):
        s.sum().backward()


def test_no_reference_cycles(x):
    gc.collect()
    gc.disable()
    try:
        for f in CALLS.values():
            ys = f(x, x * 2)
            y = ys[0] if isinstance(ys, tuple) else ys
            del ys
            (g,) = autograd.grad(y.sum(), x, create_graph=True)
            if g.requires_grad:
                autograd.grad(g.sum(), x)
            node = weakref.ref(y.grad_fn)
            del y, g
            assert node() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_context_that_outlives_its_graph(x):
    kept = []

    def forward(ctx, x):
        kept.append(ctx)
        ctx.save_for_backward(x)
        return x * 2

    function(forward).apply(x)
    with pytest.raises(RuntimeError, match="Mine: the saved Tensors were freed together with their graph"):
        kept[0].saved_tensors


def test_a_missing_attribute_says_so(x):
    y = function(lambda ctx, x: x * 2, lambda ctx, g: g * ctx.factor).apply(x)
    with pytest.raises(AttributeError, match="Mine: ctx has no attribute 'factor'; did forward set it"):
        y.sum().backward()
    with pytest.raises(AttributeError, match="Mine: ctx has no attribute 'other'"):
        y.grad_fn.other
    with pytest.raises(AttributeError, match="Call has no attribute '_private'"):
        y.grad_fn._private


# ----------------------------------------------------------------------------------- the gradients that arrive


def test_outputs_without_a_gradient_get_zeros_or_none(x):
    seen = []

    def forward(ctx, x, materialize):
        ctx.set_materialize_grads(materialize)
        constant = x * 2
        ctx.mark_non_differentiable(constant)
        return constant, x * 3, (x * 5).float(), x.long()

    mine = function(forward, lambda ctx, *g: (seen.append(g), (g[1] * 3, None))[1])
    for materialize in (True, False):
        constant, y, *_ = mine.apply(x, materialize)
        assert not constant.requires_grad
        x.grad = None
        y.sum().backward()
        np.testing.assert_array_equal(x.grad.array, np.full((2, 3), 3.0))
    zeros, ones, other, counts = seen[0]
    for t, dtype in ((zeros, "float64"), (other, "float32"), (counts, "int64")):
        assert t.dtype.name == dtype and t.shape == (2, 3) and not t.array.any()
    assert ones.array.all() and [g is None for g in seen[1]] == [True, False, True, True]


def test_a_single_differentiable_output_among_others(x):
    def forward(ctx, x):
        values, places = x * 2, x.long()
        return places, values

    y = function(forward, lambda ctx, g, h: h * 2).apply(x)[1]
    assert y.grad_fn.needs_input_grad == (True,), "the node is the context, as for one output"
    (g,) = autograd.grad(y.sum(), x)
    np.testing.assert_array_equal(g.array, np.full((2, 3), 2.0))


def test_gradients_of_one_output_that_is_used_twice_add_up(x, rng):
    s, c, *_ = SinCos.apply(x)
    v, u = (minigrad.tensor(rng.standard_normal((2, 3))) for _ in range(2))
    (g,) = autograd.grad((s * s * v + s * u + c * v).sum(), x)
    sin, cos = np.sin(x.array), np.cos(x.array)
    np.testing.assert_allclose(g.array, cos * (2 * sin * v.array + u.array) - sin * v.array, rtol=1e-12)


def test_hooks_and_retained_gradients_of_several_outputs(x):
    s, c, *_ = SinCos.apply(x)
    assert repr(s.grad_fn) == "<SinCos>" and s.grad_fn.next_functions[0][0].needs_input_grad == (True,)
    seen = []
    s.register_hook(lambda g: seen.append(g.array.copy()) or g * 2)
    c.retain_grad()
    (s + 3 * c).sum().backward()
    np.testing.assert_array_equal(seen[0], np.ones((2, 3)))
    np.testing.assert_array_equal(c.grad.array, np.full((2, 3), 3.0))
    np.testing.assert_allclose(x.grad.array, 2 * np.cos(x.array) - 3 * np.sin(x.array), rtol=1e-12)


def test_only_what_is_asked_for_is_run(x, w):
    called = []
    mine = function(lambda ctx, x: (x * 2, x * 3), lambda ctx, g, h: called.append(1) or g)
    y = mine.apply(x)[0] * w
    autograd.grad(y.sum(), w)
    assert not called


def test_backward_runs_on_tensors_recorded_only_under_create_graph(x):
    seen = []

    def backward(ctx, g):
        seen.append((type(g), g.requires_grad, minigrad.is_grad_enabled()))
        return g * 2

    y = function(lambda ctx, x: x * 2, backward).apply(x)
    v = minigrad.ones(2, 3, dtype=minigrad.float64, requires_grad=True)
    autograd.grad(y, x, v, retain_graph=True)
    autograd.grad(y, x, v, create_graph=True)
    assert seen == [(minigrad.Tensor, False, False), (minigrad.Tensor, True, True)]


def test_the_gradient_that_arrives_cannot_be_changed_and_what_is_returned_is_nobody_elses(x, w):
    y = function(lambda ctx, x: x * 2, lambda ctx, g: g.mul_(2)).apply(x)
    v = w.detach().clone()
    with pytest.raises(RuntimeError, match="mul_: this tensor's memory is read-only"):
        y.backward(v)
    np.testing.assert_array_equal(v.array, w.array)

    def forward(ctx, x, w):
        ctx.save_for_backward(w.detach() * 1)
        return (x * w).sum()

    mine = function(forward, lambda ctx, g: (ctx.saved_tensors[0], ctx.saved_tensors[0]))
    y = mine.apply(x, w)
    y.backward(retain_graph=True)
    x.grad.mul_(100), w.grad.zero_()
    x.grad = None
    y.backward()
    np.testing.assert_array_equal(x.grad.array, w.array)


# -------------------------------------------------------------------------------------------- mistakes in backward

MISTAKES = {
    "too few": (
        lambda ctx, g: g,
        RuntimeError,
        "Mine: backward gave 1 gradients, but forward took 2 arguments; return a tup",
    ),
    "too many": (
        lambda ctx, g: (g, None, g),
        RuntimeError,
        "Mine: backward gave 3 gradients, but forward took 2 arguments",
    ),
    "a list": (lambda ctx, g: [g, None], RuntimeError, "Mine: backward gave 1 gradients, but forward took 2 arguments"),
    "for a number": (
        lambda ctx, g: (g, g),
        RuntimeError,
        "gave a gradient for argument 1, which was no Tensor; return None",
    ),
    "a number": (
        lambda ctx, g: (3.0, None),
        TypeError,
        "Mine: backward gave float as the gradient of argument 0; it must be",
    ),
    "an array": (
        lambda ctx, g: (g.array, None),
        TypeError,
        "Mine: backward gave ndarray as the gradient of argument 0",
    ),
    "shape": (
        lambda ctx, g: (g.sum(), None),
        RuntimeError,
        r"Mine: the gradient of argument 0 has shape \(\), but the argument has shape \(2, 3\); they must be equal",
    ),
    "other shape": (
        lambda ctx, g: (g[:, :2], None),
        RuntimeError,
        r"has shape \(2, 2\), but the argument has shape \(2, 3\)",
    ),
    "both names": (None, RuntimeError, "Mine: both backward and vjp are defined, which are two names of one rule"),
    "none": (Function.backward, NotImplementedError, "a Function must define the static method backward"),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_backward(name, create_graph, x):
    backward, error, text = MISTAKES[name]
    mine = function(lambda ctx, x, n: x * n, backward or (lambda ctx, g: (g, None)))
    if backward is None:
        mine.vjp = staticmethod(lambda ctx, g: (g, None))
    y = mine.apply(x, 3)
    with pytest.raises(error, match=text):
        y.sum().backward(create_graph=create_graph)
    assert x.grad is None


def test_what_is_more_than_needed_but_none_and_none_for_all(x):
    for answer, wanted in [(lambda g: (g, None, None), 1.0), (lambda g: (None, None), None)]:
        mine = function(lambda ctx, x, n: x * n, lambda ctx, g, answer=answer: answer(g))
        x.grad = None
        mine.apply(x, 3).sum().backward()
        assert x.grad is None if wanted is None else (x.grad.array == wanted).all()


def test_a_gradient_is_summed_over_what_broadcasting_repeated_and_takes_the_dtype(rng):
    b = minigrad.tensor(rng.standard_normal((1, 3)), dtype=minigrad.float32, requires_grad=True)
    a = minigrad.tensor(rng.standard_normal((4, 2, 3)))
    mine = function(lambda ctx, b, a: a + b, lambda ctx, g: (g, None))
    v = minigrad.tensor(rng.standard_normal((4, 2, 3)))
    for create_graph in (False, True):
        (g,) = autograd.grad(mine.apply(b, a), b, v, create_graph=create_graph)
        assert g.dtype == minigrad.float32
        np.testing.assert_allclose(g.array, v.array.sum((0, 1))[None], rtol=1e-6)


def test_every_gradient_has_the_dtype_of_its_argument_on_the_way_too(x):
    h, seen = x.float() * 2, []
    h.register_hook(lambda g: seen.append(g.dtype.name))
    function(lambda ctx, h: h.double(), lambda ctx, g: g.double()).apply(h).sum().backward()
    assert seen == ["float32"]


def test_gradients_of_parts_add_up_by_their_number():
    a, b = Gradients({0: 1.0, 1: 2.0}), Gradients({1: 30.0, 2: 400.0})
    assert (a + b).parts == {0: 1.0, 1: 32.0, 2: 400.0} and a.parts == {0: 1.0, 1: 2.0}


def test_vjp_is_another_name_for_backward(x):
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

    assert gradcheck(Twice.apply, x)


def test_mistakes_of_the_class(x):
    with pytest.raises(NotImplementedError, match="a Function must define the static method forward"):
        type("Empty", (Function,), {}).apply(x)
    with pytest.raises(TypeError, match=r"Exp is not instantiated: its methods are static, call Exp.apply\(...\)"):
        Exp()
    with pytest.raises(TypeError, match="Mine: set_materialize_grads takes True or False, got 1"):
        function(lambda ctx, x: ctx.set_materialize_grads(1)).apply(x)
    for method in ("mark_dirty", "mark_non_differentiable"):
        with pytest.raises(TypeError, match=f"Mine: {method} takes Tensors, got int"):
            function(lambda ctx, x, method=method: getattr(ctx, method)(3)).apply(x)
    with pytest.raises(NotImplementedError, match="setup_context is not defined"):
        Function.setup_context(None, (), None)


# -------------------------------------------------------------------------------------------------- in place


def in_place(ctx, x, n):
    ctx.mark_dirty(x)
    x.mul_(n)
    ctx.n = n
    return x


Scale = function(in_place, lambda ctx, g: (g * ctx.n, None))


def test_an_argument_changed_in_place_takes_the_new_history(x):
    a = x * x
    version = a._version
    y = Scale.apply(a, 3.0)
    assert y is a and a._version > version
    assert gradcheck(lambda x: Scale.apply(x * x, 3.0), x) and gradgradcheck(lambda x: Scale.apply(x * x, 3.0), x)
    c = minigrad.ones(2, 3)
    assert Scale.apply(c, 3.0) is c and c.is_leaf and (c.array == 3).all()
    with minigrad.no_grad():
        assert Scale.apply(x, 2.0) is x and x.is_leaf


def test_a_plain_tensor_changed_in_place_by_recorded_values_is_recorded(x):
    def forward(ctx, c, x):
        ctx.mark_dirty(c)
        ctx.save_for_backward(c.clone(), x)
        return c.mul_(x)

    mine = function(forward, lambda ctx, g: (g * ctx.saved_tensors[1], g * ctx.saved_tensors[0]))

    def f(x):
        c = minigrad.full((2, 3), 3.0, dtype=minigrad.float64)
        assert mine.apply(c, x) is c and c.requires_grad == minigrad.is_grad_enabled() != c.is_leaf
        return c * c

    assert gradcheck(f, x)


def test_a_view_changed_in_place_changes_its_base(x):
    def f(x):
        a = x * 1
        b = a[:, 0]
        Scale.apply(b, 3.0)
        return a * a, b * b

    assert gradcheck(f, x) and gradgradcheck(f, x)


def test_an_output_saved_after_a_change_in_place(x):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.exp_() if hasattr(x, "exp_") else x.copy_(x.exp())
        ctx.save_for_backward(x)
        return x

    mine = function(forward, lambda ctx, g: g * ctx.saved_tensors[0])
    assert gradcheck(lambda x: mine.apply(x * 1), x) and gradgradcheck(lambda x: mine.apply(x * 1), x)


def test_what_was_saved_before_a_change_in_place_is_found(x):
    a = x * 1
    b = a * a
    Scale.apply(a, 2.0)
    with pytest.raises(RuntimeError, match=r"Mul: backward needs inputs.* last changed in place by M"):
        b.sum().backward()

    def behind(ctx, x):
        ctx.mark_dirty(x)
        x.array[...] = 0  # not by a Tensor's method: the mark is what tells of it
        return x

    a = x * 1
    b = a * a
    function(behind, lambda ctx, g: g * 0).apply(a)
    with pytest.raises(RuntimeError, match=r"Mul: backward needs inputs.* last changed in place by Mine"):
        b.sum().backward()


def test_mistakes_with_mark_dirty(x):
    before = x.array.copy()
    with pytest.raises(
        RuntimeError, match="Mine: argument 0 is a leaf that requires grad, which cannot be changed in pl"
    ):
        Scale.apply(x, 2.0)
    np.testing.assert_array_equal(x.array, before)
    with pytest.raises(
        RuntimeError, match="Mine: mark_dirty takes arguments of forward, and this Tensor is none of them"
    ):
        function(lambda ctx, x: ctx.mark_dirty(x * 2)).apply(x)
    forget = function(lambda ctx, x: ctx.mark_dirty(x) or x.mul_(2).clone())
    with pytest.raises(
        RuntimeError, match=r"Mine: forward changed argument 0 in place \(mark_dirty\), but does not return it"
    ):
        forget.apply(x * 1)


# -------------------------------------------------------------------------------------------- once_differentiable


class Cube(Function):
    """Its backward leaves the graph."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        assert not minigrad.is_grad_enabled()
        return minigrad.as_tensor(g.numpy() * 3 * x.detach().numpy() ** 2)


def test_once_differentiable_gives_the_first_derivative_and_refuses_the_second(x, w):
    assert gradcheck(Cube.apply, x)
    (g,) = autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
    np.testing.assert_allclose(g.array, 3 * x.array**2)
    assert g.requires_grad
    with pytest.raises(
        RuntimeError, match="Cube: its backward is marked @once_differentiable, so there are no higher der"
    ):
        g.sum().backward()
    (g,) = autograd.grad(Cube.apply(x * w).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="marked @once_differentiable"):
        autograd.grad(g.sum(), w)
    v = minigrad.ones(2, 3, dtype=minigrad.float64, requires_grad=True)
    (g,) = autograd.grad(Cube.apply(x), x, v, create_graph=True)
    with pytest.raises(RuntimeError, match="marked @once_differentiable"):
        autograd.grad(g.sum(), v)


def test_once_differentiable_with_several_gradients(x):
    backward = once_differentiable(lambda ctx, g: (g * 2, None))
    y = function(lambda ctx, x, n: x * 2, backward).apply(x, 1)
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="marked @once_differentiable"):
        g.sum().backward()
    assert backward.__name__ == "<lambda>"


# ------------------------------------------------------------------------------------------------ anomaly mode


def test_anomaly_mode_looks_into_functions(x):
    with autograd.detect_anomaly():
        for f in CALLS.values():
            assert gradcheck(f, (x, x.detach().clone().requires_grad_()))
        nan = minigrad.full((2, 3), np.nan, dtype=minigrad.float64, requires_grad=True)
        s, c, *_ = SinCos.apply(nan)  # nothing new: the input was NaN
        (s + c).backward(nan.detach())
        bad = function(lambda ctx, x: (x * 2, x * 3), lambda ctx, g, h: g * np.nan)
        a, b = bad.apply(x)
        with pytest.raises(RuntimeError, match="Mine: backward made nan"):
            (a + b).sum().backward()
        with pytest.raises(RuntimeError, match="Mine: forward made inf"):
            function(lambda ctx, x: (x * 1, minigrad.as_tensor(np.full((2, 3), np.inf)))).apply(x)


# ------------------------------------------------------------------------------- the same source, run by PyTorch


def programs(lib):
    """Functions as a user of PyTorch writes them, made of either library, and a use of each."""
    base = lib.autograd.Function

    class LinearFunction(base):
        @staticmethod
        def forward(ctx, input, weight, bias=None):
            ctx.save_for_backward(input, weight, bias)
            output = input.mm(weight.t())
            return output if bias is None else output + bias.unsqueeze(0).expand_as(output)

        @staticmethod
        def backward(ctx, grad_output):
            input, weight, bias = ctx.saved_tensors
            grad_input = grad_weight = grad_bias = None
            if ctx.needs_input_grad[0]:
                grad_input = grad_output.mm(weight)
            if ctx.needs_input_grad[1]:
                grad_weight = grad_output.t().mm(input)
            if bias is not None and ctx.needs_input_grad[2]:
                grad_bias = grad_output.sum(0)
            return grad_input, grad_weight, grad_bias

    class Reversal(base):
        @staticmethod
        def forward(ctx, x, strength):
            ctx.strength = strength
            return x.view_as(x)

        @staticmethod
        def backward(ctx, g):
            return -ctx.strength * g, None

    class Swish(base):
        @staticmethod
        def forward(x):
            s = x.sigmoid()
            return x * s, s

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs, output[1])
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx, g, gs):
            x, s = ctx.saved_tensors
            out = 0
            if g is not None:
                out = out + g * (s + x * s * (1 - s))
            if gs is not None:
                out = out + gs * s * (1 - s)
            return out

    class Sorted(base):
        @staticmethod
        def forward(ctx, x):
            values, places = x.sort(1)
            ctx.mark_non_differentiable(places)
            ctx.save_for_backward(places)
            return values, places

        @staticmethod
        def backward(ctx, g, unused):
            (places,) = ctx.saved_tensors
            return (g * 0).scatter(1, places, g)

    class StraightThrough(base):
        @staticmethod
        def forward(ctx, x):
            return (x > 0).to(x.dtype)

        @staticmethod
        def backward(ctx, g):
            return g.clamp(-1, 1)

    class Doubled(base):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Hidden(base):
        """A value computed on the way is saved: a constant to the second derivative, in PyTorch as here."""

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.square())
            return x**3

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0]

    class Broadcast(base):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx, g):
            x, w = ctx.saved_tensors
            return g * w, g * x

    return {
        "linear": lambda x, w: LinearFunction.apply(x, w, w[:, 0]),
        "linear without bias": lambda x, w: LinearFunction.apply(x, w).tanh(),
        "gradient reversal": lambda x, w: Reversal.apply(x * w, 0.5) * x,
        "two outputs": lambda x, w: (lambda y, s: y * s * w)(*Swish.apply(x)),
        "first output": lambda x, w: Swish.apply(x * w)[0],
        "second output": lambda x, w: Swish.apply(x * w)[1],
        "non-differentiable output": lambda x, w: Sorted.apply(x)[0] * w,
        "straight through": lambda x, w: StraightThrough.apply(x) * w,
        "in place": lambda x, w: Doubled.apply(x * w) * x,
        "in place on a view": lambda x, w: (lambda a: (Doubled.apply(a[0]), a * x)[1])(x * w),
        "hidden intermediate": lambda x, w: Hidden.apply(x * w),
        "broadcast": lambda x, w: Broadcast.apply(x, w[:1]),
        "itself twice": lambda x, w: Broadcast.apply(x, x) * w,
    }


@pytest.mark.reference
@pytest.mark.parametrize("name", programs(minigrad))
def test_values_first_and_second_derivatives_are_pytorchs(name, rng):
    torch = pytest.importorskip("torch")
    arrays = [rng.standard_normal((3, 3)) for _ in range(4)]
    results = []
    for lib in (minigrad, torch):
        x, w, v, u = (lib.from_numpy(a.copy()) for a in arrays)
        x.requires_grad_(), w.requires_grad_()
        y = programs(lib)[name](x, w)
        first = lib.autograd.grad(y, (x, w), v, create_graph=True, allow_unused=True)
        total = sum((g * u).sum() for g in first if g is not None)
        second = lib.autograd.grad(total, (x, w), allow_unused=True) if total.requires_grad else ()
        found = [None if t is None else t.detach().numpy() for t in (y, *first, *second)]
        results.append(found)
    ours, theirs = results
    assert [a is None for a in ours] == [a is None for a in theirs]
    for a, b in zip(ours, theirs, strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.reference
def test_what_pytorch_refuses_is_refused_here_and_the_other_way_round():
    torch = pytest.importorskip("torch")
    nothing = lambda ctx, g: (g, None)  # noqa: E731

    def attempts(lib):
        x = lib.ones(2, requires_grad=True)

        def use(forward, backward=nothing, *args, **kwargs):
            mine = type(
                "Mine", (lib.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}
            )
            y = mine.apply(*(args or (x, 3.0)), **kwargs)
            y = y[0] if isinstance(y, tuple) else y
            y.sum().backward()

        double = lambda ctx, x, n: x * n  # noqa: E731
        return [
            lambda: use(double),
            lambda: use(double, lambda ctx, g: g),
            lambda: use(double, lambda ctx, g: (g, None, None)),
            lambda: use(double, lambda ctx, g: (g, None, g)),
            lambda: use(double, lambda ctx, g: (g, g)),
            lambda: use(double, lambda ctx, g: (None, None)),
            lambda: use(double, lambda ctx, g: [g, None]),
            lambda: use(double, lambda ctx, g: (1.0, None)),
            lambda: use(double, lambda ctx, g: (g.sum().reshape(1), None)),
            lambda: use(double, lambda ctx, g: (g.expand(3, 2), None)),
            lambda: use(double, lambda ctx, g: (g.double(), None)),
            lambda: use(double, nothing, x, n=3.0),
            lambda: use(double, nothing, x, k=3.0),
            lambda: use(lambda ctx, x, n: (ctx.save_for_backward(x, n), x * n)[1]),
            lambda: use(lambda ctx, x, n: (ctx.save_for_backward(x, None), x * n)[1]),
            lambda: use(lambda ctx, x, n: (ctx.mark_dirty(x), x.mul_(n))[1]),
            lambda: use(lambda ctx, x, n: (ctx.mark_dirty(x), x.mul_(n))[1], nothing, x * 1, 3.0),
            lambda: use(lambda ctx, x, n: (ctx.mark_dirty(x), x.mul_(n), x * 1)[2], nothing, x * 1, 3.0),
            lambda: use(lambda ctx, x, n: (ctx.mark_dirty(n), x * 1)[1]),
            lambda: use(lambda ctx, x, n: (ctx.mark_non_differentiable(n), x * 1)[1]),
            lambda: use(lambda ctx, x, n: (ctx.set_materialize_grads(n), x * 1)[1]),
            lambda: use(lambda ctx, x, n: (x * n).long()),
            lambda: lib.autograd.Function.forward(),
            lambda: use(lambda ctx, x, n: (x * n, n), lambda ctx, g, h: (g, None)),
        ]

    def refused(attempt):
        try:
            attempt()
        except (RuntimeError, TypeError, NotImplementedError):
            return True
        return False

    ours, theirs = ([refused(attempt) for attempt in attempts(lib)] for lib in (minigrad, torch))
    assert ours == theirs
