"""nn.functional: values against NumPy, derivatives of both orders, awkward points, bad input, and PyTorch."""

import inspect
import math
import re
import warnings
from itertools import product

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import autograd, gradcheck, gradgradcheck

inf, nan = math.inf, math.nan


def leaf(array):
    """A float64 tensor that requires grad."""
    return minigrad.tensor(np.asarray(array, np.float64), requires_grad=True)


def gradients(f, *inputs, seed=0):
    """f(*inputs) as an array, and the gradients of its inner product with a random cotangent."""
    y = f(*inputs)
    v = np.random.default_rng(seed).standard_normal(y.shape)
    return y.detach().numpy(), [g.numpy() for g in autograd.grad(y, inputs, minigrad.from_numpy(v))]


def log_softmax(x, axis):
    """In plain NumPy."""
    z = x - x.max(axis=axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


# --------------------------------------------------------------------------------------------- activations


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "silu", "mish", "hardtanh", "relu6", "hardsigmoid", "dropout"]
)
def test_inplace_is_accepted_and_changes_nothing(name):
    x = minigrad.linspace(-3, 3, 7)
    before = x.numpy().copy()
    minigrad.manual_seed(0)
    y = getattr(F, name)(x, inplace=True)
    minigrad.manual_seed(0)
    assert np.array_equal(y.numpy(), getattr(F, name)(x).numpy())
    assert np.array_equal(x.numpy(), before)


def test_logsigmoid_does_not_overflow():
    x = leaf([-1e4, -1.0, 0.0, 1e4, nan])
    y, (gx,) = gradients(F.logsigmoid, x)
    assert np.allclose(y, [-1e4, -math.log1p(math.e), -math.log(2), 0, nan], rtol=1e-15, equal_nan=True)
    assert np.isfinite(gx[:4]).all()
    assert gradcheck(F.logsigmoid, leaf([-2.0, -0.1, 0.0, 30.0]))
    assert gradgradcheck(F.logsigmoid, leaf([-2.0, -0.1, 0.0, 30.0]))


@pytest.mark.parametrize(("shape", "dim"), [((), 0), ((4,), 0), ((2, 4), 1), ((2, 4, 3), 0), ((2, 4, 3, 2), 1)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_without_dim_takes_pytorch_s_and_warns(name, shape, dim, rng):
    x = minigrad.tensor(rng.standard_normal(shape))
    with pytest.warns(UserWarning, match=rf"^{name}: no dim was given, so dim={dim} is taken"):
        y = getattr(F, name)(x)
    assert np.array_equal(y.numpy(), getattr(F, name)(x, dim).numpy())


def test_softmax_in_another_dtype():
    assert F.softmax(minigrad.tensor([1, 2]), dim=0, dtype=minigrad.float64).dtype == minigrad.float64
    assert F.log_softmax(minigrad.ones(2), 0, dtype=minigrad.float64).dtype == minigrad.float64


# --------------------------------------------------------------------------------------------- batch norm


def normalized(x, mean, var, w, b, eps):
    """The formula of batch norm in plain NumPy; mean and var have one value for each channel."""
    shape = (1, -1, *(1,) * (x.ndim - 2))
    w, b = (1 if w is None else w.reshape(shape)), (0 if b is None else b.reshape(shape))
    return (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + eps) * w + b


BATCH_SHAPES = [(4, 3), (2, 3, 5), (3, 2, 4, 2), (2, 2, 3, 1, 2)]


@pytest.mark.parametrize("shape", BATCH_SHAPES)
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_in_training(shape, affine, rng, backend):
    x, channels, eps, momentum = leaf(rng.standard_normal(shape) * 3 + 1), shape[1], 1e-3, 0.3
    w, b = (leaf(rng.standard_normal(channels)) for _ in range(2)) if affine else (None, None)
    if affine:
        w.array[0] = 0.0  # its gradient must not be divided by it
    first = rng.standard_normal(channels), rng.uniform(0.5, 2, channels)
    mean, var = (minigrad.tensor(a) for a in first)
    y = F.batch_norm(x, mean, var, w, b, training=True, momentum=momentum, eps=eps)
    axes = tuple(i for i in range(len(shape)) if i != 1)
    m, v = x.array.mean(axes), x.array.var(axes)
    expected = normalized(x.array, m, v, *(None if p is None else p.array for p in (w, b)), eps)
    assert np.allclose(y.detach().numpy(), expected, atol=1e-12)
    n = x.array.size // channels
    assert np.allclose(mean.numpy(), (1 - momentum) * first[0] + momentum * m, atol=1e-14)
    assert np.allclose(var.numpy(), (1 - momentum) * first[1] + momentum * v * n / (n - 1), atol=1e-14)

    def f(*inputs):
        return F.batch_norm(inputs[0], None, None, *inputs[1:], training=True, eps=eps)

    inputs = (x, w, b) if affine else (x,)
    assert gradcheck(f, inputs)
    assert gradgradcheck(f, inputs)


@pytest.mark.parametrize("shape", BATCH_SHAPES)
@pytest.mark.parametrize("parameters", ["wb", "w", "b", ""])
def test_batch_norm_in_evaluation(shape, parameters, rng):
    x, channels = leaf(rng.standard_normal(shape)), shape[1]
    given = {p: leaf(rng.standard_normal(channels)) for p in parameters}
    mean, var = minigrad.tensor(rng.standard_normal(channels)), minigrad.tensor(rng.uniform(0.5, 2, channels))
    before = mean.numpy().copy(), var.numpy().copy()

    def f(x, *rest):
        w, b = (dict(zip(parameters, rest, strict=True)).get(p) for p in "wb")
        return F.batch_norm(x, mean, var, w, b, eps=1e-3)

    w, b = (given[p].array if p in given else None for p in "wb")
    y = f(x, *given.values())
    assert np.allclose(y.detach().numpy(), normalized(x.array, *before, w, b, 1e-3), atol=1e-13)
    assert gradcheck(f, (x, *given.values()))
    assert gradgradcheck(f, (x, *given.values()))
    assert np.array_equal(mean.numpy(), before[0]) and np.array_equal(var.numpy(), before[1])


def test_batch_norm_third_derivative(rng, backend):
    x, w = leaf(rng.standard_normal((4, 2))), leaf(rng.standard_normal(2))
    v, u = (minigrad.tensor(rng.standard_normal((4, 2))) for _ in range(2))

    def slope(x, w):
        with minigrad.enable_grad():
            y = F.batch_norm(x, None, None, w, None, training=True)
            (gx,) = autograd.grad(y, x, v, create_graph=True)
            (gxx,) = autograd.grad(gx, x, u, create_graph=True)
        return gxx

    assert gradcheck(slope, (x, w))


def test_running_statistics_follow_the_convention():
    # after one batch of mean 0 and variance 1, and one of mean 1 and variance 4
    mean, var = minigrad.zeros(1), minigrad.ones(1)
    F.batch_norm(minigrad.tensor([[-1.0], [0.0], [1.0]]), mean, var, training=True, momentum=0.1)
    assert (mean.item(), var.item()) == pytest.approx((0.0, 1.0))
    F.batch_norm(minigrad.tensor([[-1.0], [1.0], [3.0]]), mean, var, training=True, momentum=0.1)
    assert (mean.item(), var.item()) == pytest.approx((0.1, 1.3))


def test_momentum_of_one_over_k_averages_all_batches(rng):
    batches = rng.standard_normal((5, 8, 3))
    mean, var = (minigrad.tensor(np.full(3, 99.0)) for _ in range(2))
    for k, batch in enumerate(batches, start=1):
        F.batch_norm(minigrad.tensor(batch), mean, var, training=True, momentum=1 / k)
    assert np.allclose(mean.numpy(), batches.mean((0, 1)))
    assert np.allclose(var.numpy(), batches.var(axis=1, ddof=1).mean(0))


def test_running_statistics_keep_their_dtype_and_memory(rng):
    x = minigrad.tensor(rng.standard_normal((6, 2)), dtype=minigrad.float32)
    mean, var = (minigrad.tensor(a, dtype=minigrad.float64) for a in ([0.0, 0.0], [1.0, 1.0]))
    arrays = mean.array, var.array
    for training in (True, False):
        y = F.batch_norm(x, mean, var, minigrad.ones(2), minigrad.zeros(2), training=training)
        assert y.dtype == minigrad.float32
    assert mean.array is arrays[0] and var.array is arrays[1] and mean.dtype == minigrad.float64
    assert np.allclose(mean.numpy(), 0.1 * x.numpy().mean(0))
    assert mean.grad_fn is None and not mean.requires_grad


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_far_from_zero(training, rng, backend):
    x = rng.integers(-64, 64, (64, 3, 5)).astype(np.float32) / 16  # x + 1e4 is exact in float32
    results = []
    for offset in (np.float32(0), np.float32(1e4)):
        mean, var = minigrad.tensor(np.full(3, offset)), minigrad.ones(3)
        results.append(F.batch_norm(minigrad.tensor(x + offset), mean, var, training=training).numpy())
    assert np.abs(results[0] - results[1]).max() < 1e-5


def test_batch_norm_of_a_constant_channel(backend):
    x = minigrad.tensor(np.full((4, 1), 7.0), requires_grad=True)
    y, (gx,) = gradients(lambda x: F.batch_norm(x, None, None, training=True), x)
    assert np.array_equal(y, np.zeros((4, 1))) and np.isfinite(gx).all()


def test_batch_norm_of_an_empty_batch_leaves_the_statistics():
    x, w = leaf(np.zeros((0, 2, 3))), leaf([1.0, 2.0])
    mean, var = minigrad.zeros(2, dtype=minigrad.float64), minigrad.ones(2, dtype=minigrad.float64)
    y, (gx, gw) = gradients(lambda x, w: F.batch_norm(x, mean, var, w, training=True), x, w)
    assert y.shape == gx.shape == (0, 2, 3) and np.array_equal(gw, [0, 0])
    assert mean.tolist() == [0, 0] and var.tolist() == [1, 1]


def test_batch_norm_carries_nan(backend):
    x = minigrad.tensor([[1.0, nan], [2.0, 3.0]])
    mean, var = minigrad.zeros(2), minigrad.ones(2)
    y = F.batch_norm(x, mean, var, training=True)
    assert np.array_equal(np.isnan(y.numpy()), [[False, True], [False, True]])
    assert np.array_equal(np.isnan(mean.numpy()), [False, True])


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"input": (3,)}, ValueError, r"input must be \(N, C\) or \(N, C, \.\.\.\), got shape \(3,\)"),
        ({"input": (1, 3)}, ValueError, r"more than one value per channel.*\(1, 3\).*drop_last=True.*eval mode"),
        (
            {"input": (4, 5)},
            RuntimeError,
            r"running_mean has shape \(3,\), .* \(4, 5\), has 5 channels .* needs \(5,\)",
        ),
        ({"weight": (2,)}, RuntimeError, r"weight has shape \(2,\).*needs \(3,\)"),
        ({"running_var": None}, ValueError, "running_mean and running_var belong together"),
        ({"running_mean": None, "running_var": None, "training": False}, RuntimeError, "must be given when training"),
        ({"momentum": None}, TypeError, "momentum must be a number"),
        ({"eps": 0.0}, ValueError, "eps must be a finite number > 0, got eps=0.0"),
        ({"eps": float("nan")}, ValueError, "eps must be a finite number > 0, got eps=nan"),
        ({"eps": "a"}, TypeError, "eps must be a number > 0, got eps='a'"),
        (
            {"running_mean": minigrad.zeros(3, dtype=minigrad.int64)},
            RuntimeError,
            "running_mean must be floating, got int64",
        ),
        (
            {"running_var": minigrad.ones(3, dtype=minigrad.int64), "training": False},
            RuntimeError,
            "running_var must be floating, got int64",
        ),
        ({"eps": -1.0, "training": False}, ValueError, "eps must be a finite number >= 0, got eps=-1.0"),
        ({"input": [[1.0, 2.0]]}, TypeError, "input must be a Tensor, got list"),
        ({"bias": [1.0]}, TypeError, "bias must be a Tensor, got list"),
    ],
)
def test_batch_norm_refuses(arguments, error, text):
    mean, var = minigrad.zeros(3), minigrad.ones(3)
    call = {"input": (4, 3), "running_mean": mean, "running_var": var, "training": True, **arguments}
    call = {name: minigrad.randn(x) if isinstance(x, tuple) else x for name, x in call.items()}
    with pytest.raises(error, match=f"^batch_norm: .*{text}"):
        F.batch_norm(**call)
    assert mean.tolist() == [0, 0, 0] and var.tolist() == [1, 1, 1]


