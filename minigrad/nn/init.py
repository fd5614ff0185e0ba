"""Initial values for parameters, filled in place, with PyTorch's names, arguments and distributions.

Every function gives its tensor back, records nothing, and checks its arguments before it writes. The random ones
draw from `generator`, by default from the one that `minigrad.manual_seed` seeds.

A *fan* is the number of connections of a unit: fan_in of those that come in, fan_out of those that go out. For a
weight (out, in, *kernel) they are in * kernel size and out * kernel size.
"""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..checks import number, whole
from ..random import Generator, source
from ..tensor import Tensor

__all__ = [
    "calculate_fan_in_and_fan_out",
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that makes up for what a nonlinearity does to the variance of its input.

    1 for "linear", "conv1d", "conv2d", "conv3d", their "conv_transpose" forms and "sigmoid"; 5/3 for "tanh"; sqrt(2)
    for "relu"; sqrt(2 / (1 + param^2)) for "leaky_relu" of negative slope `param`, by default 0.01; 3/4 for "selu".

    ValueError for any other name. Source: He et al., 2015, for the rectifiers; the rest is PyTorch's choice.

    >>> from minigrad import nn
    >>> round(nn.init.calculate_gain("leaky_relu", 0.2), 4)
    1.3868
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float, np.number)):
            raise ValueError(f"calculate_gain: the negative slope must be a number, got {param!r}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; choose one of {names}")
    return _GAINS[nonlinearity]


def calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight of shape (out, in) or (out, in, *kernel); ValueError for fewer dimensions.

    >>> import minigrad
    >>> minigrad.nn.init.calculate_fan_in_and_fan_out(minigrad.empty(16, 6, 5, 5))
    (150, 400)
    """
    return _fans("calculate_fan_in_and_fan_out", tensor)


_calculate_fan_in_and_fan_out = calculate_fan_in_and_fan_out  # PyTorch's spelling


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    _must_be_tensor(name, tensor)
    if tensor.ndim < 2:
        raise ValueError(
            f"{name}: fans are defined for weights of 2 or more dimensions, (out, in, *kernel), got shape "
            f"{tuple(tensor.shape)}; use uniform_ or normal_ for a bias"
        )
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def _must_be_tensor(name: str, tensor: Any, floating: bool = False) -> None:
    """TypeError unless a Tensor, and unless of a floating dtype where that is needed."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: needs a Tensor to fill, got {type(tensor).__name__}")
    if floating and not tensor.is_floating_point():
        raise TypeError(f"{name}: needs a floating tensor, got {tensor.dtype.name}")


# ------------------------------------------------------------------------------------------- distributions


@no_grad
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw every element uniformly from [a, b).

    >>> import minigrad
    >>> w = minigrad.nn.init.uniform_(minigrad.empty(100), -1, 1)
    >>> bool((w.abs() <= 1).all())
    True
    """
    _must_be_tensor("uniform_", tensor, floating=True)
    if not number("uniform_", "a", a) <= number("uniform_", "b", b):
        raise ValueError(f"uniform_: a must not exceed b, got a={a} and b={b}")
    number("uniform_", "b - a", float(b) - float(a))
    return tensor.uniform_(a, b, generator=generator)


@no_grad
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw every element from the normal distribution of this mean and standard deviation.

    ValueError for a negative std.

    >>> import minigrad
    >>> minigrad.nn.init.normal_(minigrad.empty(3), mean=2.0, std=0.0)    # without spread: the mean
    tensor([2., 2., 2.])
    """
    _must_be_tensor("normal_", tensor, floating=True)
    number("normal_", "mean", mean)
    number("normal_", "std", std, " >= 0")
    return tensor.normal_(mean, std, generator=generator)


