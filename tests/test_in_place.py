"""Changes in place: what they record, how views follow, and how backward finds out what was changed under it.

The programs run in minigrad and, under `reference`, the same text in PyTorch: values and gradients must agree. Beside
that the derivatives are compared with finite differences.
"""

import gc
import re
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import minigrad
from minigrad import autograd
from minigrad.autograd import gradcheck, gradgradcheck

# ------------------------------------------------------------------------------------------------ programs
# Each takes the library, a leaf a (3,), a leaf b (2, 3), and gives a tensor made of them.


def rows_of_a_buffer(m, a, b):
    x = m.zeros(4, 3, dtype=m.float64)
    for i in range(4):
        x[i] = a * (i + 1)
    return x


def running_sum_by_index(m, a, b):
    x = m.zeros(3, dtype=m.float64)
    x[0] = a[0]
    for i in range(1, 3):
        x[i] = x[i - 1].clone() * a[i]
    return x


def in_place_on_a_result(m, a, b):
    y = a * 2
    y.add_(a, alpha=3)
    y.mul_(b[0])
    y.sub_(b[1]).div_(4)
    y += 1
    y -= a
    y *= 2
    y /= 5
    return y


def in_place_powers(m, a, b):
    y = a.abs() + 1
    y.pow_(2)
    y **= 0.5
    return y


def clamped(m, a, b):
    y = a * 3
    return y.clamp_(-1, 1)


def by_itself(m, a, b):
    y = a * 1
    y.mul_(y)
    y.add_(y)
    return y


def a_base_then_its_view(m, a, b):
    y = b * 2
    v = y[0]
    y.mul_(3)
    return v * a


def a_view_then_its_base(m, a, b):
    y = b * 2
    y[0].mul_(a)
    return y


def a_view_of_a_view(m, a, b):
    y = b * 2
    v = y.t()[1:].reshape(2, 2)
    v[0].mul_(a[0])
    return y + v.sum()


def two_views(m, a, b):
    y = b * 2
    v, w = y[:, :2], y[:, 1:]
    v *= a[:2]
    w += v.clone()  # they overlap
    return y * w.sum() + v.sum()


def a_view_made_before_the_history(m, a, b):
    x = m.ones(2, 3, dtype=m.float64)
    v = x[0]
    x[:, 1] = a[:2]
    return v * 2 + x[1]


def a_write_through_a_view_of_a_plain_tensor(m, a, b):
    x = m.ones(6, dtype=m.float64)
    v = x.view(2, 3)
    v[1].copy_(a)
    v.mul_(b)
    return x


def transposed_and_expanded(m, a, b):
    y = b * 1
    y.t().add_(a.reshape(3, 1))
    return y.unsqueeze(0).squeeze(0)


def zeroed(m, a, b):
    y = b * 2
    y[0].zero_()
    return y


def filled_with_a_number_of_a_graph(m, a, b):
    y = b * 2
    y[:, 1].fill_(a[0])
    return y


def all_overwritten(m, a, b):
    y = b * 2
    y.copy_(a)
    return y


def nothing_left(m, a, b):
    y = b * 2
    y.zero_()
    return y + a


def masked(m, a, b):
    y = b * 2
    y[y > 0] = a[1]
    return y


def masked_with_values(m, a, b):
    y = b * 1
    mask = m.tensor([[True, False, True], [False, True, False]])
    y[mask] = a
    return y


def by_a_list(m, a, b):
    y = b * 1
    y[1, [2, 0]] = a[:2] * 2
    return y


def added_at_an_index(m, a, b):
    y = b * 1
    y[:, 1] += a[0]
    y[[0, 1], [0, 2]] *= a[1]
    return y


def broadcast_into_place(m, a, b):
    y = m.zeros(2, 2, 3, dtype=m.float64)
    y[:] = b
    y[..., 0] = a[0]
    y[0, :, 1:] = a[1:]
    return y


def leading_ones_are_dropped(m, a, b):
    y = b * 1
    y[0] = a.reshape(1, 1, 3)
    return y


