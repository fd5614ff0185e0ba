"""Tensor: how it is made, printed, converted, indexed and changed in place, and what it refuses."""

import copy
import math
import operator
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad
from minigrad import Tensor, nn

inf, nan = math.inf, math.nan
T = minigrad.tensor


def same(tensor, wanted, dtype=None):
    """Equal in values and shape, and of this dtype if one is given."""
    np.testing.assert_array_equal(tensor.array, np.asarray(wanted), strict=False)
    assert tensor.shape == np.shape(wanted) and (dtype is None or tensor.dtype == dtype)
    return True


# -------------------------------------------------------------------------------------------- making tensors

INFERRED = [
    (1, "int64"),
    (1.5, "float32"),
    (True, "bool"),
    ([1, 2], "int64"),
    ([1, 2.5], "float32"),
    ([True, False], "bool"),
    ([True, 2], "int64"),
    ([True, 2.5], "float32"),
    ([], "float32"),
    ([[], []], "float32"),
    (((1, 2), (3, 4)), "int64"),
    (range(3), "int64"),
    (np.float64(1), "float64"),
    (np.float16(1), "float16"),
    (np.int8(3), "int8"),
    (np.bool_(True), "bool"),
    ([np.float64(1), 2], "float64"),
    ([1.0, np.float64(2)], "float64"),
    ([np.float32(1.5), 2.5], "float32"),
    ([np.int32(1), 2.5], "float32"),
    (np.arange(3, dtype=np.uint8), "uint8"),
    (np.ones(2), "float64"),
    ([np.ones(2), np.ones(2)], "float64"),
    (2**62, "int64"),
    (1e400, "float32"),
    ([T(1.0), T(2.0)], "float32"),
    ([T(1), 2.5], "float32"),
    ([[T(1.0), 2.0], [3.0, T(4)]], "float32"),
    (T([1.0]).half(), "float16"),
]


@pytest.mark.parametrize(("data", "dtype"), INFERRED, ids=[str(data)[:40] for data, _ in INFERRED])
def test_the_dtype_is_inferred(data, dtype):
    assert T(data).dtype == minigrad.as_tensor(data).dtype == dtype


@pytest.mark.reference
@pytest.mark.parametrize(
    "data", [data for data, _ in INFERRED if not isinstance(data, list) or "tensor" not in str(data)], ids=str
)
def test_the_dtype_is_that_of_pytorch(data):
    torch = pytest.importorskip("torch")
    data = data.numpy() if isinstance(data, Tensor) else data
    ours, theirs = T(data), torch.tensor(data)
    assert str(theirs.dtype) == f"torch.{ours.dtype.name}" and tuple(theirs.shape) == ours.shape
    assert theirs.tolist() == ours.tolist()


@pytest.mark.parametrize(
    ("data", "dtype", "wanted"),
    [
        ([1.7, -1.7], minigrad.int64, [1, -1]),
        ([0, 2, 0.5], minigrad.bool, [False, True, True]),
        ([1e6], minigrad.float16, [inf]),
        (np.array([nan, 1.0]), minigrad.bool, [True, True]),
        ([True], minigrad.float64, [1.0]),
        (np.array([1, 2], dtype=">f4"), None, [1.0, 2.0]),
        (3, float, 3.0),
        (3.5, int, 3),
        (3, "float64", 3.0),
    ],
)
def test_the_dtype_can_be_given(data, dtype, wanted):
    made = T(data, dtype=dtype)
    assert same(made, wanted) and made.dtype.isnative
    assert dtype is None or made.dtype == minigrad.dtypes.as_dtype(dtype)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("a", TypeError),
        (["a"], TypeError),
        (None, TypeError),
        ([1, None], TypeError),
        ({"a": 1}, TypeError),
        ({1, 2}, TypeError),
        (1j, TypeError),
        (np.array([1j]), TypeError),
        (np.array([1], dtype=np.uint16), TypeError),
        pytest.param(object(), TypeError, id="object"),
        ([1, [2]], ValueError),
        ([[1, 2], [3]], ValueError),
        (2**63, RuntimeError),
        ([2**70], RuntimeError),
        ([minigrad.ones(1, requires_grad=True)], RuntimeError),
    ],
    ids=str,
)
def test_what_is_no_array_of_numbers_is_refused(data, error):
    for make in (T, minigrad.as_tensor, Tensor):
        with pytest.raises(error) as caught:
            make(data)
        assert len(str(caught.value)) > 20


