"""Bad arguments and bad inputs: which error, what its text says, and that nothing changes."""

import numpy as np
import pytest

import minigrad
from minigrad import nn


def zeros(*shape, dtype=minigrad.float32):
    return minigrad.zeros(shape, dtype=dtype)


ints = minigrad.int64
table = minigrad.ones(3, 2)

# what is called, the error, and what its text must say
CONSTRUCTORS = [
    (lambda: nn.Linear(-1, 2), ValueError, "Linear: in_features must be an int >= 0, got in_features=-1"),
    (lambda: nn.Linear(2, -3), ValueError, "Linear: out_features must be an int >= 0, got out_features=-3"),
    (lambda: nn.Linear(2.5, 2), TypeError, "Linear: in_features must be an int >= 0, got in_features=2.5"),
    (lambda: nn.Linear(True, 2), TypeError, "in_features must be an int >= 0, got in_features=True"),
    (lambda: nn.Linear("2", 2), TypeError, "in_features must be an int >= 0, got in_features='2'"),
    (lambda: nn.Conv1d(0, 2, 3), ValueError, "Conv1d: in_channels must be an int >= 1, got in_channels=0"),
    (lambda: nn.Conv1d(2, 2, (3, 3)), TypeError, r"Conv1d: kernel_size must be an int or 1 ints, got \(3, 3\)"),
    (lambda: nn.Conv2d(1, None, 3), TypeError, "Conv2d: out_channels must be an int >= 1, got out_channels=None"),
    (lambda: nn.Conv2d(1, 2, 0), RuntimeError, "Conv2d: kernel_size must be at least 1, got 0"),
    (lambda: nn.Conv2d(1, 2, (1, 2, 3)), TypeError, r"kernel_size must be an int or 2 ints, got \(1, 2, 3\)"),
    (lambda: nn.Conv2d(1, 2, 2.0), TypeError, "kernel_size must be an int or 2 ints, got 2.0"),
    (lambda: nn.Conv2d(1, 2, 3, stride=0), RuntimeError, "stride must be at least 1, got 0"),
    (lambda: nn.Conv2d(1, 2, 3, padding=-1), RuntimeError, "padding must be at least 0, got -1"),
    (lambda: nn.Conv2d(1, 2, 3, padding="full"), ValueError, 'padding .* "same" or "valid", got \'full\''),
    (lambda: nn.Conv2d(1, 2, 3, 2, "same"), ValueError, 'padding "same" needs stride 1, got stride=2'),
    (lambda: nn.Conv2d(1, 2, 3, dilation=0), RuntimeError, "dilation must be at least 1, got 0"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "divide in_channels, got groups=2 and in_channels=3"),
    (lambda: nn.Conv2d(4, 3, 3, groups=2), ValueError, "divide out_channels, got groups=2 and out_channels=3"),
    (lambda: nn.Conv2d(4, 4, 3, groups=0), ValueError, "groups must be an int >= 1, got groups=0"),
    (lambda: nn.Conv2d(1, 2, 3, padding_mode="zero"), ValueError, "padding_mode must be one of .*reflect.*'zero'"),
    (lambda: nn.ConvTranspose2d(1, 2, 3, padding_mode="reflect"), ValueError, "ConvTranspose2d: .*'reflect'"),
    (lambda: nn.ConvTranspose2d(1, 2, 3, padding="same"), TypeError, "ConvTranspose2d: padding .*'same'"),
    (lambda: nn.ConvTranspose1d(1, 2, 3, padding_mode="reflect"), ValueError, "ConvTranspose1d: .*'reflect'"),
    (lambda: nn.ConvTranspose1d(1, 2, 3, padding="same"), TypeError, "ConvTranspose1d: padding must be .* 1 ints"),
    (lambda: nn.Bilinear(0, 2, 3), ValueError, "Bilinear: in1_features must be an int >= 1, got in1_features=0"),
    (lambda: nn.Bilinear(1, 2, 3.0), TypeError, "Bilinear: out_features must be an int >= 1, got out_features=3.0"),
    (lambda: nn.ConvTranspose2d(1, 2, 3, output_padding=-1), RuntimeError, "output_padding must be at least 0"),
    (lambda: nn.MaxPool2d(0), RuntimeError, "MaxPool2d: kernel_size must be at least 1, got 0"),
    (lambda: nn.MaxPool2d(2, stride=0), RuntimeError, "stride must be at least 1, got 0"),
    (lambda: nn.MaxPool2d(2, padding=2), ValueError, "padding must be at most half of kernel_size, got 2 and 2"),
    (lambda: nn.MaxPool2d(2, dilation=0), RuntimeError, "dilation must be at least 1, got 0"),
    (lambda: nn.AvgPool2d("2"), TypeError, "AvgPool2d: kernel_size must be an int or 2 ints, got '2'"),
    (
        lambda: nn.AvgPool2d(2, divisor_override=0),
        ValueError,
        "AvgPool2d: divisor_override must be an int != 0, got .*=0",
    ),
    (lambda: nn.AvgPool2d(2, divisor_override=2.5), TypeError, "divisor_override must be an int != 0, got .*=2.5"),
    (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), TypeError, "AdaptiveAvgPool2d: output_size .*1, 2, 3"),
    (lambda: nn.AdaptiveAvgPool2d(-1), RuntimeError, "output_size must be at least 0"),
    (lambda: nn.MaxPool1d((2, 2)), TypeError, r"MaxPool1d: kernel_size must be an int or 1 ints, got \(2, 2\)"),
    (lambda: nn.MaxPool1d(3, padding=2), ValueError, "MaxPool1d: padding must be at most half of kernel_size"),
    (lambda: nn.AvgPool1d(2, stride=0), RuntimeError, "AvgPool1d: stride must be at least 1, got 0"),
    (lambda: nn.AdaptiveMaxPool1d((1, 2)), TypeError, r"AdaptiveMaxPool1d: output_size .*1, 2"),
    (lambda: nn.AdaptiveMaxPool2d("2"), TypeError, "AdaptiveMaxPool2d: output_size .*2"),
    (lambda: nn.Unfold(0), RuntimeError, "Unfold: kernel_size must be at least 1, got 0"),
    (lambda: nn.Unfold(2, padding=-1), RuntimeError, "Unfold: padding must be at least 0, got -1"),
    (lambda: nn.Fold((1, 2, 3), 2), TypeError, r"Fold: output_size must be an int or 2 ints, got \(1, 2, 3\)"),
    (lambda: nn.PixelShuffle(0), ValueError, "PixelShuffle: upscale_factor must be an int >= 1, got .*=0"),
    (lambda: nn.PixelUnshuffle(1.5), TypeError, "PixelUnshuffle: downscale_factor must be an int >= 1, got .*=1.5"),
    (lambda: nn.CELU(0), ValueError, "CELU: alpha must be a number != 0, got alpha=0"),
    (lambda: nn.PReLU(0), ValueError, "PReLU: num_parameters must be an int >= 1, got num_parameters=0"),
    (lambda: nn.PReLU(1, init="a"), TypeError, "PReLU: init must be a number, got init='a'"),
    (lambda: nn.Softshrink(-1), ValueError, "Softshrink: lambd must be a number >= 0, got lambd=-1"),
    (lambda: nn.Hardshrink("a"), TypeError, "Hardshrink: lambd must be a number, got lambd='a'"),
    (lambda: nn.Threshold("a", 1), TypeError, "Threshold: threshold must be a number, got threshold='a'"),
    (lambda: nn.GLU(0.5), TypeError, "GLU: dim must be an int, got dim=0.5"),
    (lambda: nn.BatchNorm2d(0), ValueError, "BatchNorm2d: num_features must be an int >= 1, got num_features=0"),
    (lambda: nn.BatchNorm1d(3, eps=-1e-5), ValueError, "BatchNorm1d: eps must be a finite number >= 0, got eps=-1e-05"),
    (lambda: nn.BatchNorm1d(3, eps="small"), TypeError, "eps must be a number >= 0, got eps='small'"),
    (lambda: nn.BatchNorm1d(3, eps=True), TypeError, "eps must be a number >= 0, got eps=True"),
    (lambda: nn.BatchNorm1d(3, eps=float("nan")), ValueError, "eps must be a finite number >= 0, got eps=nan"),
    (lambda: nn.BatchNorm1d(3, momentum="x"), TypeError, "momentum must be a number, got momentum='x'"),
    (lambda: nn.LayerNorm(-1), ValueError, "LayerNorm: normalized_shape must be an int >= 0, got normalized_shape=-1"),
    (lambda: nn.LayerNorm(()), RuntimeError, r"LayerNorm: normalized_shape must name one dimension at least, got \(\)"),
    (lambda: nn.LayerNorm(2.5), TypeError, "LayerNorm: normalized_shape must be a tuple or list of ints, got 2.5"),
    (lambda: nn.LayerNorm((2, "3")), TypeError, "normalized_shape must be an int >= 0, got normalized_shape='3'"),
    (lambda: nn.LayerNorm(3, eps=-1.0), ValueError, "LayerNorm: eps must be a finite number >= 0, got eps=-1.0"),
    (lambda: nn.RMSNorm("3"), TypeError, "RMSNorm: normalized_shape must be a tuple or list of ints, got '3'"),
    (lambda: nn.RMSNorm(3, eps="x"), TypeError, "RMSNorm: eps must be a number >= 0, got eps='x'"),
    (lambda: nn.GroupNorm(3, 4), ValueError, "must divide num_channels.*got num_groups=3 and num_channels=4"),
    (lambda: nn.GroupNorm(0, 4), ValueError, "GroupNorm: num_groups must be an int >= 1, got num_groups=0"),
    (lambda: nn.GroupNorm(2, 4.0), TypeError, "GroupNorm: num_channels must be an int >= 1, got num_channels=4.0"),
    (lambda: nn.GroupNorm(2, 4, eps=None), TypeError, "GroupNorm: eps must be a number >= 0, got eps=None"),
    (lambda: nn.InstanceNorm1d(0), ValueError, "InstanceNorm1d: num_features must be an int >= 1, got num_features=0"),
    (lambda: nn.InstanceNorm2d(3, eps=-1), ValueError, "InstanceNorm2d: eps must be a finite number >= 0, got eps=-1"),
    (lambda: nn.InstanceNorm2d(3, momentum="x"), TypeError, "momentum must be a number, got momentum='x'"),
    (lambda: nn.Dropout(1.5), ValueError, r"Dropout: p must be a finite number in \[0, 1\], got p=1.5"),
    (lambda: nn.Dropout2d(-0.1), ValueError, "Dropout2d: p must .* got p=-0.1"),
    (lambda: nn.Dropout(None), TypeError, "Dropout: p must be .* got p=None"),
    (lambda: nn.Dropout(True), TypeError, "Dropout: p must be .* got p=True"),
    (lambda: nn.Flatten("1"), TypeError, "Flatten: start_dim must be an int, got start_dim='1'"),
    (lambda: nn.Unflatten(1, 4), TypeError, "Unflatten: unflattened_size must be a tuple of ints, got 4"),
    (lambda: nn.Unflatten(1, (2, 1.5)), TypeError, "unflattened_size must be an int >= -1, got unflattened_size=1.5"),
    (lambda: nn.Unflatten(None, (2, 2)), TypeError, "Unflatten: dim must be an int, got dim=None"),
    (lambda: nn.Embedding(0, 3), ValueError, "Embedding: num_embeddings must be an int >= 1, got num_embeddings=0"),
    (lambda: nn.Embedding(3, 0), ValueError, "embedding_dim must be an int >= 1, got embedding_dim=0"),
    (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, r"padding_idx must be in \[-3, 2\], got 3"),
    (lambda: nn.Embedding(3, 2, padding_idx=1.0), TypeError, "padding_idx must be an int, got padding_idx=1.0"),
    (lambda: nn.Embedding(3, 3, _weight=table), ValueError, r"\(3, 3\), got shape \(3, 2\)"),
    (lambda: nn.Embedding.from_pretrained(zeros(3)), ValueError, r"from_pretrained: .* got shape \(3,\)"),
    (lambda: nn.Embedding.from_pretrained([[1.0]]), ValueError, "from_pretrained: .* got list"),
    (lambda: nn.GELU("erf"), ValueError, "GELU: approximate .* got 'erf'"),
    (lambda: nn.Softplus(0), ValueError, "Softplus: beta must be a finite number > 0, got beta=0"),
    (lambda: nn.Softplus("a"), TypeError, "Softplus: beta must be a number > 0, got beta='a'"),
    (lambda: nn.Softplus(1, "a"), TypeError, "Softplus: threshold must be a number, got threshold='a'"),
    (lambda: nn.ELU("a"), TypeError, "ELU: alpha must be a number, got alpha='a'"),
    (lambda: nn.LeakyReLU("a"), TypeError, "LeakyReLU: negative_slope must be a number, got negative_slope='a'"),
    (lambda: nn.Hardtanh("a", 1), TypeError, "Hardtanh: min_val must be a number, got min_val='a'"),
    (lambda: nn.Hardtanh(0, None), TypeError, "Hardtanh: max_val must be a number, got max_val=None"),
    (lambda: nn.Hardtanh(1.0, 1.0), ValueError, "Hardtanh: min_val must be below max_val, got 1.0 and 1.0"),
]

