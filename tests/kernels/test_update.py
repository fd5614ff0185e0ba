"""Optimizer steps, on both backends."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, get_num_threads, reference, set_num_threads

BACKENDS = [reference, compiled]
SHAPES = st.sampled_from([(), (1,), (7,), (3, 5), (0,), (2, 1, 4)])
DTYPES = st.sampled_from([np.float32, np.float64])
RATES = st.sampled_from([0.0, 0.1, 0.5])
SEEDS = st.integers(0, 2**32 - 1)


def _assert_close(actual, expected, dtype):
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == e.dtype == dtype
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


@settings(max_examples=60, deadline=None)
@given(SHAPES, DTYPES, SEEDS, RATES, RATES, RATES, st.booleans(), st.booleans(), st.booleans())
def test_compiled_sgd_equals_reference(
    shape, dtype, seed, momentum, dampening, weight_decay, nesterov, maximize, first
):
    rng = np.random.default_rng(seed)
    p, g, buffer = (np.asarray(rng.standard_normal(shape), dtype) for _ in range(3))
    results = []
    for kernels in BACKENDS:
        state = p.copy(), buffer.copy()
        before = g.copy()
        options = (0.1, momentum, dampening, weight_decay, nesterov, maximize, first)
        kernels.sgd_update(state[0], g, state[1], *options)
        np.testing.assert_array_equal(g, before)
        if momentum == 0:
            np.testing.assert_array_equal(state[1], buffer)
            alone = p.copy()
            kernels.sgd_update(alone, g, None, *options)
            np.testing.assert_array_equal(alone, state[0])
        results.append(state)
    _assert_close(*results, dtype)


@settings(max_examples=60, deadline=None)
@given(SHAPES, DTYPES, SEEDS, st.integers(1, 100), RATES, st.booleans(), st.booleans(), st.booleans())
def test_compiled_adam_equals_reference(shape, dtype, seed, step, weight_decay, decoupled, maximize, amsgrad):
    rng = np.random.default_rng(seed)
    p, g, exp_avg = (np.asarray(rng.standard_normal(shape), dtype) for _ in range(3))
    exp_avg_sq, largest = (np.asarray(rng.random(shape), dtype) for _ in range(2))
    results = []
    for kernels in BACKENDS:
        state = p.copy(), exp_avg.copy(), exp_avg_sq.copy(), largest.copy()
        before = g.copy()
        options = (step, 0.01, 0.9, 0.99, 1e-8, weight_decay, decoupled, maximize)
        kernels.adam_update(state[0], g, *state[1:3], state[3] if amsgrad else None, *options)
        np.testing.assert_array_equal(g, before)
        results.append(state)
    _assert_close(*results, dtype)


def _lists(rng, shapes, dtype, count):
    """So many lists of one array for each shape, with positive numbers."""
    return [[np.asarray(rng.random(shape) + 0.1, dtype) for shape in shapes] for _ in range(count)]


@settings(max_examples=40, deadline=None)
@given(st.lists(SHAPES, max_size=19), DTYPES, SEEDS, RATES, st.sampled_from(["none", "all", "some"]))
def test_many_parameters_at_once_equal_one_after_the_other(shapes, dtype, seed, momentum, firsts):
    """Also when some take their first step, and others do not."""
    rng = np.random.default_rng(seed)
    ps, gs, buffers, squares, largest = _lists(rng, shapes, dtype, 5)
    firsts = [firsts == "all" or (firsts == "some" and i % 2 == 0) for i in range(len(shapes))]
    steps = [1 if first else 7 for first in firsts]
    for amsgrad in (False, True):
        results = []
        for kernels in BACKENDS:
            state = [[a.copy() for a in kind] for kind in (ps, buffers, squares, largest)]
            options = 0.1, momentum, 0.2, 0.3, False, True
            given = [None] * len(shapes) if momentum == 0 else state[1]
            assert kernels.sgd_updates(state[0], gs, given, firsts, *options) is None
            largest_given = state[3] if amsgrad else [None] * len(shapes)
            options = 0.01, 0.9, 0.99, 1e-8, 0.1, True, False
            assert kernels.adam_updates(state[0], gs, *state[1:3], largest_given, steps, *options) is None
            results.append([a for kind in state for a in kind])
        _assert_close(*results, dtype)


def test_amsgrad_and_steps_of_each_parameter_by_itself():
    """To the bit what each alone would get, in whatever company."""
    rng = np.random.default_rng(7)
    ps, gs, ms, vs, largest = _lists(rng, [(3, 5), (7,), (), (2, 2), (7,)], np.float32, 5)
    largest[1] = largest[4] = None
    steps, options = [1, 1, 9, 9, 1], (0.01, 0.9, 0.99, 1e-8, 0.1, False, False)
    expected = [[None if a is None else a.copy() for a in kind] for kind in (ps, ms, vs, largest)]
    for p, g, m, v, most, step in zip(expected[0], gs, *expected[1:], steps, strict=True):
        compiled.adam_update(p, g, m, v, most, step, *options)
    compiled.adam_updates(ps, gs, ms, vs, largest, steps, *options)
    for kind, kind_expected in zip((ps, ms, vs, largest), expected, strict=True):
        for a, e in zip(kind, kind_expected, strict=True):
            np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_gradients_that_are_read_only_or_lie_otherwise_in_memory(momentum):
    rng = np.random.default_rng(8)
    ps, gs, buffers = _lists(rng, [(3, 5), (4, 6), (7,), (2, 3)], np.float32, 3)
    expected = [[a.copy() for a in kind] for kind in (ps, buffers)]
    for p, g, buffer in zip(expected[0], gs, expected[1], strict=True):
        compiled.sgd_update(p, g, buffer, 0.1, momentum, 0, 0.1, False, False, False)
    gs[0], gs[1] = np.asfortranarray(gs[0]), np.repeat(gs[1], 2, 1)[:, ::2]
    gs[3].flags.writeable = False
    compiled.sgd_updates(ps, gs, buffers, [False] * 4, 0.1, momentum, 0, 0.1, False, False)
    for kind, kind_expected in zip((ps, buffers), expected, strict=True):
        for a, e in zip(kind, kind_expected, strict=True):
            np.testing.assert_array_equal(a, e)


def test_a_try_does_all_or_nothing():
    rng = np.random.default_rng(9)
    options, more = (0.1, 0.9, 0, 0.1, False, False), (0.01, 0.9, 0.99, 1e-8, 0.1, False, False)
    for kernels, last, done in ((compiled, 3, True), (compiled, 4, False), (reference, 3, False)):
        ps, gs, buffers, squares = _lists(rng, [(3, 5), (7,), ()], np.float32, 4)
        gs[2] = np.ones((3, 5)[: last - 3], np.float32)
        before = [[a.copy() for a in kind] for kind in (ps, buffers, squares)]
        assert kernels.try_sgd_updates(ps, gs, buffers, False, *options) is done
        assert kernels.try_adam_updates(ps, gs, buffers, squares, [None] * 3, 3, *more) is done
        if done:
            reference.sgd_updates(before[0], gs, before[1], [False] * 3, *options)
            reference.adam_updates(before[0], gs, before[1], before[2], [None] * 3, [3] * 3, *more)
        for kind, expected in zip((ps, buffers, squares), before, strict=True):
            _assert_close(kind, expected, np.float32)


@pytest.mark.parametrize("odd", ["float16", "transposed", "other shape"])
def test_a_parameter_that_is_not_like_the_others(odd):
    """It goes its own way: to the definition, through a copy, to an error."""
    rng = np.random.default_rng(4)
    ps, gs, ms, vs = _lists(rng, [(3, 2)] * 3, np.float32, 4)
    if odd == "float16":
        ps[1], gs[1], ms[1], vs[1] = (a[1].astype(np.float16) for a in (ps, gs, ms, vs))
    elif odd == "transposed":
        ps[1] = np.asfortranarray(ps[1])
    else:
        gs[1] = np.ones((2, 3), np.float32)
    options = 0.01, 0.9, 0.99, 1e-8, 0.1, False, False
    expected = [[a.copy() for a in kind] for kind in (ps, ms, vs)]
    if odd == "other shape":
        for kernels in BACKENDS:
            with pytest.raises(ValueError, match=r"adam_update: the gradient has shape \(2, 3\), expected \(3, 2\)"):
                kernels.adam_updates(ps, gs, ms, vs, [None] * 3, [1] * 3, *options)
            with pytest.raises(ValueError, match=r"sgd_update: the gradient has shape \(2, 3\), expected \(3, 2\)"):
                kernels.sgd_updates(ps, gs, [None] * 3, [True] * 3, 0.1, 0, 0, 0, False, False)
        return
    reference.adam_updates(expected[0], gs, *expected[1:], [None] * 3, [1] * 3, *options)
    compiled.adam_updates(ps, gs, ms, vs, [None] * 3, [1] * 3, *options)
    for kind, kind_expected in zip((ps, ms, vs), expected, strict=True):
        for a, e in zip(kind, kind_expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_at_each_position(value):
    rng = np.random.default_rng(5)
    for i in range(5):
        for position in range(19):
            state = [a[0] for a in _lists(rng, [(19,)], np.float32, 5)]
            state[i][position] = value
            for amsgrad in (False, True):
                results = []
                for kernels in BACKENDS:
                    p, g, *averages = (a.copy() for a in state)
                    averages = averages if amsgrad else [*averages[:2], None]
                    kernels.adam_update(p, g, *averages, 3, 0.01, 0.9, 0.99, 1e-8, 0.1, False, False)
                    buffer = state[2].copy()
                    kernels.sgd_update(p, g, buffer, 0.1, 0.9, 0.1, 0.1, True, False, False)
                    results.append([p, buffer, *(a for a in averages if a is not None)])
                _assert_close(*results, np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_parameters_are_shared_among_threads_without_a_trace(dtype):
    results = []
    for count in (1, 2, 3):
        before = get_num_threads()
        set_num_threads(count)
        try:
            (p,), (g,), (m,), (v,) = _lists(np.random.default_rng(6), [(211, 2003)], dtype, 4)
            compiled.sgd_update(p, g, None, 0.1, 0, 0, 0.1, False, False, False)
            compiled.sgd_update(p, g, m, 0.1, 0.9, 0.1, 0.1, True, False, False)
            compiled.adam_update(p, g, m, v, None, 3, 0.01, 0.9, 0.99, 1e-8, 0.1, False, False)
            results.append((p, m, v))
        finally:
            set_num_threads(before)
    for result in results[1:]:
        for a, e in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_the_first_step_fills_the_buffer_without_reading_it(kernels):
    p, g, buffer = np.array([1.0, 2.0]), np.array([0.5, -1.0]), np.array([np.nan, np.inf])
    kernels.sgd_update(p, g, buffer, 0.1, 0.9, 0.7, 0.0, False, False, first=True)
    np.testing.assert_array_equal(buffer, g)
    np.testing.assert_allclose(p, [0.95, 2.1])
    kernels.sgd_update(p, g, buffer, 0.1, 0.9, 0.7, 0.0, False, False, first=False)
    np.testing.assert_allclose(buffer, 1.2 * g)
    np.testing.assert_allclose(p, [0.95 - 0.06, 2.1 + 0.12])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_a_parameter_that_is_a_view_is_written_back(kernels):
    rng = np.random.default_rng(1)
    storage, g, buffer = rng.standard_normal((3, 6, 4))
    expected, view = storage.T[::2].copy(), storage.T[::2]
    kernels.sgd_update(expected, g.T[::2].copy(), buffer.T[::2].copy(), 0.1, 0.9, 0, 0, True, False, False)
    untouched = storage.T[1::2].copy()
    kernels.sgd_update(view, g.T[::2], buffer.T[::2], 0.1, 0.9, 0, 0, True, False, False)
    np.testing.assert_allclose(storage.T[::2], expected, rtol=1e-12)
    np.testing.assert_array_equal(storage.T[1::2], untouched)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_a_read_only_state_is_refused_before_anything_changes(kernels):
    p, g, m, v = np.ones((4, 3), np.float32)
    v.flags.writeable = False
    with pytest.raises(ValueError, match="adam_update: exp_avg_sq is updated in place, but it is read-only"):
        kernels.adam_update(p, g, m, v, None, 1, 0.1, 0.9, 0.99, 1e-8, 0, False, False)
    with pytest.raises(ValueError, match="sgd_update: momentum_buffer is updated in place, but it is read-only"):
        kernels.sgd_update(p, g, v, 0.1, 0.9, 0, 0, False, False, False)
    for a in (p, m, v):
        np.testing.assert_array_equal(a, 1)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_options_may_be_of_any_number_type(kernels):
    """An integer learning rate must not fix the type for later calls."""
    for lr, expected in ((1, 0.0), (0.5, 0.5), (np.float32(0.5), 0.5), (np.int8(1), 0.0)):
        p = np.ones(3, np.float32)
        kernels.sgd_update(p, np.ones(3, np.float32), None, lr, 0, 0, 0, 0, 0, 0)
        np.testing.assert_allclose(p, expected)


@pytest.mark.reference
@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sgd_equals_pytorch(kernels, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    for momentum, dampening, weight_decay, nesterov, maximize in itertools.product(
        [0, 0.9], [0, 0.3], [0, 0.1], [False, True], [False, True]
    ):
        if nesterov and (momentum == 0 or dampening != 0):
            continue
        p, buffer = rng.standard_normal(5).astype(dtype), np.empty(5, dtype)
        tp = torch.nn.Parameter(torch.tensor(p))
        optimizer = torch.optim.SGD(
            [tp], 0.1, momentum, dampening, weight_decay, nesterov, maximize=maximize, foreach=False
        )
        for step in range(4):
            g = rng.standard_normal(5).astype(dtype)
            tp.grad = torch.tensor(g)
            optimizer.step()
            options = (0.1, momentum, dampening, weight_decay, nesterov, maximize, step == 0)
            kernels.sgd_update(p, g, buffer if momentum else None, *options)
            _assert_close((p,), (tp.detach().numpy(),), dtype)


@pytest.mark.reference
@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_equals_pytorch(kernels, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    for decoupled, weight_decay, amsgrad, maximize in itertools.product(
        [False, True], [0, 0.1], [False, True], [False, True]
    ):
        p, (m, v, largest) = rng.standard_normal(5).astype(dtype), np.zeros((3, 5), dtype)
        tp = torch.nn.Parameter(torch.tensor(p))
        optimizer = (torch.optim.AdamW if decoupled else torch.optim.Adam)(
            [tp], 0.01, (0.9, 0.99), 1e-6, weight_decay, amsgrad, maximize=maximize, foreach=False
        )
        for step in range(1, 6):
            g = rng.standard_normal(5).astype(dtype)
            tp.grad = torch.tensor(g)
            optimizer.step()
            options = (step, 0.01, 0.9, 0.99, 1e-6, weight_decay, decoupled, maximize)
            kernels.adam_update(p, g, m, v, largest if amsgrad else None, *options)
            _assert_close((p,), (tp.detach().numpy(),), dtype)