def test_tensor_copies_and_the_others_share():
    a = np.zeros(3, np.float32)
    copied = T(a)
    sharing = [Tensor(a), minigrad.as_tensor(a), minigrad.from_numpy(a)]
    a[0] = 1
    assert same(copied, [0.0, 0.0, 0.0])
    assert all(same(t, [1.0, 0.0, 0.0]) and np.shares_memory(t.array, a) for t in sharing)
    t = minigrad.ones(2)
    assert minigrad.as_tensor(t) is t and not np.shares_memory(T(t).array, t.array)
    assert np.shares_memory(Tensor(t).array, t.array)
    assert not np.shares_memory(minigrad.as_tensor(a, dtype=minigrad.float64).array, a)


def test_a_copy_of_a_tensor_is_a_leaf_outside_of_its_graph():
    x = minigrad.ones(2, requires_grad=True)
    assert T(x * 2).is_leaf and not T(x * 2).requires_grad
    assert T(x, requires_grad=True).requires_grad


def test_from_numpy_takes_arrays_alone():
    with pytest.raises(TypeError, match=r"from_numpy: needs an ndarray, got list; use minigrad.tensor"):
        minigrad.from_numpy([1, 2])
    view = np.arange(6.0).reshape(2, 3)[::-1, ::2]
    t = minigrad.from_numpy(view)
    assert np.shares_memory(t.array, view) and not t.is_contiguous()


@pytest.mark.parametrize("make", [T, minigrad.as_tensor])
def test_the_only_device_is_the_cpu(make):
    assert make([1.0], device="cpu").device == "cpu"
    with pytest.raises(RuntimeError, match="the only device is \"cpu\", got 'cuda'"):
        make([1.0], device="cuda")


# ---------------------------------------------------------------------------------------------------- printing

