"""Running an example as its users do, and loading it as a module."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def run_example():
    """Run an example in a folder, after some lines of Python if wanted, and give what came of it."""

    def run(name, folder, *args, prelude=""):
        script = str(EXAMPLES / f"{name}.py")
        lines = (
            f"{prelude}\nimport runpy, sys; sys.argv[0] = {script!r}; runpy.run_path({script!r}, run_name='__main__')"
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
        command = [sys.executable, "-c", lines, *map(str, args)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def load_example():
    """An example as a module."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
