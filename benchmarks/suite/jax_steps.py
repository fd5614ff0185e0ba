"""The training step of `steps.py` in JAX: one compiled function, from the images' numbers to the new parameters."""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import Any

import numpy as np

from . import numbers
from .row import Task


def step(layers: list[tuple[str, tuple]], batch: int, learning_rate: float) -> Task:
    import jax
    import jax.numpy as jnp

    images, labels = map(jnp.asarray, numbers.mnist())
    order = numbers.order(len(images))
    indices = cycle([jnp.asarray(order[i : i + batch]) for i in range(0, len(order) - batch + 1, batch)])

    def loss(parameters: list, running: list, index: Any) -> tuple:
        x = images[index].astype(jnp.float32) * (2 / 255) - 1
        x, running = forward(layers, parameters, running, x)
        scores = jax.nn.log_softmax(x)
        return -jnp.take_along_axis(scores, labels[index][:, None], 1).mean(), running

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters: list, running: list, index: Any) -> tuple:
        (value, running), gradients = jax.value_and_grad(loss, has_aux=True)(parameters, running, index)
        return jax.tree.map(lambda p, g: p - learning_rate * g, parameters, gradients), running, value

    state: list = [*map(partial(jax.tree.map, jnp.asarray), initial(layers))]

    def run() -> Any:
        *state[:], value = update(*state, next(indices))
        return value.block_until_ready()

    def results() -> list:
        first = np.array(run())
        parameters = [np.array(p) for layer in state[0] for p in layer]
        return [*parameters, first, np.array(run()), np.array(run())]

    return Task(run, results)


def initial(layers: list[tuple[str, tuple]]) -> tuple[list, list]:
    """The parameters, and the running statistics of batch norm, layer by layer."""
    parameters: list[tuple] = []
    running: list[tuple] = []
    for i, (kind, arguments) in enumerate(layers, 1):
        parameters.append(())
        running.append(())
        if kind == "Linear":
            parameters[-1] = numbers.weights(i, arguments[::-1])
        elif kind == "Conv2d":
            c_in, c_out, kernel, *_ = arguments
            parameters[-1] = numbers.weights(i, (c_out, c_in, kernel, kernel))
        elif kind.startswith("BatchNorm"):
            zeros, ones = np.zeros(arguments, np.float32), np.ones(arguments, np.float32)
            parameters[-1], running[-1] = (ones, zeros), (zeros, ones)
    return parameters, running


def forward(layers: list[tuple[str, tuple]], parameters: list, running: list, x: Any) -> tuple[Any, list]:
    """The network's output, and the new running statistics."""
    import jax
    import jax.numpy as jnp

    now = []
    for (kind, arguments), p, statistics in zip(layers, parameters, running, strict=True):
        match kind:
            case "Linear":
                x = x @ p[0].T + p[1]
            case "Conv2d":
                *_, stride, padding = arguments if len(arguments) == 5 else (*arguments, 1, 0)
                kinds = ("NCHW", "OIHW", "NCHW")
                pads = [(padding, padding)] * 2
                x = jax.lax.conv_general_dilated(x, p[0], (stride, stride), pads, dimension_numbers=kinds)
                x = x + p[1][:, None, None]
            case "BatchNorm1d" | "BatchNorm2d":
                x, statistics = batch_norm(x, *p, *statistics)
            case "ReLU":
                x = jax.nn.relu(x)
            case "MaxPool2d":
                window = (1, 1, *arguments, *arguments)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
            case "Flatten":
                x = x.reshape(len(x), -1)
        now.append(statistics)
    return x, now


def batch_norm(x: Any, weight: Any, bias: Any, mean: Any, var: Any, eps: float = 1e-5, momentum: float = 0.1) -> tuple:
    """As PyTorch's: the batch's variance normalizes, the unbiased one goes into the running average."""
    axes, shape = (0, *range(2, x.ndim)), (1, -1, *[1] * (x.ndim - 2))
    batch_mean, batch_var = x.mean(axes), x.var(axes)
    n = x.size // x.shape[1]
    y = (x - batch_mean.reshape(shape)) * ((batch_var + eps) ** -0.5 * weight).reshape(shape) + bias.reshape(shape)
    mean = mean + momentum * (batch_mean - mean)
    return y, (mean, var + momentum * (batch_var * n / (n - 1) - var))
