"""autograd.functional: Jacobians and Hessians, and products with them, by definition and as PyTorch gives them."""

import numpy as np
import pytest

import minigrad
from minigrad import gradcheck
from minigrad.autograd import functional
from minigrad.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from minigrad.nn import functional as F


@pytest.fixture
def draw(rng):
    """A float64 Tensor of a shape, drawn in (0.3, 2)."""
    return lambda *shape: minigrad.tensor(rng.uniform(0.3, 2, shape))


# Functions of Tensors in methods and operators that both libraries have, and the shapes of their inputs.
VECTOR = {
    "square": (lambda x: x * x, [(3,)]),
    "matrix": (lambda x: x @ x.t(), [(2, 3)]),
    "reduced": (lambda x: x.exp().sum(1), [(2, 3)]),
    "a number": (lambda x: (x**3).sum(), [(2, 2)]),
    "of a number": (lambda x: x.sin(), [()]),
    "two inputs": (lambda x, w: (x @ w).tanh(), [(2, 3), (3, 2)]),
    "two outputs": (lambda x: (x.log(), x.sum()), [(3,)]),
    "one in a tuple": (lambda x: (x.sqrt(),), [(2, 2)]),
    "two and two": (lambda x, w: (x * w.sum(), x.softmax(0)), [(3,), (2,)]),
    "independent of one": (lambda x, w: x * 2, [(2,), (3,)]),
    "independent": (lambda x: x.detach() * 2, [(2,)]),
    "independent of one each": (lambda x, w: (x.sigmoid(), w.cos()), [(2,), (3,)]),
    "linear": (lambda x: x * 3 + 1, [(2,)]),
    "an integer output": (lambda x: (x * 2, x.argmax()), [(3,)]),
    "the input itself": (lambda x: x, [(2, 2)]),
    "a view": (lambda x: x.t()[1:], [(2, 3)]),
    "a kink": (lambda x: (x - 1).relu() + (x - 1).abs(), [(4,)]),
    "no elements": (lambda x: x.sum(1), [(2, 0)]),
}
SCALAR = {
    "cubes": (lambda x: (x**3).sum(), [(2, 2)]),
    "product": (lambda x, w: (x @ w).exp().sum(), [(2, 3), (3,)]),
    "of shape (1, 1)": (lambda x: (x * x).sum().reshape(1, 1), [(3,)]),
    "logsumexp": (lambda x: x.logsumexp(0), [(4,)]),
    "of a number": (lambda x: x**4, [()]),
    "one element": (lambda x: x.log() * x, [(1,)]),
    "linear": (lambda x: (x * 3).sum(), [(2,)]),
    "linear in one": (lambda x, w: (x * x).sum() + (w * 2).sum(), [(2,), (3,)]),
    "independent of one": (lambda x, w: (x**3).sum(), [(2,), (3,)]),
    "constant": (lambda x: x.detach().sum(), [(2,)]),
    "mixed": (lambda x, w: (x[:, None] * w.sin()).pow(2).sum() / x.sum(), [(2,), (3,)]),
}


def arguments(lib, arrays, requires_grad=False):
    tensors = tuple(lib.from_numpy(a.copy()).requires_grad_(requires_grad) for a in arrays)
    return tensors[0] if len(tensors) == 1 else tensors


# ------------------------------------------------------------------------------------------ by their definitions


def test_products_with_the_jacobian_and_the_jacobian_agree(draw):
    x, w = draw(2, 3), draw(3, 2)
    f = lambda x, w: ((x @ w).tanh(), x.sum(0) * w[:, 0])  # noqa: E731
    blocks = jacobian(f, (x, w))
    assert [[b.shape for b in row] for row in blocks] == [[(2, 2, 2, 3), (2, 2, 3, 2)], [(3, 2, 3), (3, 3, 2)]]
    us, vs = (draw(2, 2), draw(3)), (draw(2, 3), draw(3, 2))
    ys, left = vjp(f, (x, w), us)
    _, right = jvp(f, (x, w), vs)
    for y, again in zip(ys, f(x, w), strict=True):
        np.testing.assert_array_equal(y.array, again.array)
    for j, g in enumerate(left):
        wanted = sum(np.tensordot(u.array, row[j].array, u.ndim) for u, row in zip(us, blocks, strict=True))
        np.testing.assert_allclose(g.array, wanted, rtol=1e-12)
    for row, g in zip(blocks, right, strict=True):
        wanted = sum(np.tensordot(b.array, v.array, v.ndim) for b, v in zip(row, vs, strict=True))
        np.testing.assert_allclose(g.array, wanted, rtol=1e-12)


