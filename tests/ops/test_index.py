"""Keys of every kind, drawn at random, beside PyTorch; and what the docstring of indexing promises."""

import numpy as np
import pytest

import minigrad


def draw_key(rng, shape):
    """A key for a tensor of that shape: ints, slices, None, Ellipsis, arrays, masks and bools, mixed."""
    key, d, many = [], 0, int(rng.integers(1, 3))
    while d < len(shape) and rng.random() < 0.9:
        kind, n = rng.choice(["int", "slice", "None", "...", "vector", "column", "mask", "masks", "bool"]), shape[d]
        if kind == "int":
            key.append(int(rng.integers(-n, n)))
        elif kind == "slice":
            key.append(slice(int(rng.integers(0, 3)), None, int(rng.integers(1, 3))))
        elif kind == "vector":
            key.append(rng.integers(-n, n, many))
        elif kind == "column":
            key.append(rng.integers(-n, n, (2, 1)))
        elif kind == "mask":
            key.append(np.arange(n) == rng.integers(0, n))
        elif kind == "masks" and d + 1 < len(shape):
            mask = np.zeros(shape[d : d + 2], bool)
            mask[rng.integers(0, n), rng.integers(0, shape[d + 1])] = True
            key.append(mask)
            d += 1
        elif kind == "..." and not any(part is ... for part in key):
            key.append(...)
            d += int(rng.integers(-1, 1))
        elif kind == "None":
            key.append(None)
            d -= 1
        elif kind == "bool" and rng.random() < 0.3:
            key.append(bool(rng.random() < 0.7))
            d -= 1
        else:
            d -= 1
        d += 1
    return tuple(key)


@pytest.mark.reference
@pytest.mark.parametrize("seed_of_keys", range(10))
def test_any_key_reads_and_sends_gradients_as_in_pytorch(seed_of_keys, rng):
    torch = pytest.importorskip("torch")
    compared = 0
    for _ in range(150):
        shape = tuple(map(int, rng.integers(1, 4, rng.integers(1, 5))))
        a, key = rng.standard_normal(shape), draw_key(rng, shape)
        x = torch.from_numpy(a.copy()).requires_grad_()
        try:
            wanted = x[tuple(torch.from_numpy(part) if isinstance(part, np.ndarray) else part for part in key)]
        except (IndexError, RuntimeError):
            continue
        ours = minigrad.tensor(a, requires_grad=True)
        found = ours[key]
        np.testing.assert_array_equal(found.array, wanted.detach().numpy(), err_msg=str((shape, key)), strict=True)
        g = np.asarray(rng.standard_normal(found.shape))
        wanted.backward(torch.from_numpy(g))
        found.backward(minigrad.tensor(g))
        np.testing.assert_allclose(ours.grad.array, x.grad.numpy(), rtol=1e-12, err_msg=str((shape, key)))
        compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    ("key", "in_steps"),
    [
        ((0, slice(None), [1, 2]), lambda a: a[0][:, [1, 2]]),
        ((slice(None), [0, 2], slice(None), -1), lambda a: a[..., -1][:, [0, 2]]),
        ((slice(None), 0, None, [[1], [2]]), lambda a: a[:, 0][:, None, [[1], [2]]]),
        ((slice(None), [True, False, True], slice(None, None, -2), 1), lambda a: a[..., 1][:, [0, 2], ::-2]),
        ((slice(None), 1, slice(None), [True, False, True, False, False]), lambda a: a[:, 1][..., [0, 2]]),
    ],
)
def test_beside_arrays_ints_are_applied_first(key, in_steps, rng):
    a = rng.standard_normal((2, 3, 4, 5))
    np.testing.assert_array_equal(minigrad.tensor(a)[key].array, in_steps(a), strict=True)


def test_a_mask_of_the_wrong_size_is_refused_beside_an_int_too():
    with pytest.raises(IndexError, match=r"index: a mask of shape \(2,\) for dimensions of shape \(4,\)"):
        minigrad.ones(2, 3, 4)[0, :, [True, False]]


def test_two_ellipses_are_refused():
    with pytest.raises(IndexError, match="single ellipsis"):
        minigrad.ones(2, 3)[..., [0], ...]


@pytest.mark.parametrize("index", [np.array([[0, 1], [1, 0]]), [[0, 1], [1, 0]], ((0, 1), (1, 0))])
def test_a_list_of_lists_is_one_array_of_places(index):
    x = minigrad.arange(6).reshape(2, 3)
    key = (index,) if isinstance(index, tuple) else index
    np.testing.assert_array_equal(x[key].array, x.array[np.array(index)], strict=True)
