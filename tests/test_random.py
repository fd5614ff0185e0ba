"""Generators: the same seed gives the same numbers, a state goes on where it was, and nothing global is touched."""

import random
import subprocess
import sys

import numpy as np
import pytest

import minigrad
from minigrad import Generator

DRAWS = {
    "rand": lambda g: minigrad.rand(5, generator=g),
    "rand in float16": lambda g: minigrad.rand(5, dtype=minigrad.float16, generator=g),
    "randn": lambda g: minigrad.randn(5, generator=g),
    "randint": lambda g: minigrad.randint(1000, (5,), generator=g),
    "randperm": lambda g: minigrad.randperm(20, generator=g),
    "normal": lambda g: minigrad.normal(0.0, 1.0, (5,), generator=g),
    "rand_like": lambda g: minigrad.rand_like(minigrad.ones(5), generator=g),
    "randn_like": lambda g: minigrad.randn_like(minigrad.ones(5), generator=g),
    "randint_like": lambda g: minigrad.randint_like(minigrad.ones(5), 1000, generator=g),
    "normal_": lambda g: minigrad.ones(5).normal_(generator=g),
    "uniform_": lambda g: minigrad.ones(5).uniform_(generator=g),
    "bernoulli": lambda g: minigrad.bernoulli(minigrad.full((50,), 0.5), generator=g),
    "multinomial": lambda g: minigrad.multinomial(minigrad.ones(20), 10, generator=g),
    "multinomial, replaced": lambda g: minigrad.multinomial(minigrad.ones(20), 20, replacement=True, generator=g),
    "bernoulli_": lambda g: minigrad.ones(50).bernoulli_(generator=g),
}
each_draw = pytest.mark.parametrize("name", DRAWS)


@each_draw
def test_the_same_seed_gives_the_same_numbers(name):
    draw = DRAWS[name]
    a, b, c = (draw(Generator().manual_seed(seed)).tolist() for seed in (7, 7, 8))
    assert a == b != c


@each_draw
def test_the_default_generator_is_seeded_by_manual_seed(name):
    draw = DRAWS[name]
    assert minigrad.manual_seed(3) is minigrad.default_generator
    first, second = draw(None).tolist(), draw(None).tolist()
    minigrad.manual_seed(3)
    assert [draw(None).tolist(), draw(None).tolist()] == [first, second] and first != second
    assert draw(Generator().manual_seed(3)).tolist() == first, "one algorithm for all generators"


@each_draw
def test_a_state_goes_on_where_it_was_taken(name):
    draw, g = DRAWS[name], Generator().manual_seed(1)
    draw(g)
    state = g.get_state()
    wanted = [draw(g).tolist() for _ in range(3)]
    again = Generator().set_state(state)
    assert [draw(again).tolist() for _ in range(3)] == wanted and again.initial_seed() == 1


@each_draw
def test_a_generator_of_its_own_leaves_the_default_one_alone(name):
    before = minigrad.get_rng_state().tolist()
    DRAWS[name](Generator())
    assert minigrad.get_rng_state().tolist() == before
    DRAWS[name](None)
    assert minigrad.get_rng_state().tolist() != before


@each_draw
def test_the_global_generators_of_numpy_and_python_are_left_alone(name):
    def state():
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002
        return kind, keys.tolist(), rest, random.getstate()

    before = state()
    DRAWS[name](None)
    minigrad.manual_seed(5)
    minigrad.seed()
    Generator().seed()
    assert state() == before


def test_the_state_is_a_uint8_tensor_as_in_pytorch():
    state = minigrad.get_rng_state()
    assert isinstance(state, minigrad.Tensor) and state.dtype == minigrad.uint8 and state.ndim == 1
    a = minigrad.rand(3)
    minigrad.set_rng_state(state)
    assert minigrad.equal(a, minigrad.rand(3))
    held = state.tolist()
    minigrad.rand(3)
    assert state.tolist() == held, "a copy, not a view of the generator"


@pytest.mark.parametrize(
    "state",
    [
        minigrad.zeros(3, dtype=minigrad.uint8),
        minigrad.zeros(0, dtype=minigrad.uint8),
        minigrad.tensor(list(b'{"seed": 1}'), dtype=minigrad.uint8),
        minigrad.tensor(list(b"[1, 2]"), dtype=minigrad.uint8),
        minigrad.tensor(list(b"null"), dtype=minigrad.uint8),
        minigrad.tensor(list(b'{"seed": 1, "state": 5}'), dtype=minigrad.uint8),
        minigrad.tensor(list(b'{"seed": 1, "state": {"bit_generator": "MT19937"}}'), dtype=minigrad.uint8),
        minigrad.tensor(list(b"[" * 100_000), dtype=minigrad.uint8),
        "a text",
        None,
    ],
    ids=["zeros", "empty", "no state", "list", "null", "number", "other generator", "deep", "str", "None"],
)
def test_what_is_no_state_is_refused_and_changes_nothing(state):
    g = Generator().manual_seed(9)
    before = g.get_state().tolist()
    with pytest.raises(RuntimeError, match=r"set_state: not a state from Generator\.get_state"):
        g.set_state(state)
    assert g.get_state().tolist() == before and g.initial_seed() == 9


@pytest.mark.parametrize("flip", range(0, 200, 7))
def test_a_damaged_state_is_refused_or_harmless(flip):
    g = Generator().manual_seed(9)
    damaged = g.get_state()
    damaged[flip % len(damaged)] = 255 - damaged[flip % len(damaged)].item()
    try:
        g.set_state(damaged)
    except RuntimeError as error:
        assert "set_state" in str(error)
    assert g.numpy.random() < 1


def test_seeds():
    assert Generator().manual_seed(5).initial_seed() == 5 and minigrad.manual_seed(6).initial_seed() == 6
    assert minigrad.initial_seed() == 6
    for seed in (0, -1, 2**63, 2**64 - 1, np.int64(3)):
        assert Generator().manual_seed(seed).initial_seed() == seed
    drawn = {minigrad.seed() for _ in range(5)}
    assert len(drawn) == 5 and minigrad.initial_seed() in drawn
    assert len({Generator().seed() for _ in range(5)}) == 5
    assert Generator().initial_seed() == Generator().initial_seed(), "a fresh generator is always the same"
    for seed in (1.5, "1", None, True):
        with pytest.raises(TypeError, match="manual_seed: needs an int"):
            minigrad.manual_seed(seed)
    with pytest.raises(RuntimeError, match='the only device is "cpu"'):
        Generator("cuda")


def test_every_process_starts_elsewhere():
    program = "import minigrad; print(minigrad.initial_seed())"
    seeds = {subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(seeds) == 2


def test_the_numbers_stay_what_they_are():
    """The stream for a seed is a promise: figures in documents rest on it."""
    g = Generator().manual_seed(0)
    assert minigrad.rand(3, generator=g, dtype=minigrad.float64).tolist() == [
        0.6369616873214543,
        0.2697867137638703,
        0.04097352393619469,
    ]
    assert minigrad.randint(100, (4,), generator=g).tolist() == [7, 1, 17, 81]
    assert minigrad.randperm(5, generator=g).tolist() == [0, 2, 4, 3, 1]
