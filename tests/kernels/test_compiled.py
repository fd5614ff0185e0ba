"""What holds for every compiled kernel: it is the twin of a definition in NumPy, whatever array arrives."""

import inspect
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from minigrad.kernels import compiled, jit, reference, threads

WINDOW = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 1)}
SLIDE = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}
IN_PLACE = {"sgd_update": (0, 2), "adam_update": (0, 2, 3, 4)}  # the operands that change


def _arguments(name, dtype, seed=0):
    """Operands (arrays) and options of one small call of a kernel."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    def positive(*shape):
        return np.abs(normal(*shape)) + np.asarray(0.1, dtype)

    image, filters, output = normal(2, 4, 5, 4), normal(6, 2, 3, 2), normal(2, 6, 3, 6)
    pooled, labels = normal(2, 4, 3, 5), rng.integers(0, 3, 5)
    sequence = normal(4, 3, 5)
    scores = normal(5, 3)
    _, rows = reference.softmax_cross_entropy(scores, labels)
    state = normal(3, 4), normal(3, 4), normal(3, 4), positive(3, 4), positive(3, 4)
    _, statistics = reference.batch_norm(sequence, None, None, 1e-5)
    _, row_mean, row_var = reference.layer_norm(state[0], None, None, 1e-5)
    averaging = {**WINDOW, "count_include_pad": False, "divisor_override": None}
    sgd = {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.01, "nesterov": False}
    adam = {"step": 3, "lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.01, "decoupled": True}
    return {
        "erf": ((normal(3, 4),), {}),
        "linear": ((normal(9, 20), normal(12, 20), normal(12)), {"relu": True}),
        "linear_backward": (
            (normal(9, 12), normal(9, 20), normal(12, 20)),
            {"need_x": True, "need_w": True, "need_b": True, "y": np.maximum(normal(9, 12), 0)},
        ),
        "matmul": ((normal(40, 20), normal(20, 350)), {}),
        "channel_sums": ((sequence,), {}),
        "conv2d": ((image, filters, normal(6)), SLIDE),
        "conv2d_backward": ((output, image, filters), {**SLIDE, "need_x": True, "need_w": True, "need_b": True}),
        "conv2d_input": ((output, filters), {"input_shape": image.shape, **SLIDE}),
        "conv2d_weight": ((image, output), {"weight_shape": filters.shape, **SLIDE}),
        "max_pool2d": ((image,), {**WINDOW, "dilation": (1, 2), "output_size": (3, 4)}),
        "max_pool2d_backward": ((pooled, rng.integers(0, 20, pooled.shape)), {"input_shape": image.shape}),
        "max_pool2d_take": ((image, rng.integers(0, 20, pooled.shape)), {}),
        "max_pool2x2": ((image,), {"relu": True}),
        "max_pool2x2_backward": (
            (normal(2, 4, 2, 2), rng.integers(0, 4, (2, 4, 2, 2)).astype(np.uint8)),
            {"input_shape": image.shape},
        ),
        "leaky_relu": ((normal(3, 4),), {"slope": 0.1}),
        "leaky_relu_backward": ((normal(3, 4), normal(3, 4)), {"slope": 0.1}),
        "elu": ((normal(3, 4),), {"alpha": 1.5, "rate": 0.5}),
        "elu_backward": ((normal(3, 4), normal(3, 4)), {"alpha": 1.5, "rate": 0.5}),
        "softplus_backward": ((normal(3, 4), normal(3, 4)), {"beta": 2.0, "threshold": 1.5}),
        "sigmoid": ((normal(3, 4),), {}),
        "sigmoid_backward": ((normal(3, 4), positive(3, 4)), {}),
        "tanh_backward": ((normal(3, 4), normal(3, 4)), {}),
        "silu": ((normal(3, 4),), {}),
        "silu_backward": ((normal(3, 4), normal(3, 4)), {}),
        "gelu": ((normal(3, 4),), {}),
        "gelu_backward": ((normal(3, 4), normal(3, 4)), {}),
        "relu": ((normal(3, 4),), {}),
        "relu_backward": ((normal(3, 4), np.maximum(normal(3, 4), 0)), {}),
        "avg_pool2d": ((image,), {**averaging, "output_size": (3, 5)}),
        "avg_pool2d_backward": ((pooled,), {"input_shape": image.shape, **averaging}),
        "batch_norm": ((normal(4, 3, 5), normal(3), normal(3)), {"eps": 1e-5}),
        "batch_norm_backward": (
            (normal(4, 3, 5), sequence, normal(3), normal(3), statistics),
            {"eps": 1e-5, "relu": True},
        ),
        "normalize": ((sequence, normal(3), positive(3), normal(3), normal(3)), {"eps": 1e-5}),
        "normalize_backward": ((normal(4, 3, 5), sequence, normal(3), normal(3), abs(statistics)), {"eps": 1e-5}),
        "image_batch": (
            (rng.integers(0, 256, (6, 20, 3)).astype(np.uint8), rng.integers(0, 6, 5), normal(3), positive(3)),
            {},
        ),
        "layer_norm": ((normal(3, 4), normal(4), normal(4)), {"eps": 1e-5}),
        "layer_norm_backward": ((normal(3, 4), state[0], normal(4), row_mean, row_var), {"eps": 1e-5}),
        "softmax": ((scores,), {}),
        "softmax_backward": ((normal(5, 3), positive(5, 3)), {}),
        "log_softmax": ((scores,), {}),
        "log_softmax_backward": ((normal(5, 3), -positive(5, 3)), {}),
        "softmax_cross_entropy": ((scores, labels), {}),
        "softmax_cross_entropy_backward": ((normal(5), scores, labels, rows), {}),
        "sgd_update": (state[:3], {**sgd, "maximize": False, "first": False}),
        "adam_update": (state, {**adam, "maximize": True}),
    }[name]


KERNELS = [name for name in reference.__all__ if not name.endswith("_updates")]  # those of many are in test_update
RETURNING = [name for name in KERNELS if name not in IN_PLACE]


def _call(module, name, operands, options, **out):
    """The results of a kernel as a tuple: what it returns, or what it changes."""
    results = getattr(module, name)(*operands, **options, **out)
    if name in IN_PLACE:
        assert results is None
        return tuple(operands[i] for i in IN_PLACE[name])
    return results if isinstance(results, tuple) else (results,)


def _expected(name, operands, options):
    """The definition's results, from copies of the operands in the plain layout."""
    plain = [np.array(a, dtype=a.dtype.newbyteorder("="), order="C") for a in operands]
    return _call(reference, name, plain, options)


