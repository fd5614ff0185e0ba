"""Tensors from nothing: constants, ranges and random numbers, under PyTorch's signatures."""

import math

import numpy as np
import pytest

import minigrad

# As calls of the library, so that the same ones can be made in PyTorch.
CALLS = {
    "zeros": lambda m: m.zeros(2, 3),
    "zeros of a tuple": lambda m: m.zeros((2, 3)),
    "zeros of a list": lambda m: m.zeros([2]),
    "zeros by name": lambda m: m.zeros(size=(2, 1)),
    "zeros of no dimensions": lambda m: m.zeros(()),
    "zeros of nothing": lambda m: m.zeros(0, 2),
    "zeros of a NumPy int": lambda m: m.zeros(np.int64(2), dtype=m.int8),
    "zeros of a shape": lambda m: m.zeros(m.ones(2, 1).shape),
    "ones": lambda m: m.ones(2, dtype=m.bool),
    "ones that require grad": lambda m: m.ones(2, requires_grad=True),
    "empty": lambda m: m.empty(2, 0),
    "full": lambda m: m.full((2, 2), 3),
    "full of a float": lambda m: m.full((2,), 3.5),
    "full of a bool": lambda m: m.full((1,), True),
    "full of a tensor": lambda m: m.full((2,), m.tensor(3)),
    "full in a dtype": lambda m: m.full((2,), 2.7, dtype=m.int64),
    "full of no dimensions": lambda m: m.full((), 1.5),
    "eye": lambda m: m.eye(3),
    "eye, not square": lambda m: m.eye(2, 4, dtype=m.int32),
    "eye of nothing": lambda m: m.eye(0),
    "tril_indices": lambda m: m.tril_indices(3, 4),
    "tril_indices, more": lambda m: m.tril_indices(4, 3, 1, dtype=m.int32),
    "tril_indices, less": lambda m: m.tril_indices(row=4, col=3, offset=-2),
    "tril_indices of nothing": lambda m: m.tril_indices(0, 3),
    "triu_indices": lambda m: m.triu_indices(3, 4),
    "triu_indices, more": lambda m: m.triu_indices(4, 3, -1, dtype=m.int32, device="cpu"),
    "triu_indices, less": lambda m: m.triu_indices(row=4, col=3, offset=2),
    "arange": lambda m: m.arange(5),
    "arange of a float": lambda m: m.arange(3.0),
    "arange from": lambda m: m.arange(1, 4),
    "arange by name": lambda m: m.arange(end=4),
    "arange by names": lambda m: m.arange(start=1, end=9, step=3),
    "arange in steps": lambda m: m.arange(0, 1, 0.1),
    "arange in steps that miss the end": lambda m: m.arange(1, 2.2, 0.3),
    "arange backwards": lambda m: m.arange(5, 0, -2),
    "arange of nothing": lambda m: m.arange(3, 3),
    "arange in a dtype": lambda m: m.arange(3, dtype=m.float64),
    "arange of large integers": lambda m: m.arange(2**53, 2**53 + 3),
    "linspace": lambda m: m.linspace(0, 1, 5),
    "linspace of one": lambda m: m.linspace(2, 3, 1),
    "linspace of none": lambda m: m.linspace(2, 3, 0),
    "linspace backwards": lambda m: m.linspace(3, -3, steps=4),
    "linspace of integers": lambda m: m.linspace(0, 10, 4, dtype=m.int64),
    "linspace in float64": lambda m: m.linspace(-1, 1, 7, dtype=m.float64),
    "logspace": lambda m: m.logspace(0, 3, 4),
    "logspace of one": lambda m: m.logspace(2, 3, steps=1),
    "logspace of none": lambda m: m.logspace(2, 3, 0),
    "logspace to a base": lambda m: m.logspace(-2, 3.5, 5, 2, dtype=m.float64),
    "logspace to a negative base": lambda m: m.logspace(0, 3, 4, base=-2.0, requires_grad=True),
    "logspace of integers": lambda m: m.logspace(0, 3, 4, dtype=m.int64, device="cpu"),
    "new_zeros": lambda m: m.ones(2, dtype=m.int32).new_zeros(2, 3),
    "new_zeros of a tuple": lambda m: m.ones(2).new_zeros((2, 3), dtype=m.float64, requires_grad=True),
    "new_zeros of no dimensions": lambda m: m.ones(2).new_zeros(()),
    "new_ones": lambda m: m.ones(2, dtype=m.bool).new_ones(size=(2,), device="cpu"),
    "new_ones of one that requires grad": lambda m: m.ones(2, requires_grad=True).new_ones(2),
    "new_empty": lambda m: m.ones(2, dtype=m.float16).new_empty(2, 0),
    "new_full": lambda m: m.ones(2).new_full((2, 2), 3),
    "new_full of integers": lambda m: m.ones(2, dtype=m.int64).new_full(size=(2,), fill_value=2.7),
    "new_full in a dtype": lambda m: m.ones(2).new_full((), True, dtype=m.bool),
    "new_tensor": lambda m: m.ones(2, dtype=m.int32).new_tensor([1.5, -1.5]),
    "new_tensor in a dtype": lambda m: m.ones(2).new_tensor(np.arange(3), dtype=m.float64, requires_grad=True),
    "zeros_like": lambda m: m.zeros_like(m.ones(2, dtype=m.int32)),
    "zeros_like of a tensor that requires grad": lambda m: m.zeros_like(m.ones(2, requires_grad=True)),
    "ones_like": lambda m: m.ones_like(m.zeros(2), dtype=m.bool),
    "ones_like that requires grad": lambda m: m.ones_like(m.zeros(2), device="cpu", requires_grad=True),
    "full_like": lambda m: m.full_like(m.ones(2, dtype=m.int64), 2.7),
    "stack": lambda m: m.stack([m.zeros(2), m.ones(2)]),
    "cat": lambda m: m.cat([m.zeros(2), m.ones(1)]),
}
RANDOM = {
    "rand": lambda m: m.rand(2, 3),
    "rand by name": lambda m: m.rand(size=(2,), dtype=m.float64),
    "rand of no dimensions": lambda m: m.rand(()),
    "rand in float16": lambda m: m.rand((4,), dtype=m.float16),
    "rand that requires grad": lambda m: m.rand(2, requires_grad=True),
    "randn": lambda m: m.randn(2, 3),
    "randn in float64": lambda m: m.randn((2,), dtype=m.float64),
    "randn in float16": lambda m: m.randn(2, dtype=m.float16),
    "randint": lambda m: m.randint(3, (2,)),
    "randint from": lambda m: m.randint(1, 3, (2, 2)),
    "randint by name": lambda m: m.randint(high=3, size=(2,)),
    "randint by names": lambda m: m.randint(low=1, high=3, size=[2]),
    "randint of no dimensions": lambda m: m.randint(3, ()),
    "randint of floats": lambda m: m.randint(-3, 3, (2,), dtype=m.float32),
    "bernoulli": lambda m: m.bernoulli(m.full((2, 3), 0.5, dtype=m.float64)),
    "bernoulli of nothing": lambda m: m.ones(0, 2).bernoulli(),
    "multinomial": lambda m: m.multinomial(m.tensor([0.5, 1.0, 2.0]), 2),
    "multinomial of rows": lambda m: m.ones(2, 3, dtype=m.float16).multinomial(3),
    "multinomial, replaced": lambda m: m.multinomial(m.ones(2, 3), num_samples=5, replacement=True),
    "multinomial of no rows": lambda m: m.multinomial(m.ones(0, 3), 2),
    "randperm": lambda m: m.randperm(5),
    "randperm of nothing": lambda m: m.randperm(0),
    "randperm of floats": lambda m: m.randperm(5, dtype=m.float32),
    "normal": lambda m: m.normal(0.0, 1.0, (2,)),
    "normal of tensors": lambda m: m.normal(m.zeros(2, 1, dtype=m.float64), m.ones(3)),
    "normal of means": lambda m: m.normal(m.zeros(2)),
    "normal of widths": lambda m: m.normal(0.0, m.ones(2)),
    "rand_like": lambda m: m.rand_like(m.ones(2, dtype=m.float64)),
    "randn_like": lambda m: m.randn_like(m.ones(2, dtype=m.int64), dtype=m.float32),
    "randint_like": lambda m: m.randint_like(m.ones(2), 3),
    "randint_like from": lambda m: m.randint_like(m.ones(2, dtype=m.int32), 1, 3),
}
BAD = {
    "logspace(-1)": (lambda m: m.logspace(0, 1, -1), RuntimeError, "logspace: steps must not be negative, got -1"),
    "logspace(1.5)": (lambda m: m.logspace(0, 1, 1.5), TypeError, "logspace: steps must be an int, got 1.5"),
    "logspace('a')": (lambda m: m.logspace(0, 1, 2, "a"), TypeError, "logspace: base must be a number, got 'a'"),
    "new_zeros()": (lambda m: m.ones(2).new_zeros(), TypeError, "new_zeros: needs the sizes, as new_zeros(2, 3)"),
    "new_ones(-1)": (lambda m: m.ones(2).new_ones(-1), RuntimeError, "new_ones: sizes must not be negative, got (-1,)"),
    "new_empty(2.5)": (lambda m: m.ones(2).new_empty(2.5), TypeError, "new_empty: sizes must be ints, got (2.5,)"),
    "new_full('a')": (lambda m: m.ones(2).new_full((2,), "a"), TypeError, "new_full: fill_value must be a number"),
    "new_zeros with a gradient": (
        lambda m: m.tensor([1]).new_zeros(2, requires_grad=True), RuntimeError,
        "new_zeros: only floating tensors have gradients, got requires_grad=True for int64"),
    "new_zeros elsewhere": (
        lambda m: m.ones(2).new_zeros(2, device="tpu"), RuntimeError, 'new_zeros: the only device is "cpu"'),
    "bernoulli(2)": (
        lambda m: m.bernoulli(m.tensor([0.5, 2.0])), RuntimeError, "bernoulli: input must be in [0, 1], got 2"),
    "bernoulli of nan": (lambda m: m.bernoulli(m.tensor([m.nan])), RuntimeError, "must be in [0, 1], got nan"),
    "bernoulli of ints": (
        lambda m: m.bernoulli(m.tensor([1])), RuntimeError, "bernoulli: input must be floating, got int64"),
    "bernoulli of a number": (lambda m: m.bernoulli(0.5), TypeError, "bernoulli: input must be a Tensor, got float"),
    "multinomial of ints": (
        lambda m: m.multinomial(m.tensor([1, 2]), 1), RuntimeError, "multinomial: input must be floating, got int64"),
    "multinomial of a cube": (
        lambda m: m.multinomial(m.ones(2, 2, 2), 1), RuntimeError, "input must be (C,) or (N, C) with C > 0, got"),
    "multinomial of -1": (
        lambda m: m.multinomial(m.tensor([1.0, -1.0]), 1), RuntimeError,
        "multinomial: the weights must be finite and not negative, got -1.0"),
    "multinomial of inf": (lambda m: m.multinomial(m.tensor([1.0, m.inf]), 1), RuntimeError, "not negative, got inf"),
    "multinomial of zeros": (
        lambda m: m.multinomial(m.tensor([[1.0, 1.0], [0.0, 0.0]]), 2, True), RuntimeError,
        "multinomial: a row of input has 0 weights that are not 0, too few for 2 samples"),
    "multinomial of too few": (
        lambda m: m.multinomial(m.ones(2), 3), RuntimeError,
        "multinomial: a row of input has 2 weights that are not 0, too few for 3 samples without replacement"),
    "multinomial(0)": (
        lambda m: m.multinomial(m.ones(2), 0), ValueError, "multinomial: num_samples must be an int >= 1, got"),
    "zeros()": (lambda m: m.zeros(), TypeError, "zeros: needs the sizes"),
    "zeros(2.5)": (lambda m: m.zeros(2.5), TypeError, "zeros: sizes must be ints, got (2.5,)"),
    "zeros('2')": (lambda m: m.zeros("2"), TypeError, "zeros: sizes must be ints"),
    "zeros(-1)": (lambda m: m.zeros(-1), RuntimeError, "zeros: sizes must not be negative, got (-1,)"),
    "ones, size twice": (lambda m: m.ones(2, size=(2,)), TypeError, "ones: needs the sizes"),
    "ones of an unknown dtype": (lambda m: m.ones(2, dtype="float99"), TypeError, "is not a dtype"),
    "ones elsewhere": (lambda m: m.ones(2, device="nowhere"), RuntimeError, 'ones: the only device is "cpu"'),
    "integers that require grad": (
        lambda m: m.zeros(2, dtype=m.int64, requires_grad=True), RuntimeError, "only floating tensors have gradients"),
    "full of a vector": (lambda m: m.full((2,), m.ones(2)), TypeError, "full: fill_value must be one number"),
    "full that overflows": (lambda m: m.full((1,), 300, dtype=m.uint8), RuntimeError, "full: "),
    "eye(-1)": (lambda m: m.eye(-1), RuntimeError, "eye: sizes must not be negative"),
    "eye(2.0)": (lambda m: m.eye(2.0), TypeError, "eye: sizes must be ints"),
    "tril_indices(2, -1)": (lambda m: m.tril_indices(2, -1), RuntimeError, "tril_indices: sizes must not be negative"),
    "tril_indices(2, 2, 0.5)": (lambda m: m.tril_indices(2, 2, 0.5), TypeError, "offset must be an int, got 0.5"),
    "triu_indices of floats": (
        lambda m: m.triu_indices(2, 2, dtype=m.float32), (RuntimeError, NotImplementedError), "needs an integer dtype"),
    "arange the wrong way": (lambda m: m.arange(3, 0), RuntimeError, "arange: step 1 does not lead from 3 to 0"),
    "arange in steps of 0": (lambda m: m.arange(0, 3, 0), RuntimeError, "arange: step 0 does not lead from 0 to 3"),
    "arange to infinity": (lambda m: m.arange(0, math.inf), RuntimeError, "arange: start, end and step must be finite"),
    "arange to NaN": (lambda m: m.arange(0, math.nan), RuntimeError, "arange: start, end and step must be finite"),
    "linspace(0, 1, -1)": (lambda m: m.linspace(0, 1, -1), RuntimeError, "linspace: steps must not be negative"),
    "linspace(0, 1, 2.5)": (lambda m: m.linspace(0, 1, 2.5), TypeError, "linspace: steps must be an int, got 2.5"),
    "rand of integers": (lambda m: m.rand(2, dtype=m.int64), RuntimeError, "rand: needs a floating dtype, got int64"),
    "rand from a number": (lambda m: m.rand(2, generator=3), TypeError, "must be a minigrad.Generator, got int"),
    "rand elsewhere": (lambda m: m.rand(2, device="nowhere"), RuntimeError, 'rand: the only device is "cpu"'),
    "randn like integers": (lambda m: m.randn_like(m.ones(2).long()), RuntimeError, "randn: needs a floating dtype"),
    "randint(3, 3, (2,))": (lambda m: m.randint(3, 3, (2,)), RuntimeError, "must exceed low, got low=3 and high=3"),
    "randint(3, 2)": (lambda m: m.randint(3, 2), TypeError, "randint: size must be a tuple of ints, got 2"),
    "randint(2.5, (2,))": (lambda m: m.randint(2.5, (2,)), TypeError, "randint: high must be an int, got 2.5"),
    "randint that overflows": (
        lambda m: m.randint(0, 300, (2,), dtype=m.uint8), RuntimeError, "uint8 cannot hold the integers from 0 to 299"),
    "randperm(-1)": (lambda m: m.randperm(-1), RuntimeError, "randperm: n must not be negative, got -1"),
    "randperm(2.5)": (lambda m: m.randperm(2.5), TypeError, "randperm: n must be an int, got 2.5"),
    "randperm that overflows": (
        lambda m: m.randperm(300, dtype=m.uint8), RuntimeError, "uint8 cannot hold the integers from 0 to 299"),
    "normal without size": (lambda m: m.normal(0.0, 1.0), TypeError, "size must be given"),
    "normal with negative width": (lambda m: m.normal(0.0, -1.0, (2,)), RuntimeError, "std must not be negative"),
    "normal of integers": (lambda m: m.normal(m.zeros(2).long(), 1.0), RuntimeError, "normal: needs a floating dtype"),
    "normal of other shapes": (
        lambda m: m.normal(m.zeros(2), m.ones(3)), RuntimeError, "normal: shapes (2,) and (3,) do not broadcast"),
    "zeros_like of a list": (lambda m: m.zeros_like([1]), TypeError, "zeros_like: input must be a Tensor, got list"),
}  # fmt: skip