def an_integer_index_tensor(m, a, b):
    y = b * 1
    y[m.tensor([1, 0])] = b * 3
    return y


def copied_from_float32(m, a, b):
    x = m.zeros(3, dtype=m.float64)
    x.copy_(a.float())
    return x


def copied_into_float32(m, a, b):
    x = m.zeros(2, 3, dtype=m.float32)
    x.copy_(a)
    return x.double()


def detached_alias_writes_are_not_recorded(m, a, b):
    y = b * 2
    y.detach()[0] = 5.0
    return y * a


def under_no_grad(m, a, b):
    y = b * 2
    with m.no_grad():
        y[0] = 7.0
        y += 1
    return y * 3


def a_clone_is_changed(m, a, b):
    y = a.exp()
    z = y.clone()
    z.mul_(2)
    return y * z


def saved_by_nobody(m, a, b):
    y = a + 1
    z = y * 2
    y.add_(5)  # neither op needs y's values
    return z + y


def only_the_other_factor_is_needed(m, a, b):
    x = m.ones(3, dtype=m.float64)
    y = a * x
    with m.no_grad():
        a.add_(1)  # the gradient of a is made of x, which stays
    z = y * 2
    with m.no_grad():
        a.sub_(1)
    return z


def a_hooked_result(m, a, b):
    y = a * 2
    y.register_hook(lambda g: g * 10)
    y.mul_(3)
    return y


def an_accumulator(m, a, b):
    total = m.zeros(3, dtype=m.float64)
    for row in b:
        total += row * a
    return total


def both_halves(m, a, b):
    y = b * 1
    left, right = y[:, :1], y[:, 2:]
    left.copy_(right.clone() * a[0])
    return y * left


PROGRAMS = [
    rows_of_a_buffer,
    running_sum_by_index,
    in_place_on_a_result,
    in_place_powers,
    clamped,
    by_itself,
    a_base_then_its_view,
    a_view_then_its_base,
    a_view_of_a_view,
    two_views,
    a_view_made_before_the_history,
    a_write_through_a_view_of_a_plain_tensor,
    transposed_and_expanded,
    zeroed,
    filled_with_a_number_of_a_graph,
    all_overwritten,
    nothing_left,
    masked,
    masked_with_values,
    by_a_list,
    added_at_an_index,
    broadcast_into_place,
    leading_ones_are_dropped,
    an_integer_index_tensor,
    copied_from_float32,
    copied_into_float32,
    detached_alias_writes_are_not_recorded,
    under_no_grad,
    a_clone_is_changed,
    saved_by_nobody,
    only_the_other_factor_is_needed,
    a_hooked_result,
    an_accumulator,
    both_halves,
]
REFUSED_BY_PYTORCH = {by_itself, a_write_through_a_view_of_a_plain_tensor}  # here they work
ROUNDED = {copied_from_float32, copied_into_float32}  # through float32, of which differences make noise
# Those whose gradient is not the derivative of the values, and one that changes its input on the way.
HOOKED = {a_hooked_result, detached_alias_writes_are_not_recorded, under_no_grad, only_the_other_factor_is_needed}


def leaves(rng):
    return rng.uniform(0.5, 2.0, 3) * [1, -1, 1], rng.uniform(0.5, 2.0, (2, 3)) * [[1], [-1]]


@pytest.mark.reference
@pytest.mark.parametrize("program", [p for p in PROGRAMS if p not in REFUSED_BY_PYTORCH], ids=lambda p: p.__name__)
def test_programs_do_what_they_do_in_pytorch(program, pytorch, rng):
    arrays = leaves(rng)
    ours = [minigrad.tensor(x, requires_grad=True) for x in arrays]
    theirs = [pytorch.tensor(x, requires_grad=True) for x in arrays]
    y, wanted = program(minigrad, *ours), program(pytorch, *theirs)
    np.testing.assert_allclose(y.detach().numpy(), wanted.detach().numpy(), rtol=1e-12, strict=True)
    g = rng.standard_normal(y.shape)
    y.backward(minigrad.tensor(g))
    wanted.backward(pytorch.tensor(g))
    for x, wx in zip(ours, theirs, strict=True):
        assert (x.grad is None) == (wx.grad is None)
        if wx.grad is not None:
            np.testing.assert_allclose(x.grad.numpy(), wx.grad.numpy(), rtol=1e-12, atol=1e-15, strict=True)


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p not in ROUNDED | HOOKED], ids=lambda p: p.__name__)
def test_programs_have_the_derivatives_that_differences_give(program, rng):
    a, b = (minigrad.tensor(x, requires_grad=True) for x in leaves(rng))
    gradcheck(lambda a, b: program(minigrad, a, b), (a, b))
    gradgradcheck(lambda a, b: program(minigrad, a, b), (a, b))


