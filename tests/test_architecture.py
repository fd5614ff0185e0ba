"""The house rules, read from the syntax trees: who imports whom, and what no file may do."""

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad

ROOT = Path(minigrad.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))

# For each part of the package the parts that it may import: one arrow, left to right, nothing points back.
ENGINE = [
    "checks",
    "device",
    "dtypes",
    "kernels",
    "autograd",
    "printing",
    "ops",
    "numpy_protocol",
    "random",
    "tensor",
    "creation",
]
MAY_IMPORT = {
    "checks": set(),
    "cuda": set(),
    "device": set(),
    "dtypes": set(),
    "printing": set(),
    "kernels": {"kernels"},
    "autograd": {"autograd", "checks"},
    "autograd/functional": {"autograd", "ops", "tensor"},  # a user of Tensors that lives beside the engine
    "ops": {"ops", "autograd", "checks", "dtypes", "kernels"},
    "numpy_protocol": {"autograd", "dtypes", "ops"},
    "random": {"autograd", "checks"},
    "tensor": {"autograd", "checks", "device", "dtypes", "numpy_protocol", "ops", "printing", "random"},
    "creation": {"autograd", "checks", "dtypes", "ops", "random", "tensor"},
    "nn": {"nn", *ENGINE},
    "optim": {"optim", "nn", *ENGINE},
    "data": {"data", *ENGINE},
    "training": {"training", "nn", "optim", "data", *ENGINE},
    "warmup": {"nn", "optim", *ENGINE},
    "glassbox": {"glassbox", "training", "nn", "optim", "data", *ENGINE},
    "__init__": {"cuda", "nn", "optim", "data", "warmup", *ENGINE},
}
REQUIRED = {"numpy", "numba", "llvmlite"}  # Numba is built on llvmlite and brings it along
EXTRAS = {"tqdm", "matplotlib", "safetensors", "onnx", "mpi4py"}


def part(path):
    """The part of the package that a file belongs to; a file that is named in the table is one of its own."""
    inside = path.relative_to(ROOT).with_suffix("")
    return inside.as_posix() if inside.as_posix() in MAY_IMPORT else inside.parts[0]


def imports(path, node):
    """The absolute names that an import statement asks for."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    package = ["minigrad", *path.relative_to(ROOT).parts[:-1]]
    base = package[: len(package) - node.level + 1] if node.level else []
    stem = ".".join([*base, node.module] if node.module else base)
    # `from . import kernels` asks for a module, `from .autograd import Op` for a name in one.
    return [stem if node.module else f"{stem}.{alias.name}" for alias in node.names]


def statements(tree, *kinds):
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def for_types_only(tree):
    """The imports under `if TYPE_CHECKING`, which never run."""
    blocks = [node for node in statements(tree, ast.If) if "TYPE_CHECKING" in ast.unparse(node.test)]
    return {inner for block in blocks for inner in ast.walk(block)}


@each_file
def test_imports_point_one_way(path):
    allowed = MAY_IMPORT[part(path)]
    never_run = for_types_only(TREES[path])
    for node in statements(TREES[path], ast.Import, ast.ImportFrom):
        for name in imports(path, node):
            first, *rest = name.split(".")
            if first == "minigrad" and node not in never_run:
                target = rest[0] if rest else "__init__"
                assert target in allowed, f"line {node.lineno}: {part(path)} must not import {name}"


@each_file
def test_only_numpy_numba_and_the_optional_extras_are_needed(path):
    for node in statements(TREES[path], ast.Import, ast.ImportFrom):
        for name in imports(path, node):
            first = name.split(".")[0]
            known = first in REQUIRED | EXTRAS | {"minigrad"} | sys.stdlib_module_names
            assert known, f"line {node.lineno}: {first} is not a requirement of the package"


@each_file
def test_imports_stand_at_the_top(path):
    tree = TREES[path]
    extras_aside = []
    for function in statements(tree, ast.FunctionDef, ast.AsyncFunctionDef):
        for node in statements(function, ast.Import, ast.ImportFrom):
            outside = {name.split(".")[0] for name in imports(path, node)} - EXTRAS - {"numba"}
            extras_aside += [f"line {node.lineno}: {name}" for name in outside]
    assert not extras_aside, "only optional extras are imported inside functions"
    body = tree.body
    last_import = max((i for i, node in enumerate(body) if isinstance(node, (ast.Import, ast.ImportFrom))), default=-1)
    first_definition = min(
        (i for i, node in enumerate(body) if isinstance(node, (ast.FunctionDef, ast.ClassDef))), default=len(body)
    )
    assert last_import < first_definition, "an import below a definition"


@each_file
def test_no_stars_and_no_attributes_set_in_a_loop(path):
    for node in statements(TREES[path], ast.ImportFrom):
        assert all(alias.name != "*" for alias in node.names), f"line {node.lineno}: a star import"
    for loop in statements(TREES[path], ast.For, ast.While, ast.ListComp, ast.DictComp):
        for node in statements(loop, ast.Call):
            named = isinstance(node.func, ast.Name) and node.func.id == "setattr"
            assert not named or part(path) == "nn", f"line {node.lineno}: setattr in a loop hides names from a search"
    for node in TREES[path].body:
        for call in statements(node, ast.Call) if isinstance(node, (ast.Expr, ast.For)) else []:
            assert getattr(call.func, "id", "") not in ("setattr", "globals", "vars"), f"line {call.lineno}"


@each_file
def test_no_data_is_run_as_code(path):
    for node in statements(TREES[path], ast.Import, ast.ImportFrom):
        wanted = {name.split(".")[0] for name in imports(path, node)}
        assert not wanted & {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}, f"line {node.lineno}"
    for node in statements(TREES[path], ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in ("eval", "exec", "compile", "__import__") and isinstance(node.func, ast.Name):
            raise AssertionError(f"line {node.lineno}: {name}")
        for keyword in node.keywords:
            assert keyword.arg != "allow_pickle" or ast.literal_eval(keyword.value) is False, f"line {node.lineno}"


@each_file
def test_every_file_says_what_it_is_about(path):
    assert ast.get_docstring(TREES[path]), "a module without a docstring"


@each_file
def test_docstrings_list_arguments_in_one_way(path):
    """As aligned lines `name : text`, and errors in sentences."""
    documented = statements(TREES[path], ast.Module, ast.ClassDef, ast.FunctionDef)
    sections = [line for node in documented for line in (ast.get_docstring(node) or "").splitlines()]
    assert not {"Args:", "Arguments:", "Parameters:", "Returns:", "Raises:"} & {line.strip() for line in sections}


@each_file
def test_lines_are_at_most_120_columns(path):
    long = [i for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if len(line) > 120]
    assert not long


# ----------------------------------------------------------------------------------------- importing changes nothing


def test_importing_changes_nothing():
    program = """