# a layer, an input, the error, and what its text must say
INPUTS = [
    (nn.Linear(784, 10), zeros(32, 28, 28), RuntimeError, r"Linear: .*784.*28.*flatten"),
    (nn.Linear(3, 10), zeros(), RuntimeError, r"Linear: "),
    (nn.Linear(3, 2), zeros(2, 3, dtype=minigrad.float64), RuntimeError, "Linear: .*float64 and float32"),
    (nn.Linear(3, 2), zeros(2, 3, dtype=ints), RuntimeError, "Linear: .*int64 and float32"),
    (nn.Conv1d(3, 2, 3), zeros(2, 3, 4, 5), RuntimeError, r"Conv1d: .*\(N, C, L\).*\(2, 3, 4, 5\)"),
    (nn.Conv2d(3, 6, 3), zeros(2, 4, 8, 8), RuntimeError, r"Conv2d: .*needs 3 input channels.*\(2, 4, 8, 8\) has 4"),
    (nn.Conv2d(3, 6, 3), zeros(8, 8), RuntimeError, r"Conv2d: .*\(N, C, H, W\) or \(C, H, W\), got shape \(8, 8\)"),
    (nn.Conv2d(3, 6, 9), zeros(2, 3, 8, 8), RuntimeError, r"Conv2d: .*\(9, 9\).*\(2, 3, 8, 8\)"),
    (nn.Conv2d(1, 1, 3, padding=9, padding_mode="reflect"), zeros(1, 1, 4, 4), RuntimeError, r"\(9, 9\).*size 4"),
    (nn.ConvTranspose2d(3, 6, 3), zeros(2, 4, 8, 8), RuntimeError, r"ConvTranspose2d: .*3 channels.* has 4"),
    (nn.ConvTranspose2d(3, 6, 3, output_padding=1), zeros(2, 3, 8, 8), RuntimeError, r"output_padding \(1, 1\)"),
    (nn.MaxPool2d(5), zeros(1, 1, 4, 4), RuntimeError, r"MaxPool2d: .*\(5, 5\).*\(1, 1, 4, 4\)"),
    (nn.MaxPool2d(2), zeros(4, 4), RuntimeError, r"MaxPool2d: .*got shape \(4, 4\)"),
    (nn.AvgPool2d(2), zeros(1, 1, 4, 4, dtype=ints), RuntimeError, r"AvgPool2d: .*int64.*float\(\)"),
    (nn.AdaptiveAvgPool2d(2), zeros(1, 1, 0, 4), RuntimeError, "AdaptiveAvgPool2d: .*size 0"),
    (nn.AdaptiveMaxPool2d(2), zeros(1, 1, 0, 4), RuntimeError, "AdaptiveMaxPool2d: .*size 0"),
    (nn.MaxPool1d(5), zeros(1, 1, 4), RuntimeError, r"MaxPool1d: .*\(5,\).*\(1, 1, 4\)"),
    (nn.MaxPool1d(2), zeros(2, 4, dtype=ints), RuntimeError, r"MaxPool1d: .*int64.*float\(\)"),
    (nn.AvgPool1d(2), zeros(4), RuntimeError, r"AvgPool1d: input must be \(N, C, L\) or \(C, L\), got shape \(4,\)"),
    (nn.Unfold(3), zeros(1, 1, 2, 4), RuntimeError, r"Unfold: .*\(3, 3\).*does not fit.*\(2, 4\)"),
    (nn.Fold(4, 2), zeros(1, 4, 8), RuntimeError, r"Fold: .*3 x 3 places.*\(N, 4 C, 9\), got shape \(1, 4, 8\)"),
    (nn.PixelShuffle(2), zeros(6, 2, 2), RuntimeError, r"PixelShuffle: .*\(6, 2, 2\).*divisible by 2 x 2"),
    (nn.PReLU(3), zeros(2, 4), RuntimeError, r"PReLU: .*4 channels.*\(2, 4\), got shape \(3,\)"),
    (nn.GLU(), zeros(2, 3), RuntimeError, r"GLU: .*even.*\(2, 3\)"),
    (nn.BatchNorm1d(3), zeros(2, 3, 4, 4), ValueError, r"BatchNorm1d: expected input \(N, C\) or \(N, C, L\), .*4, 4"),
    (nn.BatchNorm2d(3), zeros(2, 3), ValueError, r"BatchNorm2d: expected input \(N, C, H, W\), got shape \(2, 3\)"),
    (nn.BatchNorm2d(3), [1.0], ValueError, r"BatchNorm2d: expected input \(N, C, H, W\), got list"),
    (nn.BatchNorm1d(3), zeros(2, 4), RuntimeError, r"BatchNorm1d: .*\(3,\).*\(2, 4\)"),
    (
        nn.BatchNorm1d(3),
        zeros(1, 3),
        ValueError,
        "BatchNorm1d: .*more than one value per channel.*drop_last=True.*eval",
    ),
    (nn.BatchNorm2d(3), zeros(1, 3, 1, 1), ValueError, "BatchNorm2d: .*more than one value per channel"),
    (nn.BatchNorm1d(3), zeros(2, 3, dtype=ints), RuntimeError, r"BatchNorm1d: .*int64"),
    (nn.BatchNorm1d(3, momentum=None), zeros(2, 3, dtype=minigrad.float64), RuntimeError, "float64 and float32"),
    (nn.LayerNorm(3), zeros(2, 4), RuntimeError, r"LayerNorm: .*\(3,\) must be the last sizes.*\(2, 4\)"),
    (nn.LayerNorm(3), zeros(2, 3, dtype=ints), RuntimeError, "LayerNorm: .*int64"),
    (nn.LayerNorm(3), zeros(2, 3, dtype=minigrad.float64), RuntimeError, "LayerNorm: .*float64 and float32"),
    (nn.LayerNorm(3), [1.0], TypeError, "LayerNorm: .*input must be a Tensor, got list"),
    (nn.RMSNorm((2, 3)), zeros(3), RuntimeError, r"RMSNorm: .*\(2, 3\) must be the last sizes.*\(3,\)"),
    (nn.RMSNorm(3), zeros(2, 3, dtype=ints), RuntimeError, "RMSNorm: .*int64"),
    (nn.GroupNorm(2, 4), zeros(2, 6, 3), RuntimeError, r"GroupNorm: needs num_channels=4 .*got shape \(2, 6, 3\)"),
    (nn.GroupNorm(2, 4, affine=False), zeros(2, 6), RuntimeError, r"GroupNorm: needs num_channels=4 .*\(2, 6\)"),
    (nn.GroupNorm(2, 4), zeros(4), ValueError, r"GroupNorm: .*input must be \(N, C\).*got shape \(4,\)"),
    (nn.GroupNorm(4, 4), zeros(1, 4), ValueError, "GroupNorm: .*single value.*use fewer groups"),
    (nn.GroupNorm(4, 4), [1.0], TypeError, "GroupNorm: .*input must be a Tensor, got list"),
    (nn.InstanceNorm1d(3), zeros(3), ValueError, r"InstanceNorm1d: expected input \(N, C, L\) or \(C, L\), .*\(3,\)"),
    (nn.InstanceNorm2d(3), zeros(2, 3), ValueError, r"InstanceNorm2d: expected input \(N, C, H, W\) or \(C, H, W\)"),
    (nn.InstanceNorm2d(3), [1.0], ValueError, "InstanceNorm2d: expected input .*got list"),
    (
        nn.InstanceNorm2d(3, affine=True),
        zeros(4, 5, 5),
        ValueError,
        r"InstanceNorm2d: num_features is 3, but dim 0 of the input, of shape \(4, 5, 5\), has size 4",
    ),
    (
        nn.InstanceNorm1d(3, track_running_stats=True),
        zeros(2, 4, 5),
        ValueError,
        "InstanceNorm1d: num_features is 3.*4",
    ),
    (nn.InstanceNorm1d(3), zeros(2, 3, 1), ValueError, "InstanceNorm1d: .*more than one value per channel"),
    (nn.Dropout(), zeros(3, dtype=ints), RuntimeError, "Dropout: .*int64"),
    (nn.Dropout2d(), zeros(3), ValueError, r"Dropout2d: .*got shape \(3,\)"),
    (nn.Flatten(5), zeros(2, 3), IndexError, r"Flatten: .*\[-2, 1\] .*got 5"),
    (nn.Flatten(2, 1), zeros(2, 3, 4), RuntimeError, "Flatten: start_dim 2 comes after end_dim 1"),
    (nn.Unflatten(1, (2, 2)), zeros(2, 3), RuntimeError, r"Unflatten: .*\(2, 2\).*size 3 of dim 1"),
    (nn.Embedding(10, 3), minigrad.tensor([1, 10]), IndexError, r"Embedding: .*10"),
    (nn.Embedding(10, 3), minigrad.tensor([-1]), IndexError, r"Embedding: .*-1"),
    (nn.Embedding(10, 3), minigrad.tensor([1.0]), RuntimeError, "Embedding: .*float32"),
    (nn.Softmax(3), zeros(2, 2), IndexError, r"Softmax: dim .*got 3"),
]