def test_products_with_the_hessian_and_the_hessian_agree(draw):
    x, w = draw(2), draw(3)
    f = SCALAR["mixed"][0]
    blocks = hessian(f, (x, w))
    vs = draw(2), draw(3)
    whole = np.block([[b.array for b in row] for row in blocks])
    np.testing.assert_allclose(whole, whole.T, rtol=1e-12)
    wanted = whole @ np.concatenate([v.array for v in vs])
    for product in (hvp, vhp):
        y, found = product(f, (x, w), vs)
        np.testing.assert_array_equal(y.array, f(x, w).array)
        np.testing.assert_allclose(np.concatenate([g.array for g in found]), wanted, rtol=1e-10)


def test_known_derivatives():
    x = minigrad.tensor([1.0, 2.0], dtype=minigrad.float64)
    np.testing.assert_array_equal(jacobian(lambda x: x * x, x).array, np.diag([2.0, 4.0]))
    np.testing.assert_array_equal(hessian(lambda x: x[0] ** 2 * x[1], x).array, [[4.0, 2.0], [2.0, 0.0]])
    assert jvp(lambda x: x.prod(), x, minigrad.tensor([1.0, 10.0]))[1].item() == 12.0
    number = minigrad.tensor(3.0)
    assert vjp(lambda x: x * x, number)[1].item() == jvp(lambda x: x * x, number)[1].item() == 6.0
    assert hvp(lambda x: x**3, number)[1].item() == vhp(lambda x: x**3, number)[1].item() == 18.0


def test_a_network_by_its_parameters(draw):
    x, target = draw(4, 3), minigrad.tensor([0, 1, 1, 0])
    w, b = draw(2, 3), draw(2)
    h = hessian(lambda w, b: F.cross_entropy(F.linear(x, w, b), target), (w, b))
    assert [[part.shape for part in row] for row in h] == [[(2, 3, 2, 3), (2, 3, 2)], [(2, 2, 3), (2, 2)]]
    whole = np.block(
        [[h[0][0].array.reshape(6, 6), h[0][1].array.reshape(6, 2)], [h[1][0].array.reshape(2, 6), h[1][1].array]]
    )
    assert np.linalg.eigvalsh(whole).min() > -1e-12, "this loss is convex"


# ---------------------------------------------------------------------------------- what goes in, what comes out


def test_tuples_in_and_out(draw):
    x = draw(2)
    assert isinstance(jacobian(lambda x: x * 2, (x,)), tuple)
    assert isinstance(jacobian(lambda x: (x * 2,), x), tuple)
    assert isinstance(jacobian(lambda x: (x * 2,), (x,))[0], tuple)
    assert isinstance(hessian(lambda x: (x * x).sum(), (x,))[0], tuple)
    y, g = vjp(lambda x: (x * 2,), (x,), (x,))
    assert isinstance(y, tuple) and isinstance(g, tuple)
    y, g = jvp(lambda x: (x * 2,), x, x)
    assert isinstance(y, tuple) and isinstance(g, tuple)
    y, g = vhp(lambda x: (x * x).sum(), (x,), (x,))
    assert isinstance(y, minigrad.Tensor) and isinstance(g, tuple)
    y, g = hvp(lambda x: (x * x).sum(), x, x)
    assert isinstance(y, minigrad.Tensor) and isinstance(g, minigrad.Tensor)


@pytest.mark.parametrize("recording", [True, False])
def test_nothing_is_left_behind(recording, draw):
    x, w = draw(2, 2).requires_grad_(), draw(2, 2).requires_grad_()
    before, seen = x.array.copy(), []

    def f(a):
        seen.append(a)
        assert a is not x and a.requires_grad and np.shares_memory(a.array, x.array) and minigrad.is_grad_enabled()
        return (a**3 * w).sum()

    held = x.grad = draw(2, 2)
    with minigrad.set_grad_enabled(recording):
        for call in (vjp, jacobian, hessian):
            results = call(f, x)
            for t in results if isinstance(results, tuple) else [results]:
                assert not t.requires_grad
        for call in (jvp, vhp, hvp):
            assert not any(t.requires_grad for t in call(f, x, draw(2, 2)))
    assert x.grad is held and w.grad is None and x.is_leaf and all(a.grad is None for a in seen)
    np.testing.assert_array_equal(x.array, before)


