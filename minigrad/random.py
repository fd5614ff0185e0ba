"""Random numbers: the generator that every random op draws from.

Nothing here touches NumPy's or Python's global random state.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .autograd import unwrap, wrap

__all__ = [
    "Generator",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
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
