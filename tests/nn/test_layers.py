"""Every layer, one row for each set of options: its gradients, and PyTorch's results from the same state."""

import numpy as np
import pytest

import minigrad
from minigrad import nn

# name, arguments, shape of the input
LAYERS = [
    ("Linear", (4, 3), {}, (5, 4)),
    ("Linear", (4, 3), {}, (4,)),
    ("Linear", (4, 3), {}, (2, 0, 4)),
    ("Linear", (4, 3), {"bias": False}, (2, 3, 4)),
    ("Linear", (1, 1), {}, (1, 1)),
    ("Conv1d", (2, 3, 3), {}, (2, 2, 7)),
    ("Conv1d", (2, 3, 3), {}, (2, 7)),
    ("Conv1d", (2, 4, 3), {"stride": 2, "padding": 1, "groups": 2, "bias": False}, (2, 2, 7)),
    ("Conv1d", (2, 3, 4), {"padding": "same", "dilation": 2}, (2, 2, 9)),
    ("Conv1d", (2, 3, 4), {"padding": "same", "padding_mode": "circular"}, (2, 2, 9)),
    ("Conv1d", (2, 3, 3), {"padding": 2, "padding_mode": "reflect"}, (2, 6)),
    ("Conv1d", (2, 3, 3), {"padding": "valid", "padding_mode": "replicate"}, (2, 2, 6)),
    ("Conv2d", (2, 3, 3), {}, (2, 2, 5, 6)),
    ("Conv2d", (2, 3, 3), {}, (2, 5, 6)),
    ("Conv2d", (2, 3, 1), {"bias": False}, (1, 2, 1, 1)),
    ("Conv2d", (2, 3, (2, 3)), {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)}, (2, 2, 5, 6)),
    ("Conv2d", (4, 6, 3), {"groups": 2, "padding": 1}, (2, 4, 4, 4)),
    ("Conv2d", (3, 6, 2), {"groups": 3}, (1, 3, 4, 3)),
    ("Conv2d", (2, 2, (2, 4)), {"padding": "same"}, (2, 2, 5, 5)),
    ("Conv2d", (2, 2, 3), {"padding": "same", "dilation": 2, "padding_mode": "reflect"}, (2, 2, 6, 5)),
    ("Conv2d", (2, 2, 2), {"padding": "same", "padding_mode": "replicate"}, (2, 2, 3, 4)),
    ("Conv2d", (2, 2, 3), {"padding": (1, 2), "padding_mode": "reflect"}, (2, 2, 4, 4)),
    ("Conv2d", (2, 2, 3), {"padding": (1, 2), "padding_mode": "replicate"}, (2, 4, 4)),
    ("Conv2d", (2, 2, 3), {"padding": (1, 2), "padding_mode": "circular", "stride": 2}, (2, 2, 4, 4)),
    ("ConvTranspose2d", (2, 3, 3), {}, (2, 2, 3, 4)),
    ("ConvTranspose2d", (2, 3, 2), {"stride": 2}, (2, 3, 4)),
    ("ConvTranspose2d", (2, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1, "bias": False}, (2, 2, 3, 3)),
    ("ConvTranspose2d", (4, 2, (3, 2)), {"stride": (1, 2), "groups": 2, "dilation": (2, 1)}, (1, 4, 3, 2)),
    ("ConvTranspose1d", (2, 3, 3), {}, (2, 2, 4)),
    ("ConvTranspose1d", (2, 3, 2), {"stride": 2}, (2, 4)),
    ("ConvTranspose1d", (4, 2, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, (2, 4, 3)),
    ("ConvTranspose1d", (2, 3, 2), {"bias": False, "dilation": 2}, (1, 2, 3)),
    ("MaxPool2d", (2,), {}, (2, 3, 5, 4)),
    ("MaxPool2d", (2,), {}, (3, 5, 4)),
    ("MaxPool2d", ((3, 2),), {"stride": (2, 1), "padding": (1, 0), "ceil_mode": True}, (1, 2, 6, 5)),
    ("MaxPool2d", (2,), {"stride": 1, "dilation": 2}, (1, 2, 5, 5)),
    ("AvgPool2d", (2,), {}, (2, 3, 5, 4)),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1}, (3, 5, 4)),
    ("AvgPool2d", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, (2, 2, 6, 6)),
    ("AvgPool2d", ((2, 3),), {"divisor_override": 5}, (2, 2, 6, 6)),
    ("AdaptiveAvgPool2d", (3,), {}, (2, 2, 7, 5)),
    ("AdaptiveAvgPool2d", ((1, None),), {}, (2, 7, 5)),
    ("MaxPool1d", (2,), {}, (2, 3, 5)),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}, (3, 8)),
    ("AvgPool1d", (2,), {}, (2, 3, 5)),
    ("AvgPool1d", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, (3, 6)),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 2, 7)),
    ("AdaptiveMaxPool1d", (3,), {}, (2, 7)),
    ("AdaptiveMaxPool2d", (3,), {}, (2, 2, 7, 5)),
    ("AdaptiveMaxPool2d", ((1, None),), {}, (2, 7, 5)),
    ("Unfold", (2,), {}, (2, 3, 4, 5)),
    ("Unfold", ((2, 3),), {"dilation": (2, 1), "padding": 1, "stride": 2}, (3, 4, 5)),
    ("Fold", ((4, 5), 2), {}, (2, 8, 12)),
    ("Fold", (5, (2, 3)), {"dilation": (2, 1), "padding": 1, "stride": (2, 3)}, (6, 6)),
    ("PixelShuffle", (2,), {}, (2, 8, 2, 3)),
    ("PixelUnshuffle", (3,), {}, (2, 6, 3)),
    ("BatchNorm1d", (3,), {}, (6, 3)),
    ("BatchNorm1d", (3,), {"momentum": None}, (2, 3, 4)),
    ("BatchNorm1d", (3,), {"affine": False, "eps": 1e-2, "momentum": 0.7}, (4, 3)),
    ("BatchNorm1d", (3,), {"track_running_stats": False}, (4, 3, 2)),
    ("BatchNorm2d", (3,), {}, (2, 3, 4, 3)),
    ("BatchNorm2d", (2,), {"bias": False, "momentum": 1.0}, (1, 2, 3, 3)),
    ("BatchNorm2d", (2,), {"affine": False, "track_running_stats": False}, (2, 2, 3, 1)),
    ("BatchNorm3d", (2,), {}, (2, 2, 3, 1, 2)),
    ("LayerNorm", (4,), {}, (2, 3, 4)),
    ("LayerNorm", ([3, 4],), {"bias": False, "eps": 1e-2}, (2, 3, 4)),
    ("LayerNorm", ((2, 3),), {"elementwise_affine": False}, (2, 3)),
    ("GroupNorm", (2, 4), {}, (3, 4, 5)),
    ("GroupNorm", (2, 8), {"eps": 0.1}, (3, 8)),
    ("GroupNorm", (3, 6), {"bias": False, "eps": 1e-2}, (2, 6, 2, 2)),
    ("GroupNorm", (1, 3), {"affine": False}, (2, 3, 4)),
    ("InstanceNorm1d", (3,), {}, (2, 3, 4)),
    ("InstanceNorm1d", (3,), {"affine": True, "track_running_stats": True, "momentum": 0.7}, (3, 4)),
    ("InstanceNorm2d", (3,), {"affine": True, "eps": 1e-2}, (2, 3, 4, 3)),
    ("InstanceNorm2d", (3,), {"affine": True, "bias": False, "track_running_stats": True}, (2, 3, 2, 3)),
    ("InstanceNorm2d", (3,), {"track_running_stats": True, "momentum": None}, (3, 4, 2)),
    ("InstanceNorm3d", (2,), {"track_running_stats": True}, (2, 2, 3, 1, 2)),
    ("RMSNorm", (4,), {}, (2, 3, 4)),
    ("RMSNorm", ([3, 4],), {"eps": 1e-2}, (2, 3, 4)),
    ("RMSNorm", ((2, 3),), {"elementwise_affine": False}, (2, 3)),
    ("Dropout", (0.0,), {}, (3, 4)),
    ("Dropout", (1.0,), {"inplace": True}, (3, 4)),
    ("Dropout2d", (0.0,), {}, (2, 3, 4, 4)),
    ("Flatten", (), {}, (2, 3, 4)),
    ("Flatten", (0, 1), {}, (2, 3, 4)),
    ("Unflatten", (1, (2, 3)), {}, (4, 6)),
    ("Unflatten", (-1, (2, -1)), {}, (4, 6)),
    ("Identity", (), {}, (2, 3)),
    ("ReLU", (), {"inplace": True}, (3, 5)),
    ("LeakyReLU", (0.2,), {}, (3, 5)),
    ("LeakyReLU", (), {"inplace": True}, (3, 5)),
    ("ELU", (0.7,), {}, (3, 5)),
    ("ELU", (), {"inplace": True}, (3, 5)),
    ("CELU", (1.5,), {}, (3, 5)),
    ("CELU", (), {"inplace": True}, (3, 5)),
    ("SELU", (), {"inplace": True}, (3, 5)),
    ("PReLU", (), {}, (3, 5)),
    ("PReLU", (5, 0.1), {}, (2, 5, 2)),
    ("GELU", (), {}, (3, 5)),
    ("GELU", ("tanh",), {}, (3, 5)),
    ("SiLU", (), {"inplace": True}, (3, 5)),
    ("Mish", (), {}, (3, 5)),
    ("Softplus", (), {}, (3, 5)),
    ("Softplus", (3.0, 1.0), {}, (3, 5)),
    ("Softsign", (), {}, (3, 5)),
    ("Sigmoid", (), {}, (3, 5)),
    ("LogSigmoid", (), {}, (3, 5)),
    ("Tanh", (), {}, ()),
    ("Hardtanh", (-0.5, 0.7), {}, (3, 5)),
    ("Hardtanh", (), {"inplace": True}, (3, 5)),
    ("ReLU6", (), {}, (3, 5)),
    ("Hardsigmoid", (), {}, (3, 5)),
    ("Hardswish", (), {"inplace": True}, (3, 5)),
    ("Threshold", (0.5, -7.0), {}, (3, 5)),
    ("Threshold", (1, 2), {}, (3, 5)),
    ("Hardshrink", (1.5,), {}, (3, 5)),
    ("Softshrink", (1.5,), {}, (3, 5)),
    ("Tanhshrink", (), {}, (3, 5)),
    ("GLU", (), {}, (3, 4)),
    ("GLU", (0,), {}, (4, 5)),
    ("Softmin", (1,), {}, (3, 5)),
    ("Softmax", (1,), {}, (3, 5)),
    ("LogSoftmax", (0,), {}, (3, 5)),
    ("Embedding", (5, 3), {}, (2, 4)),
    ("Embedding", (5, 3), {"padding_idx": -2}, (7,)),
    ("Embedding", (5, 3), {"scale_grad_by_freq": True, "padding_idx": 1}, (7,)),
    ("Embedding", (5, 3), {"max_norm": 1.0, "norm_type": 1.0}, (2, 2)),
]
rows = pytest.mark.parametrize(("name", "args", "options", "shape"), LAYERS)