# ------------------------------------------------------------------- every method that changes a tensor in place


X = np.array([[0.3, -1.4, 2.5], [1.7, 0.6, -0.2]])
W = np.array([1.5, 0.5, 2.0])
PLACES = np.array([[0, 1, 0], [1, 0, 1]])
MASK = np.array([[True, False, True], [False, True, False]])
SIMPLE = [
    *("neg", "square", "reciprocal", "exp", "exp2", "expm1", "sin", "cos", "tan", "tanh", "sigmoid", "erf", "relu"),
    *("abs", "sign", "floor", "ceil", "round", "trunc", "frac", "nan_to_num"),
]
# The arguments, after the tensor; arrays become tensors, floating ones leaves. A dict is given by name.
METHODS = {
    "add_": [(W,), (2, {"alpha": 3}), (W, {"alpha": 2})],
    "sub_": [(W,), (2,)],
    "mul_": [(W,), (2,)],
    "div_": [(W,), (2,), (W, {"rounding_mode": "floor"})],
    "floor_divide_": [(W,)],
    "remainder_": [(W,)],
    "fmod_": [(W,)],
    "pow_": [(2,), (3,)],
    "addcmul_": [(W, W, {"value": 0.5})],
    "addcdiv_": [(W, W + 1, {"value": 0.5})],
    "lerp_": [(W, 0.25)],
    "addmm_": [(X[:, :2], np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), {"beta": 0.5})],
    **{f"{name}_": [()] for name in SIMPLE},
    "clamp_": [(-0.5, 1), ({"min": W[0]},)],
    "clamp_min_": [(0.5,)],
    "clamp_max_": [(0.5,)],
    "cumsum_": [(1,)],
    "cumprod_": [(0,)],
    "tril_": [(), (-1,)],
    "triu_": [()],
    "scatter_": [(0, PLACES, X * 2), (0, PLACES, 1.5)],
    "scatter_add_": [(0, PLACES, X * 2)],
    "index_add_": [(0, np.array([1, 1]), X * 2)],
    "index_copy_": [(0, np.array([1, 0]), X * 2)],
    "index_fill_": [(1, np.array([0, 2]), 7.0)],
    "index_put_": [((np.array([0, 1]), np.array([2, 0])), W[:2]), ((np.array([1, 1, 0]),), X[:1], True)],
    "masked_fill_": [(MASK, 7.0)],
    "masked_scatter_": [(MASK, W)],
    "logical_and_": [(W,)],
    "logical_or_": [(W,)],
    "logical_xor_": [(W,)],
    "logical_not_": [()],
    "copy_": [(W,)],
    "fill_": [(2.5,), (W[0],)],
    "zero_": [()],
}
POSITIVE = {f"{name}_": [()] for name in ("log", "log1p", "log2", "log10", "sqrt", "rsqrt")}
BITS = {"bitwise_and_": [(MASK,)], "bitwise_or_": [(MASK,)], "bitwise_xor_": [(MASK,)], "bitwise_not_": [()]}
TESTED_ELSEWHERE = {"requires_grad_", "detach_", "normal_", "uniform_", "bernoulli_"}
ALIASES = {"subtract_", "multiply_", "divide_", "true_divide_", "negative_", "absolute_", "fix_", "clip_"}
CALLS = [(name, args) for name, many in {**METHODS, **POSITIVE}.items() for args in many]