@no_grad
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Draw every element from the normal distribution, given that it lies in [a, b].

    `mean` and `std` are those of the distribution before it is cut; a and b are values, not multiples of std. Exact
    wherever the interval lies, also far out in a tail.

    >>> import minigrad
    >>> w = minigrad.nn.init.trunc_normal_(minigrad.empty(100), std=0.02, a=-0.04, b=0.04)
    >>> bool((w.abs() <= 0.04).all())
    True
    """
    _must_be_tensor("trunc_normal_", tensor, floating=True)
    number("trunc_normal_", "mean", mean)
    number("trunc_normal_", "std", std, " > 0")
    if not number("trunc_normal_", "a", a, finite=False) < number("trunc_normal_", "b", b, finite=False):
        raise ValueError(f"trunc_normal_: a must be less than b, got a={a} and b={b}")
    most = sys.float_info.max  # an end further out than that is taken to be there
    first, last = (max(-most, min((float(end) - mean) / std, most)) for end in (a, b))
    drawn = mean + std * _truncated_normal(source(generator), first, last, tensor.numel())
    low, high = np.asarray([a, b], tensor.dtype)  # rounding must not push a value over the edge
    return tensor.copy_(np.clip(drawn.astype(tensor.dtype), low, high).reshape(tensor.shape))


def _truncated_normal(rng: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    """`count` standard normal numbers given that they lie in [low, high], by rejection (Robert, 1995).

    Where the interval is likely, normal numbers are drawn until they fall inside. Elsewhere they are drawn with
    density proportional to exp(-rate z), rate being the end nearest to 0 (0 if the interval holds it), and kept with
    probability exp(-(z - rate)^2 / 2): together that is exp(-z^2 / 2), up to a constant factor.
    """
    if high < 0:
        return -_truncated_normal(rng, -high, -low, count)
    likely = math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)) > 0.5  # a chance of 1 in 4
    rate = max(low, 0.0)
    result = np.empty(count)
    done = 0
    while done < count:
        n = 2 * (count - done) + 8
        if likely:
            z = rng.standard_normal(n)
            z = z[(z >= low) & (z <= high)]
        else:
            width = high - low
            u = rng.random(n)
            z = low + (u * width if rate * width < 1e-9 else -np.log1p(u * math.expm1(-rate * width)) / rate)
            z = z[rng.random(n) < np.exp(-0.5 * (z - rate) ** 2)]
        taken = z[: count - done]
        result[done : done + taken.size] = taken
        done += taken.size
    return result


@no_grad
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Set every element to `val`.

    >>> import minigrad
    >>> minigrad.nn.init.constant_(minigrad.empty(2, 2), 0.5)
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    _must_be_tensor("constant_", tensor)
    return tensor.fill_(val)


@no_grad
def ones_(tensor: Tensor) -> Tensor:
    """Set every element to 1.

    The tensor itself is given back, still a leaf.

    >>> import minigrad
    >>> w = minigrad.empty(2, requires_grad=True)
    >>> minigrad.nn.init.ones_(w) is w, w
    (True, tensor([1., 1.], requires_grad=True))
    """
    _must_be_tensor("ones_", tensor)
    return tensor.fill_(1)


@no_grad
def zeros_(tensor: Tensor) -> Tensor:
    """Set every element to 0.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(2, 3)
    >>> minigrad.nn.init.zeros_(layer.bias)
    Parameter containing:
    tensor([0., 0., 0.], requires_grad=True)
    """
    _must_be_tensor("zeros_", tensor)
    return tensor.zero_()


# ------------------------------------------------------------------------------------ scaled to the fans


@no_grad
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw uniformly from [-bound, bound), bound = gain sqrt(6 / (fan_in + fan_out)); also called Glorot's.

    The variance 2 / (fan_in + fan_out) is a compromise between keeping that of the activations on the way forward
    and that of the gradients on the way back. Source: Glorot and Bengio, 2010, equation 16.

    >>> import minigrad
    >>> w = minigrad.nn.init.xavier_uniform_(minigrad.empty(2, 4))
    >>> bool((w.abs() <= 1).all())
    True
    """
    std = _xavier_std("xavier_uniform_", tensor, gain)
    return _fill_uniform(tensor, std, generator)


@no_grad
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw from the normal distribution of std = gain sqrt(2 / (fan_in + fan_out)), as `xavier_uniform_` does.

    >>> import minigrad
    >>> g = minigrad.Generator().manual_seed(0)
    >>> w = minigrad.nn.init.xavier_normal_(minigrad.empty(100, 100), generator=g)
    >>> round(w.std().item(), 2)    # sqrt(2 / 200)
    0.1
    """
    std = _xavier_std("xavier_normal_", tensor, gain)
    return normal_(tensor, 0, std, generator)


@no_grad
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Draw uniformly from [-bound, bound), bound = gain sqrt(3 / fan); also called He's.

    a            : the negative slope of the "leaky_relu" that follows; 0 makes it a ReLU
    mode         : "fan_in" keeps the variance of the activations, "fan_out" that of the gradients
    nonlinearity : what follows the layer, as `calculate_gain` names it

    Layers start with a = sqrt(5), for which the bound is 1 / sqrt(fan_in). Source: He et al., 2015, equations 10, 14.

    >>> import minigrad
    >>> w = minigrad.nn.init.kaiming_uniform_(minigrad.empty(4, 6))
    >>> bool((w.abs() <= 1).all())
    True
    """
    std = _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return _fill_uniform(tensor, std, generator)