PRINTED = [
    (T(1.5), "tensor(1.5000)"),
    (T(3), "tensor(3)"),
    (T(True), "tensor(True)"),
    (T([True, False]), "tensor([ True, False])"),
    (T(2.0), "tensor(2.)"),
    (T([1.0, 2.0, 3.0]), "tensor([1., 2., 3.])"),
    (T([1.0, 2.5]), "tensor([1.0000, 2.5000])"),
    (T([-1.0, 20.0]), "tensor([-1., 20.])"),
    (T([1, -20, 300]), "tensor([  1, -20, 300])"),
    (T([0.0, -0.0]), "tensor([0., -0.])"),
    (T([1e-5, 1.0]), "tensor([1.0000e-05, 1.0000e+00])"),
    (T([1.0, 2000.0]), "tensor([1.0000e+00, 2.0000e+03])"),
    (T(1e9), "tensor(1.0000e+09)"),
    (T([1.0, nan, inf, -inf]), "tensor([1., nan, inf, -inf])"),
    (T([1.5, nan]), "tensor([1.5000,    nan])"),
    (T(nan), "tensor(nan)"),
    (T([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
    (minigrad.zeros(2, 1, 2), "tensor([[[0., 0.]],\n\n        [[0., 0.]]])"),
    (T([]), "tensor([])"),
    (T([], dtype=minigrad.int64), "tensor([], dtype=minigrad.int64)"),
    (minigrad.zeros(0, 3), "tensor([], size=(0, 3))"),
    (minigrad.zeros(2, 0, dtype=minigrad.bool), "tensor([], size=(2, 0), dtype=minigrad.bool)"),
    (T([1.0]).double(), "tensor([1.], dtype=minigrad.float64)"),
    (T([1], dtype=minigrad.uint8), "tensor([1], dtype=minigrad.uint8)"),
    (minigrad.ones(2, requires_grad=True), "tensor([1., 1.], requires_grad=True)"),
    (minigrad.ones(2, requires_grad=True) * 2, "tensor([2., 2.], grad_fn=<Mul>)"),
    (minigrad.ones(2, requires_grad=True).double() + 1, "tensor([2., 2.], dtype=minigrad.float64, grad_fn=<Add>)"),
    (
        minigrad.arange(1001),
        "tensor([   0,    1,    2,  ...,  998,  999, 1000])",
    ),
    (
        minigrad.zeros(30),
        f"tensor([{'0., ' * 23}0.,\n        0., 0., 0., 0., 0., 0.])",
    ),
    (
        minigrad.arange(4.0).reshape(2, 2).exp().double() * 1.5,
        "tensor([[ 1.5000,  4.0774],\n        [11.0836, 30.1283]], dtype=minigrad.float64)",
    ),
    (
        minigrad.zeros(40, 40),
        "tensor([[0., 0., 0.,  ..., 0., 0., 0.],\n" + "        [0., 0., 0.,  ..., 0., 0., 0.],\n" * 2
        + "        ...,\n" + "        [0., 0., 0.,  ..., 0., 0., 0.],\n" * 2
        + "        [0., 0., 0.,  ..., 0., 0., 0.]])",
    ),
    (nn.Parameter(minigrad.ones(2)), "Parameter containing:\ntensor([1., 1.], requires_grad=True)"),
]  # fmt: skip


@pytest.mark.parametrize(("tensor", "text"), PRINTED, ids=[text[:40] for _, text in PRINTED])
def test_repr(tensor, text):
    assert repr(tensor) == str(tensor) == text


def one_line(text):
    """PyTorch's name is shorter than ours, so a note may still fit on its line there."""
    return text.replace(",\n       dtype", ", dtype").replace("torch.", "minigrad.")


@pytest.mark.reference
def test_repr_is_that_of_pytorch(rng):
    torch = pytest.importorskip("torch")
    large = [(1001,), (200, 7), (40, 40), (12, 12, 12), (3, 500), (500, 3), (7, 2, 100)]
    draws = [
        lambda shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 10),
        lambda shape: np.round(rng.standard_normal(shape) * 10.0 ** rng.integers(0, 10)),
        lambda shape: rng.integers(-1000, 1000, shape),
        lambda shape: rng.integers(0, 2, shape).astype(bool),
        lambda shape: rng.integers(-3, 4, shape).astype(np.float32),
        lambda shape: rng.choice([0.0, -0.0, inf, -inf, nan, 1.0], shape).astype(np.float32),
        lambda shape: rng.choice([0.0, -inf, nan, 1.25, 1e5, 1e-3], shape),
        lambda shape: (rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 4)).astype(np.float16),
    ]
    for k in range(1000):
        shape = large[k // 20 % len(large)] if k % 20 == 0 else tuple(rng.integers(0, 5, rng.integers(0, 5)))
        a = np.asarray(draws[k % len(draws)](shape))
        assert one_line(repr(T(a))) == one_line(repr(torch.tensor(a)))


def test_format():
    assert f"{T(3.14159):.2f}" == "3.14" and f"{T(7):03d}" == "007" and f"{T(2.5)} {T(True)}" == "2.5 True"
    assert f"{T([1.0])}" == "tensor([1.])" and f"{minigrad.nn.Parameter(T(2.0))}".startswith("Parameter containing")
    with pytest.raises(TypeError):
        f"{T([1.0, 2.0]):.2f}"


# ----------------------------------------------------------------------------- to Python, to NumPy, and other views


def test_item_and_tolist():
    assert T(2.5).item() == 2.5 and type(T([[3]]).item()) is int and type(T(True).item()) is bool
    assert T([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]] and T(5).tolist() == 5 and T([]).tolist() == []
    assert minigrad.ones(1, requires_grad=True).item() == 1.0
    for t in (T([1, 2]), T([])):
        with pytest.raises(RuntimeError, match="item: needs exactly one element, got shape"):
            t.item()


def test_python_numbers():
    assert float(T(2)) == 2.0 and int(T(2.9)) == 2 and bool(T(0.0)) is False and bool(T([[3]])) is True
    assert [10, 20, 30][T(1)] == 20 and list(range(T([3]))) == [0, 1, 2]
    with pytest.raises(TypeError, match="only an integer tensor of one element can be an index, got float32"):
        [10, 20][T(1.0)]
    for t in (T([1, 2]), T([])):
        with pytest.raises(RuntimeError, match=r"ambiguous; use .any\(\) or .all\(\)"):
            bool(t)
        with pytest.raises(RuntimeError):
            float(t)


def test_numpy_shares_memory_and_keeps_graphs_whole():
    t = minigrad.zeros(2)
    for a in (t.numpy(), np.asarray(t), t.detach().numpy()):
        assert np.shares_memory(a, t.array)
    assert np.array(t, copy=True) is not t.array and np.asarray(t, dtype=np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(t), t.array)
    with pytest.raises(ValueError):
        np.array(t, dtype=np.float64, copy=False)
    x = minigrad.zeros(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"numpy: .* use x.detach\(\).numpy\(\)"):
        x.numpy()
    with pytest.raises(RuntimeError, match=r"np.asarray: .* use x.detach\(\)"):
        np.asarray(x * 2)
    assert np.shares_memory(x.numpy(force=True), x.array)


def test_numpy_on_the_left_asks_the_tensor():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    a = np.array([3.0, 4.0], dtype=np.float32)
    for y, wanted in [
        (a * x, [3.0, 8.0]),
        (a + x, [4.0, 6.0]),
        (a - x, [2.0, 2.0]),
        (a / x, [3.0, 2.0]),
        (a**x, [3.0, 16.0]),
        (np.float64(2) * x, [2.0, 4.0]),
        (np.int64(2) + x, [3.0, 4.0]),
        (a @ x, 11.0),
    ]:
        assert isinstance(y, Tensor) and y.requires_grad and same(y, wanted, "float32")
    assert isinstance(a < x, Tensor) and same(a > x, [True, True]) and same(a == x, [False, False])


@pytest.mark.parametrize("number", [2, 2.0, np.float64(2), np.float32(2), np.int64(2), T(2.0).double(), T(2)])
def test_numbers_keep_float32(number):
    x = minigrad.ones(3)
    for y in (x + number, number + x, x * number, x - number, number - x, x / number, number / x, x**number, number**x):
        assert y.dtype == minigrad.float32


def test_to_and_its_short_forms():
    x = minigrad.ones(2)
    assert x.to(minigrad.float32) is x and x.float() is x and x.to("cpu") is x and x.cpu() is x
    assert x.to(minigrad.float32, copy=True) is not x and x.type_as(T(1)).dtype == "int64"
    assert x.to(T([1.0]).double()).dtype == "float64" and x.to("cpu", minigrad.int32).dtype == "int32"
    assert x.to(dtype=minigrad.float16, device="cpu").dtype == "float16" and x.to(minigrad.bool, True).dtype == "bool"
    names = {"double": "float64", "half": "float16", "long": "int64", "int": "int32", "bool": "bool"}
    assert {name: getattr(x, name)().dtype.name for name in names} == names
    with pytest.raises(RuntimeError, match='to: the only device is "cpu"'):
        x.to("cuda:0")
    with pytest.raises(TypeError, match="is not a dtype"):
        x.to("float99")


def test_contiguous_and_clone():
    x = minigrad.arange(6).reshape(2, 3)
    assert x.contiguous() is x and x.is_contiguous()
    y = x.T.contiguous()
    assert same(y, x.array.T) and y.is_contiguous() and not np.shares_memory(y.array, x.array)
    assert x.T.clone().is_contiguous() and not np.shares_memory(x.clone().array, x.array)


def test_what_a_tensor_knows_of_itself():
    x = minigrad.zeros(2, 3, dtype=minigrad.float16)
    assert (x.shape, x.size(), x.size(-1), x.ndim, x.dim(), x.numel(), len(x)) == ((2, 3), (2, 3), 3, 2, 2, 6, 2)
    assert (x.nbytes, x.element_size(), x.is_floating_point(), x.long().is_floating_point()) == (12, 2, True, False)
    with pytest.raises(IndexError, match=r"size: dim must be in \[-2, 1\]"):
        x.size(2)
    for f in (len, iter):
        with pytest.raises(TypeError, match="0-d tensor"):
            f(T(1.0))


def test_tensors_hash_by_identity_and_compare_by_element():
    x, y = T([1.0, 2.0]), T([1.0, 3.0])
    assert len({x, y, x}) == 2 and same(x == y, [True, False]) and same(x != y, [False, True])
    assert (x == None) is False and (x != None) is True and (x == "text") is False  # noqa: E711
    assert 2.0 in x and 5.0 not in x and T(2.0) in x
    with pytest.raises(TypeError):
        operator.lt(x, "text")


def test_iteration_gives_views_with_gradients():
    x = minigrad.arange(6.0).reshape(3, 2).requires_grad_()
    rows = list(x)
    assert len(rows) == 3 and same(rows[1], [2.0, 3.0]) and np.shares_memory(rows[1].array, x.array)
    a, b = x[2]
    (a * b).backward()
    assert same(x.grad, [[0, 0], [0, 0], [5, 4]])


def test_data_is_outside_of_the_graph_and_can_be_replaced():
    x = minigrad.ones(2, requires_grad=True)
    x.data.mul_(3)
    assert same(x, [3.0, 3.0]) and not x.data.requires_grad
    x.data = minigrad.zeros(3)
    assert same(x, [0.0, 0.0, 0.0]) and x.requires_grad
    with pytest.raises(TypeError, match="data must be a Tensor, got ndarray"):
        x.data = np.zeros(3)
    with pytest.raises(RuntimeError, match="data: only floating tensors have gradients, got int64"):
        x.data = T([1, 2, 3])
    assert same(x, [0.0, 0.0, 0.0], "float32")


def test_unknown_attributes_are_refused():
    x = T(1.0)
    with pytest.raises(AttributeError):
        x.gradient = 3
    with pytest.raises(AttributeError):
        x.shap


def test_deepcopy_keeps_the_values_of_views():
    x = minigrad.arange(6.0).reshape(2, 3).T
    twin = copy.deepcopy(x)
    assert same(twin, x.array) and not np.shares_memory(twin.array, x.array)


# ------------------------------------------------------------------------------------------------- in place

IN_PLACE = {
    "add_": (lambda x: x.add_(T([1.0, 2.0])), [2.0, 4.0]),
    "add_ alpha": (lambda x: x.add_(T([1.0, 2.0]), alpha=10), [11.0, 22.0]),
    "sub_": (lambda x: x.sub_(1), [0.0, 1.0]),
    "sub_ alpha": (lambda x: x.sub_(T(1.0), alpha=0.5), [0.5, 1.5]),
    "mul_": (lambda x: x.mul_(T(3)), [3.0, 6.0]),
    "div_": (lambda x: x.div_(2), [0.5, 1.0]),
    "pow_": (lambda x: x.pow_(3), [1.0, 8.0]),
    "clamp_": (lambda x: x.clamp_(max=1.5), [1.0, 1.5]),
    "copy_": (lambda x: x.copy_(T([7, 8])), [7.0, 8.0]),
    "copy_ broadcast": (lambda x: x.copy_(T(9.5).double()), [9.5, 9.5]),
    "fill_": (lambda x: x.fill_(4), [4.0, 4.0]),
    "fill_ tensor": (lambda x: x.fill_(T(4)), [4.0, 4.0]),
    "zero_": (lambda x: x.zero_(), [0.0, 0.0]),
    "itself": (lambda x: x.add_(x), [2.0, 4.0]),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_methods_change_the_memory_and_give_back_the_tensor(name):
    call, wanted = IN_PLACE[name]
    x = T([1.0, 2.0])
    view, array = x[:], x.array
    assert call(x) is x and x.array is array and same(x, wanted, "float32") and same(view, wanted)


def test_augmented_assignment_works_in_place():
    x = T([1.0, 2.0])
    held, array = x, x.array
    x += 1
    x -= 0.5
    x *= 4
    x /= 2
    x **= 2
    assert x is held and x.array is array and same(x, [9.0, 25.0])


def test_in_place_on_integers():
    n = T([1, 2], dtype=minigrad.int32)
    n += T([10, 20])  # int64 into int32: the kind is kept, as in PyTorch
    assert same(n, [11, 22], "int32")
    with pytest.raises(RuntimeError, match="div_: a float32 result does not fit in place into a int32 tensor"):
        n /= 2
    with pytest.raises(RuntimeError, match="add_: a float32 result"):
        n += 0.5
    assert same(n, [11, 22], "int32")


REFUSED = {
    "a leaf that requires grad": (lambda: minigrad.ones(2, requires_grad=True), lambda x: x.add_(1), "no_grad"),
    "a larger value": (lambda: T([1.0, 1.0]), lambda x: x.add_(minigrad.ones(3, 2)), r"\(3, 2\) do not fit"),
    "another shape": (lambda: T([1.0, 1.0]), lambda x: x.copy_(minigrad.ones(3)), r"\(3,\) do not fit"),
    "shapes that do not broadcast": (lambda: T([1.0, 1.0]), lambda x: x.add_(minigrad.ones(3)), r"\(2,\) and \(3,\)"),
    "a float into integers": (lambda: T([1, 1]), lambda x: x.mul_(1.5), "float32 result does not fit"),
    "an integer into bools": (lambda: T([True, True]), lambda x: x.add_(1), "int64 result does not fit"),
    "an expanded tensor": (lambda: T([1.0]).expand(2), lambda x: x.add_(1), r"read-only .* x.clone\(\)"),
    "a text": (lambda: T([1.0, 1.0]), lambda x: x.fill_("7"), "must be a number"),
    "nothing": (lambda: T([1.0, 1.0]), lambda x: x.__setitem__(0, None), "must be a number"),
    "a complex number": (lambda: T([1.0, 1.0]), lambda x: x.__setitem__(0, 1j), "must be a number"),
    "fill with many": (lambda: T([1.0, 1.0]), lambda x: x.fill_(T([1.0, 2.0])), r"shape \(2,\); use copy_"),
    "an index too far": (lambda: T([1.0, 1.0]), lambda x: x.__setitem__(2, 0.0), r"out of bounds .* shape \(2,\)"),
    "too many indices": (lambda: T([1.0, 1.0]), lambda x: x.__setitem__((0, 0), 0.0), "2 indices for a tensor of 1"),
    "a wrong mask": (
        lambda: T([1.0, 1.0]), lambda x: x.__setitem__(T([True, False, True]), 0.0), r"shape \(2,\)"),
    "values that do not fit the index": (
        lambda: T([1.0, 1.0]), lambda x: x.__setitem__(slice(0, 1), T([1.0, 2.0])), r"\(2,\) do not fit in place"),
    "uniform_ of integers": (lambda: T([1, 1]), lambda x: x.uniform_(), "uniform_: needs a floating tensor, got int64"),
    "normal_ of bools": (lambda: T([True, True]), lambda x: x.normal_(), "normal_: needs a floating tensor, got bool"),
    "uniform_ backwards": (lambda: T([1.0, 1.0]), lambda x: x.uniform_(2, 1), "from_ must not exceed to, got 2 and 1"),
    "normal_ of negative width": (lambda: T([1.0, 1.0]), lambda x: x.normal_(0, -1), "std must not be negative"),
    "bernoulli_ of no chance": (lambda: T([1.0, 1.0]), lambda x: x.bernoulli_(1.5), r"p must be in \[0, 1\], got 1.5"),
    "normal_ in a graph": (lambda: minigrad.ones(2, requires_grad=True), lambda x: x.normal_(), "no_grad"),
    "normal_ of an expanded one": (lambda: T([1.0]).expand(2), lambda x: x.normal_(), "read-only"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_in_place_changes_nothing(name):
    make, call, text = REFUSED[name]
    x, state = make(), minigrad.get_rng_state().tolist()
    with pytest.raises((RuntimeError, TypeError, IndexError, ValueError), match=text):
        call(x)
    assert same(x, [1, 1]) and x.grad is None
    assert minigrad.get_rng_state().tolist() == state, "no random numbers were drawn"


def test_in_place_is_free_under_no_grad_and_the_leaf_stays_one():
    x = minigrad.ones(2, requires_grad=True)
    array = x.array
    with minigrad.no_grad():
        x += 1
        x[0] = 5
        x.normal_().copy_(minigrad.ones(2, requires_grad=True) * 3)
    assert x.array is array and x.is_leaf and x.requires_grad and same(x, [3.0, 3.0])


def test_overlapping_memory_is_read_before_it_is_written():
    x = minigrad.arange(6)
    x[1:] = x[:-1]
    assert same(x, [0, 0, 1, 2, 3, 4])
    y = minigrad.arange(9).reshape(3, 3)
    y.copy_(y.T)
    assert same(y, np.arange(9).reshape(3, 3).T)
    y[[0, 1]] = y[[1, 0]]
    assert same(y, np.arange(9).reshape(3, 3).T[[1, 0, 2]])


def test_random_methods_fill_from_their_generator():
    for fill in (lambda t, g: t.normal_(3, 2, generator=g), lambda t, g: t.uniform_(-1, 5, generator=g)):
        a, b = (fill(minigrad.empty(1000), minigrad.Generator().manual_seed(5)) for _ in range(2))
        assert same(a, b.array) and a.array.std() > 1
    halves = minigrad.empty(100_000, dtype=minigrad.float16).uniform_(0, 1)
    assert (halves < 1).all() and (halves >= 0).all(), "rounding to float16 must not reach the end"
    coins = minigrad.empty(1000, dtype=minigrad.int64).bernoulli_(0.25)
    assert 150 < coins.sum().item() < 350 and same(minigrad.empty(2).bernoulli_(T([0.0, 1.0])), [0.0, 1.0])


# ------------------------------------------------------------------------------ reading and writing by index

KEYS = [
    0,
    -1,
    (1, 2),
    (1, 2, 3),
    slice(None),
    slice(1, None),
    slice(None, None, -1),
    (slice(None), slice(0, 2)),
    (..., 0),
    (0, ..., slice(1, 3)),
    ...,
    None,
    (None, 0, None),
    (),
    True,
    False,
    [0, 1, 1],
    ([0, 1], [2, 0]),
    (slice(None), [0, 2]),
    ([0, 1], slice(None), [3, 3]),
    (0, [0, 2]),
    np.array([1, 0]),
    np.array([[1, 0], [0, 0]]),
    np.array(1),
    np.int64(1),
    [],
    np.zeros((2, 3, 4), bool),
    np.arange(24).reshape(2, 3, 4) % 3 == 0,
    np.array([True, False]),
    (slice(None), np.array([True, False, True])),
    ([True, False], 1),
    range(2),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: str(key).replace("\n", "")[:50])
def test_reading_and_writing_by_any_index_is_as_in_numpy(key):
    numpy_key = tuple(list(k) if isinstance(k, range) else k for k in (key if isinstance(key, tuple) else (key,)))
    tensor_key = tuple(T(k) if isinstance(k, (list, np.ndarray)) and len(np.shape(k)) and np.size(k) else k
                       for k in (key if isinstance(key, tuple) else (key,)))  # fmt: skip
    a = np.arange(24.0).reshape(2, 3, 4)
    for k in (key, tensor_key):
        x = T(a)
        assert same(x[k], a[numpy_key])
        x[k] = -1
        b = a.copy()
        b[numpy_key] = -1
        assert same(x, b)
        values = np.arange(np.size(a[numpy_key])).reshape(np.shape(a[numpy_key]))
        x[k] = T(values)
        b[numpy_key] = values
        assert same(x, b, "float64")


@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4), st.data())
def test_writing_by_any_basic_index(shape, data):
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    a = np.zeros(shape, np.int64)
    x = T(a)
    x[key] = 7
    a[key] = 7
    assert same(x, a)


def test_an_index_may_be_a_tensor_of_one_integer_or_a_slice_of_tensors():
    x = minigrad.arange(10)
    assert x[T(3)].item() == 3 and same(x[T(2) : T(5)], [2, 3, 4]) and same(x[T([2])], [2])
    for t in x[:2]:
        t.fill_(9)
    assert same(x[:3], [9, 9, 2]), "an element is a view too"


# ------------------------------------------------------------------------------------- operators and methods agree


@pytest.mark.parametrize(
    ("symbol", "method"),
    [
        (lambda a, b: a + b, lambda a, b: a.add(b)),
        (lambda a, b: a - b, lambda a, b: a.subtract(b)),
        (lambda a, b: a * b, lambda a, b: a.multiply(b)),
        (lambda a, b: a / b, lambda a, b: a.divide(b)),
        (lambda a, b: a**b, lambda a, b: a.pow(b)),
        (lambda a, b: a @ b, lambda a, b: a.matmul(b)),
        (lambda a, b: a < b, lambda a, b: a.lt(b)),
        (lambda a, b: a >= b, lambda a, b: a.ge(b)),
        (lambda a, b: a == b, lambda a, b: a.eq(b)),
        (lambda a, b: -a, lambda a, b: a.neg()),
        (lambda a, b: abs(a), lambda a, b: a.abs()),
        (lambda a, b: +a, lambda a, b: a),
        (lambda a, b: a.T, lambda a, b: a.transpose(0, 1)),
        (lambda a, b: a.mT, lambda a, b: a.t()),
        (lambda a, b: a.where(a > b, b), lambda a, b: minigrad.where(a > b, a, b)),
        (lambda a, b: a.view_as(b), lambda a, b: a.reshape_as(b)),
        (lambda a, b: 2 - a, lambda a, b: (a - 2).neg()),
        (lambda a, b: 2 / a, lambda a, b: a.reciprocal() * 2),
        (lambda a, b: 2**a, lambda a, b: (a * math.log(2)).exp()),
        (lambda a, b: b.array @ a, lambda a, b: b.mm(a)),
    ],
)
def test_operators_are_methods(symbol, method, rng):
    a, b = (T(rng.uniform(0.5, 2, (3, 3))) for _ in range(2))
    np.testing.assert_allclose(symbol(a, b).array, method(a, b).array, rtol=1e-12)


def test_operators_on_bools_and_bits():
    a, b = T([True, True, False]), T([True, False, False])
    assert same(a & b, [True, False, False]) and same(a | b, [True, True, False]) and same(a ^ b, [False, True, False])
    assert same(~a, [False, False, True]) and same(True & b, b.array) and same(T([6]) & 3, [2]) and same(~T([0]), [-1])


def test_numpys_axis_and_keepdims_are_understood():
    x = minigrad.arange(6.0).reshape(2, 3)
    assert same(x.sum(axis=1, keepdims=True), [[3.0], [12.0]]) and same(x.max(axis=0).values, [3.0, 4.0, 5.0])
    with pytest.raises(TypeError, match="sum: got both dim and axis; they mean the same"):
        x.sum(dim=1, axis=1)
    with pytest.raises(TypeError):
        x.sum(axes=1)


# ---------------------------------------------------------------------------- what writing takes, and what it refuses


@pytest.mark.reference
def test_leading_ones_of_a_new_value_are_passed_over():
    torch = pytest.importorskip("torch")
    for key, shape in product([0, (0, 1), slice(None), ..., (slice(None), 0)], [(1, 3), (1, 1, 1), (1, 1, 2, 3), (1,)]):
        x, y = minigrad.zeros(2, 3), torch.zeros(2, 3)
        try:
            y[key] = torch.ones(shape)
        except RuntimeError:
            with pytest.raises(RuntimeError, match="do not fit in place"):
                x[key] = minigrad.ones(shape)
        else:
            x[key] = minigrad.ones(shape)
        np.testing.assert_array_equal(x.array, y.numpy())


@pytest.mark.parametrize(
    ("write", "error", "text"),
    [
        (lambda x: x.fill_([1.0, 2.0]), RuntimeError, r"fill_: .* got shape \(2,\); use copy_"),
        (lambda x: x.fill_("a"), TypeError, "fill_: a value must be a number"),
        (lambda x: x.bernoulli_("a"), TypeError, "bernoulli_: p must be a number or a tensor of them, got 'a'"),
        (lambda x: x.bernoulli_(minigrad.zeros(2)), RuntimeError, r"bernoulli_: p of shape \(2,\) does not broadcast"),
        (lambda x: x.bernoulli_(minigrad.zeros(1, 2, 3)), RuntimeError, r"bernoulli_: p of shape \(1, 2, 3\) does not"),
        (lambda x: x.uniform_("a", 1), TypeError, "uniform_: from_ must be a number, got 'a'"),
        (lambda x: x.normal_(0, "a"), TypeError, "normal_: std must be a number, got 'a'"),
        (lambda x: minigrad.zeros(2) in x, RuntimeError, r"eq: shapes \(2, 3\) and \(2,\) do not broadcast"),
        (lambda x: "a" in x, TypeError, "eq: operands must be Tensors, arrays or numbers, got str"),
    ],
)
def test_what_does_not_fit_is_refused(write, error, text):
    x = minigrad.ones(2, 3)
    with pytest.raises(error, match=text):
        write(x)
    assert (x.array == 1).all()


# ------------------------------------------------------------------------------- other names for what it knows


def questions(m):
    """Answers that must be the same in PyTorch."""
    x = m.arange(24.0).reshape(2, 3, 4)
    views = [x, x.permute(2, 0, 1), x[:, 1:], x[..., ::2], x[0, 0, 0], x.expand(5, 2, 3, 4)]
    strides = [v.stride() for v in (*views, m.zeros(2, 0, 3), m.zeros(0, 3))]
    return [
        [tuple(s) for s in strides], x.stride(-1), x.stride(dim=0), x.nelement(), x.ndimension(), x.is_cuda,
        m.numel(x), m.is_floating_point(x), m.is_floating_point(x.long()), m.is_tensor(x), m.is_tensor(2.0),
        m.is_tensor(np.ones(2)), [m.pi, m.e, m.inf, str(m.nan)],
    ]  # fmt: skip


@pytest.mark.reference
def test_it_answers_as_pytorch_does():
    torch = pytest.importorskip("torch")
    assert questions(minigrad) == questions(torch)


def test_the_name_of_a_dtype_is_a_dtype():
    x = T([1.5, 2.5])
    assert x.type() == "float32" and x.type(T([1]).type()).tolist() == [1, 2]
    assert x.type(dtype=minigrad.float64, non_blocking=True).dtype == minigrad.float64


def test_functions_that_ask_need_a_tensor():
    for ask in (minigrad.numel, minigrad.is_floating_point):
        with pytest.raises(TypeError, match=f"{ask.__name__}: needs Tensors, got list"):
            ask([1.0])
    with pytest.raises(IndexError, match=r"stride: dim must be in \[-2, 1\] for 2 dimensions, got 2"):
        minigrad.ones(2, 3).stride(2)


ARRAYS = [np.arange(3.0), np.arange(3), [1, 2.5], 3, np.float32(2), T([1.0]), T([1.0], requires_grad=True)]


@pytest.mark.parametrize("data", ARRAYS, ids=repr)
@pytest.mark.parametrize("dtype", [None, "float64"])
@pytest.mark.parametrize("copied", [None, True, False])
@pytest.mark.reference
def test_asarray_does_what_pytorchs_does(data, dtype, copied):
    torch = pytest.importorskip("torch")
    tensor = isinstance(data, Tensor)
    theirs = torch.tensor(data.tolist(), requires_grad=data.requires_grad) if tensor else data
    try:
        wanted = torch.asarray(theirs, dtype=dtype and getattr(torch, dtype), copy=copied)
    except (ValueError, RuntimeError):
        if copied is not False:  # a NumPy scalar in another dtype, which PyTorch does not take
            return
        with pytest.raises(ValueError, match="asarray: cannot share the memory of this"):
            minigrad.asarray(data, dtype=dtype, copy=copied)
        return
    found = minigrad.asarray(data, dtype=dtype, copy=copied)
    same(found, wanted.detach().numpy(), str(wanted.dtype).split(".")[1])
    assert (found.requires_grad, found.is_leaf) == (wanted.requires_grad, wanted.is_leaf)
    if isinstance(data, np.ndarray):
        assert np.shares_memory(found.array, data) == np.shares_memory(wanted.numpy(), data)
    if tensor:
        assert np.shares_memory(found.array, data.array) == (wanted.data_ptr() == theirs.data_ptr())


def test_asarray_makes_a_leaf_that_requires_grad():
    x = minigrad.asarray([1.0, 2.0], requires_grad=True)
    assert x.requires_grad and x.is_leaf
    assert minigrad.asarray(x) is x and minigrad.asarray(x, requires_grad=True) is x
    cut = minigrad.asarray(x * 2, requires_grad=False)
    assert not cut.requires_grad and cut.is_leaf
    with pytest.raises(RuntimeError, match='asarray: the only device is "cpu"'):
        minigrad.asarray([1.0], device="cuda")
    with pytest.raises(RuntimeError, match="only floating tensors have gradients"):
        minigrad.asarray([1], requires_grad=True)
