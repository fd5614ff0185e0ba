"""The `numba` backend: the compiled twin of every kernel in `reference`, under the same name."""

from .conv import conv2d, conv2d_backward, conv2d_input, conv2d_weight
from .elementwise import (
    elu,
    elu_backward,
    erf,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    softplus_backward,
    tanh_backward,
)
from .gemm import matmul
from .image import image_batch
from .linear import linear, linear_backward
from .loss import softmax_cross_entropy, softmax_cross_entropy_backward
from .norm import batch_norm, batch_norm_backward, layer_norm, layer_norm_backward, normalize, normalize_backward
from .pool import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
    max_pool2d_take,
    max_pool2x2,
    max_pool2x2_backward,
)
from .reduce import channel_sums
from .softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from .update import adam_update, adam_updates, sgd_update, sgd_updates, try_adam_updates, try_sgd_updates

__all__ = [
    "adam_update",
    "adam_updates",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "channel_sums",
    "conv2d",
    "conv2d_backward",
    "conv2d_input",
    "conv2d_weight",
    "elu",
    "elu_backward",
    "erf",
    "gelu",
    "gelu_backward",
    "image_batch",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "log_softmax",
    "log_softmax_backward",
    "matmul",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool2d_take",
    "max_pool2x2",
    "max_pool2x2_backward",
    "normalize",
    "normalize_backward",
    "relu",
    "relu_backward",
    "sgd_update",
    "sgd_updates",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softplus_backward",
    "tanh_backward",
    "try_adam_updates",
    "try_sgd_updates",
]
