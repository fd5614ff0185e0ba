import collections
import types

import numpy as np
import pytest

import minigrad
from minigrad.data import default_collate, default_convert

Point = collections.namedtuple("Point", ["x", "y"])


class Tagged(dict):
    """A mapping with an attribute of its own."""

    tag = None


def same(got, expected):
    """Are these equal, type for type, Tensors element for element?"""
    if isinstance(expected, np.ndarray):
        assert isinstance(got, minigrad.Tensor), type(got)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got.array, expected)
    elif isinstance(expected, dict):
        assert type(got) is type(expected) and list(got) == list(expected)
        for key in expected:
            same(got[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert type(got) is type(expected) and len(got) == len(expected)
        for a, b in zip(got, expected, strict=True):
            same(a, b)
    else:
        assert type(got) is type(expected) and got == expected


T = minigrad.tensor
CASES = {
    "tensors": ([T([1.0, 2.0]), T([3.0, 4.0])], np.array([[1, 2], [3, 4]], np.float32)),
    "0-d tensors": ([T(1), T(2), T(3)], np.array([1, 2, 3])),
    "empty tensors": ([minigrad.zeros(0, 2)] * 3, np.zeros((3, 0, 2), np.float32)),
    "arrays": ([np.arange(3), np.arange(3, 6)], np.arange(6).reshape(2, 3)),
    "float64 arrays": ([np.ones(2)] * 2, np.ones((2, 2))),
    "0-d arrays": ([np.array(1.5), np.array(2.5)], np.array([1.5, 2.5])),
    "big-endian arrays": ([np.arange(3, dtype=">i4")] * 2, np.array([[0, 1, 2]] * 2, np.int32)),
    "strided arrays": ([np.arange(6)[::-2]] * 2, np.array([[5, 3, 1]] * 2)),
    "numpy numbers": ([np.float32(1), np.float32(2)], np.array([1, 2], np.float32)),
    "numpy doubles": ([np.float64(1)], np.array([1.0])),
    "numpy bytes": ([np.uint8(1), np.uint8(255)], np.array([1, 255], np.uint8)),
    "numpy bools": ([np.True_, np.False_], np.array([True, False])),
    "ints": ([1, 2], np.array([1, 2])),
    "floats": ([1.5, 2.5], np.array([1.5, 2.5])),
    "float first": ([1.5, 2], np.array([1.5, 2.0])),
    "int first": ([1, 2.5], np.array([1, 2.5], np.float32)),
    "bools": ([True, False], np.array([True, False])),
    "strings": (["a", "b"], ["a", "b"]),
    "bytes": ([b"a", b"b"], [b"a", b"b"]),
    "tuples": ([(1, "a"), (2, "b")], [np.array([1, 2]), ("a", "b")]),
    "lists": ([[1, 2], [3, 4]], [np.array([1, 3]), np.array([2, 4])]),
    "empty tuples": ([(), ()], []),
    "ranges": ([range(2), range(2)], [np.array([0, 0]), np.array([1, 1])]),
    "namedtuples": ([Point(1, 2.0), Point(3, 4.0)], Point(np.array([1, 3]), np.array([2.0, 4.0]))),
    "dicts": ([{"a": 1, "b": [2]}, {"a": 3, "b": [4]}], {"a": np.array([1, 3]), "b": [np.array([2, 4])]}),
    "dicts in another order": ([{"a": 1, "b": 2}, {"b": 4, "a": 3}], {"a": np.array([1, 3]), "b": np.array([2, 4])}),
    "ordered dicts": ([collections.OrderedDict(a=1)] * 2, collections.OrderedDict(a=np.array([1, 1]))),
    "one key more": ([{"a": 1}, {"a": 2, "b": 3}], {"a": np.array([1, 2])}),
    "deep": (
        [{"in": (T([1.0]), [np.int16(2)])}, {"in": (T([3.0]), [np.int16(4)])}],
        {"in": [np.array([[1], [3]], np.float32), [np.array([2, 4], np.int16)]]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_batches(case):
    samples, expected = CASES[case]
    same(default_collate(samples), expected)


def test_mapping_types_are_kept():
    first, second = Tagged(a=1), Tagged(a=2)
    first.tag = "kept"
    batch = default_collate([first, second])
    assert type(batch) is Tagged and batch.tag == "kept" and batch["a"].tolist() == [1, 2]
    assert first == {"a": 1}  # untouched
    frozen = default_collate([types.MappingProxyType({"a": 1})] * 2)
    assert type(frozen) is types.MappingProxyType and frozen["a"].tolist() == [1, 1]


def test_sequence_types_are_kept():
    deque = default_collate([collections.deque([1, 2]), collections.deque([3, 4])])
    assert type(deque) is collections.deque and [x.tolist() for x in deque] == [[1, 3], [2, 4]]


def test_batch_shares_no_memory_with_the_samples():
    sample = T([1.0, 2.0])
    batch = default_collate([sample])
    batch.array[...] = 9
    assert sample.tolist() == [1.0, 2.0]


def test_gradients_reach_the_samples():
    a, b = T([1.0, 2.0], requires_grad=True), T([3.0, 4.0])
    g = T([[1.0, -2.0], [3.0, 5.0]])
    (default_collate([a, b]) * g).sum().backward()
    assert a.grad.tolist() == [1.0, -2.0]


BAD = {
    "empty": (ValueError, [], "the batch has no samples"),
    "shapes": (
        RuntimeError,
        [T([1, 2]), T([1, 2]), T([1, 2, 3])],
        r"sample has shape \(2,\) in sample 0 and shape \(3,\) in sample 2 of the batch; crop or pad",
    ),
    "shapes of arrays": (RuntimeError, [np.ones((2, 3)), np.ones((3, 2))], r"\(2, 3\) in sample 0 and shape \(3, 2\)"),
    "nested": (
        RuntimeError,
        [{"x": (1, T([1]))}, {"x": (1, T([1, 2]))}],
        r"sample\['x'\]\[1\] has shape \(1,\) in sample 0 and shape \(2,\) in sample 1",
    ),
    "tensor and number": (RuntimeError, [T([1]), 1], r"shape \(1,\) in sample 0 and type int in sample 1"),
    "number and tensor": (RuntimeError, [1, T([1])], "the number 1 in sample 0 and of type Tensor in sample 1"),
    "number and None": (RuntimeError, [0.5, 1, None], "the number 0.5 in sample 0 and of type NoneType in sample 2"),
    "lengths": (RuntimeError, [[1, 2], [1, 2, 3]], "2 elements in sample 0 and 3 elements in sample 1 .* collate_fn"),
    "list and number": (RuntimeError, [[1, 2], 3], "2 elements in sample 0 and type int in sample 1"),
    "missing key": (RuntimeError, [{"a": 1}, {"b": 1}], r"the key 'a' in sample 0 and the keys \['b'\] in sample 1"),
    "dict and number": (RuntimeError, [{"a": 1}, 1], "the key 'a' in sample 0 and type int in sample 1"),
    "None": (TypeError, [None, None], "sample is of type NoneType; a batch can be made of"),
    "object": (TypeError, [(1, object())], r"sample\[1\] is of type object"),
    "array of strings": (TypeError, [np.array(["a"])], "array of dtype <U1"),
    "array of objects": (TypeError, [np.array([None])], "array of dtype object"),
    "set": (TypeError, [{1}, {2}], "of type set"),
}


@pytest.mark.parametrize("case", BAD)
def test_samples_that_make_no_batch(case):
    error, samples, text = BAD[case]
    with pytest.raises(error, match=text):
        default_collate(samples)


def test_convert():
    array = np.arange(3.0)
    converted = default_convert(array)
    assert converted.tolist() == [0, 1, 2] and np.shares_memory(converted.array, array)
    same(default_convert(np.int16(4)), np.array(4, np.int16))
    same(default_convert({"a": array, "b": ("x", 1)}), {"a": array, "b": ["x", 1]})
    same(default_convert(Point(array, 2.5)), Point(array, 2.5))
    same(default_convert([array, b"x"]), [array, b"x"])
    for untouched in ("text", 7, None, T([1])):
        assert default_convert(untouched) is untouched
    strings = np.array(["a"])
    assert default_convert(strings) is strings


@pytest.mark.reference
@pytest.mark.parametrize("case", CASES)
def test_batches_as_pytorch(case):
    torch = pytest.importorskip("torch")
    samples, _ = CASES[case]
    if case == "big-endian arrays":
        pytest.skip("PyTorch refuses them")

    def translate(x, to):
        if isinstance(x, (minigrad.Tensor, torch.Tensor)):
            return to(np.asarray(x).copy())
        if isinstance(x, dict):
            return type(x)((key, translate(value, to)) for key, value in x.items())
        if isinstance(x, Point):
            return Point(*(translate(value, to) for value in x))
        if isinstance(x, (list, tuple)):
            return type(x)(translate(value, to) for value in x)
        # PyTorch takes no negative strides
        return x.copy() if isinstance(x, np.ndarray) else x

    theirs = torch.utils.data.default_collate([translate(x, torch.from_numpy) for x in samples])
    same(default_collate(samples), translate(theirs, lambda array: array))


@pytest.mark.reference
@pytest.mark.parametrize("dtypes", ["float32 float64", "float32 int64", "int64 float32", "uint8 int32", "bool float16"])
@pytest.mark.parametrize("as_array", [False, True])
def test_mixed_dtypes_as_pytorch(dtypes, as_array):
    torch = pytest.importorskip("torch")
    arrays = [np.ones(2, dtype) for dtype in dtypes.split()]
    ours = default_collate(arrays if as_array else [minigrad.tensor(a) for a in arrays])
    theirs = torch.utils.data.default_collate([torch.from_numpy(a) for a in arrays])
    assert ours.dtype == theirs.numpy().dtype and ours.tolist() == theirs.tolist()