def prepared(library, args):
    """(leaves, positional, named): the arguments as tensors of a library."""
    leaves, given, named = [], [], {}
    for arg in args:
        if isinstance(arg, tuple):
            given.append(tuple(map(library.tensor, arg)))
            continue
        if isinstance(arg, (np.ndarray, np.floating)):
            arg = library.tensor(np.asarray(arg))
            if arg.dtype == library.float64:
                leaves.append(arg.requires_grad_())
        if isinstance(arg, dict):
            named = arg
        else:
            given.append(arg)
    return leaves, given, named


def changed_in_place(library, name, args, view):
    """(value, gradients): y = 2 x, or a view of it, changed in place."""
    x = library.tensor(np.abs(X) if name in POSITIVE else X, requires_grad=True)
    leaves, given, named = prepared(library, args)
    y = x * 2
    if view:
        flat = y.reshape(-1).reshape(1, 2, 3)[0]
        assert getattr(flat, name)(*given, **named) is flat
    else:
        assert getattr(y, name)(*given, **named) is y
    weights = library.tensor(np.array([[1.0, -2.0, 3.0], [0.5, 1.5, -1.0]]))
    (y * weights).sum().backward()
    return y, [leaf.grad for leaf in (x, *leaves)]


@pytest.mark.parametrize("view", [False, True], ids=["itself", "through a view"])
@pytest.mark.parametrize(("name", "args"), CALLS, ids=[f"{name}{len(args)}" for name, args in CALLS])
def test_each_method_changes_the_tensor_to_what_its_op_gives(name, args, view):
    y, gradients = changed_in_place(minigrad, name, args, view)
    x = minigrad.tensor(np.abs(X) if name in POSITIVE else X, requires_grad=True)
    leaves, given, named = prepared(minigrad, args)
    composed = {
        "copy_": lambda x, src: x * 0 + src,
        "fill_": lambda x, value: x * 0 + value,
        "zero_": lambda x: x * 0,
    }
    wanted = composed.get(name, getattr(minigrad, name[:-1], None))(x * 2, *given, **named)
    np.testing.assert_allclose(y.detach().numpy(), wanted.detach().numpy(), rtol=1e-12, strict=wanted.dtype == y.dtype)
    weights = minigrad.tensor([[1.0, -2.0, 3.0], [0.5, 1.5, -1.0]], dtype=minigrad.float64)
    if wanted.requires_grad:
        (wanted * weights).sum().backward()
        for g, leaf in zip(gradients, (x, *leaves), strict=True):
            wanted_g = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.array
            np.testing.assert_allclose(np.zeros(leaf.shape) if g is None else g.array, wanted_g, rtol=1e-12, atol=1e-15)


# PyTorch has no derivative for the first, and lets the old gradient through the others, whose result does not depend on
# the old value but in steps.
NOT_AS_IN_PYTORCH = {"floor_divide_", "logical_and_", "logical_or_", "logical_xor_", "logical_not_"}


@pytest.mark.reference
@pytest.mark.parametrize("view", [False, True], ids=["itself", "through a view"])
@pytest.mark.parametrize(("name", "args"), [c for c in CALLS if c[0] not in NOT_AS_IN_PYTORCH])
def test_each_method_does_what_pytorchs_does(name, args, view, pytorch):
    y, gradients = changed_in_place(minigrad, name, args, view)
    wanted, wanted_gradients = changed_in_place(pytorch, name, args, view)
    np.testing.assert_allclose(y.detach().numpy(), wanted.detach().numpy(), rtol=1e-12, strict=True)
    for g, wg in zip(gradients, wanted_gradients, strict=True):
        ours, theirs = (0.0 if h is None else np.asarray(h.numpy()) for h in (g, wg))
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(("name", "args"), [(name, args) for name, many in BITS.items() for args in many])
def test_bits_in_place(name, args):
    x = minigrad.tensor([[True, True, False], [False, True, False]])
    _, given, _ = prepared(minigrad, args)
    wanted = getattr(minigrad, name[:-1])(x, *given).tolist()
    assert getattr(x, name)(*given) is x and x.tolist() == wanted