@pytest.mark.parametrize(("call", "error", "text"), CONSTRUCTORS, ids=[row[2] for row in CONSTRUCTORS])
def test_constructor(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize(("layer", "x", "error", "text"), INPUTS, ids=[f"{type(r[0]).__name__}-{r[3]}" for r in INPUTS])
def test_input(layer, x, error, text):
    before = {key: t.numpy().copy() for key, t in layer.state_dict().items()}
    with pytest.raises(error, match=f"^{text}" if text.startswith(type(layer).__name__) else text):
        layer(x)
    place = rf"^model\.1\.0 \({type(layer).__name__}\): "
    with pytest.raises(error, match=place):
        nn.Sequential(nn.Identity(), nn.Sequential(layer))(x)
    for key, t in layer.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), before[key], err_msg=key)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: nn.Linear(4, 4)(zeros(2, 4, dtype=minigrad.float64)), RuntimeError),
        (lambda: nn.Linear(4, 4)([[1.0] * 4]), TypeError),
        (lambda: nn.Conv2d(1, 2, 3)(zeros(1, 1, 5, 5, dtype=ints)), RuntimeError),
        (lambda: nn.functional.conv2d(zeros(1, 1, 5, 5), zeros(1, 1, 3, 3), stride=0), RuntimeError),
        (lambda: nn.functional.max_pool2d(zeros(1, 1, 5, 5, dtype=ints), 2.5), (RuntimeError, TypeError)),
    ],
)
def test_an_error_comes_alone(call, error):
    for _ in range(2):  # the second one from no cache either
        with pytest.raises(error) as raised:
            call()
        assert raised.value.__context__ is None or raised.value.__suppress_context__
