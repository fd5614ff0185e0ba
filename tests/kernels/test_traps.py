"""Training as a whole among the things that bring compiled code to fall: threads, forks, layouts, sizes, zeros."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

import minigrad
from minigrad import nn
from minigrad.kernels import compiled, record, reference

ROOT = Path(__file__).parents[2]

compiled_only = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
has_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


# ------------------------------------------------------------------------------ threads, forks and start methods

PROGRAM = """
import hashlib, multiprocessing, os, sys, threading
sys.path.insert(0, {root!r})
import numpy as np
import minigrad
from minigrad import nn, optim
from minigrad.kernels import threads

threads.STALL = 10**15  # however busy the machine
threads.SHARE = 100  # nanoseconds: all kernels share their work

def trained(steps, batch=32):
    "The digest of all parameters and running statistics after so many steps."
    rng = np.random.default_rng(0)
    generator = minigrad.Generator().manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4 * 6 * 6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10),
    )
    with minigrad.no_grad():
        for p in model.parameters():
            p.copy_(minigrad.tensor(0.1 * rng.standard_normal(p.shape).astype("f")))
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    images = minigrad.tensor(rng.standard_normal((batch, 1, 12, 12)).astype("f"))
    labels = minigrad.tensor(rng.integers(0, 10, batch))
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        assert np.isfinite(value.array).all()
        digest.update(value.array.tobytes())
    return digest.hexdigest()

def child(expected):
    os._exit(0 if trained(3) == expected else 3)

if __name__ == "__main__":
    minigrad.set_num_threads(1)
    serial = trained(STEPS)
    minigrad.set_num_threads(2)
"""

AT_ONCE = """
    results = []
    workers = [threading.Thread(target=lambda: results.append(trained(STEPS))) for _ in range(8)]
    for w in workers: w.start()
    for w in workers: w.join()
    assert results == [serial] * 8, (serial, results)
    assert threads._deadline > 0
    import numba
    print(numba.threading_layer())
"""

CHILDREN = """
    result = trained(STEPS)
    assert result == serial and threads._deadline > 0, (result, serial, threads._deadline)
    for _ in range(20):
        pid = os.fork()
        if not pid:
            child(serial)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for method in ("fork", "forkserver", "spawn"):
        process = multiprocessing.get_context(method).Process(target=child, args=(serial,))
        process.start()
        process.join(120)
        assert process.exitcode == 0, (method, process.exitcode)
    assert trained(STEPS) == serial
    print("done")
"""

NUMBERS = """
    for number in (1, 2, 4):
        minigrad.set_num_threads(number)
        print(trained(STEPS, batch=128), threads._deadline > 0)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder for the machine code of the programs of this file."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(tmp_path, cache):
    """Runs a program of so many steps in an interpreter of its own, and gives what it prints."""

    def run_program(program, steps, threads=2, **environment):
        file = tmp_path / "program.py"
        file.write_text((PROGRAM.replace("{root!r}", repr(str(ROOT))) + program).replace("STEPS", str(steps)))
        done = subprocess.run(
            [sys.executable, file],
            env={**os.environ, "NUMBA_NUM_THREADS": str(threads), "NUMBA_CACHE_DIR": str(cache), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-3000:])
        return done.stdout.strip()

    return run_program


@compiled_only
@pytest.mark.slow
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_eight_threads_train_at_once(run, layer):
    if layer == "omp":
        pytest.importorskip("numba.np.ufunc.omppool")
    assert run(AT_ONCE, 200, NUMBA_THREADING_LAYER=layer) == layer


@compiled_only
@pytest.mark.slow
@has_fork
def test_twenty_forks_and_every_start_method_train(run):
    assert run(CHILDREN, 3) == "done"


@compiled_only
@pytest.mark.slow
def test_training_gives_the_same_bits_on_one_two_and_four_threads(run):
    first, *others = run(NUMBERS, 5, threads=4).split("\n")
    assert others == [first.replace("False", "True")] * 2


# -------------------------------------------------------------------------------------------------- layouts

LAYOUTS = {
    "fortran": np.asfortranarray,
    "transposed": lambda a: np.swapaxes(np.swapaxes(a, 0, -1).copy(), 0, -1),
    "channels last": lambda a: a.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2),
    "negative strides": lambda a: np.flip(np.flip(a).copy()),
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "inside a larger array": lambda a: np.pad(a, 2)[2:-2, 2:-2, 2:-2, 2:-2],
    "strides of zero": lambda a: np.broadcast_to(a[:1], a.shape),
    "read-only": lambda a: _read_only(a.copy()),
    "read-only and transposed": lambda a: _read_only(np.asfortranarray(a)),
    "other byte order": lambda a: a.astype(">f4"),
    "misaligned": lambda a: _misaligned(a),
    "subclass": lambda a: a.copy().view(type("Subclass", (np.ndarray,), {})),
    "memory map": lambda a: np.frombuffer(bytearray(a.tobytes()), a.dtype).reshape(a.shape),
}


def _read_only(a):
    a.flags.writeable = False
    return a


def _misaligned(a):
    b = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    b[...] = a
    return b


def _network():
    minigrad.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4)
    )


