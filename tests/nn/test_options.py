"""nn.functional beside PyTorch: every option of the functions that have many, with empty and 0-d inputs."""

import math
import warnings

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F

inf = math.inf
FLOATS = "float16", "float32", "float64"


def outcome(library, functions, name, arrays, args, options, cotangent):
    """(value, gradients of the floating inputs, inputs afterwards), or None for a refusal."""
    make = library.tensor
    tensors = [make(a, requires_grad=a.dtype.kind == "f" and "max_norm" not in options) for a in arrays]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = getattr(functions, name)(*tensors, *args, **options)
    except (AssertionError, TypeError, ValueError, RuntimeError, IndexError):  # PyTorch asserts at times
        return None
    if y.requires_grad:
        y.backward(make(cotangent(tuple(y.shape)).astype(str(y.dtype).removeprefix("torch."))))
    values = [y, *(t.grad for t in tensors), *tensors]
    return [None if v is None else v.detach().numpy() for v in values]


def compare(name, arrays, *args, seed=0, tolerance=1e-10, **options):
    torch = pytest.importorskip("torch")

    def cotangent(shape):
        return np.asarray(np.random.default_rng(seed).standard_normal(shape))

    ours = outcome(minigrad, F, name, arrays, args, options, cotangent)
    theirs = outcome(torch, torch.nn.functional, name, arrays, args, options, cotangent)
    assert (ours is None) == (theirs is None), "refused by one of the two only"
    for a, b in zip(ours or [], theirs or [], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, strict=True)


@pytest.mark.reference
@pytest.mark.parametrize("index", [[0, 3, 3, 1], [[0, 1], [4, 4]], 2, [], [5], [-1]], ids=str)
@pytest.mark.parametrize("padding_idx", [None, 0, 3, -1, 5, -6])
@pytest.mark.parametrize("limit", [None, (0.7, 2.0), (3.0, 2.0), (0.7, 1.0), (0.7, 3.0), (0.7, inf)], ids=str)
@pytest.mark.parametrize("by_frequency", [False, True])
def test_embedding(index, padding_idx, limit, by_frequency, rng):
    options = {} if limit is None else {"max_norm": limit[0], "norm_type": limit[1]}
    arrays = [np.array(index, np.int64), rng.standard_normal((5, 3))]
    compare("embedding", arrays, padding_idx=padding_idx, scale_grad_by_freq=by_frequency, **options)


@pytest.mark.reference
@pytest.mark.parametrize("labels", [[0, 3], 2, [[1, 0]], [], [-1]], ids=str)
@pytest.mark.parametrize("num_classes", [-1, 0, 1, 4, 5, -2])
def test_one_hot(labels, num_classes):
    compare("one_hot", [np.array(labels, np.int64)], num_classes)


@pytest.mark.reference
@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 2.5, 3, inf, -1, -inf])
@pytest.mark.parametrize("dim", [0, 1, -1, (0, 1), (0, 2), 3])
@pytest.mark.parametrize("eps", [1e-12, 0.5, 2.0])
def test_normalize(p, dim, eps, rng):
    compare("normalize", [rng.standard_normal((2, 3, 4))], p, dim, eps)


@pytest.mark.reference
@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0)])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_normalize_awkward_shapes_and_zeros(shape, p, rng):
    compare("normalize", [rng.standard_normal(shape)], p, 0)
    compare("normalize", [np.zeros(shape)], p, 0)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["dropout", "dropout2d"])
@pytest.mark.parametrize(
    ("p", "training"), [(0, True), (1, True), (0.0, False), (1.0, False), (0.3, False), (1.5, True)]
)
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 2), (0, 3, 2)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_where_nothing_is_left_to_chance(name, p, training, shape, dtype, rng):
    compare(name, [rng.standard_normal(shape).astype(dtype)], p, training)


@pytest.mark.reference
@pytest.mark.parametrize("front", [(), (2,), (2, 3), (0,)])
@pytest.mark.parametrize("bias", [False, True])
def test_bilinear(front, bias, rng):
    shapes = [(*front, 3), (*front, 4), (5, 3, 4), *[(5,)] * bias]
    compare("bilinear", [rng.standard_normal(s) for s in shapes])


@pytest.mark.reference
@pytest.mark.parametrize("shape", [(8, 6, 4), (2, 9, 3, 6), (1, 2, 4, 2, 2), (4, 4)])
@pytest.mark.parametrize("factor", [1, 2, 3, 0, -2])
@pytest.mark.parametrize("name", ["pixel_shuffle", "pixel_unshuffle"])
@pytest.mark.parametrize("dtype", ["float64", "int64", "bool"])
def test_pixels(name, shape, factor, dtype, rng):
    compare(name, [rng.standard_normal(shape).astype(dtype)], factor)