def test_batch_norm_refuses_dtypes_and_read_only_statistics():
    x = minigrad.randn(4, 3)
    with pytest.raises(RuntimeError, match="batch_norm: input must be floating, got int64"):
        F.batch_norm(x.long(), None, None, training=True)
    with pytest.raises(RuntimeError, match=r"batch_norm: .*float32 and float64"):
        F.batch_norm(x, None, None, minigrad.ones(3).double(), training=True)
    mean, var = minigrad.zeros(3), minigrad.ones(1).expand(3)
    with pytest.raises(RuntimeError, match=r"batch_norm: running_var is updated in place.*read-only"):
        F.batch_norm(x, mean, var, training=True)
    assert mean.tolist() == [0, 0, 0]


# ------------------------------------------------------------------------------- normalize, cosine similarity


@pytest.mark.parametrize(("p", "dim"), [(2.0, 1), (1.0, 0), (3.0, -1), (inf, 1)])
def test_normalize(p, dim, rng):
    x = leaf(rng.standard_normal((3, 4)))
    expected = x.array / np.linalg.norm(x.array, ord=p, axis=dim, keepdims=True)
    assert np.allclose(F.normalize(x, p, dim).detach().numpy(), expected)
    assert gradcheck(lambda x: F.normalize(x, p, dim), x)
    assert gradgradcheck(lambda x: F.normalize(x, p, dim), x)


def test_normalize_and_cosine_similarity_at_zero():
    x = leaf([[0.0, 0.0], [3.0, 4.0]])
    y, (gx,) = gradients(F.normalize, x)
    assert np.array_equal(y, [[0, 0], [0.6, 0.8]]) and np.isfinite(gx).all()
    y, (gx,) = gradients(lambda x: F.cosine_similarity(x, minigrad.ones(2).double()), x)
    assert np.allclose(y, [0, 1.4 / math.sqrt(2)]) and np.isfinite(gx).all()


def test_cosine_similarity(rng):
    a, b = leaf(rng.standard_normal((3, 4))), leaf(rng.standard_normal((2, 3, 4)))
    y = F.cosine_similarity(a, b, dim=2)
    size = np.linalg.norm(a.array, axis=-1) * np.linalg.norm(b.array, axis=-1)
    assert np.allclose(y.detach().numpy(), (a.array * b.array).sum(-1) / size)
    assert gradcheck(lambda a, b: F.cosine_similarity(a, b, dim=2), (a, b))
    assert gradgradcheck(lambda a, b: F.cosine_similarity(a, b, dim=2), (a, b))


# ------------------------------------------------------------------------------------------------- dropout


def test_dropout_keeps_the_expected_value():
    minigrad.manual_seed(1)
    y = F.dropout(minigrad.ones(100_000), p=0.3)
    kept = y.numpy() != 0
    assert abs(kept.mean() - 0.7) < 0.01
    assert np.allclose(y.numpy()[kept], 1 / 0.7)


def test_dropout_drops_the_same_gradients(rng):
    x = leaf(rng.standard_normal((20, 5)) + 10)
    y, (gx,) = gradients(lambda x: F.dropout(x, 0.5), x)
    v = np.random.default_rng(0).standard_normal(y.shape)
    assert 0 < (y == 0).sum() < y.size
    assert np.allclose(gx, v * (y / x.array))