def test_the_derivative_is_with_respect_to_the_argument_alone(draw):
    x = draw(3).requires_grad_()
    for create_graph in (False, True):
        a = jacobian(lambda y: y * x, x, create_graph=create_graph)
        np.testing.assert_array_equal(a.array, np.diag(x.array))


def test_a_graph_outside_of_the_function_is_left_alone(draw):
    x = draw(3).requires_grad_()
    h = x.exp()
    for call in (lambda f: vjp(f, x, x.detach()), lambda f: jacobian(f, x), lambda f: jvp(f, x, x.detach())):
        call(lambda y: y * h)
    h.sum().backward()
    np.testing.assert_allclose(x.grad.array, np.exp(x.array))


def test_results_can_be_differentiated(draw):
    x, w = draw(2, 2).requires_grad_(), draw(2, 2).requires_grad_()
    f = lambda x, w: ((x * w).exp() * x).sum(1)  # noqa: E731
    s = lambda x, w: ((x * w).exp() * x).sum()  # noqa: E731
    v, vs = draw(2).requires_grad_(), (draw(2, 2).requires_grad_(), draw(2, 2))
    assert gradcheck(lambda x, w: jacobian(f, (x, w), create_graph=True), (x, w))
    assert gradcheck(lambda x, w: hessian(s, (x, w), create_graph=True)[0], (x, w))
    assert gradcheck(lambda x, w, v: vjp(f, (x, w), v, create_graph=True)[1], (x, w, v))
    for product, g in ((jvp, f), (vhp, s), (hvp, s)):

        def check(x, w, v, product=product, g=g):
            y, found = product(g, (x, w), (v, vs[1]), create_graph=True)
            return (y, *found) if isinstance(found, tuple) else (y, found)

        assert gradcheck(check, (x, w, vs[0]))


def test_float32_and_other_layouts(draw):
    x = draw(3, 4).float()
    assert jacobian(lambda x: x * x, x).dtype == hessian(lambda x: (x**3).sum(), x).dtype == minigrad.float32
    view = draw(6, 4)[::-2, ::3].t()
    a, b = (jacobian(lambda x: x @ x.t(), t, create_graph=g) for g, t in ((False, view), (True, view.requires_grad_())))
    np.testing.assert_array_equal(a.array, b.array)
    np.testing.assert_allclose(a.array, jacobian(lambda x: x @ x.t(), view.detach().clone()).array)


def test_an_integer_output_has_derivatives_of_zero(draw):
    y, g = jvp(lambda x: (x * 2, x.argmax()), draw(3), minigrad.ones(3).double())
    assert y[1].dtype == g[1].dtype == minigrad.int64 and g[1].item() == 0 and (g[0].array == 2).all()
    assert not jacobian(lambda x: x.argmax(), draw(3)).array.any()


def test_rows_of_an_output_without_elements(draw):
    assert jacobian(lambda x: x[:0], draw(3)).shape == (0, 3)
    assert jacobian(lambda x, w: (x[:0], w), (draw(3, 2), draw(2)))[0][1].shape == (0, 2, 2)


# -------------------------------------------------------------------------------------------------- refusals

x = minigrad.ones(2)
ALL = (vjp, jvp, vhp, hvp, jacobian, hessian)
PRODUCTS = (vjp, jvp, vhp, hvp)
SCALARS = (vhp, hvp)
ONE = "func must give one Tensor of one element, got "