def described(t):
    return str(t.dtype).removeprefix("torch."), tuple(t.shape), t.requires_grad


@pytest.mark.reference
@pytest.mark.parametrize("name", CALLS)
def test_constants_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    ours, theirs = CALLS[name](minigrad), CALLS[name](torch)
    assert described(ours) == described(theirs)
    np.testing.assert_allclose(ours.array, theirs.detach().numpy(), rtol=2e-7, atol=1e-16)


@pytest.mark.reference
@pytest.mark.parametrize("name", RANDOM)
def test_random_tensors_are_of_the_same_kind_as_in_pytorch(name):
    torch = pytest.importorskip("torch")
    assert described(RANDOM[name](minigrad)) == described(RANDOM[name](torch))


@pytest.mark.reference
@pytest.mark.parametrize("name", BAD)
def test_bad_calls_are_bad_in_pytorch_too(name):
    torch = pytest.importorskip("torch")
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        BAD[name][0](torch)


@pytest.mark.parametrize("name", BAD)
def test_bad_calls_say_what_is_wrong_and_draw_nothing(name):
    call, error, text = BAD[name]
    state = minigrad.get_rng_state().tolist()
    with pytest.raises(error) as caught:
        call(minigrad)
    assert text in str(caught.value)
    assert minigrad.get_rng_state().tolist() == state