def test_augmented_assignments_are_in_place():
    x = minigrad.tensor([7.0, 8.0])
    held = x
    x += 1
    x -= 2
    x *= 3
    x /= 2
    x //= 2
    x %= 3
    x **= 2
    assert x is held and x.tolist() == [1.0, 4.0]
    mask = held_mask = minigrad.tensor([True, False])
    mask &= minigrad.tensor([True, True])
    mask |= minigrad.tensor([False, False])
    mask ^= minigrad.tensor([True, True])
    assert mask is held_mask and mask.tolist() == [False, True]


def test_every_method_in_place_is_tested():
    methods = {name for name in vars(minigrad.Tensor) if name.endswith("_") and not name.startswith("_")}
    assert methods == set(METHODS) | set(POSITIVE) | set(BITS) | TESTED_ELSEWHERE | ALIASES


# ------------------------------------------------------------------------------ what backward must not miss
# Each changes what backward needs. PyTorch raises too, but where `.data` was used, which it does not see.


def result_of_exp(m, a):
    y = a.exp()
    y.add_(1)
    return y


def factor(m, a):
    w = a * 2
    y = w * w
    w.add_(1)
    return y


def factor_under_no_grad(m, a):
    y = a * a
    with m.no_grad():
        a.mul_(2)
    return y


def factor_through_a_view(m, a):
    w = a * 2
    y = w * w
    w[0] = 0.0
    return y


def factor_through_its_base(m, a):
    w = a * 2
    v = w[1:]
    y = v * v
    w.add_(1)
    return y


def factor_through_a_detached_copy(m, a):
    w = a * 2
    y = w * w
    w.detach().add_(1)
    return y


def index_tensor(m, a):
    index = m.tensor([0, 1])
    y = a[index] * 2
    index[0] = 2
    return y


def mask_of_where(m, a):
    mask = m.tensor([True, False, True])
    y = m.where(mask, a, a * 2)
    mask[0] = False
    return y


def output_of_relu(m, a):
    y = m.relu(a)
    y += 1
    return y


def optimizer_step(m, a):
    y = (a * a).sum()
    a.grad = m.ones(3, dtype=m.float64)
    m.optim.SGD([a], lr=0.1).step()
    return y


def through_data(m, a):
    y = a * a
    a.data.mul_(2)
    return y


def through_new_data(m, a):
    y = a * a
    a.data = a.data * 2
    return y


def an_element_that_the_loop_overwrites(m, a):
    x = m.zeros(3, dtype=m.float64)
    for i in range(3):
        x[i] = x[i - 1] * a[i]  # x[i - 1] is a view, and shares its version with all of x
    return x


CHANGES = [
    an_element_that_the_loop_overwrites,
    result_of_exp,
    factor,
    factor_under_no_grad,
    factor_through_a_view,
    factor_through_its_base,
    factor_through_a_detached_copy,
    index_tensor,
    mask_of_where,
    output_of_relu,
    optimizer_step,
    through_data,
    through_new_data,
]
UNSEEN_BY_PYTORCH = {through_data, through_new_data}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_backward_refuses_what_was_changed(change):
    a = minigrad.tensor([1.0, 2.0, 3.0], dtype=minigrad.float64, requires_grad=True)
    y = change(minigrad, a)
    held = a.grad
    with pytest.raises(RuntimeError, match=r"backward needs .* at version \d+; it is at version \d+ now") as caught:
        y.sum().backward()
    assert a.grad is held, "nothing was added to .grad"
    assert "detect_anomaly" in str(caught.value)


@pytest.mark.reference
@pytest.mark.parametrize("change", [c for c in CHANGES if c not in UNSEEN_BY_PYTORCH], ids=lambda c: c.__name__)
def test_pytorch_refuses_it_too(change, pytorch):
    a = pytorch.tensor([1.0, 2.0, 3.0], dtype=pytorch.float64, requires_grad=True)
    y = change(pytorch, a)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_the_error_names_both_versions_and_both_lines():
    a = minigrad.ones(3, requires_grad=True)
    w = a * 2
    w += 1
    with autograd.detect_anomaly():
        y = w * w  # the line that ran the op
    w += 1
    w.mul_(2)  # the line that changed it
    with pytest.raises(RuntimeError) as caught:
        y.sum().backward()
    text = str(caught.value)
    assert text.startswith("Mul: backward needs inputs[0], of shape (3,), as it was when the op ran at ")
    assert "`y = w * w  # the line that ran the op`, at version 1; it is at version 3 now" in text
    assert "last changed in place by mul_ at " in text and "`w.mul_(2)  # the line that changed it`" in text
    assert text.count("test_in_place.py:") == 2


