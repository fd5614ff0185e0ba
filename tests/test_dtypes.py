"""Dtypes: names, the default one, promotion by PyTorch's rules."""

from itertools import product

import numpy as np
import pytest

import minigrad
from minigrad import dtypes

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


def test_dtypes_are_numpys_under_pytorchs_names():
    for name in NAMES:
        assert getattr(minigrad, name) == np.dtype(name) and getattr(dtypes, name) is getattr(minigrad, name)
    aliases = {
        "half": "float16",
        "float": "float32",
        "double": "float64",
        "short": "int16",
        "int": "int32",
        "long": "int64",
    }
    for alias, name in aliases.items():
        assert getattr(minigrad, alias) is getattr(minigrad, name)
    assert [d.name for d in dtypes.SUPPORTED] == NAMES


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (float, "float64"),
        (int, "int64"),
        (bool, "bool"),
        ("float64", "float64"),
        ("f2", "float16"),
        (np.int16, "int16"),
        (np.dtype("<f4"), "float32"),
        (np.dtype(">f4"), "float32"),
        (minigrad.uint8, "uint8"),
    ],
)
def test_what_counts_as_a_dtype(given, wanted):
    assert dtypes.as_dtype(given) == wanted and dtypes.as_dtype(given).isnative


@pytest.mark.parametrize("given", ["float99", None, 3, object, np.uint32, complex, "datetime64[s]", str, [("a", int)]])
def test_what_does_not(given):
    with pytest.raises(
        TypeError, match=r"is not a dtype; use one such as|is not supported; the dtypes are bool, uint8"
    ):
        dtypes.as_dtype(given)


def test_the_default_dtype():
    assert minigrad.get_default_dtype() == minigrad.float32
    try:
        assert minigrad.ones(2, dtype=float).dtype == minigrad.float64, "whatever the default"
        minigrad.set_default_dtype(float)
        assert minigrad.get_default_dtype() == minigrad.float64
        assert minigrad.tensor(1.5).dtype == minigrad.tensor([1, 2.5]).dtype == minigrad.float64
        assert (minigrad.tensor([1, 2]) / 2).dtype == minigrad.float64
        assert (minigrad.tensor([1, 2]) * 1.5).dtype == minigrad.float64
        assert minigrad.tensor([1, 2]).exp().dtype == minigrad.float64
        assert repr(minigrad.tensor([1.0])) == "tensor([1.])"
        assert repr(minigrad.tensor([1.0]).float()) == "tensor([1.], dtype=minigrad.float32)"
        for wrong in (minigrad.int64, bool, None, "text"):
            with pytest.raises(TypeError):
                minigrad.set_default_dtype(wrong)
        assert minigrad.get_default_dtype() == minigrad.float64
    finally:
        minigrad.set_default_dtype(minigrad.float32)


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("uint8", "int8", "int16"),
        ("int64", "float16", "float16"),
        ("float16", "float32", "float32"),
        ("bool", "uint8", "uint8"),
        ("int32", "int64", "int64"),
        ("bool", "bool", "bool"),
    ],
)
def test_promotion(a, b, wanted):
    assert minigrad.promote_types(a, b) == minigrad.promote_types(b, a) == wanted


@pytest.mark.reference
def test_the_table_of_promotions_is_pytorchs():
    torch = pytest.importorskip("torch")
    for a, b in product(NAMES, NAMES):
        theirs = torch.promote_types(getattr(torch, a), getattr(torch, b))
        assert f"torch.{minigrad.promote_types(a, b).name}" == str(theirs), (a, b)


@pytest.mark.reference
def test_result_types_of_tensors_scalars_and_numbers_are_pytorchs():
    torch = pytest.importorskip("torch")
    kinds = [(name, shape) for name in NAMES for shape in ((1,), ())] + [True, 2, 2.5]

    def made(library, kind):
        return library.ones(kind[1], dtype=getattr(library, kind[0])) if isinstance(kind, tuple) else kind

    for a, b in product(kinds, kinds):
        theirs = torch.result_type(made(torch, a), made(torch, b))
        assert f"torch.{minigrad.result_type(made(minigrad, a), made(minigrad, b)).name}" == str(theirs), (a, b)


def test_result_types_of_more_than_two():
    i, h, d = minigrad.ones(1, dtype=minigrad.int64), minigrad.ones(1).half(), minigrad.tensor(1.0).double()
    assert minigrad.result_type(i, 2.5) == "float32" and minigrad.result_type(i, h, 2.5) == "float16"
    assert minigrad.result_type(h, d) == "float16" and minigrad.result_type(i, d) == "float64"
    assert minigrad.result_type(np.ones(1, np.float32), np.float64(2), True) == "float32"