def test_dropout_is_repeated_by_its_seed_and_does_nothing_without_training():
    x = minigrad.ones(50)
    a, b = (F.dropout(x, generator) for generator in (0.5, 0.5))
    assert not np.array_equal(a.numpy(), b.numpy())
    minigrad.manual_seed(5)
    a = F.dropout(x)
    minigrad.manual_seed(5)
    assert np.array_equal(a.numpy(), F.dropout(x).numpy())
    assert F.dropout(x, training=False) is x
    assert F.dropout(x, p=0.0) is x
    assert F.dropout(x, p=1.0).tolist() == [0.0] * 50


@pytest.mark.parametrize("dtype", [minigrad.float16, minigrad.float32, minigrad.float64])
def test_dropout_keeps_the_dtype(dtype):
    assert F.dropout(minigrad.ones(4, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("shape", [(20, 8, 3, 2), (20, 8, 3)])
def test_dropout2d_drops_whole_channels(shape):
    y = F.dropout2d(minigrad.ones(shape), 0.4).numpy().reshape(20, 8, -1)
    assert np.array_equal(y.min(-1), y.max(-1))
    assert {0.0, round(1 / 0.6, 4)} == {round(float(a), 4) for a in np.unique(y)}


@pytest.mark.parametrize("p", [-0.1, 1.5, nan])
@pytest.mark.parametrize("name", ["dropout", "dropout2d"])
def test_dropout_refuses_what_is_no_probability(name, p):
    with pytest.raises(ValueError, match=rf"^{name}: p must be a finite number in \[0, 1\], got p={p}"):
        getattr(F, name)(minigrad.ones(1, 1, 1), p=p)


def test_dropout_refuses_integers_and_shapes():
    with pytest.raises(RuntimeError, match="dropout: input must be floating, got int64"):
        F.dropout(minigrad.arange(3))
    with pytest.raises(ValueError, match=r"dropout2d: input must be \(N, C, H, W\) or \(N, C, L\), got shape \(3,\)"):
        F.dropout2d(minigrad.ones(3))


# ------------------------------------------------------------------------------------- embedding, one-hot


@pytest.mark.parametrize("index", [[[1, 0, 1], [4, 4, 2]], [3], 2, []])
@pytest.mark.parametrize("dtype", [minigrad.int64, minigrad.int32, minigrad.uint8])
def test_embedding_looks_rows_up(index, dtype, rng):
    places, weight = minigrad.tensor(np.array(index, dtype)), leaf(rng.standard_normal((5, 3)))
    y = F.embedding(places, weight)
    assert np.array_equal(y.detach().numpy(), weight.array[np.array(index, int)])
    assert gradcheck(lambda w: F.embedding(places, w), weight)
    assert gradgradcheck(lambda w: F.embedding(places, w), weight)


def test_embedding_result_has_memory_of_its_own(rng):
    weight = minigrad.tensor(rng.standard_normal((5, 3)))
    F.embedding(minigrad.tensor(2), weight).zero_()
    assert np.abs(weight.numpy()).min() > 0


@pytest.mark.parametrize("padding_idx", [1, -4])
def test_embedding_gives_padding_no_gradient(padding_idx, rng):
    places, weight = minigrad.tensor([0, 1, 1, 4]), leaf(rng.standard_normal((5, 2)))
    y = F.embedding(places, weight, padding_idx=padding_idx)
    assert np.array_equal(y.detach().numpy(), weight.array[[0, 1, 1, 4]])
    v = rng.standard_normal(y.shape)
    v[1] = inf
    (gw,) = autograd.grad(y, weight, minigrad.from_numpy(v))
    assert np.array_equal(gw.numpy(), [v[0], [0, 0], [0, 0], [0, 0], v[3]])


def test_embedding_scales_gradients_by_frequency(rng):
    places, weight = minigrad.tensor([0, 1, 1, 1]), leaf(rng.standard_normal((3, 2)))
    y, (gw,) = gradients(lambda w: F.embedding(places, w, scale_grad_by_freq=True), weight)
    v = np.random.default_rng(0).standard_normal(y.shape)
    assert np.allclose(gw, [v[0], v[1:].mean(0), [0, 0]])


def test_embedding_with_max_norm_shortens_the_rows_in_place():
    weight = minigrad.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], requires_grad=True)
    y = F.embedding(minigrad.tensor([0, 1, 0]), weight, max_norm=1.0)
    assert np.allclose(y.detach().numpy(), [[0.6, 0.8], [0.3, 0.4], [0.6, 0.8]])
    assert np.allclose(weight.array, [[0.6, 0.8], [0.3, 0.4], [6, 8]])  # the last was not asked for
    with pytest.raises(RuntimeError, match=r"embedding: max_norm changes weight in place.*read-only"):
        F.embedding(minigrad.tensor([0]), minigrad.ones(1).expand(2, 2), max_norm=1.0)


def test_embedding_with_max_norm_counts_as_a_write():
    weight = minigrad.tensor([[3.0, 4.0], [0.3, 0.4]], requires_grad=True)
    squares = (weight * weight).sum()
    F.embedding(minigrad.tensor([1]), weight, max_norm=1.0)  # short enough: nothing is written
    squares.backward(retain_graph=True)
    F.embedding(minigrad.tensor([0]), weight, max_norm=1.0)
    with pytest.raises(RuntimeError, match=r"embedding, which shortened rows to max_norm=1\.0"):
        squares.backward()


@pytest.mark.parametrize(
    ("index", "options", "error", "text"),
    [
        ([0, 5], {}, IndexError, r"indices must be in \[0, 5\), got 5 at index 1; weight has 5 rows"),
        ([[0], [-1]], {}, IndexError, r"indices must be in \[0, 5\), got -1 at index \(1, 0\)"),
        (7, {}, IndexError, r"indices must be in \[0, 5\), got 7; weight has 5 rows"),
        ([0.5], {}, RuntimeError, r"input must hold integers, got float32; use input\.long\(\)"),
        ([True], {}, RuntimeError, "input must hold integers, got bool"),
        ([0], {"padding_idx": 5}, ValueError, r"padding_idx must be in \[-5, 5\) for 5 embeddings, got 5"),
    ],
)
def test_embedding_refuses(index, options, error, text):
    weight = minigrad.ones(5, 2) * 9
    with pytest.raises(error, match=f"^embedding: {text}"):
        F.embedding(minigrad.tensor(index), weight, max_norm=1.0, **options)
    assert weight.numpy().min() == 9
    with pytest.raises(
        RuntimeError, match=r"embedding: weight must be \(num_embeddings, embedding_dim\), got .*\(5,\)"
    ):
        F.embedding(minigrad.tensor([0]), minigrad.ones(5))


def test_one_hot():
    assert F.one_hot(minigrad.tensor([[0, 2], [1, 1]])).tolist() == [
        [[1, 0, 0], [0, 0, 1]],
        [[0, 1, 0], [0, 1, 0]],
    ]
    assert F.one_hot(minigrad.tensor(1), 3).tolist() == [0, 1, 0]
    assert F.one_hot(minigrad.zeros(0, 2).long(), 3).shape == (0, 2, 3)
    assert F.one_hot(minigrad.tensor([1]).to(minigrad.uint8)).dtype == minigrad.int64


@pytest.mark.parametrize(
    ("values", "classes", "error", "text"),
    [
        ([0, 3], 3, IndexError, r"classes must be in \[0, 3\), got 3 at index 1; num_classes is 3"),
        ([-1], -1, IndexError, "got -1 at index 0"),
        ([0], 0, RuntimeError, "num_classes must be positive, or -1 to be worked out, got 0"),
        ([0.0], 2, RuntimeError, "tensor must hold integers, got float32"),
    ],
)
def test_one_hot_refuses(values, classes, error, text):
    with pytest.raises(error, match=f"^one_hot: .*{text}"):
        F.one_hot(minigrad.tensor(values), classes)
    with pytest.raises(RuntimeError, match="one_hot: an empty tensor does not say how many classes"):
        F.one_hot(minigrad.zeros(0).long())


# ---------------------------------------------------------------------------- cross entropy and nll: values