def test_versions_count_the_changes_of_shared_memory():
    x = minigrad.zeros(2, 3)
    v = x[0]
    assert (x._version, v._version) == (0, 0)
    v.add_(1)
    x.mul_(2)
    x.detach().zero_()
    x.data[0] = 1.0
    assert (x._version, v._version, x.T._version) == (4, 4, 4)
    assert x.clone()._version == 0


def test_one_note_of_several_changes_counts_for_each_owner():
    x, y, z = minigrad.zeros(2, 3), minigrad.zeros(2), minigrad.zeros(2)
    autograd.changed(x.array[0], y.array, x.array.T[1:], by="test")
    assert (x._version, y._version, z._version) == (2, 1, 0)


@pytest.mark.parametrize("kept", [lambda a: a, lambda a: a[1:].reshape(2, 1), lambda a: (0, a), lambda a: (0, a[1:].T)])
@pytest.mark.parametrize("written", [lambda a: a, lambda a: a[:1]])
def test_a_change_of_what_an_op_keeps_is_found_through_any_view(kept, written):
    class Keeps(autograd.Op):
        saves_inputs = False

        def forward(self, x):
            self.kept = kept(owner.array)
            return x * 2

        def backward(self, g):
            return g * 2

    owner, other = minigrad.ones(3), minigrad.ones(3)
    x = minigrad.ones(3, requires_grad=True)
    y = Keeps.apply(x).sum()
    other.add_(1)
    y.backward(retain_graph=True)
    autograd.changed(written(owner.array), by="test")
    with pytest.raises(RuntimeError, match=r"Keeps: backward needs what it saved as kept.* changed in place by test"):
        y.backward()


def test_versions_go_on_after_many_changes():
    a = minigrad.ones(2, requires_grad=True)
    w = a * 2
    y = w * w
    with minigrad.no_grad():
        for _ in range(200):
            w.add_(1)
    assert w._version == 200
    with pytest.raises(RuntimeError, match="it is at version 200 now"):
        y.sum().backward()


def test_the_history_of_memory_ends_with_it():
    before = len(autograd.versions._histories)
    x = minigrad.ones(3)
    x.add_(1)
    assert len(autograd.versions._histories) == before + 1
    del x
    assert len(autograd.versions._histories) == before


def test_a_failed_write_changes_nothing():
    a = minigrad.ones(3, requires_grad=True)
    y = a * 2
    op, version = y.grad_fn, y._version
    for wrong in (lambda: y.add_(minigrad.ones(2)), lambda: y.__setitem__(5, 1.0), lambda: y.copy_(a[:2])):
        with pytest.raises((RuntimeError, IndexError)):
            wrong()
        assert y.grad_fn is op and y._version == version and y.tolist() == [2, 2, 2]


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda a: a.add_(1), "add_: a leaf that requires grad cannot be changed in place"),
        (lambda a: a.__setitem__(0, 1.0), r"x\[index\] = value: a leaf that requires grad"),
        (lambda a: a[0].mul_(2), "mul_: a view of a leaf that requires grad"),
        (lambda a: a.view(3, 1).t().zero_(), "zero_: a view of a leaf that requires grad"),
        (lambda a: a.normal_(), "normal_: a leaf that requires grad"),
        (lambda a: a.expand(2, 3).add_(1), "add_: a view of a leaf"),
        (lambda a: (a * 1).expand(2, 3).add_(1), r"read-only .* x.clone\(\)"),
    ],
)
def test_what_cannot_be_changed_in_place(call, text):
    a = minigrad.ones(3, requires_grad=True)
    state = minigrad.get_rng_state().tolist()
    with pytest.raises(RuntimeError, match=text):
        call(a)
    assert a.tolist() == [1, 1, 1] and a.is_leaf and minigrad.get_rng_state().tolist() == state


