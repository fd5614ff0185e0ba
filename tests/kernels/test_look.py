"""The look at the arguments of a kernel: what the definition says, and the machine code finds."""

import itertools
import sys

import numpy as np
import pytest

pytest.importorskip("numba")

from minigrad.kernels import look

INT64, UINT8 = np.dtype(np.int64), np.dtype(np.uint8)
looks = pytest.mark.parametrize("look", [look.look, look.are_native])


class Subclass(np.ndarray):
    """Not an array to kernels."""


def _arguments():
    """One of each kind."""
    a, read_only = np.ones((3, 4), np.float32), np.ones(3, np.float32)
    read_only.flags.writeable = False
    not_aligned = np.zeros(9, np.uint8)[1:].view(np.float32)
    arrays = [a, a.astype(np.float64), a.astype(np.float16), a.astype(">f4"), a.T, a[:, ::2], a[1], read_only]
    arrays += [not_aligned, np.ones((), np.float32), np.empty((0, 3)), a.view(Subclass), np.ma.masked_array(a)]
    arrays += [a.astype(dtype) for dtype in (np.int64, np.int32, np.uint8, np.uint64, ">i8", bool, complex, object)]
    return [*arrays, None, 1, 2.5, [1.0], (a,), np.float32(3), "floats", look.FLOATS, a.dtype]


def test_the_machine_code_finds_what_the_definition_says():
    kinds = [look.FLOATS, None, INT64, UINT8]
    found = set()
    for n in range(3):
        for args in itertools.product(_arguments(), repeat=n):
            for wanted in itertools.product(kinds, repeat=2):
                answer = look.are_native(args, wanted)
                assert look.look(args, wanted) is answer, (args, wanted)
                found.add(answer)
    assert found == {True, False}


@looks
def test_arrays_that_pass(look):
    f, d, i, u = (np.ones(3, dtype) for dtype in (np.float32, np.float64, np.int64, np.uint8))
    for args in [(f, f, i, u, 7), (f, None, i, None, f), (d, d, i), (f,), (None, d, None, u, None, 3, 4)]:
        assert look(args, ("floats", "floats", INT64, UINT8, None)) is True


@looks
def test_arrays_that_do_not_pass(look):
    f, d, i, u = (np.ones(3, dtype) for dtype in (np.float32, np.float64, np.int64, np.uint8))
    for args in [(), (None,), (None, None, i), (f, d), (d, f), (f, f, u), (f, f, i, i), (i,), (f, i), (f, 3), (f, [1])]:
        assert look(args, ("floats", "floats", INT64, UINT8, None)) is False


@looks
def test_a_look_leaves_the_counts_of_references_as_they_are(look):
    args, wanted = (np.ones(3), np.ones(4), None), ("floats", "floats", "floats")
    objects = [*args, args, wanted, wanted[0], True, False]
    before = [*map(sys.getrefcount, objects)]
    for _ in range(1000):
        assert look(args, wanted) and not look((1,), wanted)
    after = [*map(sys.getrefcount, objects)]
    assert all(abs(a - b) < 50 for a, b in zip(after, before, strict=True))