# Which functions, how each is called, the error, and what its text must contain after the function's name.
BAD = [
    (ALL, lambda f: f(lambda x: x, [x]), TypeError, "inputs must be a Tensor or a tuple of Tensors, got list"),
    (ALL, lambda f: f(lambda x: x, (x, 3)), TypeError, "inputs must be .* got int at index 1"),
    (ALL, lambda f: f(lambda: x, ()), ValueError, "inputs is empty; give at least one Tensor"),
    (ALL, lambda f: f(lambda x: x, x.long()), RuntimeError, "inputs is int64; derivatives need a floating tensor"),
    (ALL, lambda f: f(lambda a, b: a, (x, x.long())), RuntimeError, r"inputs\[1\] is int64"),
    ([vjp, *ALL[4:]], lambda f: f(lambda x: [x], x), TypeError, "what func gives must be .* got list"),
    (PRODUCTS, lambda f: f(lambda x: (x, 1), x, x), TypeError, "what func gives must be .* got int at index 1"),
    (PRODUCTS, lambda f: f(lambda x: x * 2, x), RuntimeError, r"v can be left out only for one .* shapes \(2,\)"),
    ([vjp], lambda f: f(lambda x: (x[0], x[1]), x), RuntimeError, r"of one element, not for shapes \(\), \(\)"),
    (PRODUCTS, lambda f: f(lambda x: x * 2, x, (x, x)), RuntimeError, "v must hold a Tensor for each .* are 1; got 2"),
    (
        PRODUCTS,
        lambda f: f(lambda x: x * 2, x, minigrad.ones(3)),
        RuntimeError,
        r"v\[0\] has shape \(3,\), but .* \(2,\)",
    ),
    (PRODUCTS, lambda f: f(lambda x: x * 2, x, 3.0), TypeError, "v must be a Tensor or a tuple of Tensors, got float"),
    (SCALARS, lambda f: f(lambda x: x * 2, x, x), RuntimeError, ONE + r"shape \(2,\); reduce it"),
    (SCALARS, lambda f: f(lambda x: (x.sum(),), x, x), RuntimeError, ONE + "a tuple"),
    ([hessian], lambda f: f(lambda x: x * 2, x), RuntimeError, ONE + r"shape \(2,\); reduce it"),
    ([hessian], lambda f: f(lambda x: (x.sum(), x.sum()), x), RuntimeError, ONE + "a tuple"),
    (ALL[4:], lambda f: f(lambda x: x, x, False, False, False, "forward-mode"), NotImplementedError, "is not offered"),
    (ALL[4:], lambda f: f(lambda x: x, x, False, False, False, "reverse"), ValueError, "must be .* got 'reverse'"),
    (ALL[4:], lambda f: f(lambda x: x, x, strict=True, vectorize=True), RuntimeError, "do not go together"),
]


@pytest.mark.parametrize(("f", "call", "error", "text"), [(f, *row) for fs, *row in BAD for f in fs])
def test_bad_calls(f, call, error, text):
    with pytest.raises(error, match=f"{f.__name__}: .*{text}"):
        call(f)


STRICT = [
    (lambda: vjp(lambda x: x.detach(), x, x, strict=True), "vjp: output 0 of func does not depend on any input"),
    (lambda: vjp(lambda a, b: a, (x, x), x, strict=True), "vjp: the output does not depend on input 1"),
    (lambda: vjp(lambda x: x * 2, x, x, True, True), "vjp: the result does not depend on input 0"),
    (lambda: jvp(lambda a, b: a * 2, (x, x), (x, x), strict=True), "jvp: the output does not depend on input 1"),
    (lambda: jvp(lambda x: (x, x.detach()), x, x, strict=True), "jvp: output 1 of func does not depend on any input"),
    (
        lambda: vhp(lambda x: (x * 2).sum(), x, x, strict=True),
        "vhp: the gradient of input 0 does not depend on the inputs",
    ),
    (
        lambda: hvp(lambda x: (x * 2).sum(), x, x, strict=True),
        "hvp: the gradient of input 0 does not depend on the inputs",
    ),
    (
        lambda: hvp(lambda a, b: (a**3).sum() + (b * 2).sum(), (x, x), (x, x), strict=True),
        "hvp: the gradient of input 1",
    ),
    (lambda: jacobian(lambda a, b: (a, a * b), (x, x), strict=True), "jacobian: output 0 does not depend on input 1"),
    (lambda: jacobian(lambda x: x * 2, x, create_graph=True, strict=True), "jacobian: the result does not depend on"),
    (lambda: hessian(lambda x: (x * 2).sum(), x, strict=True), "hessian: the gradient of input 0 does not depend on"),
    (lambda: hessian(lambda a, b: (a**3).sum(), (x, x), strict=True), "hessian: the output does not depend on input 1"),
]


@pytest.mark.parametrize("i", range(len(STRICT)))
def test_strict_refuses_what_else_is_zero(i):
    call, text = STRICT[i]
    with pytest.raises(RuntimeError, match=text + ".*which strict=True forbids"):
        call()