def modes(name):
    """The modes that make a difference to a layer."""
    return (True, False) if name.startswith(("BatchNorm", "InstanceNorm", "Dropout")) else (True,)


def build(name, args, options, rng, dtype=minigrad.float64):
    """The layer, with parameters and floating buffers of no particular values."""
    layer = getattr(nn, name)(*args, **options).to(dtype)
    with minigrad.no_grad():
        for _, tensor in (*layer.named_parameters(), *layer.named_buffers()):
            if tensor.is_floating_point():
                tensor.copy_(rng.uniform(0.5, 1.5, tensor.shape) * rng.choice([1, -1], tensor.shape))
        if getattr(layer, "running_var", None) is not None:
            layer.running_var.copy_(abs(layer.running_var))
    return layer


def draw(name, shape, rng):
    """An input: indices for an embedding, else numbers about as large as the kinks of the activations."""
    return rng.integers(0, 5, shape) if name == "Embedding" else np.asarray(rng.normal(0, 2, shape))


# two options of Embedding change the weights, or the gradient, on purpose: differences cannot judge those
@pytest.mark.parametrize(
    ("name", "args", "options", "shape"),
    [row for row in LAYERS if not {"max_norm", "scale_grad_by_freq"} & row[2].keys()],
)
def test_gradients(name, args, options, shape, backend, rng):
    layer = build(name, args, options, rng)
    data = draw(name, shape, rng)
    if "padding_idx" in options:
        data[data == options["padding_idx"] % 5] = 0  # a row that has no gradient where differences would see one
    x = minigrad.tensor(data)
    inputs = (*([x.requires_grad_()] if x.is_floating_point() else []), *layer.parameters())
    for training in modes(name):
        layer.train(training)
        assert minigrad.gradcheck(lambda *_: layer(x), inputs)