def labelled_losses(log_p, labels, w, ignore_index, label_smoothing):
    """(loss, factor) of each label, in plain Python: the loss weighted, the factor 0 where it is ignored."""
    C = log_p.shape[1]
    loss, factor = np.zeros(labels.shape), np.zeros(labels.shape)
    for place in np.ndindex(*labels.shape):
        label = labels[place]
        if label == ignore_index:
            continue
        p = log_p[(place[0], slice(None), *place[1:])]
        w_c = np.ones(C) if w is None else w
        loss[place] = -(1 - label_smoothing) * w_c[label] * p[label] - label_smoothing / C * (w_c * p).sum()
        factor[place] = w_c[label]
    return loss, factor


def reduced(loss, factor, reduction):
    """The losses reduced, the mean being divided by the sum of the factors."""
    if reduction == "none":
        return loss
    return loss.sum() / (factor.sum() if reduction == "mean" else 1)


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 2, 2)])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(
    ("weighted", "ignore_index", "label_smoothing"),
    [(False, -100, 0.0), (True, -100, 0.0), (False, 1, 0.0), (True, -1, 0.0), (False, 1, 0.2), (True, 1, 0.2)],
)
def test_cross_entropy_and_nll(shape, reduction, weighted, ignore_index, label_smoothing, rng, backend):
    N, C, *rest = shape
    x, w = leaf(rng.standard_normal(shape)), rng.uniform(0.5, 2, C) if weighted else None
    labels = rng.integers(0, C, (N, *rest))
    if ignore_index != -100:
        labels[0] = ignore_index
    target, weight = minigrad.tensor(labels), None if w is None else minigrad.tensor(w)
    options = {"ignore_index": ignore_index, "reduction": reduction}

    def f(x):
        return F.cross_entropy(x, target, weight, label_smoothing=label_smoothing, **options)

    expected = labelled_losses(log_softmax(x.array, 1), labels, w, ignore_index, label_smoothing)
    assert np.allclose(f(x).detach().numpy(), reduced(*expected, reduction), atol=1e-13)
    assert gradcheck(f, x)
    assert gradgradcheck(f, x)
    if label_smoothing == 0:
        y = F.nll_loss(x, target, weight, **options)
        expected = labelled_losses(x.array, labels, w, ignore_index, 0)
        assert np.allclose(y.detach().numpy(), reduced(*expected, reduction), atol=1e-13)
        assert gradcheck(lambda x: F.nll_loss(x, target, weight, **options), x)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_a_single_example_has_no_batch_dimension(reduction, label_smoothing, rng, backend):
    x, weight = leaf(rng.standard_normal(4)), minigrad.tensor(rng.uniform(0.5, 2, 4))
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    one = F.cross_entropy(x, minigrad.tensor(2), weight, **options)
    batch = F.cross_entropy(x.reshape(1, 4), minigrad.tensor([2]), weight, **options)
    assert one.shape == ()
    assert one.item() == pytest.approx(batch.item())
    assert gradcheck(lambda x: F.cross_entropy(x, minigrad.tensor(2), weight, **options), x)
    options.pop("label_smoothing")
    assert F.nll_loss(x, minigrad.tensor(2), **options).item() == -x.array[2]


@pytest.mark.parametrize("shape", [(4,), (5, 4), (3, 4, 2)])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("weighted", "label_smoothing"), [(False, 0.0), (True, 0.0), (True, 0.2)])
def test_cross_entropy_of_probabilities(shape, reduction, weighted, label_smoothing, rng):
    axis = min(1, len(shape) - 1)
    C = shape[axis]
    x, p = leaf(rng.standard_normal(shape)), rng.uniform(0.1, 1, shape)
    p = leaf(p / p.sum(axis, keepdims=True))
    w = rng.uniform(0.5, 2, C) if weighted else np.ones(C)
    weight = minigrad.tensor(w) if weighted else None
    along = w.reshape((C,) if len(shape) == 1 else (1, C, *(1,) * (len(shape) - 2)))
    soft = p.array * (1 - label_smoothing) + label_smoothing / C
    loss = -(soft * along * log_softmax(x.array, axis)).sum(axis)

    def f(x, p):
        return F.cross_entropy(x, p, weight, reduction=reduction, label_smoothing=label_smoothing)

    assert np.allclose(f(x, p).detach().numpy(), reduced(loss, np.ones_like(loss), reduction))
    assert gradcheck(f, (x, p))
    assert gradgradcheck(f, (x, p))


def test_cross_entropy_of_one_hot_probabilities_is_that_of_labels(rng):
    x, labels = minigrad.tensor(rng.standard_normal((6, 4))), minigrad.tensor(rng.integers(0, 4, 6))
    hot = F.one_hot(labels, 4).double()
    assert F.cross_entropy(x, hot).item() == pytest.approx(F.cross_entropy(x, labels).item())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32"])
def test_labels_of_any_integer_dtype(dtype, rng):
    x, labels = minigrad.tensor(rng.standard_normal((4, 3))), np.array([0, 2, 1, 2])
    expected = F.cross_entropy(x, minigrad.tensor(labels)).item()
    assert F.cross_entropy(x, minigrad.tensor(labels.astype(dtype))).item() == expected
    assert F.cross_entropy(x, labels.astype(dtype)[::1]).item() == expected


def test_class_weights_take_gradients(rng):
    x, w, labels = leaf(rng.standard_normal((5, 3))), leaf(rng.uniform(0.5, 2, 3)), minigrad.tensor([0, 1, 2, 1, 0])
    assert gradcheck(lambda x, w: F.cross_entropy(x, labels, w), (x, w))
    assert gradcheck(lambda x, w: F.cross_entropy(x, labels, w, label_smoothing=0.1), (x, w))


def test_the_common_path_is_one_op():
    x = minigrad.zeros(4, 3, requires_grad=True)
    op = F.cross_entropy(x, minigrad.tensor([0, 1, 2, 0])).grad_fn
    assert op.name() == "SoftmaxCrossEntropy" and op.edges[0] is x


# ---------------------------------------------------------- cross entropy and nll: awkward points, bad input


@pytest.mark.parametrize("dtype", [minigrad.float32, minigrad.float64])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_extreme_scores(dtype, label_smoothing, backend):
    x = minigrad.tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]], dtype=dtype, requires_grad=True)
    loss = F.cross_entropy(x, minigrad.tensor([0, 1]), reduction="none", label_smoothing=label_smoothing)
    smooth = label_smoothing / 3 * (0 + 2e4 + 1e4)
    assert np.allclose(loss.detach().numpy(), [smooth, (1 - label_smoothing) * 2e4 + smooth], rtol=1e-6)
    loss.backward(minigrad.ones(2, dtype=dtype))
    a, k = label_smoothing, label_smoothing / 3
    assert np.allclose(x.grad.numpy(), [[a - k, -k, -k], [1 - k, -(1 - a) - k, -k]], atol=1e-6)