@pytest.mark.parametrize("name", [*CALLS, *RANDOM])
def test_results_are_tidy_leaves(name):
    t = {**CALLS, **RANDOM}[name](minigrad)
    assert t.is_leaf and t.is_contiguous() and t.array.flags.writeable and t.dtype.isnative


@pytest.mark.parametrize("name", ["zeros", "ones", "full", "eye", "arange", "linspace", "rand", "normal"])
def test_the_default_dtype_is_asked_for(name):
    call = {
        "zeros": lambda: minigrad.zeros(2), "ones": lambda: minigrad.ones(2), "full": lambda: minigrad.full((2,), 1.0),
        "eye": lambda: minigrad.eye(2), "arange": lambda: minigrad.arange(2.0), "rand": lambda: minigrad.rand(2),
        "linspace": lambda: minigrad.linspace(0, 1, 2), "normal": lambda: minigrad.normal(0.0, 1.0, (2,)),
    }[name]  # fmt: skip
    try:
        for dtype in (minigrad.float64, minigrad.float16):
            minigrad.set_default_dtype(dtype)
            assert call().dtype == dtype
    finally:
        minigrad.set_default_dtype(minigrad.float32)


def moments(t):
    return t.double().mean().item(), t.double().std().item()


@pytest.mark.parametrize("dtype", [minigrad.float16, minigrad.float32, minigrad.float64])
def test_distributions(dtype):
    n = 40_000  # the standard error of a mean is 0.005 of the width, that of a width less
    uniform = minigrad.rand(n, dtype=dtype)
    assert ((uniform >= 0) & (uniform < 1)).all()
    np.testing.assert_allclose(moments(uniform), (0.5, 12**-0.5), atol=0.01)
    gauss = minigrad.randn(n, dtype=dtype)
    np.testing.assert_allclose(moments(gauss), (0, 1), atol=0.025)
    np.testing.assert_allclose((gauss.abs() < 1).double().mean().item(), 0.6827, atol=0.015)
    np.testing.assert_allclose(moments(minigrad.normal(3.0, 2.0, (n,), dtype=dtype)), (3, 2), atol=0.05)


