"""Kernels that find many arrays by themselves."""

import numpy as np
import pytest

from minigrad.kernels import compiled, get_num_threads, many, reference, set_num_threads, threads
from minigrad.kernels.parallel import threaded_kernel


@threaded_kernel
def _double(first, last, like, place, count, factor):
    """y = factor x, for x of the first kind and y of the second."""
    many.require_alike(place, count)
    for k in range(count):
        x, y = many.part(like, place, 1 + k, first, last), many.part(like, place, 1 + count + k, first, last)
        for i in range(x.size):
            y[i] = x.dtype.type(factor) * x[i]


SHAPES = [(), (1,), (0,), (7,), (3, 5), (2, 0, 4), (2, 3, 1, 4, 2), (1000,), (1,) * 32]


def _arrays(dtype, rng):
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]


def _double_all(xs, ys):
    return many.run(_double, 0.1, [xs, ys], (2.0,))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_arrays_of_any_shape_and_number(dtype, number, rng, monkeypatch):
    monkeypatch.setattr(threads, "SHARE", 1)
    before = get_num_threads()
    set_num_threads(number)
    try:
        xs = _arrays(dtype, rng)
        for count in (1, 4, len(xs)):
            ys = [np.full_like(x, np.nan) for x in xs[:count]]
            assert _double_all(xs[:count], ys)
            for x, y in zip(xs, ys, strict=False):
                np.testing.assert_array_equal(y, 2 * x)
        many_xs = [np.asarray(rng.standard_normal(3), dtype) for _ in range(300)]
        ys = [np.empty_like(x) for x in many_xs]
        assert _double_all(many_xs, ys)
        np.testing.assert_array_equal(ys, 2 * np.array(many_xs))
    finally:
        set_num_threads(before)


def test_a_view_that_lies_side_by_side_is_written_in_its_place(rng):
    x, memory = rng.standard_normal((2, 3)), np.zeros((5, 2, 3))
    assert _double_all([x], [memory[3]])
    np.testing.assert_array_equal(memory[3], 2 * x)
    assert not memory[[0, 1, 2, 4]].any()


def test_what_holds_the_arrays_may_make_them_as_they_are_asked_for(rng):
    x, y = rng.standard_normal((2, 50, 300))
    assert _double_all(x, y)
    np.testing.assert_array_equal(y, 2 * x)
    y[:] = 0
    assert _double_all(tuple(x), tuple(y))
    np.testing.assert_array_equal(y, 2 * x)


class Subclass(np.ndarray):
    """May mean something else by the same numbers."""


def _read_only(a):
    a.flags.writeable = False
    return a


def _misaligned(a):
    view = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    view[:] = a
    return view


ODD = {
    "another dtype": lambda a: a.astype(np.float64),
    "bytes the other way round": lambda a: a.astype(a.dtype.newbyteorder()),
    "integers": lambda a: a.astype(np.int32),
    "read-only": _read_only,
    "misaligned": _misaligned,
    "transposed": np.asfortranarray,
    "with gaps": lambda a: np.repeat(a, 2, 0)[::2],
    "another shape": lambda a: a.reshape(5, 3),
    "flat": lambda a: a.reshape(15),
    "one dimension more": lambda a: a[None],
    "a subclass": lambda a: a.view(Subclass),
    "none": lambda a: None,
    "a list": lambda a: a.tolist(),
    "a number": lambda a: 3.5,
}


@pytest.mark.parametrize("name", ODD)
def test_nothing_is_done_if_one_array_is_not_as_the_kernel_needs_it(name, rng, monkeypatch):
    """Whichever it is, and on each thread."""
    monkeypatch.setattr(threads, "SHARE", 0.001)
    for number in (1, 3):
        before = get_num_threads()
        set_num_threads(number)
        try:
            for i in range(3):
                for kind in (0, 1):
                    kinds = [[np.asarray(rng.standard_normal((3, 5)), np.float32) for _ in range(3)] for _ in (0, 1)]
                    if kind == 0 and name in ("none", "a list", "a number"):
                        continue  # the first kind are arrays
                    kinds[kind][i] = ODD[name](kinds[kind][i])
                    copies = [y.copy() if isinstance(y, np.ndarray) else y for y in kinds[1]]
                    assert not _double_all(*kinds)
                    for y, copied in zip(kinds[1], copies, strict=True):
                        np.testing.assert_array_equal(y, copied)
        finally:
            set_num_threads(before)


def test_other_dtypes_and_other_numbers_of_arrays_are_not_for_the_kernel():
    for dtype in (np.float16, np.int64, bool):
        assert not _double_all([np.zeros(3, dtype)], [np.zeros(3, dtype)])
    assert not _double_all([np.zeros(3)], [np.zeros(3)] * 2)
    assert not _double_all([np.zeros(3)] * 2, [np.zeros(3)])


def test_without_the_layout_each_parameter_is_updated_by_the_definition(monkeypatch):
    p, g, m, v = np.random.default_rng(3).random((4, 2, 5)).astype(np.float32)
    expected = [a.copy() for a in (p, m, v)]
    reference.adam_updates(expected[0], g, *expected[1:], [None] * 2, [1, 2], 0.1, 0.9, 0.99, 0, 0, False, False)
    reference.sgd_updates(expected[0], g, [None] * 2, [True] * 2, 0.1, 0, 0, 0, False, False)
    monkeypatch.setattr(many, "LIKE", {})
    compiled.adam_updates(p, g, m, v, [None] * 2, [1, 2], 0.1, 0.9, 0.99, 0, 0, False, False)
    compiled.sgd_updates(p, g, [None] * 2, [True] * 2, 0.1, 0, 0, 0, False, False)
    for a, e in zip((p, m, v), expected, strict=True):
        np.testing.assert_array_equal(a, e)