def test_masked_scores(backend):
    x = minigrad.tensor([[0.0, -inf, 1.0]], dtype=minigrad.float64, requires_grad=True)
    loss = F.cross_entropy(x, minigrad.tensor([2]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log1p(math.exp(-1)))
    assert np.isfinite(x.grad.numpy()).all() and x.grad.numpy()[0, 1] == 0
    assert F.cross_entropy(x, minigrad.tensor([1])).item() == inf


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("weighted", [True, False])
def test_all_labels_ignored(name, weighted, backend):
    x = leaf(np.zeros((3, 2)))
    target, weight = minigrad.tensor([-100] * 3), minigrad.tensor([1.0, 2.0]).double() if weighted else None
    loss = getattr(F, name)(x, target, weight)
    loss.backward()
    assert math.isnan(loss.item())
    assert np.array_equal(x.grad.numpy(), np.zeros((3, 2)))
    assert getattr(F, name)(x, target, weight, reduction="sum").item() == 0
    assert getattr(F, name)(x, target, weight, reduction="none").tolist() == [0, 0, 0]


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_an_ignored_row_may_be_infinite(label_smoothing, backend):
    scores = np.array([[1.0, 2.0], [-inf, 0.0], [3.0, 1.0]])
    x, target = leaf(scores), minigrad.tensor([0, -100, 1])
    loss = F.cross_entropy(x, target, label_smoothing=label_smoothing)
    loss.backward()
    rest = F.cross_entropy(leaf(scores[[0, 2]]), minigrad.tensor([0, 1]), label_smoothing=label_smoothing)
    assert loss.item() == pytest.approx(rest.item())
    assert np.isfinite(x.grad.numpy()).all() and np.array_equal(x.grad.numpy()[1], [0, 0])
    x = leaf(np.where(scores == -inf, nan, scores))
    assert F.cross_entropy(x, target, label_smoothing=label_smoothing).item() == pytest.approx(rest.item())


def test_nan_scores_give_nan(backend):
    x = minigrad.tensor([[0.0, nan], [0.0, 0.0]])
    loss = F.cross_entropy(x, minigrad.tensor([0, 0]), reduction="none").numpy()
    assert math.isnan(loss[0]) and loss[1] == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_no_examples_at_all(name, backend):
    x, target = leaf(np.zeros((0, 3))), minigrad.zeros(0).long()
    loss = getattr(F, name)(x, target)
    loss.backward()
    assert math.isnan(loss.item()) and x.grad.shape == (0, 3)
    assert getattr(F, name)(x, target, reduction="sum").item() == 0
    assert getattr(F, name)(x, target, reduction="none").shape == (0,)


@pytest.mark.parametrize(
    ("shape", "target", "options", "error", "text"),
    [
        ((5, 10), [0, 1, 2, 12, 0], {}, IndexError, r"labels must be in [0, 10), got 12 at index 3"),
        ((5, 10), [0, 1, -3, 12, 0], {}, IndexError, r"labels must be in [0, 10), got -3 at index 2"),
        ((1, 3, 2), [[0, 3]], {}, IndexError, r"labels must be in [0, 3), got 3 at index (0, 1); input of shape"),
        ((5, 10), [-100, 10, 0, 0, 0], {}, IndexError, r"labels must be in [0, 10), got 10 at index 1"),
        ((5, 10), [0, 1], {}, ValueError, "an input of shape (5, 10) needs class indices of shape (5,), got target of"),
        ((2, 3), [[0], [1]], {}, ValueError, "got target of shape (2, 1); target.squeeze(1) has it"),
        (
            (2, 3, 4),
            [[0] * 5] * 2,
            {},
            ValueError,
            "(2, 3, 4) needs class indices of shape (2, 4), got target of shape",
        ),
        ((3,), [1], {}, ValueError, "(3,) needs class indices of shape (), got target of shape (1,)"),
        ((), 0, {}, ValueError, "input must be (N, C), (N, C, d1, ...) or (C,), got a 0-d tensor"),
        ((2, 3), [True, False], {}, RuntimeError, "target must hold integers, got bool; use target.long()"),
        ((2, 3), [0, 1], {"weight": (2,)}, RuntimeError, "each of the 3 classes of input, of shape (2, 3): shape (3,)"),
        ((2, 3), [0, 1], {"reduction": "avg"}, ValueError, '"none" or "mean" or "sum", got reduction=\'avg\''),
    ],
)
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_classification_losses_refuse(name, shape, target, options, error, text):
    options = {key: minigrad.ones(v) if key == "weight" else v for key, v in options.items()}
    with pytest.raises(error, match=f"^{name}: .*{re.escape(text)}"):
        getattr(F, name)(minigrad.zeros(shape), minigrad.tensor(target), **options)


@pytest.mark.parametrize(
    ("target", "options", "error", "text"),
    [
        ((2, 3), {"label_smoothing": 1.5}, ValueError, "must be a finite number in [0, 1], got label_smoothing=1.5"),
        ((2, 3), {"label_smoothing": "a"}, TypeError, "label_smoothing must be a number in [0, 1]"),
        ((2, 3), {"ignore_index": "a"}, TypeError, "ignore_index must be an int, got ignore_index='a'"),
        ((2, 3), {"ignore_index": 1}, RuntimeError, "ignore_index=1 means nothing to class probabilities"),
        ((3, 3), {}, ValueError, "in the shape of input, (2, 3), got (3, 3)"),
        ((2,), {}, ValueError, "(2, 3), got (2,); class indices must be of integers: use target.long()"),
    ],
)
def test_cross_entropy_refuses(target, options, error, text):
    with pytest.raises(error, match=f"^cross_entropy: .*{re.escape(text)}"):
        F.cross_entropy(minigrad.zeros(2, 3), minigrad.zeros(target), **options)


def test_losses_refuse_other_types_and_dtypes():
    x = minigrad.zeros(2, 3)
    with pytest.raises(TypeError, match="cross_entropy: target must be a Tensor, got list"):
        F.cross_entropy(x, [0, 1])
    with pytest.raises(TypeError, match="mse_loss: input must be a Tensor, got float"):
        F.mse_loss(1.0, x)
    with pytest.raises(TypeError, match="binary_cross_entropy: weight must be a Tensor, got float"):
        F.binary_cross_entropy(x, x, 2.0)
    with pytest.raises(RuntimeError, match="cross_entropy: input must be floating, got int64"):
        F.cross_entropy(x.long(), minigrad.tensor([0, 1]))
    with pytest.raises(RuntimeError, match=r"cross_entropy: .*float32 and float64"):
        F.cross_entropy(x, minigrad.tensor([0, 1]), minigrad.ones(3).double())
    with pytest.raises(RuntimeError, match="mse_loss: input must be floating, got int64"):
        F.mse_loss(x.long(), x.long())
    with pytest.raises(ValueError, match=r"cross_entropy: .*class probabilities, in input's shape, must be floating"):
        F.cross_entropy(x, x.long())


# ------------------------------------------------------------------------------------- regression and binary


def huber(d, delta):
    """In plain NumPy."""
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


REGRESSION = {
    "mse_loss": ({}, lambda d: d * d),
    "l1_loss": ({}, np.abs),
    "smooth_l1_loss": ({"beta": 0.7}, lambda d: huber(d, 0.7) / 0.7),
    "huber_loss": ({"delta": 0.7}, lambda d: huber(d, 0.7)),
}


@pytest.mark.parametrize("name", REGRESSION)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(3, 4), (), (0, 2)])
@pytest.mark.filterwarnings("error")
def test_regression_losses(name, reduction, shape, rng):
    options, formula = REGRESSION[name]
    x, y = leaf(rng.standard_normal(shape)), leaf(rng.standard_normal(shape))

    def f(x, y):
        return getattr(F, name)(x, y, reduction=reduction, **options)

    loss = formula(x.array - y.array)
    expected = {"none": loss, "sum": loss.sum(), "mean": loss.sum() / loss.size if loss.size else nan}[reduction]
    assert np.allclose(f(x, y).detach().numpy(), expected, equal_nan=True)
    assert gradcheck(f, (x, y))
    if loss.size:  # a mean of nothing is NaN, and so is what becomes of its cotangent
        assert gradgradcheck(f, (x, y))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_regression_weights(name, rng):
    formula = {**REGRESSION, "huber_loss": ({}, lambda d: huber(d, 1.0))}[name][1]
    x, y, w = (leaf(rng.uniform(0.1, 3, (3, 2))) for _ in range(3))
    loss = formula(x.array - y.array) * w.array
    mean = loss.mean() if name == "huber_loss" else loss.sum() / w.array.sum()
    for reduction, expected in (("none", loss), ("sum", loss.sum()), ("mean", mean)):
        got = getattr(F, name)(x, y, reduction=reduction, weight=w)
        assert np.allclose(got.detach().numpy(), expected)
    assert gradcheck(lambda x, y, w: getattr(F, name)(x, y, weight=w), (x, y, w))
    with pytest.raises(ValueError, match=rf"^{name}: weight must have the shape of input, \(3, 2\), got \(2,\)"):
        getattr(F, name)(x, y, weight=minigrad.ones(2))