def test_a_view_made_under_no_grad_is_not_to_be_changed_where_its_base_is_recorded():
    y = minigrad.ones(3, requires_grad=True) * 2
    with minigrad.no_grad():
        v = y[0]
        v.add_(1)  # nothing is recorded here
    with pytest.raises(RuntimeError, match=r"add_: this view was made under no_grad\(\)"):
        v.add_(1)
    assert y.tolist() == [3, 2, 2]


# ------------------------------------------------------------------------------------------ views and graphs


def test_a_plain_tensor_that_takes_a_recorded_value_becomes_part_of_the_graph():
    a = minigrad.ones(2, requires_grad=True)
    x = minigrad.zeros(3)
    assert x.is_leaf and not x.requires_grad
    x[1:] = a
    assert not x.is_leaf and x.requires_grad and x.grad_fn.name() == "Write"


def test_integers_take_values_without_a_history():
    a = minigrad.tensor([1.5, 2.5], requires_grad=True)
    n = minigrad.zeros(2, dtype=minigrad.int64)
    n.copy_(a)
    assert n.tolist() == [1, 2] and not n.requires_grad and n.grad_fn is None


def test_a_retained_gradient_is_that_of_the_new_values():
    a = minigrad.ones(2, requires_grad=True)
    y = a * 2
    y.retain_grad()
    y.mul_(3)
    (y * y).sum().backward()
    assert y.grad.tolist() == [12, 12]  # 2 y, y = 6


def test_a_retained_gradient_of_a_view_is_that_of_the_new_values():
    for write in (lambda y, v: y.mul_(3), lambda y, v: v.mul_(3)):
        a = minigrad.ones(3, requires_grad=True)
        y = a * 2
        v = y[:2]
        v.retain_grad()
        write(y, v)
        (v * v).sum().backward()
        assert v.grad.tolist() == [12, 12]  # 2 v, v = 6


def test_what_was_expanded_without_repeating_can_be_written_to():
    a = minigrad.ones(3, requires_grad=True)
    y = a * 2
    y.expand(3).mul_(2)
    y.expand(1, 3)[0, 0] = 0
    y.expand_as(a).mul_(2)
    assert y.tolist() == [0, 8, 8]
    assert minigrad.autograd.grad(y.sum(), a)[0].tolist() == [0, 8, 8]


def test_views_of_memory_in_another_order_can_be_written_to():
    a = minigrad.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = a.T * 1  # keeps the order in memory: the last dimension is not the innermost
    y.T.view(-1)[1:3].mul_(10)
    assert y.T.tolist() == [[0, 10, 20], [3, 4, 5]]
    (da,) = minigrad.autograd.grad((y * y).sum(), a)
    assert da.tolist() == [[0, 200, 400], [6, 8, 10]]  # 2 y dy/da


def test_a_view_is_independent_of_a_base_that_was_given_other_memory():
    a = minigrad.ones(4, requires_grad=True)
    y = a * 1
    v, w = y[:2], y[2:]
    y.data = minigrad.zeros(4)
    v.mul_(3)
    assert y.tolist() == [0, 0, 0, 0] and v.tolist() == [3, 3] and y.grad_fn.name() == "Mul"
    y.mul_(5)
    assert minigrad.autograd.grad(w.sum(), a)[0].tolist() == [0, 0, 1, 1]


def test_a_write_to_a_part_does_not_touch_the_rest():
    a = minigrad.ones(2, requires_grad=True)
    x = minigrad.zeros(1000, 2) + a * 0
    tracemalloc.start()
    x[3] = a
    x[4].add_(a)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes


def test_a_leaf_made_of_a_view_stays_a_leaf():
    a = minigrad.ones(3, requires_grad=True)
    x = minigrad.zeros(3)
    v = x[:2].requires_grad_()
    x.add_(a)  # its memory changes, its history does not
    assert v.is_leaf and v.requires_grad and v.tolist() == [1, 1]