def test_strict_lets_pass_what_depends_on_everything(draw):
    f, inputs, vs = (lambda a, b: (a**3 * b**3).sum()), (draw(2), draw(2)), (draw(2), draw(2))
    for call in (jvp, vhp, hvp):
        a, b = call(f, inputs, vs, False, True), call(f, inputs, vs)
        np.testing.assert_array_equal(np.ravel(a[0].array), np.ravel(b[0].array))
    vjp(f, inputs, strict=True), jacobian(f, inputs, True, True), hessian(f, inputs, True, True)


def test_the_names_are_pytorchs():
    assert functional.__all__ == ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
    assert minigrad.autograd.functional is functional and not hasattr(minigrad, "functional")


# --------------------------------------------------------------------------------------------- as PyTorch has it


def flat(result):
    """The arrays of nested tuples of Tensors, and how they are nested."""
    if isinstance(result, tuple):
        parts = [flat(part) for part in result]
        return [a for arrays, _ in parts for a in arrays], tuple(shape for _, shape in parts)
    return [result.detach().numpy()], None


def equal(call, arrays, requires_grad=False):
    """Do both libraries give the same, nested in the same way?"""
    torch = pytest.importorskip("torch")
    (ours, form), (theirs, their_form) = (
        flat(call(lib, arguments(lib, arrays, requires_grad))) for lib in (minigrad, torch)
    )
    assert form == their_form
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.reference
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", VECTOR)
def test_jacobians_and_their_products_are_pytorchs(name, create_graph, rng):
    f, shapes = VECTOR[name]
    arrays = [rng.uniform(0.3, 2, shape) for shape in shapes]
    outputs = f(*(minigrad.from_numpy(a) for a in arrays))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    us, vs = ([rng.standard_normal(s) for s in many] for many in ([y.shape for y in outputs], shapes))

    def vector(lib, many, one):
        tensors = tuple(lib.from_numpy(np.array(a)) for a in many)
        return tensors[0] if one else tensors

    one_y = not isinstance(f(*(minigrad.from_numpy(a) for a in arrays)), tuple)

    def call(lib, inputs):
        g = lib.autograd.functional
        options = {"create_graph": create_graph}
        results = (g.vjp(f, inputs, vector(lib, us, one_y), **options),)
        if name != "an integer output":  # PyTorch has no jvp of it
            results = *results, g.jvp(f, inputs, vector(lib, vs, len(vs) == 1), **options)
        if all(y.numel() for y in outputs):
            results = *results, g.jacobian(f, inputs, **options), g.jacobian(f, inputs, vectorize=True, **options)
        return results

    equal(call, arrays, requires_grad=create_graph)


@pytest.mark.reference
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", SCALAR)
def test_hessians_and_their_products_are_pytorchs(name, create_graph, rng):
    f, shapes = SCALAR[name]
    arrays = [rng.uniform(0.3, 2, shape) for shape in shapes]
    vs = [rng.standard_normal(shape) for shape in shapes]

    def call(lib, inputs):
        g, options = lib.autograd.functional, {"create_graph": create_graph}
        v = tuple(lib.from_numpy(np.array(a)) for a in vs)
        v = v if isinstance(inputs, tuple) else v[0]
        return g.vhp(f, inputs, v, **options), g.hvp(f, inputs, v, **options), g.hessian(f, inputs, **options)

    equal(call, arrays, requires_grad=create_graph)


@pytest.mark.reference
def test_strict_refuses_what_pytorch_refuses(rng):
    torch = pytest.importorskip("torch")

    def verdicts(lib):
        found = []
        for table, calls in ((VECTOR, ("vjp", "jvp", "jacobian")), (SCALAR, ("vhp", "hvp", "hessian"))):
            for name, (f, shapes) in table.items():
                inputs = arguments(lib, [np.full(shape, 1.5) for shape in shapes])
                outputs = f(*inputs) if isinstance(inputs, tuple) else f(inputs)
                if name in ("an integer output", "no elements"):
                    continue
                for call in calls:
                    like = outputs if call == "vjp" else inputs
                    v = tuple(map(lib.ones_like, like)) if isinstance(like, tuple) else lib.ones_like(like)
                    v = () if call in ("jacobian", "hessian") else (v,)
                    for create_graph in (False, True):
                        try:
                            getattr(lib.autograd.functional, call)(
                                f, inputs, *v, create_graph=create_graph, strict=True
                            )
                        except RuntimeError:
                            found.append((name, call, create_graph))
        return found

    assert verdicts(minigrad) == verdicts(torch)