@pytest.mark.parametrize("number", [np.float64(2.5), np.float32(2.5), np.float16(2.5), np.int64(2), np.bool_(True)])
def test_numpy_scalars_count_as_python_numbers(number):
    for name in NAMES:
        x = minigrad.ones(2, dtype=name)
        assert minigrad.result_type(x, number) == minigrad.result_type(number, x.array) == (x * number.item()).dtype
    assert minigrad.full((2,), np.float64(2)).dtype == minigrad.float32


def test_result_type_of_what_has_none():
    for wrong in [("a", 1.0), (), (None,), ([1],), (np.float32,)]:
        with pytest.raises(TypeError, match="result_type: needs"):
            minigrad.result_type(*wrong)


@pytest.mark.parametrize("dtype", ["complex64", "U1", "object", "uint16", "longdouble", "datetime64[s]"])
@pytest.mark.parametrize("apply", ["__add__", "__rmul__", "__lt__", "__eq__", "maximum"])
def test_arrays_of_other_dtypes_are_refused(dtype, apply):
    for other in (np.zeros(2, dtype), np.zeros(2, dtype)[0]):
        if dtype in ("uint16", "object") and not isinstance(other, np.ndarray):
            continue  # a number like any other
        with pytest.raises(TypeError, match=r"^\w+: (dtype \S+ is not supported; the dtypes are|.*must be Tensors)"):
            getattr(minigrad.ones(2), apply)(other)


def test_values_that_a_dtype_cannot_hold():
    small = minigrad.tensor([200], dtype=minigrad.uint8)
    assert (small + small).tolist() == [144], "integers wrap, as in NumPy and PyTorch"
    with pytest.raises(RuntimeError, match="add: Python integer 300 out of bounds for uint8; convert the tensor"):
        small + 300
    assert (small < 300).item() is True and (small == -1).item() is False
    assert minigrad.tensor([1e6]).half().item() == float("inf")
    assert minigrad.tensor([300]).to(minigrad.uint8).item() == 44


def test_comparisons_promote_first():
    x = minigrad.tensor([0.1])
    assert (x == 0.1).item() and (x == minigrad.tensor(0.1, dtype=minigrad.float64)).item()
    assert not (x == minigrad.tensor([0.1], dtype=minigrad.float64)).item()


# -------------------------------------------------------------------------------------- what a dtype can hold


@pytest.mark.reference
@pytest.mark.parametrize("name", [None, "float16", "float32", "float64"])
def test_finfo_is_that_of_pytorch(name):
    torch = pytest.importorskip("torch")
    ours = minigrad.finfo(*([name] if name else []))
    theirs = torch.finfo(*([getattr(torch, name)] if name else []))
    for part in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "dtype"):
        assert getattr(ours, part) == getattr(theirs, part), part
        assert type(getattr(ours, part)) is type(getattr(theirs, part)), part
    assert ours.resolution == pytest.approx(theirs.resolution, rel=1e-12)
    assert repr(ours) == repr(theirs)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "int32", "int64"])
def test_iinfo_is_that_of_pytorch(name):
    torch = pytest.importorskip("torch")
    ours, theirs = minigrad.iinfo(name), torch.iinfo(getattr(torch, name))
    assert (ours.bits, ours.min, ours.max, ours.dtype) == (theirs.bits, theirs.min, theirs.max, theirs.dtype)


def test_the_lowest_number_masks_in_any_floating_dtype():
    for dtype in (minigrad.float16, minigrad.float32, minigrad.float64):
        x = minigrad.ones(3, dtype=dtype).masked_fill(minigrad.tensor([True, False, True]), minigrad.finfo(dtype).min)
        assert x.dtype == dtype and x.isfinite().all() and x.softmax(0).tolist() == [0, 1, 0]


def test_limits_are_of_the_right_kind_of_dtype():
    with pytest.raises(TypeError, match="finfo: needs a floating dtype, got int64; use"):
        minigrad.finfo(minigrad.int64)
    for dtype in ("float32", "bool"):
        with pytest.raises(TypeError, match=f"iinfo: needs an integer dtype, got {dtype}; use"):
            minigrad.iinfo(dtype)
    with pytest.raises(TypeError, match="is not a dtype"):
        minigrad.finfo("abc")