def _assert_same(actual, expected, dtype):
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype.newbyteorder("=") == e.dtype and a.shape == e.shape
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


def _signatures():
    """How often each function was compiled, or loaded, for each dtype."""
    return Counter((made.name, made.dtype) for made in jit.made)


# Each layout holds the same values as the array it is given, but for the one that repeats its first entry.
LAYOUTS = {
    "contiguous": lambda a: a.copy(),
    "fortran": lambda a: np.asfortranarray(a),
    "transposed": lambda a: np.swapaxes(np.swapaxes(a, 0, -1).copy(), 0, -1),
    "negative stride": lambda a: a[..., ::-1].copy()[..., ::-1],
    "all strides negative": lambda a: np.flip(np.flip(a).copy()),
    "sliced": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "inside a larger array": lambda a: np.pad(a, 2)[(slice(2, -2),) * a.ndim],
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "read-only": lambda a: _read_only(a.copy()),
    "read-only and transposed": lambda a: _read_only(np.asfortranarray(a)),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "misaligned": lambda a: _misaligned(a),
    "subclass": lambda a: a.copy().view(_Subclass),
}


class _Subclass(np.ndarray):
    pass


def _read_only(a):
    a.flags.writeable = False
    return a


def _misaligned(a):
    buffer = np.empty(a.nbytes + 1, np.uint8)
    b = buffer[1:].view(a.dtype).reshape(a.shape)
    b[...] = a
    return b