def test_a_detached_result_is_a_leaf_again():
    y = minigrad.ones(2, requires_grad=True) * 2
    assert y.detach_() is y and y.is_leaf and not y.requires_grad


def test_what_was_made_before_detaching_keeps_its_history():
    a = minigrad.ones(2, requires_grad=True)
    y = a * 2
    v, z = y[:1], (y**3).sum()
    y.detach_()
    assert v.requires_grad and not v.is_leaf
    assert minigrad.autograd.grad(v.sum(), a, retain_graph=True)[0].tolist() == [2, 0]
    (da,) = minigrad.autograd.grad(z, a, create_graph=True)  # 3 y^2 dy/da, of the y that is made of a
    assert minigrad.autograd.grad(da.sum(), a)[0].tolist() == [48, 48]  # 6 y (dy/da)^2


def test_a_detached_view_is_what_detach_gives():
    a = minigrad.ones(3, requires_grad=True)
    y = a * 2
    v = y[:2]
    assert v.detach_() is v and v.is_leaf and not v.requires_grad
    v.zero_()  # the memory is that of y, whose history is not told
    assert y.tolist() == [0, 0, 2] and y.grad_fn.name() == "Mul" and v.is_leaf


def test_graphs_with_writes_leave_no_cycle():
    gc.disable()
    try:
        a = minigrad.ones(3, requires_grad=True)
        x = minigrad.zeros(4, 3)
        v = x[1]
        for i in range(4):
            x[i] = a * i
        v.mul_(2)
        y = (x * 2).sum()
        ops = [weakref.ref(t.grad_fn) for t in (x, v, y)]
        del x, v, y
        assert [op() for op in ops] == [None] * 3
    finally:
        gc.enable()


def test_long_chains_of_writes_need_no_recursion():
    a = minigrad.ones(1, requires_grad=True)
    x = minigrad.zeros(1)
    v = x.view(1, 1)
    for _ in range(20_000):
        x += a
    assert v.item() == 20_000
    v.sum().backward()
    assert a.grad.tolist() == [20_000]
    del x, v


def test_long_chains_of_views_need_neither_recursion_nor_time_that_grows_with_them():
    a = minigrad.ones(4, requires_grad=True)
    y = v = a * 1
    for _ in range(10_000):
        v = v.view(2, 2).view(4)
    v.mul_(3)
    assert y.tolist() == [3, 3, 3, 3]
    y.sum().backward()
    assert a.grad.tolist() == [3, 3, 3, 3]


def test_threads_write_to_their_own_tensors():
    def work(seed, found):
        a = minigrad.ones(3, requires_grad=True)
        for _ in range(50):
            x = minigrad.zeros(3)
            x += a
            x[0] = a[1] * seed
            x.sum().backward()
        found[seed] = a.grad.tolist()

    found = {}
    threads = [threading.Thread(target=work, args=(seed, found)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {seed: [0, 50 + 50 * seed, 50] for seed in range(8)}


def test_views_share_memory_and_copies_do_not():
    x = minigrad.arange(6.0).reshape(2, 3).clone()
    views = [x[0], x[:, 1:], x.T, x.t(), x.view(6), x.reshape(3, 2), x.unsqueeze(0), x.flatten(), x.expand(4, 2, 3)]
    copies = [x.clone(), x[[0, 1]], x[x > 2], x + 0, x.T.reshape(6), x.flip(0), x.double()]
    assert all(np.shares_memory(v.array, x.array) for v in views)
    assert not any(np.shares_memory(c.array, x.array) for c in copies)
    assert all(v._view[0] is x for v in views if v._view is not None) and not any(c._view for c in copies)


def test_the_line_of_a_change_is_the_users():
    x = minigrad.ones(2)
    x.add_(1)
    history = autograd.versions._histories[id(autograd.versions.memory(x.array))]
    assert re.search(r" at .*test_in_place\.py:\d+, `x\.add_\(1\)`$", autograd.anomaly.at(history.made[1]))