@no_grad
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Draw from the normal distribution of std = gain / sqrt(fan); arguments and source as in `kaiming_uniform_`.

    >>> import minigrad
    >>> g = minigrad.Generator().manual_seed(0)
    >>> w = minigrad.nn.init.kaiming_normal_(minigrad.empty(50, 200), nonlinearity="relu", generator=g)
    >>> round(w.std().item(), 2)    # sqrt(2 / 200)
    0.1
    """
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0, std, generator)


def _xavier_std(name: str, tensor: Tensor, gain: float) -> float:
    """gain sqrt(2 / (fan_in + fan_out)); 0 for a tensor without elements."""
    _must_be_tensor(name, tensor, floating=True)
    fan_in, fan_out = _fans(name, tensor)
    number(name, "gain", gain)
    return gain * math.sqrt(2 / (fan_in + fan_out)) if tensor.numel() else 0.0


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """gain / sqrt(fan); 0 for a tensor without elements, with a warning."""
    _must_be_tensor(name, tensor, floating=True)
    if str(mode).lower() not in ("fan_in", "fan_out"):
        raise ValueError(f'{name}: mode must be "fan_in" or "fan_out", got {mode!r}')
    gain = calculate_gain(nonlinearity, a)
    if not tensor.numel():
        warnings.warn(f"{name}: nothing to fill in shape {tuple(tensor.shape)}", UserWarning, stacklevel=4)
        return 0.0
    fan_in, fan_out = _fans(name, tensor)
    return gain / math.sqrt(fan_in if mode.lower() == "fan_in" else fan_out)


def _fill_uniform(tensor: Tensor, std: float, generator: Generator | None) -> Tensor:
    """Draw uniformly, around 0, with the given standard deviation: a uniform distribution ends at sqrt(3) of it."""
    bound = math.sqrt(3) * std
    return uniform_(tensor, -bound, bound, generator)


# ----------------------------------------------------------------------------------------------- matrices


@no_grad
def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity, or as much of it as there is room for: a linear layer then hands on its inputs.

    >>> import minigrad
    >>> minigrad.nn.init.eye_(minigrad.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    _must_be_tensor("eye_", tensor)
    if tensor.ndim != 2:
        raise ValueError(f"eye_: needs a matrix, got shape {tuple(tensor.shape)}")
    return tensor.copy_(np.eye(tensor.shape[0], tensor.shape[1]))


@no_grad
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Make the weight (out, in, *kernel) of a convolution hand on its input channels, as many as it has outputs for.

    Each filter is zero but for a 1 in the middle of its own channel; with `groups`, within each group.

    >>> import minigrad
    >>> minigrad.nn.init.dirac_(minigrad.empty(2, 2, 3))
    tensor([[[0., 1., 0.],
             [0., 0., 0.]],
    <BLANKLINE>
            [[0., 0., 0.],
             [0., 1., 0.]]])
    """
    _must_be_tensor("dirac_", tensor)
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(
            f"dirac_: needs the weight of a convolution, of 3, 4 or 5 dimensions, got shape {tuple(tensor.shape)}"
        )
    if whole("dirac_", "groups", groups) < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: groups must divide the {tensor.shape[0]} output channels, got {groups}")
    outputs = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    value = np.zeros(tensor.shape)
    for output in range(tensor.shape[0]):
        channel = output % outputs
        if channel < tensor.shape[1]:
            value[(output, channel, *middle)] = 1
    return tensor.copy_(value)


@no_grad
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Make the tensor, flattened to a matrix (first size, the rest), gain times a random (semi-)orthogonal one.

    Its rows are orthonormal, or its columns where there are fewer of these: it keeps the lengths of vectors. The
    distribution is uniform over all such matrices. Source: Saxe et al., 2014; Mezzadri, 2007, for the signs.

    >>> import minigrad
    >>> w = minigrad.nn.init.orthogonal_(minigrad.empty(2, 5))
    >>> minigrad.allclose(w @ w.T, minigrad.eye(2), atol=1e-6)
    True
    """
    _must_be_tensor("orthogonal_", tensor, floating=True)
    number("orthogonal_", "gain", gain)
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: needs 2 or more dimensions, got shape {tuple(tensor.shape)}")
    if not tensor.numel():
        return tensor
    rows = tensor.shape[0]
    matrix = source(generator).standard_normal((rows, tensor.numel() // rows))
    wide = matrix.shape[0] < matrix.shape[1]
    q, r = np.linalg.qr(matrix.T if wide else matrix)
    q *= np.where(np.diag(r) < 0, -1, 1)
    return tensor.copy_((gain * (q.T if wide else q)).reshape(tensor.shape))


@no_grad
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Draw a matrix from the normal distribution of this std, and zero a share `sparsity` of each column, rounded up.

    Source: Martens, 2010, "Deep learning via Hessian-free optimization".

    >>> import minigrad
    >>> w = minigrad.nn.init.sparse_(minigrad.empty(10, 3), sparsity=0.25)
    >>> (w == 0).sum(dim=0)
    tensor([3, 3, 3])
    """
    _must_be_tensor("sparse_", tensor, floating=True)
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: needs a matrix, got shape {tuple(tensor.shape)}")
    number("sparse_", "sparsity", sparsity, " in [0, 1]")
    number("sparse_", "std", std, " >= 0")
    rng, (rows, columns) = source(generator), tensor.shape
    value = rng.normal(0, std, (rows, columns))
    for column in range(columns):
        value[rng.permutation(rows)[: math.ceil(sparsity * rows)], column] = 0
    return tensor.copy_(value)