@pytest.mark.reference
@rows
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_equals_pytorch(name, args, options, shape, dtype, tolerance, backend, rng):
    torch = pytest.importorskip("torch")
    if name == "Hardsigmoid":
        tolerance = max(tolerance, 1e-7)  # PyTorch rounds the slope 1 / 6 to float32
    ours = build(name, args, options, rng, dtype)
    theirs = getattr(torch.nn, name)(*args, **{**options, "inplace": False} if "inplace" in options else options)
    theirs = theirs.to(getattr(torch, dtype))
    theirs.load_state_dict({key: torch.tensor(value.numpy()) for key, value in ours.state_dict().items()})
    for training in (*modes(name), *modes(name)):  # each batch meets the statistics that the earlier ones left
        ours.train(training), theirs.train(training)
        data = draw(name, shape, rng)
        data = data if data.dtype.kind == "i" else data.astype(dtype)
        x, tx = minigrad.tensor(data), torch.tensor(data)
        if x.is_floating_point():
            x.requires_grad_(), tx.requires_grad_()
        y, ty = ours(x), theirs(tx)
        assert y.shape == tuple(ty.shape) and y.dtype.name == str(ty.dtype).removeprefix("torch.")
        v = rng.standard_normal(y.shape).astype(dtype)
        y.backward(minigrad.tensor(v)), ty.backward(torch.tensor(v))
        pairs = [("output", y, ty), ("input gradient", x.grad, tx.grad)]
        pairs += [(n, a.grad, b.grad) for (n, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True)]
        pairs += [(n, a, b) for (n, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True)]
        for what, a, b in pairs:
            assert (a is None) == (b is None), what
            if a is not None:
                a, b = a.detach().numpy(), b.detach().numpy()
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.mark.reference
@rows
def test_state_and_repr_are_pytorchs(name, args, options, shape):
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    described = [(key, value.shape, value.dtype.name) for key, value in ours.state_dict().items()]
    assert described == [
        (key, tuple(value.shape), str(value.dtype).removeprefix("torch.")) for key, value in theirs.state_dict().items()
    ]
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    if name.startswith("BatchNorm"):  # these also say which variance is used where
        assert repr(ours).startswith(repr(theirs)[:-1] + ", training_var=")
    else:
        assert repr(ours) == repr(theirs)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Linear", (300, 200)),
        ("Conv1d", (20, 40, 9)),
        ("Conv2d", (16, 32, (3, 5))),
        ("ConvTranspose1d", (32, 24, 9)),
        ("ConvTranspose2d", (32, 24, 4)),
        ("Bilinear", (30, 20, 40)),
        ("Embedding", (300, 50)),
        ("BatchNorm1d", (5000,)),
    ],
)
def test_first_values_are_distributed_as_pytorchs(name, args):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    for (which, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        a, b = a.detach().numpy().astype(np.float64), b.detach().numpy().astype(np.float64)
        scatter = 5 * b.std() / np.sqrt(b.size)
        assert abs(a.mean() - b.mean()) <= 1.5 * scatter, which
        assert abs(a.std() - b.std()) <= scatter, which
        if name != "Embedding":  # uniform: they share their bounds
            assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.05), which