def test_distributions_of_integers():
    dice = minigrad.randint(1, 7, (60_000,))
    counts = np.bincount(dice.array, minlength=8)
    assert counts[0] == counts[7] == 0 and (np.abs(counts[1:7] - 10_000) < 500).all()
    assert minigrad.randint(5, 6, (3,)).tolist() == [5, 5, 5]
    assert sorted(minigrad.randperm(100).tolist()) == list(range(100))
    places = [minigrad.randperm(3).tolist().index(0) for _ in range(3000)]
    assert (np.abs(np.bincount(places) - 1000) < 150).all()


def test_bernoulli_draws_by_the_chances_in_a_tensor():
    p = minigrad.tensor([0.0, 0.25, 1.0], requires_grad=True)
    drawn = minigrad.bernoulli(p.expand(8000, 3))
    assert not drawn.requires_grad and set(drawn.unique().tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0).array, [0, 0.25, 1], atol=0.02)


@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_draws_by_the_weights(replacement):
    weights = minigrad.tensor([[1.0, 0.0, 3.0], [2.0, 2.0, 0.0]])
    first = np.stack([weights.multinomial(2, replacement).array[:, 0] for _ in range(4000)])
    shares = np.stack([np.bincount(column, minlength=3) / 4000 for column in first.T])
    np.testing.assert_allclose(shares, [[0.25, 0, 0.75], [0.5, 0.5, 0]], atol=0.035)