def test_backends_have_the_same_names_and_signatures():
    assert compiled.__all__ == reference.__all__
    public = {n for n, f in vars(reference).items() if inspect.isfunction(f) and f.__module__ == reference.__name__}
    assert {n for n in public if not n.startswith("_")} == set(reference.__all__)
    for name in reference.__all__:
        twin, definition = getattr(compiled, name), getattr(reference, name)
        assert inspect.signature(twin) == inspect.signature(definition), name
        assert twin.__name__ == definition.__name__ == name
        assert twin is not definition


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", KERNELS)
def test_same_results(name, dtype):
    operands, options = _arguments(name, dtype)
    expected = _expected(name, operands, options)
    _assert_same(_call(compiled, name, operands, options), expected, dtype)


@pytest.mark.parametrize("name", KERNELS)
def test_arrays_by_keyword(name):
    operands, options = _arguments(name, np.float32)
    expected = _expected(name, operands, options)
    names = list(inspect.signature(getattr(compiled, name)).parameters)
    operands = [LAYOUTS["transposed"](a) for a in operands]
    by_name = dict(zip(names, operands, strict=False))
    result = getattr(compiled, name)(**by_name, **options)
    if name in IN_PLACE:
        result = tuple(operands[i] for i in IN_PLACE[name])
    _assert_same(result if isinstance(result, tuple) else (result,), expected, np.float32)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", RETURNING)
def test_layouts(name, layout):
    for dtype in (np.float32, np.float64):
        operands, options = _arguments(name, dtype)
        _call(compiled, name, operands, options)  # warm up
        before = _signatures()
        operands = [LAYOUTS[layout](a) for a in operands]
        values = [a.copy() for a in operands]
        expected = _expected(name, operands, options)
        _assert_same(_call(compiled, name, operands, options), expected, dtype)
        for a, value in zip(operands, values, strict=True):
            np.testing.assert_array_equal(a, value)  # no input changed
        assert _signatures() == before


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in {"broadcast"}])
@pytest.mark.parametrize("name", IN_PLACE)
def test_layouts_in_place(name, layout):
    for dtype in (np.float32, np.float64):
        operands, options = _arguments(name, dtype)
        expected = _expected(name, operands, options)
        operands = [LAYOUTS[layout](a) for a in operands]
        gradient, before = operands[1].copy(), _signatures()
        if "read-only" in layout:
            values = [a.copy() for a in operands]
            for module in (reference, compiled):
                with pytest.raises(ValueError, match=rf"{name}: p is updated in place, but it is read-only"):
                    _call(module, name, operands, options)
            for a, value in zip(operands, values, strict=True):
                np.testing.assert_array_equal(a, value)
            continue
        _assert_same(_call(compiled, name, operands, options), expected, dtype)
        np.testing.assert_array_equal(operands[1], gradient)
        assert {key: n for key, n in _signatures().items() if key in before} == before


@pytest.mark.parametrize("layout", ["contiguous", "fortran", "sliced", "big-endian", "misaligned", "negative stride"])
@pytest.mark.parametrize("module", [reference, compiled])
@pytest.mark.parametrize("name", RETURNING)
def test_out_is_written_and_returned(name, module, layout):
    operands, options = _arguments(name, np.float32)
    expected = _expected(name, operands, options)
    out = tuple(LAYOUTS[layout](np.full_like(e, 7)) for e in expected)
    given = out if len(out) > 1 else out[0]
    result = getattr(module, name)(*operands, **options, out=given)
    results = result if isinstance(result, tuple) else (result,)
    assert all(r is o for r, o in zip(results, out, strict=True))
    _assert_same(out, expected, np.float32)


@pytest.mark.parametrize("module", [reference, compiled])
@pytest.mark.parametrize("name", RETURNING)
def test_out_of_the_wrong_kind_is_refused(name, module):
    operands, options = _arguments(name, np.float32)
    expected = _expected(name, operands, options)
    kernel = getattr(module, name)
    wrong_shape = tuple(np.full((*e.shape, 2), 7, e.dtype) for e in expected)
    wrong_dtype = tuple(np.full(e.shape, 7, np.float16) for e in expected)
    for out in (wrong_shape, wrong_dtype, tuple("abc"[: len(expected)])):
        with pytest.raises(ValueError, match=f"{name}: out must be a") as error:
            kernel(*operands, **options, out=out if len(out) > 1 else out[0])
        assert str(expected[0].shape) in str(error.value) and str(expected[0].dtype) in str(error.value)
        assert all(np.all(o == 7) for o in out if isinstance(o, np.ndarray))
    with pytest.raises(ValueError, match=f"{name}: out must be a"):
        kernel(*operands, **options, out=(*expected, expected[0]))


