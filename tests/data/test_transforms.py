import numpy as np
import pytest

import minigrad
from minigrad import kernels
from minigrad.data import MNIST, DataLoader, Dataset
from minigrad.data.batching import transform_at
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


# ---------------------------------------------------------------------------------- batches in one pass


class Pictures(Dataset):
    """A user's own dataset of images of bytes."""

    def __init__(self, images, transform):
        self.images, self.transform = images, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(minigrad.tensor(self.images[index]))

    def __getbatch__(self, index):
        return transform_at(self.transform, self.images, index)


class Darker(ToTensor):
    def __call__(self, pic):
        return super().__call__(pic) / 2


FLAT = Lambda(lambda x: x.flatten(), batch=lambda x: x.flatten(1))
TRANSFORMS = {
    "bytes to floats": (ToTensor(), True),
    "alone in a list": (Compose([ToTensor()]), True),
    "normalized": (Compose([ToTensor(), Normalize((0.5,), (0.5,))]), True),
    "one mean, three stds": (Compose([ToTensor(), Normalize(0.1307, (0.3, 0.2, 0.7))]), True),
    "three of each, and more": (Compose([ToTensor(), Normalize((0.1, 0.2, 0.3), (0.3, 0.2, 0.7)), FLAT]), True),
    "a subclass": (Compose([Darker(), Normalize((0.5,), (0.5,))]), False),
    "none": (Compose([]), False),
    "another first": (Compose([Lambda(lambda x: x, batch=lambda x: x), ToTensor()]), False),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", [(9, 5, 4), (9, 5, 4, 3), (9, 1, 1, 1)])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_batch_is_the_same_bits_as_its_samples(name, shape, dtype, backend, monkeypatch):
    transform, gathers = TRANSFORMS[name]
    if shape[-1] != 3 and "three" in name:
        transform = Compose([ToTensor(), Normalize(0.1307, 0.3081), FLAT])
    images = np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)
    data, calls = Pictures(images, transform), []
    gather = kernels.current().image_batch
    monkeypatch.setattr(kernels.current(), "image_batch", lambda *args: calls.append(1) or gather(*args))
    before = minigrad.get_default_dtype()
    minigrad.set_default_dtype(dtype)
    try:
        for index in ([3, 0, 8, 3], [2, 3, 4], [-1, -9, 4], [5]):
            (batch,) = DataLoader(data, batch_sampler=[index])
            expected = np.stack([data[i].numpy() for i in index])
            assert batch.dtype == expected.dtype and batch.shape == expected.shape
            np.testing.assert_array_equal(batch.numpy(), expected)
            assert bool(calls) == gathers
    finally:
        minigrad.set_default_dtype(before)


def test_images_that_are_no_bytes_or_do_not_lie_side_by_side_go_the_other_way():
    images = np.random.default_rng(8).integers(0, 256, (6, 4, 5)).astype(np.uint8)
    for other in (images.astype(np.float32), images[:, ::2], np.asfortranarray(images), images[:, :0]):
        data = Pictures(other, Compose([ToTensor(), Normalize(0.0, 2.0)]))
        (batch,) = DataLoader(data, batch_sampler=[[4, 1]])
        np.testing.assert_array_equal(batch.numpy(), np.stack([data[4].numpy(), data[1].numpy()]))


def test_an_index_out_of_range_names_itself():
    data = Pictures(np.zeros((6, 4, 5), np.uint8), ToTensor())
    for index in ([0, 6], [-7, 2]):
        with pytest.raises(IndexError, match=r"index (6|-7) is out of range for 6 samples"):
            list(DataLoader(data, batch_sampler=[index]))


def test_normalize_alone_still_refuses_bytes():
    data = Pictures(np.zeros((6, 4, 5), np.uint8), Compose([Normalize(0.5, 0.5)]))
    with pytest.raises(ValueError, match=r"Normalize: needs \(N, C, H, W\), got shape \(2, 4, 5\)"):
        list(DataLoader(data, batch_sampler=[[0, 3]]))


def test_a_wrong_number_of_channels_is_still_named():
    data = Pictures(np.zeros((6, 4, 5), np.uint8), Compose([ToTensor(), Normalize((0.1, 0.2), 0.5)]))
    with pytest.raises(ValueError, match="Normalize: mean has 2 values, and the image 1 channels"):
        list(DataLoader(data, batch_sampler=[[0, 3]]))


def test_a_normalize_that_is_made_anew_scales_anew():
    data = MNIST(train=False, transform=Compose([ToTensor(), Normalize((0.5,), (0.5,))]))
    before = data.__getbatch__(slice(0, 2))[0]
    data.transform.transforms[1].__init__((0.0,), (1.0,))
    after = data.__getbatch__(slice(0, 2))[0]
    np.testing.assert_array_equal(after[1].numpy(), data[1][0].numpy())
    assert not np.array_equal(before.numpy(), after.numpy())