def _step(images, cotangent, backend):
    """The output and all gradients of a pass forward and backward."""
    with minigrad.use_backend(backend):
        model, x = _network(), minigrad.Tensor(images, requires_grad=images.dtype.isnative)
        y = model(x)
        y.backward(minigrad.Tensor(cotangent))
    return [y.array, *(p.grad.array for p in model.parameters()), *([x.grad.array] if x.requires_grad else [])]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_training_step_takes_every_layout_and_compiles_nothing_for_it(rng, layout):
    images, cotangent = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 2, 8, 8), (5, 4)))
    _step(images, cotangent, "numba")
    known = len(record.made)
    given = LAYOUTS[layout](images)
    before = given.copy()
    actual = _step(given, cotangent, "numba")
    assert len(record.made) == known
    np.testing.assert_array_equal(given, before)
    expected = _step(np.array(given, np.float32, order="C", subok=False), cotangent, "numpy")
    for a, e in zip(actual, expected, strict=False):
        np.testing.assert_allclose(a, e, rtol=2e-4, atol=2e-5)


# -------------------------------------------------------------------------------------------------- division


def _normalized(backend, function, x):
    """The result of a normalization, and its gradient."""
    with minigrad.use_backend(backend), np.errstate(all="raise"):  # infinities and NaN flow in silence even so
        x = minigrad.Tensor(x.copy(), requires_grad=True)
        y = function(x)
        y.backward(minigrad.Tensor(np.arange(x.array.size, dtype=x.dtype).reshape(x.shape)))
    return y.array, x.grad.array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: nn.functional.layer_norm(x, x.shape[-1:], eps=0.0), (2, 3)),
        (lambda x: nn.functional.log_softmax(x - np.inf, 1), (2, 3)),
    ],
)
def test_division_by_zero_is_numpys(function, shape, dtype):
    """The variance of equal numbers is zero, and so is the sum of no chances."""
    for value in (0, 2):
        actual, expected = (_normalized(name, function, np.full(shape, value, dtype)) for name in ("numba", "numpy"))
        assert not np.isfinite(expected[0]).any()
        for a, e in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(a, e)


def test_an_update_that_divides_by_zero_is_numpys():
    results = []
    for module in (compiled, reference):
        p, m, v = np.ones(3), np.zeros(3), np.zeros(3)
        with np.errstate(all="raise"):
            module.adam_update(p, np.array([0.0, 1e-300, 1]), m, v, None, 1, 0.1, 0.9, 0.99, 0.0, 0, False, False)
        results.append(p)
    np.testing.assert_allclose(*results)
    assert np.isnan(results[0][0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_quotients_are_numpys(backend, dtype):
    x, y = np.array([1, -1, 0, np.inf, np.nan, 0], dtype), np.array([0, 0, 0, 0, 0, np.nan], dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal((minigrad.tensor(x) / minigrad.tensor(y)).array, x / y)
        np.testing.assert_array_equal((1 / minigrad.tensor(y)).array, 1 / y)


# ------------------------------------------------------------------------------------------------------ sizes

HUGE = 2**62
x = np.ones((1, 1, 4, 4), np.float32)
w = np.ones((1, 1, 3, 3), np.float32)


@pytest.mark.parametrize(
    "call",
    [
        lambda: minigrad.zeros(HUGE, 4),
        lambda: minigrad.ones(2**32, 2**32),
        lambda: minigrad.empty(2**63 - 1),
        lambda: minigrad.full((2**31, 2**31, 2), 1.0),
        lambda: minigrad.eye(2**32),
        lambda: minigrad.randn(HUGE, 2),
        lambda: minigrad.zeros(2**64),
        lambda: minigrad.tensor([1.0]).repeat(HUGE),
        lambda: minigrad.nn.functional.pad(minigrad.ones(2), (HUGE, HUGE)),
        lambda: minigrad.nn.functional.conv2d(minigrad.Tensor(x), minigrad.Tensor(w), padding=HUGE),
        lambda: minigrad.nn.functional.conv2d(minigrad.Tensor(x), minigrad.Tensor(w), dilation=HUGE),
        lambda: minigrad.nn.functional.max_pool2d(minigrad.Tensor(x), HUGE),
        lambda: minigrad.nn.functional.avg_pool2d(minigrad.Tensor(x), 2, padding=HUGE),
        lambda: minigrad.nn.functional.one_hot(minigrad.tensor([0]), HUGE),
        lambda: minigrad.broadcast_to(minigrad.ones(1, 1), (2**32, 2**32)) + 1,
    ],
)
def test_sizes_near_the_limits_are_refused_before_memory_is_asked_for(backend, call):
    with pytest.raises((ValueError, RuntimeError, OverflowError, MemoryError)) as error:
        call()
    assert str(error.value)


@pytest.mark.parametrize("module", [compiled, reference])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("conv2d", (x, w, None, (1, 1), (HUGE, HUGE), (1, 1), 1)),
        ("conv2d", (x, w, None, (1, 1), (0, 0), (HUGE, HUGE), 1)),
        ("conv2d_input", (x, w, (1, 1, HUGE, HUGE), (1, 1), (0, 0), (1, 1), 1)),
        ("conv2d_weight", (x, x, (1, 1, HUGE, HUGE), (1, 1), (0, 0), (1, 1), 1)),
        ("max_pool2d_backward", (x, np.zeros(x.shape, np.int64), (1, 1, HUGE, HUGE))),
        ("max_pool2x2_backward", (x, np.zeros(x.shape, np.uint8), (1, 1, HUGE, HUGE))),
        ("avg_pool2d_backward", (x, (1, 1, HUGE, HUGE), (2, 2), (2, 2), (0, 0), True, None)),
    ],
)
def test_kernels_refuse_sizes_that_would_wrap_around(module, name, arguments):
    with pytest.raises((ValueError, OverflowError, MemoryError)) as error:
        getattr(module, name)(*arguments)
    assert str(error.value)