@pytest.mark.parametrize("module", [reference, compiled])
def test_out_may_overlap_an_input(module):
    x = np.random.default_rng(1).standard_normal((4, 3, 5)).astype(np.float32)
    (expected, *_), options = _expected("batch_norm", (x,), {"w": None, "b": None, "eps": 1e-5}), (None, None, 1e-5)
    module.batch_norm(x, *options, out=(x, np.empty((3, 3), np.float32)))
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)

    image = np.random.default_rng(2).standard_normal((1, 1, 6, 6)).astype(np.float32)
    w, slide = np.ones((1, 1, 3, 3), np.float32), ((1, 1), (1, 1), (1, 1), 1)
    expected = reference.conv2d(image, w, None, *slide)
    module.conv2d(image, w, None, *slide, out=image)
    np.testing.assert_allclose(image, expected, rtol=1e-5, atol=1e-5)

    row = np.arange(5.0).reshape(1, 1, 1, 5)
    module.max_pool2d_take(row, np.array([[[[4, 3, 2, 1, 0]]]]), out=row)
    np.testing.assert_array_equal(row[0, 0, 0], [4, 3, 2, 1, 0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", KERNELS)
def test_nan_and_infinity_flow_as_in_the_definition(name, value):
    operands, options = _arguments(name, np.float32)
    floats = [i for i, a in enumerate(operands) if a.dtype.kind == "f"]
    for i in floats:
        size = operands[i].size
        for position in sorted({0, size // 3, size - 1}):
            poisoned = [a.copy() for a in operands]
            poisoned[i].flat[position] = value
            expected = _expected(name, poisoned, options)
            _assert_same(_call(compiled, name, poisoned, options), expected, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_nan_and_infinity_at_every_position(name):
    operands, options = _arguments(name, np.float32)
    for i in (i for i, a in enumerate(operands) if a.dtype.kind == "f"):
        for position in range(operands[i].size):
            poisoned = [a.copy() for a in operands]
            poisoned[i].flat[position] = (np.nan, np.inf, -np.inf)[position % 3]
            expected = _expected(name, poisoned, options)
            _assert_same(_call(compiled, name, poisoned, options), expected, np.float32)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
@pytest.mark.parametrize("name", KERNELS)
def test_other_float_dtypes_go_to_the_definition(name, dtype):
    operands, options = _arguments(name, dtype)
    before = _signatures()
    expected = _expected(name, operands, options)
    actual = _call(compiled, name, operands, options)
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == e.dtype
        np.testing.assert_array_equal(a, e)
    assert actual[0].dtype == dtype
    assert _signatures() == before


def test_integers_and_mixed_dtypes_go_to_the_definition():
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    x, w = np.arange(18).reshape(1, 2, 3, 3), np.arange(8).reshape(1, 2, 2, 2)
    before = _signatures()
    y = compiled.conv2d(x, w, None, **options)
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, reference.conv2d(x, w, None, **options))
    mixed = compiled.conv2d(x.astype(np.float32), w.astype(np.float64), None, **options)
    assert mixed.dtype == np.float64
    np.testing.assert_array_equal(mixed, y)
    y, indices = compiled.max_pool2d(-x, (2, 2), (1, 1), (1, 1), (1, 1), (4, 4))
    assert y.dtype == np.int64 and y.max() == 0 and indices[0, 0, 0, 0] == 0
    assert _signatures() == before


@pytest.mark.parametrize("name", KERNELS)
def test_every_output_element_is_written(name, monkeypatch):
    operands, options = _arguments(name, np.float64)
    expected = _expected(name, operands, options)
    empty = np.empty

    def poisoned(shape, dtype=float, *args, **kwargs):
        a = empty(shape, dtype, *args, **kwargs)
        a.fill(np.nan if a.dtype.kind == "f" else np.iinfo(a.dtype).max)
        return a

    _call(compiled, name, [a.copy() for a in operands], options)  # compile before np.empty changes
    monkeypatch.setattr(np, "empty", poisoned)
    _assert_same(_call(compiled, name, [a.copy() for a in operands], options), expected, np.float64)
    _assert_same(_call(reference, name, operands, options), expected, np.float64)


@pytest.mark.parametrize("module", [reference, compiled])
def test_mismatched_shapes_are_refused(module):
    f = np.float32
    x, w = np.ones((2, 4, 5, 5), f), np.ones((6, 4, 3, 3), f)
    slide = ((1, 1), (0, 0), (1, 1), 1)
    with pytest.raises(ValueError, match=r"conv2d: the bias has shape \(5,\), expected \(6,\)"):
        module.conv2d(x, w, np.ones(5, f), *slide)
    with pytest.raises(ValueError, match=r"conv2d_input: the output gradient has shape \(2, 6, 2, 3\), expected"):
        module.conv2d_input(np.ones((2, 6, 2, 3), f), w, x.shape, *slide)
    with pytest.raises(ValueError, match=r"conv2d_weight: the output gradient has shape .* expected \(2, 6, 3, 3\)"):
        module.conv2d_weight(x, np.ones((1, 6, 3, 3), f), w.shape, *slide)
    g, indices = np.ones((2, 4, 2, 2), f), np.zeros((2, 4, 2, 2), np.int64)
    with pytest.raises(ValueError, match=r"max_pool2d_backward: indices has shape \(2, 4, 2, 2\), expected \(1, 4"):
        module.max_pool2d_backward(g[:1], indices, x.shape)
    with pytest.raises(ValueError, match=r"max_pool2d_take: indices has shape \(2, 4, 2, 2\), expected \(1, 4"):
        module.max_pool2d_take(x[:1], indices)
    for bad in (-1, 25):
        with pytest.raises(IndexError, match=r"max_pool2d_backward: indices must be in 0\.\.24, got values from"):
            module.max_pool2d_backward(g, np.full_like(indices, bad), x.shape)
        with pytest.raises(IndexError, match=r"max_pool2d_take: indices must be in 0\.\.24, got values from"):
            module.max_pool2d_take(x, np.full_like(indices, bad))
    with pytest.raises(ValueError, match=r"avg_pool2d_backward: the output gradient has shape"):
        module.avg_pool2d_backward(g[:1], x.shape, (2, 2), (2, 2), (0, 0), True, None)
    with pytest.raises(ValueError, match=r"batch_norm: the input has shape \(3,\), expected the axes \(N, C, \.\.\.\)"):
        module.batch_norm(np.ones(3, f), None, None, 1e-5)
    with pytest.raises(ValueError, match=r"batch_norm: the weight has shape \(2,\), expected \(3,\)"):
        module.batch_norm(np.ones((2, 3, 1), f), np.ones(2, f), None, 1e-5)
    with pytest.raises(ValueError, match=r"batch_norm_backward: the statistics has shape \(3, 2\), expected \(3, 3\)"):
        y = np.ones((2, 3, 1), f)
        module.batch_norm_backward(y, y, None, None, np.ones((3, 2), f), 1e-5)
    with pytest.raises(ValueError, match=r"softmax_cross_entropy: labels has shape \(2,\), expected \(3,\)"):
        module.softmax_cross_entropy(np.ones((3, 4), f), np.zeros(2, np.int64))
    for bad in (-1, 4):
        labels = np.array([0, bad, 1])
        with pytest.raises(IndexError, match=r"softmax_cross_entropy: labels must be in 0\.\.3, got values from"):
            module.softmax_cross_entropy(np.ones((3, 4), f), labels)
        with pytest.raises(IndexError, match=r"softmax_cross_entropy_backward: labels must be in 0\.\.3"):
            module.softmax_cross_entropy_backward(np.ones(3, f), np.ones((3, 4), f), labels, np.ones((2, 3), f))
    p = np.ones(3, f)
    with pytest.raises(ValueError, match=r"sgd_update: the gradient has shape \(2,\), expected \(3,\)"):
        module.sgd_update(p, np.ones(2, f), None, 0.1, 0, 0, 0, False, False, False)
    with pytest.raises(ValueError, match=r"sgd_update: momentum needs a momentum_buffer"):
        module.sgd_update(p, np.ones(3, f), None, 0.1, 0.9, 0, 0, False, False, False)
    with pytest.raises(ValueError, match=r"adam_update: exp_avg_sq has shape \(2,\), expected \(3,\)"):
        module.adam_update(p, p, p, np.ones(2, f), None, 1, 0.1, 0.9, 0.99, 1e-8, 0, False, False)
    np.testing.assert_array_equal(p, 1)


def test_results_are_the_same_without_the_compiler():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    command += ["-k", "test_same_results or test_layouts_in_place or test_mismatched_shapes"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


COUNTED = {"count_include_pad": False, "divisor_override": None}

# Calls that are long enough to be shared among threads, with operands whose units do not divide evenly.
LONG = {
    "relu": lambda a: ((a(7, 61_001),), {}),
    "relu_backward": lambda a: ((a(7, 61_001), a(7, 61_001)), {}),
    "softmax": lambda a: ((a(211, 1003),), {}),
    "softmax_backward": lambda a: ((a(211, 1003), a(211, 1003)), {}),
    "log_softmax": lambda a: ((a(211, 1003),), {}),
    "log_softmax_backward": lambda a: ((a(211, 1003), -abs(a(211, 1003))), {}),
    "softmax_cross_entropy": lambda a: ((a(211, 1003), np.arange(211)), {}),
    "softmax_cross_entropy_backward": lambda a: ((a(211), a(211, 1003), np.arange(211), abs(a(2, 211))), {}),
    "max_pool2x2": lambda a: ((a(7, 5, 90, 91),), {"relu": True}),
    "max_pool2x2_backward": lambda a: (
        (a(7, 5, 45, 45), (a(7, 5, 45, 45) > 0).astype(np.uint8) * 3),
        {"input_shape": (7, 5, 90, 91)},
    ),
    "max_pool2d": lambda a: (
        (a(7, 5, 60, 61),),
        {"kernel_size": (3, 3), "stride": (2, 1), "padding": (1, 1), "dilation": (1, 1), "output_size": (30, 61)},
    ),
    "avg_pool2d": lambda a: ((a(7, 5, 90, 61),), {**WINDOW, **COUNTED, "output_size": (46, 62)}),
    "avg_pool2d_backward": lambda a: ((a(7, 5, 46, 62),), {"input_shape": (7, 5, 90, 61), **WINDOW, **COUNTED}),
    "batch_norm": lambda a: ((a(11, 7, 3001), a(7), a(7)), {"eps": 1e-5}),
    "batch_norm_backward": lambda a: ((a(11, 7, 3001), a(11, 7, 3001), a(7), a(7), a(3, 7) ** 2), {"eps": 1e-5}),
    "normalize": lambda a: ((a(11, 7, 3001), a(7), a(7) ** 2, a(7), a(7)), {"eps": 1e-5}),
    "normalize_backward": lambda a: ((a(11, 7, 3001), a(11, 7, 3001), a(7), a(7), a(3, 7) ** 2), {"eps": 1e-5}),
}


@pytest.mark.parametrize("name", LONG)
def test_the_same_bits_for_any_number_of_threads(name):
    rng = np.random.default_rng(5)
    operands, options = LONG[name](lambda *shape: rng.standard_normal(shape).astype(np.float32))
    before, results = threads.get_num_threads(), []
    try:
        for number in (1, 2, 4):
            threads.set_num_threads(number)
            results.append(_call(compiled, name, operands, options))
    finally:
        threads.set_num_threads(before)
    for others in results[1:]:
        for a, first in zip(others, results[0], strict=True):
            np.testing.assert_array_equal(a, first)