def test_kinks_and_infinities_of_regression_losses():
    d = leaf([0.0, -0.0, 0.5, -0.5, inf, -inf, 1e300])
    zero, ones = minigrad.zeros(7).double(), minigrad.ones(7).double()
    expected = {
        F.l1_loss: [0, 0, 1, -1, 1, -1, 1],
        lambda a, b, reduction: F.smooth_l1_loss(a, b, reduction=reduction, beta=0.5): [0, 0, 1, -1, 1, -1, 1],
        lambda a, b, reduction: F.huber_loss(a, b, reduction, 0.5): [0, 0, 0.5, -0.5, 0.5, -0.5, 0.5],
    }
    for f, slopes in expected.items():
        (g,) = autograd.grad(f(d, zero, reduction="none"), d, ones)
        assert g.tolist() == slopes
    (g,) = autograd.grad(F.smooth_l1_loss(d, zero, reduction="none", beta=0.0), d, ones)
    assert g.tolist() == [0, 0, 1, -1, 1, -1, 1]
    for name in REGRESSION:
        assert math.isnan(getattr(F, name)(leaf([nan]), leaf([0.0])).item())


@pytest.mark.parametrize("name", REGRESSION)
def test_shapes_that_differ_are_broadcast_with_a_warning(name, rng):
    x, y = minigrad.tensor(rng.standard_normal((3, 1))), minigrad.tensor(rng.standard_normal(3))
    with pytest.warns(
        UserWarning, match=rf"^{name}: input of shape \(3, 1\) and target of shape \(3,\) are broadcast"
    ) as seen:
        loss = getattr(F, name)(x, y, reduction="none")
    assert loss.shape == (3, 3)
    assert seen[0].filename == __file__
    with pytest.raises(RuntimeError, match=rf"^{name}: input of shape \(3, 1\) and target of shape \(2, 2\) do not"):
        getattr(F, name)(x, minigrad.ones(2, 2))


@pytest.mark.parametrize(("name", "option", "value"), [("smooth_l1_loss", "beta", -1), ("huber_loss", "delta", 0)])
def test_thresholds_are_checked(name, option, value):
    with pytest.raises(ValueError, match=f"^{name}: {option} must .*, got {option}={value}"):
        getattr(F, name)(minigrad.zeros(2), minigrad.zeros(2), **{option: value})
    with pytest.raises(ValueError, match=f"^{name}: {option} must .*, got {option}=nan"):
        getattr(F, name)(minigrad.zeros(2), minigrad.zeros(2), **{option: nan})


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy(reduction, weighted, rng):
    p, y = leaf(rng.uniform(0.05, 0.95, (3, 4))), leaf(rng.uniform(0, 1, (3, 4)))
    w = minigrad.tensor(rng.uniform(0.5, 2, (3, 1))) if weighted else None
    loss = -(y.array * np.log(p.array) + (1 - y.array) * np.log(1 - p.array)) * (w.array if weighted else 1)
    expected = {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[reduction]

    def f(p, y):
        return F.binary_cross_entropy(p, y, w, reduction=reduction)

    assert np.allclose(f(p, y).detach().numpy(), expected)
    assert gradcheck(f, (p, y))
    assert gradgradcheck(f, (p, y))


@pytest.mark.parametrize("dtype", [minigrad.float32, minigrad.float64])
def test_binary_cross_entropy_at_the_edges(dtype):
    p = minigrad.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 0.25], dtype=dtype, requires_grad=True)
    y = minigrad.tensor([0.0, 1.0, 0.0, 1.0, 0.5, 1.0], dtype=dtype, requires_grad=True)
    loss = F.binary_cross_entropy(p, y, reduction="none")
    gp, gy = autograd.grad(loss, (p, y), minigrad.ones(6, dtype=dtype))
    assert np.allclose(loss.detach().numpy(), [0, 100, 100, 0, 50, math.log(4)])
    assert np.allclose(gp.numpy(), [0, -1e12, 1e12, 0, -5e11, -4])
    assert np.isfinite(gy.numpy()).all() and loss.dtype == gp.dtype == dtype


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("weighted", "positives"), [(False, None), (True, None), (False, (4,)), (True, (3, 1))])
def test_binary_cross_entropy_with_logits(reduction, weighted, positives, rng):
    x, y = leaf(rng.standard_normal((3, 4)) * 3), leaf(rng.uniform(0, 1, (3, 4)))
    w = minigrad.tensor(rng.uniform(0.5, 2, 4)) if weighted else None
    pos = minigrad.tensor(rng.uniform(0.5, 2, positives)) if positives else None
    p = 1 / (1 + np.exp(-x.array))
    loss = -((pos.array if positives else 1) * y.array * np.log(p) + (1 - y.array) * np.log(1 - p))
    loss = loss * (w.array if weighted else 1)
    expected = {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[reduction]

    def f(x, y):
        return F.binary_cross_entropy_with_logits(x, y, w, reduction=reduction, pos_weight=pos)

    assert np.allclose(f(x, y).detach().numpy(), expected)
    assert gradcheck(f, (x, y))
    assert gradgradcheck(f, (x, y))


def test_binary_cross_entropy_with_extreme_logits():
    x = minigrad.tensor([1e4, 1e4, -1e4, -1e4, nan], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, minigrad.tensor([1.0, 0, 1, 0, 1]), reduction="none")
    loss.backward(minigrad.ones(5))
    assert np.array_equal(loss.detach().numpy(), [0, 1e4, 1e4, 0, nan], equal_nan=True)
    assert np.array_equal(x.grad.numpy(), [0, 1, -1, 0, nan], equal_nan=True)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("dtype", [minigrad.int64, minigrad.bool, minigrad.uint8])
def test_binary_targets_may_be_integers(name, dtype):
    p, y = minigrad.tensor([0.0, 0.25, 1.0]), minigrad.tensor([0, 1, 1])
    loss = getattr(F, name)(p, y.to(dtype), reduction="none")
    assert loss.dtype == minigrad.float32
    assert np.array_equal(loss.numpy(), getattr(F, name)(p, y.float(), reduction="none").numpy())


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_binary_losses_refuse(name):
    f, half = getattr(F, name), minigrad.full((2, 3), 0.5)
    with pytest.raises(ValueError, match=rf"^{name}: target must have the shape of input, \(2, 3\), got \(3,\)"):
        f(half, minigrad.ones(3))
    with pytest.raises(RuntimeError, match=rf"^{name}: weight of shape \(2,\) and target of shape \(2, 3\) do not"):
        f(half, half, minigrad.ones(2))
    with pytest.raises(ValueError, match=f'^{name}: reduction must be "none" or "mean" or "sum", got'):
        f(half, half, reduction="batchmean")


@pytest.mark.parametrize("bad", [1.5, -0.1, nan])
def test_binary_cross_entropy_refuses_what_is_no_probability(bad):
    with pytest.raises(RuntimeError, match=rf"^binary_cross_entropy: .*between 0 and 1, got {bad}; .*sigmoid"):
        F.binary_cross_entropy(minigrad.tensor([0.5, bad]), minigrad.tensor([0.0, 1.0]))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum", "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.filterwarnings("ignore:kl_div")
def test_kl_div(reduction, log_target, rng):
    x, t = leaf(rng.standard_normal((3, 4))), leaf(rng.uniform(0.1, 1, (3, 4)))
    loss = np.exp(t.array) * (t.array - x.array) if log_target else t.array * (np.log(t.array) - x.array)
    expected = {"none": loss, "mean": loss.mean(), "sum": loss.sum(), "batchmean": loss.sum() / 3}[reduction]

    def f(x, t):
        return F.kl_div(x, t, reduction=reduction, log_target=log_target)

    assert np.allclose(f(x, t).detach().numpy(), expected)
    assert gradcheck(f, (x, t))
    assert gradgradcheck(f, (x, t))


def test_kl_div_where_the_target_is_zero():
    x, t = leaf([-1.0, -2.0]), leaf([0.0, 1.0])
    y, (gx, gt) = gradients(lambda x, t: F.kl_div(x, t, reduction="none"), x, t)
    assert y.tolist() == [0, 2] and gx[0] == 0 and np.isfinite(gt).all()
    assert F.kl_div(leaf(-1.0), leaf(1.0), reduction="batchmean").item() == 1


def test_kl_div_warns_of_mean():
    x = minigrad.zeros(2, 2)
    with pytest.warns(UserWarning, match=r"^kl_div: .*batchmean") as seen:
        F.kl_div(x, x)
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.kl_div(x, x, reduction="batchmean")
    with pytest.raises(ValueError, match=r'kl_div: reduction must be .* or "batchmean", got'):
        F.kl_div(x, x, reduction="max")
    with pytest.raises(RuntimeError, match=r"^kl_div: target must be floating, got int64"):
        F.kl_div(x, x.long(), reduction="sum")


# ----------------------------------------------------------------------------------------------- PyTorch


def compare(ours, theirs, *arrays, tolerance=1e-10, integers=()):
    """Values and gradients of two functions on the same float64 arrays, with the same random cotangent."""
    torch = pytest.importorskip("torch")
    a = [minigrad.tensor(x, requires_grad=True) for x in arrays]
    b = [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(*a, *map(minigrad.tensor, integers)), theirs(*b, *map(torch.tensor, integers))
    assert tuple(y.shape) == tuple(z.shape)
    assert np.allclose(y.detach().numpy(), z.detach().numpy(), rtol=tolerance, atol=tolerance, equal_nan=True)
    v = np.random.default_rng(1).standard_normal(tuple(z.shape))
    y.backward(minigrad.from_numpy(v))
    z.backward(torch.tensor(v))
    for x, w in zip(a, b, strict=True):
        assert np.allclose(x.grad.numpy(), w.grad.numpy(), rtol=tolerance, atol=tolerance, equal_nan=True)


@pytest.mark.reference
@pytest.mark.parametrize("shape", [(4,), (6, 4), (3, 4, 5), (2, 3, 2, 2)])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore_index", [-100, 1])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.15, 1.0])
def test_classification_equals_pytorch(shape, reduction, weighted, ignore_index, label_smoothing, rng, backend):
    torch = pytest.importorskip("torch")
    classes = shape[min(1, len(shape) - 1)]
    x = rng.standard_normal(shape)
    labels = np.asarray(rng.integers(0, classes, (shape[0], *shape[2:]) if len(shape) > 1 else ()))
    if labels.ndim:
        labels.reshape(-1)[1:3] = ignore_index
    w = rng.uniform(0.5, 2, classes) if weighted else None
    options = {"ignore_index": ignore_index, "reduction": reduction}
    ours, theirs = (None if w is None else make(w) for make in (minigrad.tensor, torch.tensor))
    TF = torch.nn.functional
    compare(
        lambda x, t: F.cross_entropy(x, t, ours, label_smoothing=label_smoothing, **options),
        lambda x, t: TF.cross_entropy(x, t, theirs, label_smoothing=label_smoothing, **options),
        x,
        integers=[labels],
    )
    if label_smoothing == 0:
        compare(
            lambda x, t: F.nll_loss(x, t, ours, **options),
            lambda x, t: TF.nll_loss(x, t, theirs, **options),
            x,
            integers=[labels],
        )


@pytest.mark.reference
@pytest.mark.parametrize("shape", [(4,), (6, 4), (3, 4, 5)])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.15])
def test_probabilities_equal_pytorch(shape, reduction, weighted, label_smoothing, rng):
    torch = pytest.importorskip("torch")
    classes = shape[min(1, len(shape) - 1)]
    w = rng.uniform(0.5, 2, classes)
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    compare(
        lambda x, t: F.cross_entropy(x, t, minigrad.tensor(w) if weighted else None, **options),
        lambda x, t: torch.nn.functional.cross_entropy(x, t, torch.tensor(w) if weighted else None, **options),
        rng.standard_normal(shape),
        rng.uniform(0, 1, shape),
    )


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("smooth_l1_loss", {}),
        ("smooth_l1_loss", {"beta": 0.3}),
        ("smooth_l1_loss", {"beta": 0.0}),
        ("huber_loss", {}),
        ("huber_loss", {"delta": 0.3}),
        ("binary_cross_entropy", {}),
        ("binary_cross_entropy_with_logits", {}),
        ("kl_div", {}),
        ("kl_div", {"log_target": True}),
    ],
)
@pytest.mark.parametrize("shape", [(), (5,), (4, 3, 2)])
@pytest.mark.filterwarnings("ignore")
def test_elementwise_losses_equal_pytorch(name, options, shape, rng):
    torch = pytest.importorskip("torch")
    x, t = rng.uniform(0.01, 0.99, shape), rng.uniform(0.01, 0.99, shape)
    if len(shape) and "binary" not in name and name != "kl_div":
        x.flat[0] = t.flat[0]  # a kink
        x.flat[1] = t.flat[1] + 0.3
    theirs = getattr(torch.nn.functional, name)
    for reduction in ("none", "mean", "sum", *(["batchmean"] if name == "kl_div" else [])):
        compare(
            lambda x, t, r=reduction: getattr(F, name)(x, t, reduction=r, **options),
            lambda x, t, r=reduction: theirs(x, t, reduction=r, **options),
            x,
            t,
        )


