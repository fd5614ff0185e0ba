"""The choice between the backends."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from minigrad import kernels
from minigrad.kernels import compiled, current, get_backend, reference, use_backend

NO_NUMBA = "import sys; sys.modules['numba'] = None\n"  # import numba then fails, as if it were not installed


def _python(code, **environment):
    """The output of a fresh interpreter, in an environment without a choice of backend but for the one given."""
    inherited = {name: value for name, value in os.environ.items() if name != "MINIGRAD_BACKEND"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, cwd=root, capture_output=True, text=True, timeout=120
    )
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()


def test_blocks_nest():
    outside = get_backend()
    with use_backend("numpy"):
        assert (get_backend(), current()) == ("numpy", reference)
        with use_backend("numba"):
            assert (get_backend(), current()) == ("numba", compiled)
            with use_backend("numba"):
                assert current() is compiled
            assert current() is compiled
        assert current() is reference
    assert get_backend() == outside


def test_an_exception_restores_the_choice():
    with use_backend("numba"):
        with pytest.raises(KeyError), use_backend("numpy"):
            raise KeyError
        assert current() is compiled


def test_a_function_can_be_decorated():
    @use_backend("numpy")
    def backend():
        return get_backend()

    with use_backend("numba"):
        assert [backend(), backend(), get_backend()] == ["numpy", "numpy", "numba"]


def test_a_choice_holds_for_its_thread_alone():
    seen = {}
    inside, looked = threading.Event(), threading.Event()

    def choose():
        with use_backend("numpy"):
            inside.set()
            looked.wait(10)
            seen["own"] = get_backend()

    with use_backend("numba"):
        thread = threading.Thread(target=choose)
        thread.start()
        assert inside.wait(10)
        seen["other"] = get_backend()
        looked.set()
        thread.join()
    assert seen == {"own": "numpy", "other": "numba"}

    with use_backend("numpy"):
        thread = threading.Thread(target=lambda: seen.update(fresh=current()))
        thread.start()
        thread.join()
    assert seen["fresh"] is current()


@pytest.mark.parametrize("name", ["torch", "", "NumPy", None])
def test_an_unknown_backend_is_refused(name):
    before = current()
    with pytest.raises(ValueError, match=r'use_backend: unknown backend .*; choose one of "numba" or "numpy"') as error:
        use_backend(name).__enter__()
    assert repr(name) in str(error.value)
    assert current() is before


def test_importing_chooses_nothing_and_imports_no_numba():
    code = """
import os, sys, threading
environment = dict(os.environ)
import minigrad.kernels
assert "numba" not in sys.modules and "minigrad.kernels.compiled" not in sys.modules
assert minigrad.kernels.get_backend() == "numba"
with minigrad.kernels.use_backend("numpy"):
    assert minigrad.kernels.current() is minigrad.kernels.reference
assert "numba" not in sys.modules
assert environment == dict(os.environ) and threading.active_count() == 1
assert minigrad.kernels.current() is minigrad.kernels.compiled
print("fine")
"""
    assert _python(code) == "fine"
    # A wrong value in the environment is no reason for the import to fail.
    assert _python("import minigrad.kernels; print('fine')", MINIGRAD_BACKEND="torch") == "fine"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MINIGRAD_BACKEND": ""}, "numba numba"),
        ({"MINIGRAD_BACKEND": "numpy"}, "numpy numpy"),
    ],
)
def test_the_environment_chooses_the_default(environment, expected):
    code = "from minigrad import kernels as k\na = k.get_backend()\nk.current()\nprint(a, k.get_backend())"
    assert _python(code, **environment) == expected


@pytest.mark.parametrize("call", ["get_backend()", "current()"])
def test_an_unknown_value_in_the_environment_is_refused(call):
    error = _python(f"from minigrad import kernels as k\nk.{call}", MINIGRAD_BACKEND="torch")
    assert "ValueError: the environment variable MINIGRAD_BACKEND is 'torch'" in error
    assert 'set it to one of "numba" or "numpy", or unset it' in error


def test_without_numba_the_default_is_numpy():
    code = NO_NUMBA + "from minigrad import kernels as k\nprint(k.get_backend(), k.current() is k.reference)"
    assert _python(code) == "numpy True"


@pytest.mark.parametrize(
    ("code", "environment", "asked_by"),
    [
        ("k.use_backend('numba').__enter__()", {}, "use_backend('numba')"),
        ("k.current()", {"MINIGRAD_BACKEND": "numba"}, "MINIGRAD_BACKEND=numba"),
    ],
)
def test_numba_asked_for_but_not_installed_is_refused(code, environment, asked_by):
    error = _python(NO_NUMBA + "from minigrad import kernels as k\n" + code, **environment)
    assert f"ImportError: the numba backend ({asked_by}) needs Numba, which cannot be imported" in error
    assert "install numba, or choose the backend" in error


def test_public_names():
    assert kernels.__all__ == ["current", "get_backend", "get_num_threads", "set_num_threads", "use_backend"]