def test_every_layer_is_here():
    assert {name for name, *_ in LAYERS} == {
        name
        for name in nn.__all__
        if isinstance(getattr(nn, name), type)
        and issubclass(getattr(nn, name), nn.Module)
        and not name.endswith("Loss")
        and name not in ("Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential")
        and name != "Bilinear"  # of two inputs: see test_bilinear.py
        and not name.startswith(("ActNorm", "Invertible", "VirtualBatchNorm"))  # PyTorch has none of these
    }


@rows
def test_float32_stays_float32(name, args, options, shape, backend, rng):
    layer = getattr(nn, name)(*args, **options)
    data = draw(name, shape, rng)
    x = minigrad.tensor(data if data.dtype.kind == "i" else data.astype(np.float32))
    before = x.numpy().copy()
    assert layer(x).dtype == minigrad.float32
    np.testing.assert_array_equal(x.numpy(), before)


def test_dtype_and_device_are_keywords_of_every_layer_with_state():
    for layer in (
        nn.Linear(2, 3, dtype=minigrad.float64, device="cpu"),
        nn.Conv1d(2, 3, 1, dtype=minigrad.float64, device="cpu"),
        nn.Conv2d(2, 3, 1, dtype=minigrad.float64, device="cpu"),
        nn.ConvTranspose1d(2, 3, 1, dtype=minigrad.float64, device="cpu"),
        nn.ConvTranspose2d(2, 3, 1, dtype=minigrad.float64, device="cpu"),
        nn.Bilinear(2, 3, 1, dtype=minigrad.float64, device="cpu"),
        nn.BatchNorm1d(2, dtype=minigrad.float64, device="cpu"),
        nn.BatchNorm2d(2, dtype=minigrad.float64, device="cpu"),
        nn.Embedding(2, 3, dtype=minigrad.float64, device="cpu"),
        nn.PReLU(3, dtype=minigrad.float64, device="cpu"),
    ):
        floats = [t.dtype for t in (*layer.parameters(), *layer.buffers()) if t.is_floating_point()]
        assert floats and set(floats) == {minigrad.float64}
    with pytest.raises(RuntimeError, match="cuda"):
        nn.Linear(2, 3, device="cuda")
    with pytest.raises(RuntimeError, match="int64"):
        nn.Linear(2, 3, dtype=minigrad.int64)


def test_numpys_integers_count_as_ints():
    assert nn.Embedding(3, 2, padding_idx=np.int64(-1)).padding_idx == 2
    x, w = minigrad.ones(1, 2, 3, 3), minigrad.ones(2, 1, 3, 3)
    assert nn.functional.conv2d(x, w, groups=np.int64(2)).shape == (1, 2, 1, 1)
    assert nn.AvgPool2d(3, divisor_override=np.int32(2))(x).tolist() == [[[[4.5]], [[4.5]]]]


def test_threshold_accepts_inplace_and_leaves_its_input_alone():
    x = minigrad.tensor([0.5, 3.0], requires_grad=True)  # PyTorch would refuse: a leaf cannot be changed in place
    assert nn.Threshold(1, 2, True)(x).tolist() == [2.0, 3.0] and x.tolist() == [0.5, 3.0]