@pytest.mark.reference
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy"])
def test_weighted_losses_equal_pytorch(name, reduction, rng):
    torch = pytest.importorskip("torch")
    x, t, w = (rng.uniform(0.1, 0.9, (3, 4)) for _ in range(3))
    compare(
        lambda x, t: getattr(F, name)(x, t, weight=minigrad.tensor(w), reduction=reduction),
        lambda x, t: getattr(torch.nn.functional, name)(x, t, weight=torch.tensor(w), reduction=reduction),
        x,
        t,
    )


@pytest.mark.reference
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positives", [None, (4,), (1,)])
def test_logits_equal_pytorch(reduction, weighted, positives, rng):
    torch = pytest.importorskip("torch")
    x, t, w = rng.standard_normal((3, 4)) * 5, rng.uniform(0, 1, (3, 4)), rng.uniform(0.5, 2, (3, 1))
    x[0] = [1e4, -1e4, 1e4, -1e4]
    t[0] = [1, 1, 0, 0]
    pos = rng.uniform(0.5, 3, positives or ())

    def of(module, make):
        return lambda x, t: module.binary_cross_entropy_with_logits(
            x,
            t,
            make(w) if weighted else None,
            pos_weight=make(pos) if positives else None,
            reduction=reduction,
        )

    compare(of(F, minigrad.tensor), of(torch.nn.functional, torch.tensor), x, t)


@pytest.mark.reference
def test_awkward_points_equal_pytorch(backend):
    torch = pytest.importorskip("torch")
    edges = np.array([0.0, 0.0, 1.0, 1.0, 1e-13, 0.3]), np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.5])
    theirs = torch.nn.functional.binary_cross_entropy
    # in the input alone: PyTorch's gradient of the target is infinite there; its 1e-12 is a float32
    compare(
        lambda x: F.binary_cross_entropy(x, minigrad.tensor(edges[1]), reduction="none"),
        lambda x: theirs(x, torch.tensor(edges[1]), reduction="none"),
        edges[0],
        tolerance=1e-8,
    )
    for scores, labels in (
        ([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], [0, 2]),
        ([[0.0, -inf, 1.0], [1.0, 2.0, 3.0]], [2, -100]),
        ([[0.0, nan, 1.0], [1.0, 2.0, 3.0]], [0, 1]),
        ([[0.0, nan, 1.0], [1.0, 2.0, 3.0]], [-100, 1]),
        ([[0.0, 0.0, 1.0], [1.0, 2.0, 3.0]], [-100, -100]),
    ):
        for smoothing in (0.0, 0.1):
            if smoothing and -inf in scores[0]:
                continue  # infinite in both, NaN or not by the order of the sums
            compare(
                lambda x, t, s=smoothing: F.cross_entropy(x, t, label_smoothing=s),
                lambda x, t, s=smoothing: torch.nn.functional.cross_entropy(x, t, label_smoothing=s),
                np.array(scores),
                integers=[np.array(labels)],
            )