def test_multinomial_without_replacement_draws_none_twice():
    drawn = minigrad.multinomial(minigrad.arange(6.0).expand(50, 6), 5)
    assert np.sort(drawn.array, -1).tolist() == [[1, 2, 3, 4, 5]] * 50  # never the one of weight 0
    second = minigrad.multinomial(minigrad.tensor([1.0, 1.0, 8.0]).expand(4000, 3), 2).array[:, 1]
    shares = np.bincount(second) / 4000  # the rule of drawing again among those that are left
    left = 0.1 * (1 / 9) + 0.8 * 0.5
    np.testing.assert_allclose(shares, [left, left, 2 * 0.1 * 8 / 9], atol=0.035)


def test_normal_takes_a_mean_and_a_width_for_each_element():
    mean, std = minigrad.tensor([0.0, 100.0, -5.0]), minigrad.tensor([0.0, 1.0, 0.0])
    t = minigrad.normal(mean, std)
    assert t[0] == 0 and t[2] == -5 and 90 < t[1] < 110


def test_empty_and_zeros_are_not_one_another():
    a = minigrad.zeros(1000)
    a.fill_(3)
    assert (minigrad.zeros(1000) == 0).all() and minigrad.empty_like(a).shape == (1000,)


@pytest.mark.parametrize("given", [(5.0,), (0, 2.0), (0, 1, 0.5)])
def test_arange_of_0d_tensors_is_as_of_numbers(given):
    wanted = minigrad.arange(*given)
    assert wanted.dtype == minigrad.float32
    for kind in (minigrad.tensor, np.float64):
        found = minigrad.arange(*map(kind, given))
        assert found.dtype == minigrad.float32 and found.tolist() == wanted.tolist()
    assert minigrad.arange(minigrad.tensor(3)).dtype == minigrad.int64


def test_ranges_of_what_is_no_number():
    with pytest.raises(TypeError, match="linspace: start must be a number, got 'a'"):
        minigrad.linspace("a", 1, 3)
    with pytest.raises(TypeError, match="full: fill_value must be a number, got 'a'"):
        minigrad.full((2,), "a")
    with pytest.raises(TypeError, match="arange: end must be a number, got 'a'"):
        minigrad.arange("a")
