"""Where things are in the objects of Python and NumPy."""

import pytest

pytest.importorskip("numba")

from minigrad.kernels import objects


def test_objects_are_laid_out_as_expected():
    assert objects.AS_EXPECTED


@pytest.mark.parametrize("name", ["TYPE", "DATA", "NDIM", "SIZES", "DTYPE", "FLAGS"])
def test_another_layout_of_arrays_is_noticed(name, monkeypatch):
    monkeypatch.setattr(objects, name, objects.HEAD + 24)  # where the address of the strides is
    assert not objects.are_as_expected()


@pytest.mark.parametrize("name", ["LENGTH", "ITEMS"])
def test_another_layout_of_tuples_is_noticed(name, monkeypatch):
    monkeypatch.setattr(objects, name, getattr(objects, name) + 8)
    assert not objects.are_as_expected()
