"""What every test may ask for: both backends, and random numbers that depend on nothing but the test itself."""

import os
import zlib

import numpy as np
import pytest
from hypothesis import settings

import minigrad

# Programs that tests start say what the tests expect, whether they had to compile something first or not.
os.environ.setdefault("MINIGRAD_QUIET", "1")

# The same examples in every run, on a slow machine too, and no folder of past failures left behind.
settings.register_profile("minigrad", deadline=None, derandomize=True, database=None, print_blob=False)
settings.load_profile("minigrad")


@pytest.fixture(params=["numpy", "numba"])
def backend(request):
    """The name of the backend in force; a test that asks for it runs once on each."""
    if request.param == "numba":
        pytest.importorskip("numba")
    with minigrad.use_backend(request.param):
        yield request.param


@pytest.fixture
def seed(request):
    """A number of the test's own, from its name and parameters: any order of the suite gives the same."""
    return zlib.crc32(f"{request.node.path.name}::{request.node.name}".encode())


@pytest.fixture
def rng(seed):
    """A NumPy generator of the test's own."""
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def _alone(seed):
    """Seed minigrad's own generator, and see to it that no test leaves a global setting changed."""
    minigrad.manual_seed(seed)
    yield
    left = minigrad.is_grad_enabled(), minigrad.get_default_dtype(), np.geterr()["divide"]
    minigrad.set_grad_enabled(True)
    minigrad.set_default_dtype(minigrad.float32)
    assert left == (True, minigrad.float32, "warn"), f"the test left grad mode, default dtype, errors at {left}"


@pytest.fixture(scope="session")
def pytorch():
    """PyTorch with all its functions in one namespace, as minigrad.ops has them; skips where it is not installed."""
    return _PyTorch(pytest.importorskip("torch"))


class _PyTorch:
    def __init__(self, torch):
        self.homes = torch.nn.functional, torch

    def __getattr__(self, name):
        for home in self.homes:
            if hasattr(home, name):
                return getattr(home, name)
        return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)  # a method, such as view or expand

    def getitem(self, x, key):
        return x[key]