import json, os, random, sys, threading, warnings
import numpy as np

def state():
    kind, keys, *rest = np.random.get_state()
    return [dict(os.environ), kind, keys.tolist(), rest, random.getstate(), np.geterr(), np.get_printoptions(),
            sys.getrecursionlimit(), len(warnings.filters), os.getcwd(), sys.flags.optimize, sys.path]

before, threads = json.dumps(state(), default=str), threading.active_count()
import minigrad
import minigrad.nn, minigrad.optim, minigrad.data
assert json.dumps(state(), default=str) == before
print(json.dumps({
    "threads": threading.active_count() - threads,
    "modules": sorted(m for m in sys.modules if "." not in m),
    "compiled": sorted(m for m in sys.modules if m.startswith("minigrad.kernels.")),
}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["threads"] == 0
    assert not set(found["modules"]) & {"numba", "llvmlite", "torch", "scipy", "multiprocessing", *EXTRAS}
    assert "minigrad.kernels.compiled" not in found["compiled"]


def test_every_part_can_be_imported_first():
    parts = [name for name in (*ENGINE, "nn", "optim", "data", "training") if (ROOT / name).exists() or
             (ROOT / f"{name}.py").exists()]  # fmt: skip
    for name in parts:
        done = subprocess.run(
            [sys.executable, "-c", f"import minigrad.{name}"], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"import minigrad.{name}: {done.stderr}"


# ------------------------------------------------------------------------------------------- names and docstrings


def public_modules():
    return [minigrad, *(getattr(minigrad, name) for name in ("autograd", "data", "kernels", "nn", "ops", "optim"))]


@pytest.mark.parametrize("module", public_modules(), ids=lambda m: m.__name__)
def test_public_names_exist_sorted_and_once(module):
    names = module.__all__
    assert [name for name in names if not hasattr(module, name)] == []
    assert len(set(names)) == len(names)


def test_a_star_import_replaces_no_builtin():
    shadowed = set(minigrad.__all__) & set(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)
    assert not shadowed
    for name in ("abs", "all", "any", "max", "min", "pow", "sum", "bool", "int", "float"):
        assert hasattr(minigrad, name)


def documented(owner, name, seen):
    """The public things under `name` that have no docstring of their own."""
    thing = inspect.getattr_static(owner, name)
    thing = thing.__func__ if isinstance(thing, (staticmethod, classmethod)) else thing
    where = f"{getattr(owner, '__name__', owner)}.{name}"
    if isinstance(thing, property):
        return [] if thing.__doc__ else [where]
    if inspect.isfunction(thing):
        return [] if thing.__doc__ else [where]
    if inspect.isclass(thing) and thing.__module__.startswith("minigrad") and thing not in seen:
        seen.add(thing)
        missing = [] if thing.__doc__ else [where]
        for member in vars(thing):
            if not member.startswith("_"):
                missing += documented(thing, member, seen)
        return missing
    return []


INHERITED = re.compile(r"\.(forward|backward|extra_repr|kernel_backward|definition|mode|saves_inputs)$")


@pytest.mark.parametrize("module", public_modules(), ids=lambda m: m.__name__)
def test_every_public_name_has_a_docstring(module):
    seen, missing = set(), []
    for name in module.__all__:
        missing += documented(module, name, seen)
    # What a subclass fills in is documented where it is declared.
    assert [where for where in missing if not INHERITED.search(where)] == []