def test_pixel_shuffle_undoes_unshuffle_also_without_examples(rng):
    for shape in ((2, 3, 4, 6), (0, 3, 4, 6)):
        x = minigrad.tensor(rng.standard_normal(shape), requires_grad=True)
        y = F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2)
        assert np.array_equal(y.detach().numpy(), x.detach().numpy()) and y.shape == shape
        assert minigrad.gradcheck(lambda x: F.pixel_unshuffle(F.pixel_shuffle(x.reshape(-1, 12, 2, 3), 2), 2), x)


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        (lambda x: F.pixel_shuffle(x, 2), RuntimeError, r"pixel_shuffle: the channels \(dim -3\) of shape \(2, 3, 4\)"),
        (lambda x: F.pixel_shuffle(x[0], 1), RuntimeError, r"pixel_shuffle: input must be \(\.\.\., C, H, W\), got"),
        (lambda x: F.pixel_shuffle(x, 0), RuntimeError, "pixel_shuffle: upscale_factor must be positive, got 0"),
        (lambda x: F.pixel_shuffle(x, 1.0), TypeError, "pixel_shuffle: upscale_factor must be an int"),
        (
            lambda x: F.pixel_unshuffle(x, 2),
            RuntimeError,
            r"pixel_unshuffle: height and width of shape \(2, 3, 4\) must",
        ),
        (
            lambda x: F.bilinear(x, x, x),
            RuntimeError,
            r"bilinear: needs shapes \(\.\.\., I\), \(\.\.\., J\) and a weight",
        ),
        (
            lambda x: F.bilinear(x[0], x[0], x[:, :, :3]),
            RuntimeError,
            r"bilinear: .*got \(3, 4\), \(3, 4\) and \(2, 3, 3",
        ),
        (
            lambda x: F.bilinear(x[0, :, :3], x[0], x, x[0, 0]),
            RuntimeError,
            r"bilinear: bias must have shape \(2,\), got \(4,\)",
        ),
        (
            lambda x: F.bilinear(x[0, :, :3], x[0], x.double()),
            RuntimeError,
            "bilinear: operands must have one dtype, got float32 and float32 and float64",
        ),
        (lambda x: F.bilinear([1.0], x, x), TypeError, "bilinear: input1 must be a Tensor, got list"),
        (lambda x: F.softmin([1.0]), TypeError, "softmin: input must be a Tensor, got list"),
    ],
)
def test_bad_calls_say_what_is_wrong(bad, error, text):
    with pytest.raises(error, match=f"^{text}"):
        bad(minigrad.zeros(2, 3, 4))


def test_softmin_is_softmax_of_the_negative(rng):
    x = minigrad.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    np.testing.assert_array_equal(F.softmin(x, 1).detach().numpy(), F.softmax(-x, 1).detach().numpy())
    assert minigrad.gradcheck(lambda x: F.softmin(x, 0), x)
    assert F.softmin(x, 1, dtype=minigrad.float32).dtype == minigrad.float32
    with pytest.warns(UserWarning, match=r"^softmin: no dim was given, so dim=1 is taken") as seen:
        F.softmin(x)
    assert seen[0].filename == __file__


@pytest.mark.reference
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("name", "shape", "args"),
    [
        ("selu", (3, 4), ()),
        ("celu", (3, 4), (0.75,)),
        ("hardswish", (3, 4), ()),
        ("hardshrink", (3, 4), ()),
        ("softshrink", (3, 4), ()),
        ("tanhshrink", (3, 4), ()),
        ("threshold", (3, 4), (0.1, 2)),
        ("glu", (3, 4), ()),
        ("softmin", (3, 4), (1,)),
        ("layer_norm", (3, 4), ((4,),)),
        ("group_norm", (3, 8), (2,)),
        ("instance_norm", (3, 2, 4), ()),
        ("max_pool1d", (3, 2, 4), (2,)),
        ("avg_pool1d", (3, 2, 4), (2,)),
        ("adaptive_avg_pool1d", (3, 2, 4), (3,)),
        ("adaptive_max_pool2d", (3, 5, 4), (3,)),
        ("unfold", (3, 5, 4), (3,)),
        ("fold", (4, 6), ((3, 4), 2)),
    ],
)
def test_each_floating_dtype(name, shape, args, dtype, rng, backend):
    tolerance = {"float16": 5e-3, "float32": 1e-5, "float64": 1e-10}[dtype]
    compare(name, [rng.standard_normal(shape).astype(dtype)], *args, tolerance=tolerance)
