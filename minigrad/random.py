"""Random numbers: the generator that every random op draws from.

Nothing here touches NumPy's or Python's global random state.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .autograd import is_tensor, unwrap, wrap
from .checks import whole

__all__ = [
    "Generator",
    "bernoulli",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "multinomial",
    "seed",
    "set_rng_state",
]


class Generator:
    """A source of random numbers with a seed and a state (NumPy's PCG64).

    The numbers differ from PyTorch's for the same seed; their distributions do not.

    >>> import minigrad
    >>> g = minigrad.Generator().manual_seed(7)
    >>> a = minigrad.rand(2, generator=g)
    >>> b = minigrad.rand(2, generator=g.manual_seed(7))
    >>> bool((a == b).all())
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        if str(device) != "cpu":
            raise RuntimeError(f'Generator: the only device is "cpu", got {device!r}')
        self.manual_seed(67280421310721)  # an arbitrary fixed seed: a fresh Generator is always the same

    def manual_seed(self, seed: int) -> Generator:
        """Start over from `seed`, any int; gives back the generator."""
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool):
            raise TypeError(f"manual_seed: needs an int, got {seed!r}")
        self._seed = int(seed)
        self.numpy = np.random.Generator(np.random.PCG64(self._seed % 2**64))
        return self

    def initial_seed(self) -> int:
        """The seed this generator was last started from."""
        return self._seed

    def seed(self) -> int:
        """Start over from a seed that the operating system draws, and give it back."""
        return self.manual_seed(int(np.random.SeedSequence().entropy) % 2**63).initial_seed()  # type: ignore[arg-type]

    def get_state(self) -> Any:
        """The state as a uint8 Tensor, for `set_state`."""
        state = {"seed": self._seed, "state": self.numpy.bit_generator.state}
        return wrap(np.frombuffer(json.dumps(state).encode(), np.uint8).copy())

    def set_state(self, new_state: Any) -> Generator:
        """Go on from a state that `get_state` gave."""
        try:
            saved = json.loads(bytes(np.asarray(unwrap(new_state), np.uint8)))
            fresh = np.random.PCG64()
            fresh.state = saved["state"]
            seed = int(saved["seed"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise RuntimeError(f"set_state: not a state from Generator.get_state ({error})") from None
        self._seed, self.numpy = seed, np.random.Generator(fresh)
        return self


default_generator = Generator()
default_generator.seed()


def source(generator: Generator | None) -> np.random.Generator:
    """The NumPy generator to draw from: that of `generator`, or the default one."""
    if generator is None:
        return default_generator.numpy
    if not isinstance(generator, Generator):
        raise TypeError(f"generator must be a minigrad.Generator, got {type(generator).__name__}")
    return generator.numpy


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, and give it back.

    >>> import minigrad
    >>> _ = minigrad.manual_seed(0)
    >>> a = minigrad.rand(3)
    >>> _ = minigrad.manual_seed(0)
    >>> minigrad.allclose(a, minigrad.rand(3))
    True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the operating system, and give the seed back.

    >>> import minigrad
    >>> minigrad.seed() == minigrad.initial_seed()
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed the default generator was last started from.

    >>> import minigrad
    >>> _ = minigrad.manual_seed(7)
    >>> minigrad.initial_seed()
    7
    """
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The default generator's state, as a uint8 Tensor.

    >>> import minigrad
    >>> state = minigrad.get_rng_state()
    >>> a = minigrad.rand(3)
    >>> minigrad.set_rng_state(state)
    >>> minigrad.allclose(a, minigrad.rand(3))    # the same numbers once more
    True
    """
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Let the default generator go on from a state that `get_rng_state` gave.

    RuntimeError for anything else; the generator then stays as it was.

    >>> import minigrad
    >>> state = minigrad.manual_seed(0).get_state()
    >>> a = minigrad.randn(3)
    >>> minigrad.set_rng_state(state)
    >>> minigrad.allclose(a, minigrad.randn(3))
    True
    """
    default_generator.set_state(new_state)


# --------------------------------------------------------------------------- drawing by the chances in a tensor


def bernoulli(input: Any, *, generator: Generator | None = None) -> Any:
    """1 with the probability that stands in each element of input, else 0: of its shape and dtype, without gradient.

    RuntimeError for probabilities outside of [0, 1], and for integers.

    >>> import minigrad
    >>> minigrad.bernoulli(minigrad.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    chances = _floats("bernoulli", input)
    must_be_chances("bernoulli", "input", chances)
    return wrap((source(generator).random(chances.shape) < chances).astype(chances.dtype))


def must_be_chances(op: str, name: str, chances: np.ndarray) -> None:
    """RuntimeError unless all are in [0, 1]."""
    outside = chances[~((chances >= 0) & (chances <= 1))]
    if outside.size:
        raise RuntimeError(f"{op}: {name} must be in [0, 1], got {outside.flat[0]}")


def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Any:
    """Indices drawn from each row of input, (C,) or (N, C), by the weights in it: (num_samples,) or (N, num_samples).

    The weights need not add up to 1. Without `replacement` no index is drawn twice. RuntimeError if a weight is
    negative or not finite, if all of a row are 0, and, without replacement, if a row has fewer than num_samples that
    are not. (PyTorch asks only for that many weights, and then draws some of weight 0.)

    >>> import minigrad
    >>> minigrad.multinomial(minigrad.tensor([[0.0, 3.0], [1.0, 0.0]]), 2, replacement=True)
    tensor([[1, 1],
            [0, 0]])
    """
    op, weights = "multinomial", _floats("multinomial", input).astype(np.float64)
    many = whole(op, "num_samples", num_samples, " >= 1")
    if weights.ndim not in (1, 2) or not weights.shape[-1]:
        raise RuntimeError(f"{op}: input must be (C,) or (N, C) with C > 0, got shape {weights.shape}")
    if not ((weights >= 0) & np.isfinite(weights)).all():
        wrong = weights[~((weights >= 0) & np.isfinite(weights))]
        raise RuntimeError(f"{op}: the weights must be finite and not negative, got {wrong.flat[0]}")
    fewest = int(np.count_nonzero(weights, axis=-1).min(initial=weights.shape[-1]))
    if fewest < (1 if replacement else many):
        advice = "; draw fewer, or with replacement=True" if fewest else ""
        raise RuntimeError(
            f"{op}: a row of input has {fewest} weights that are not 0, too few for {many} samples"
            f"{'' if replacement else ' without replacement'}{advice}"
        )
    rows = weights.reshape(-1, weights.shape[-1])
    rng, drawn = source(generator), np.empty((len(rows), many), np.int64)
    if replacement:
        for row, indices in zip(rows, drawn, strict=True):
            edges = np.cumsum(row / row.max())
            last = np.flatnonzero(row)[-1]  # rounding could lead beyond it
            indices[...] = np.minimum(np.searchsorted(edges, rng.random(many) * edges[-1], side="right"), last)
    else:  # in the order in which clocks ring that run at the rates `row` (Efraimidis and Spirakis, 2006)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn[...] = np.argsort(rng.standard_exponential(rows.shape) / rows, axis=-1)[:, :many]
    return wrap(drawn.reshape(*weights.shape[:-1], many))


def _floats(op: str, x: Any) -> np.ndarray:
    """The array of a floating Tensor."""
    if not (is_tensor(x) or isinstance(x, np.ndarray)):
        raise TypeError(f"{op}: input must be a Tensor, got {type(x).__name__}")
    if x.dtype.kind != "f":
        raise RuntimeError(f"{op}: input must be floating, got {x.dtype.name}; use x.float()")
    return unwrap(x)