@pytest.mark.reference
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (3, 2, 4, 3), (2, 2, 2, 3, 2)])
@pytest.mark.parametrize(("training", "tracking"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("momentum", [0.1, 0.7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batch_norm_equals_pytorch(shape, training, tracking, affine, momentum, dtype, rng, backend):
    torch = pytest.importorskip("torch")
    C, tolerance = shape[1], 1e-10 if dtype == "float64" else 1e-5
    x = rng.standard_normal(shape).astype(dtype) * 2 + 1
    parameters = [rng.standard_normal(C).astype(dtype) for _ in range(2 * affine)]
    statistics = [rng.standard_normal(C).astype(dtype), rng.uniform(0.5, 2, C).astype(dtype)]
    found = []
    for make, function, cotangent in (
        (minigrad.tensor, F.batch_norm, minigrad.from_numpy),
        (torch.tensor, torch.nn.functional.batch_norm, torch.from_numpy),
    ):
        a, *wb = (make(p, requires_grad=True) for p in (x, *parameters))
        running = [make(s) for s in statistics] if tracking else [None, None]
        y = function(a, *running, *wb, training=training, momentum=momentum, eps=1e-4)
        y.backward(cotangent(np.random.default_rng(2).standard_normal(shape).astype(dtype)))
        found.append([y.detach(), *(p.grad for p in (a, *wb)), *(running if tracking else ())])
    for ours, theirs in zip(*found, strict=True):
        assert str(ours.dtype) == dtype
        assert np.allclose(ours.numpy(), theirs.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.reference
def test_embedding_and_the_rest_equal_pytorch(rng):
    torch = pytest.importorskip("torch")
    TF, places = torch.nn.functional, np.array([[0, 3, 3], [1, 4, 0]])
    for options in ({}, {"padding_idx": 3}, {"padding_idx": -2, "scale_grad_by_freq": True}):
        compare(
            lambda w, i, options=options: F.embedding(i, w, **options),
            lambda w, i, options=options: TF.embedding(i, w, **options),
            rng.standard_normal((5, 2)),
            integers=[places],
        )
    ours, theirs = (make(np.arange(10.0).reshape(5, 2)) for make in (minigrad.tensor, torch.tensor))
    for p in (1.0, 2.0, inf):
        F.embedding(minigrad.tensor(places), ours, max_norm=3.0, norm_type=p)
        TF.embedding(torch.tensor(places), theirs, max_norm=3.0, norm_type=p)
        assert np.allclose(ours.numpy(), theirs.numpy())
    assert F.one_hot(minigrad.tensor(places)).tolist() == TF.one_hot(torch.tensor(places)).tolist()
    x = rng.standard_normal((3, 4))
    x[1] = 0
    for p, dim in product((1.0, 2.0, 3.0), (0, 1)):
        compare(lambda x, p=p, dim=dim: F.normalize(x, p, dim), lambda x, p=p, dim=dim: TF.normalize(x, p, dim), x)
    compare(F.cosine_similarity, TF.cosine_similarity, x, rng.standard_normal((3, 4)))
    compare(F.logsigmoid, TF.logsigmoid, x * 100)
    for name in ("relu", "leaky_relu", "elu", "silu", "mish", "hardtanh", "relu6", "hardsigmoid"):
        compare(getattr(F, name), getattr(TF, name), x * 4, tolerance=1e-7)  # their 1/6 of hardsigmoid is a float32


@pytest.mark.reference
def test_signatures_are_pytorch_s():
    torch = pytest.importorskip("torch")
    left_out = {"size_average", "reduce", "_stacklevel", "out"}
    ours_alone = {"act_norm", "invertible_batch_norm", "virtual_batch_norm"}
    for name in F.__all__:
        if name.removesuffix("_inverse") in ours_alone:
            continue
        theirs = getattr(torch.nn.functional, name)
        try:
            expected = inspect.signature(theirs).parameters.values()
        except ValueError:  # built in, without a signature
            continue
        if "max_pool" in name:  # (*args, **kwargs): it chooses between two functions, of which this is one
            expected = inspect.signature(getattr(torch.nn.functional, f"{name}_with_indices")).parameters.values()
        ours = list(inspect.signature(getattr(F, name)).parameters.values())
        assert [(p.name, p.default) for p in ours] == [
            (p.name, p.default) for p in expected if p.name not in left_out
        ], name


X = minigrad.zeros(2, 3)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.dropout([1.0]), TypeError, "dropout: input must be a Tensor, got list"),
        (lambda: F.dropout(X, "a"), TypeError, "dropout: p must be a number in [0, 1], got p='a'"),
        (lambda: F.dropout(X, True), TypeError, "dropout: p must be a number in [0, 1], got p=True"),
        (lambda: F.dropout2d([1.0]), TypeError, "dropout2d: input must be a Tensor, got list"),
        (lambda: F.dropout2d(X[0]), ValueError, "dropout2d: input must be (N, C, H, W) or (N, C, L), got shape (3,)"),
        (lambda: F.softmax([1.0, 2.0]), TypeError, "softmax: input must be a Tensor, got list"),
        (lambda: F.log_softmax([1.0, 2.0]), TypeError, "log_softmax: input must be a Tensor, got list"),
        (lambda: F.normalize(X, eps="a"), TypeError, "normalize: eps must be a number, got eps='a'"),
        (lambda: F.cosine_similarity(X, X, eps="a"), TypeError, "cosine_similarity: eps must be a number"),
        (lambda: F.huber_loss(X, X, delta="a"), TypeError, "huber_loss: delta must be a number > 0, got delta='a'"),
        (lambda: F.nll_loss(X, X, ignore_index=1.5), TypeError, "nll_loss: ignore_index must be an int"),
        (lambda: F.one_hot(X.long(), 2.5), TypeError, "one_hot: num_classes must be an int, got num_classes=2.5"),
        (lambda: F.one_hot(minigrad.tensor([2**62])), RuntimeError, "one_hot: no memory for a result of shape (1, 46"),
        (lambda: F.embedding(X.long(), X, max_norm="a"), TypeError, "embedding: max_norm must be a number"),
        (lambda: F.embedding(X.long(), X, max_norm=1, norm_type="a"), TypeError, "embedding: norm_type must be"),
        (lambda: F.embedding(X.long(), X.long(), max_norm=1), RuntimeError, "embedding: weight must be floating"),
        (lambda: F.embedding(X.long(), X, padding_idx="a"), TypeError, "embedding: padding_idx must be an int"),
        (lambda: F.avg_pool2d(X[None], 1, divisor_override=2.5), TypeError, "avg_pool2d: divisor_override must be an"),
        (lambda: F.avg_pool2d(X[None], 1, divisor_override=0), ValueError, "avg_pool2d: divisor_override must be an"),
    ],
)
def test_bad_options_are_named(call, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}"):
        call()


@pytest.mark.parametrize("shape", [(4, 5), (3, 2, 2, 2, 2)])
def test_dropout2d_of_other_inputs_warns(shape):
    x = minigrad.ones(shape)
    with pytest.warns(UserWarning, match=re.escape(f"got shape {shape}")):
        assert F.dropout2d(x, 0.5, training=False) is x
    with pytest.warns(UserWarning):
        y = F.dropout2d(x, 0.5).numpy().reshape(*shape[:2], -1)
    assert set(y.flat) == {0, 2} and (y == y[:, :, :1]).all(), "whole channels"


def test_one_hot_of_a_scalar_and_of_nothing():
    assert F.one_hot(minigrad.tensor(1), 3).tolist() == [0, 1, 0]
    assert F.one_hot(minigrad.zeros(0, dtype=minigrad.int64), 3).shape == (0, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda o, x: F.linear(o, x[0, 0]),
        lambda o, x: F.conv2d(o, x),
        lambda o, x: F.max_pool2d(o, 2, 2, 0, 1),
        lambda o, x: F.relu(o),
    ],
)
def test_what_only_looks_like_a_tensor_is_refused(call):
    class Other:
        array = np.ones((1, 1, 4, 4), np.float32)

    with pytest.raises(TypeError, match="needs Tensors, got Other"):
        call(Other(), minigrad.ones(1, 1, 2, 2))


def test_padding_same_says_that_an_image_is_empty():
    for size in (2, 3):
        with pytest.raises(RuntimeError, match=r"conv2d: the kernel .* spans"):
            F.conv2d(minigrad.zeros(1, 1, 0, 4), minigrad.ones(1, 1, size, size), padding="same")
