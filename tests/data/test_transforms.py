import numpy as np
import pytest

import minigrad
from minigrad.data.transforms import Compose, Lambda, Normalize, ToTensor


def images(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


class Picture:
    """What a PIL image is to NumPy."""

    def __init__(self, array):
        self.array_inside = array

    def __array__(self, dtype=None, copy=None):
        return self.array_inside


@pytest.mark.parametrize("wrap", [minigrad.tensor, np.asarray, Picture])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3)])
def test_to_tensor(wrap, shape):
    pixels = images(*shape)
    got = ToTensor()(wrap(pixels))
    expected = pixels.reshape(*shape[:2], -1).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    assert isinstance(got, minigrad.Tensor) and got.dtype == np.float32 and got.is_contiguous()
    np.testing.assert_array_equal(got.array, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.bool_])
def test_to_tensor_scales_bytes_alone(dtype):
    pixels = images(4, 5, dtype=dtype)
    got = ToTensor()(pixels)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.array, pixels[None])


def test_to_tensor_gives_the_default_dtype():
    try:
        minigrad.set_default_dtype(minigrad.float64)
        got = ToTensor()(np.array([[51]], np.uint8))
    finally:
        minigrad.set_default_dtype(minigrad.float32)
    assert got.dtype == np.float64 and got.item() == 0.2


@pytest.mark.parametrize("mean", [0.5, (0.25,), (0.1, 0.2, 0.3), np.array([0.1, 0.2, 0.3])])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normalize(mean, dtype):
    image = images(3, 4, 5).astype(dtype)
    got = Normalize(mean, 0.5)(minigrad.tensor(image))
    expected = (image - np.reshape(mean, (-1, 1, 1)).astype(dtype)) / dtype(0.5)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.array, expected)


def test_normalize_changes_nothing_in_place():
    image = minigrad.ones(1, 2, 2)
    Normalize(0.5, 0.5)(image)
    assert image.tolist() == [[[1, 1], [1, 1]]]


def test_normalize_is_differentiable():
    image = minigrad.ones(1, 1, 2).requires_grad_()
    (Normalize(0.5, 0.25)(image) * minigrad.tensor([1.0, -3.0])).sum().backward()
    assert image.grad.tolist() == [[[4.0, -12.0]]]


def test_compose_and_lambda():
    to_unit = Compose([ToTensor(), Normalize((0.5,), (0.5,)), Lambda(lambda x: x.flatten())])
    got = to_unit(np.array([[0, 255], [51, 204]], np.uint8))
    np.testing.assert_allclose(got.array, [-1, 1, -0.6, 0.6], rtol=1e-6)
    assert Compose([])("anything") == "anything"


BATCHED = {
    "to tensor": (ToTensor(), (6, 4, 5)),
    "to tensor, colour": (ToTensor(), (6, 4, 5, 3)),
    "mnist": (Compose([ToTensor(), Normalize((0.1307,), (0.3081,))]), (6, 28, 28)),
    "colour": (Compose([ToTensor(), Normalize((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))]), (6, 4, 5, 3)),
    "flat": (Compose([ToTensor(), Lambda(lambda x: x.flatten(), lambda x: x.flatten(1))]), (6, 4, 5)),
    "nested": (Compose([Compose([ToTensor()]), Compose([Normalize(0.5, 0.5), Compose([])])]), (6, 4, 5)),
    "one image": (Compose([ToTensor(), Normalize(0.5, 0.5)]), (1, 4, 5)),
    "no image": (ToTensor(), (0, 4, 5)),
}


@pytest.mark.parametrize("case", BATCHED)
def test_a_batch_is_its_images_to_the_bit(case):
    transform, shape = BATCHED[case]
    pixels = minigrad.tensor(images(*shape))
    got = transform.batch(pixels)
    assert isinstance(got, minigrad.Tensor) and got.is_contiguous() and len(got) == len(pixels)
    for image, expected in zip(got, pixels, strict=True):
        np.testing.assert_array_equal(image.array, transform(expected).array)


@pytest.mark.parametrize(
    "transform",
    [
        Lambda(lambda x: x),
        Compose([ToTensor(), Lambda(lambda x: x)]),
        Compose([Compose([lambda x: x]), ToTensor()]),
        Compose([ToTensor(), abs]),
    ],
)
def test_no_batch_where_one_step_has_none(transform):
    assert transform.batch(minigrad.tensor(images(2, 4, 5))) is NotImplemented


def test_repr():
    text = repr(Compose([ToTensor(), Normalize((0.5,), (0.25,)), Lambda(len)]))
    assert text == "Compose(ToTensor(), Normalize(mean=(0.5,), std=(0.25,)), Lambda(len))"


@pytest.mark.parametrize(
    ("error", "call", "text"),
    [
        (ValueError, lambda: ToTensor()(np.zeros(3, np.uint8)), r"\(H, W\) or \(H, W, C\), got shape \(3,\)"),
        (ValueError, lambda: ToTensor()(np.zeros((1, 2, 3, 4))), r"got shape \(1, 2, 3, 4\)"),
        (TypeError, lambda: ToTensor()(np.zeros((2, 2), np.complex64)), "complex64 is not supported"),
        (RuntimeError, lambda: ToTensor()(minigrad.ones(2, 2).requires_grad_()), "detach"),
        (ValueError, lambda: Normalize((0.5,), (0.0,)), r"std must not be 0, got \(0.0,\)"),
        (ValueError, lambda: Normalize(0.5, 0.5)(minigrad.ones(2, 2)), r"\(C, H, W\), got shape \(2, 2\)"),
        (TypeError, lambda: Normalize(0.5, 0.5)(minigrad.tensor(images(1, 2, 2))), "needs floats, got uint8; put"),
        (ValueError, lambda: Normalize((1, 2), 1)(minigrad.ones(3, 2, 2)), "mean has 2 values, .* 3 channels"),
        (ValueError, lambda: Normalize(1, (1, 2))(minigrad.ones(1, 2, 2)), "std has 2 values, .* 1 channels"),
        (TypeError, lambda: Lambda(3), "lambd must be callable, got int"),
        (TypeError, lambda: Lambda(None), "lambd must be callable, got NoneType"),
        (TypeError, lambda: Lambda(len, batch=3), "batch must be callable, got int"),
    ],
)
def test_bad_input(error, call, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.reference
def test_scaling_as_pytorch():
    torch = pytest.importorskip("torch")
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    ours = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])(pixels)
    # What torchvision's two transforms do.
    mean, std = torch.tensor([[[0.1307]]]), torch.tensor([[[0.3081]]])
    theirs = torch.from_numpy(pixels)[None].to(torch.float32).div(255).sub_(mean).div_(std)
    np.testing.assert_array_equal(ours.array, theirs.numpy())
