"""The folder of machine code: whole files or none, nobody else's files, and no trouble that stops the user."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from minigrad.kernels import cache, jit, machine_code

ROOT = Path(__file__).parents[2]

compiled_only = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
has_owners = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="the system does not tell who owns a file")


# --------------------------------------------------------------------------------------------------- files


@pytest.fixture
def folder(tmp_path):
    """A folder of machine code that is not there yet."""
    return tmp_path / "minigrad" / f"{cache.FOLDERS}1"


def test_what_was_written_is_read(folder):
    assert cache.read(folder, "a") is None
    for content in (b"", b"machine code", bytes(range(256)) * 1000):
        cache.write(folder, "a", content)
        assert cache.read(folder, "a") == content
    assert cache.read(folder, "b") is None
    assert [path.name for path in folder.iterdir()] == ["a"]


@has_owners
def test_others_can_neither_read_nor_write(folder):
    before = os.umask(0)
    try:
        cache.write(folder, "a", b"machine code")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (folder.parent, folder, folder / "a")] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:10],
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: b"\x80garbage" * 100,
        *(lambda content, i=i: content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :] for i in (0, 20, 50, -2)),
    ],
)
def test_damage_is_noticed(folder, damage):
    cache.write(folder, "a", b"machine code" * 10)
    path = folder / "a"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="was damaged"):
        cache.read(folder, "a")
    cache.write(folder, "a", b"new")
    assert cache.read(folder, "a") == b"new"


def test_one_file_cannot_stand_in_for_another(folder):
    cache.write(folder, "a", b"one")
    cache.write(folder.with_name(f"{cache.FOLDERS}2"), "a", b"two")
    shutil.copy(folder / "a", folder / "b")
    shutil.copy(folder / "a", folder.with_name(f"{cache.FOLDERS}2") / "a")
    for place, name in ((folder, "b"), (folder.with_name(f"{cache.FOLDERS}2"), "a")):
        with pytest.raises(ValueError, match="was damaged"):
            cache.read(place, name)


@has_owners
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
@pytest.mark.parametrize("which", ["folder", "its parent", "the file"])
def test_what_others_can_write_to_is_refused(folder, which, mode):
    cache.write(folder, "a", b"machine code")
    path = {"folder": folder, "its parent": folder.parent, "the file": folder / "a"}[which]
    path.chmod(mode)
    with pytest.raises(PermissionError, match="another user owns") as error:
        cache.read(folder, "a")
    assert str(path) in str(error.value)
    if which != "the file":
        with pytest.raises(PermissionError, match="another user owns"):
            cache.write(folder, "a", b"more")


@has_owners
def test_a_place_where_everyone_can_rename_the_folder_is_refused(folder):
    cache.write(folder, "a", b"machine code")
    folder.parents[1].chmod(0o777)
    with pytest.raises(PermissionError, match="every user can rename"):
        cache.read(folder, "a")
    folder.parents[1].chmod(0o1777)  # as /tmp: only who owns a file can rename it
    assert cache.read(folder, "a") == b"machine code"


@has_owners
def test_what_another_user_owns_is_refused(folder, monkeypatch):
    cache.write(folder, "a", b"machine code")
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="another user owns"):
        cache.read(folder, "a")


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="needs links")
def test_links_and_pipes_are_refused(folder):
    elsewhere = folder.with_name(f"{cache.FOLDERS}2")
    cache.write(folder, "a", b"machine code")
    cache.write(elsewhere, "a", b"planted")
    (folder / "a").unlink()
    (folder / "a").symlink_to(elsewhere / "a")
    with pytest.raises(OSError):
        cache.read(folder, "a")
    (folder / "a").unlink()
    os.mkfifo(folder / "a", 0o600)
    with pytest.raises(PermissionError, match="does not belong there"):
        cache.read(folder, "a")
    shutil.rmtree(folder)
    folder.symlink_to(elsewhere)
    for act in (lambda: cache.read(folder, "a"), lambda: cache.write(folder, "a", b"more")):
        with pytest.raises(PermissionError, match="does not belong there"):
            act()


def test_a_full_disk_leaves_no_half_file(folder, monkeypatch):
    cache.write(folder, "a", b"old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        cache.write(folder, "a", b"new")
    monkeypatch.undo()
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert cache.read(folder, "a") == b"old"


def test_readers_never_see_half_a_file(folder):
    contents = [bytes([i]) * 100_000 for i in range(4)]
    cache.write(folder, "a", contents[0])
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(cache.read(folder, "a") in contents)

    def write(content):
        for _ in range(20):
            cache.write(folder, "a", content)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert seen == {True}
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_folders_that_nobody_uses_are_removed_when_a_new_one_is_made(folder):
    old, recent, foreign = (folder.with_name(name) for name in (f"{cache.FOLDERS}0", f"{cache.FOLDERS}2", "notes"))
    for path in (old, recent, foreign):
        cache.write(path, "a", b"machine code")
    long_ago = time.time() - cache.SECONDS_KEPT - 60
    for path in (old, recent, foreign):
        os.utime(path, (long_ago, long_ago))
    assert cache.read(recent, "a") == b"machine code"
    cache.write(folder, "a", b"machine code")
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, recent.name, "notes"}


def test_where_the_folder_is(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert cache.home() == tmp_path / "minigrad"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.home() == tmp_path / "xdg" / "minigrad"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.home() == tmp_path / "home" / ".cache" / "minigrad"
    monkeypatch.setattr(cache.sys, "platform", "darwin")
    assert cache.home() == tmp_path / "home" / "Library" / "Caches" / "minigrad"


# ----------------------------------------------------------------------------------------------- machine code


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """The folder for machine code that this test's kernels go to; nothing has been warned of yet."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(jit, "_warned", False)
    return tmp_path / "minigrad"


def _cube(x, y):
    for i in range(x.size):
        y[i] = x[i] * x[i] * x[i]


_cube.__module__ = "minigrad.kernels.elementwise"  # kernels of other files are not kept


@compiled_only
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loaded_and_compiled_kernels_are_the_same(kept, dtype):
    x, results = np.array([[0.5, np.inf], [np.nan, -2.0]], dtype), []
    for compiled in (True, False):
        cube = jit.kernel(_cube)
        y = np.empty_like(x)
        cube(x.reshape(-1), y.reshape(-1))
        results.append(y)
        assert jit.made[-1][:2] == ("elementwise._cube", dtype.__name__) and jit.made[-1].compiled == compiled
        (dispatcher,) = cube.compiled.values()
        assert len(dispatcher.signatures) == 1
        for bad in (x, x.astype(np.float16), x.T):
            with pytest.raises(TypeError):
                dispatcher(bad, y.reshape(-1))
    np.testing.assert_array_equal(*results)
    assert len([path for path in kept.rglob("*") if path.is_file()]) == 1


@compiled_only
def test_a_kernel_that_needs_what_the_process_lacks_is_not_linked(kept):
    cube, x = jit.kernel(_cube), np.ones(1)
    cube(x, x.copy())
    (path,) = (path for path in kept.rglob("*") if path.is_file())
    packed = cache.read(path.parent, path.name)
    assert b'"needed": [' in packed
    strange = packed.replace(b'"needed": [', b'"needed": ["no_such_function", ')
    (signature,) = cube.compiled["d"].signatures
    with pytest.raises(ImportError, match="_cube needs no_such_function, which nothing in this process has"):
        machine_code.link(strange, _cube, signature)
    cache.write(path.parent, path.name, strange)
    with pytest.warns(RuntimeWarning, match="no_such_function"):
        jit.kernel(_cube)(x, x.copy())
    assert jit.made[-1].compiled
    assert cache.read(path.parent, path.name) != strange


@compiled_only
def test_kernels_of_other_files_are_not_kept(kept):
    """A change in those would not be noticed."""

    def negative(x, y):
        for i in range(x.size):
            y[i] = -x[i]

    jit.kernel(negative)(np.ones(3), np.ones(3))
    assert not kept.exists()


@compiled_only
@pytest.mark.parametrize(
    ("module", "name", "value"),
    [("np", "__version__", "0"), ("numba", "__version__", "0"), ("llvmlite", "__version__", "0")],
)
def test_another_version_has_a_folder_of_its_own(kept, monkeypatch, module, name, value):
    before = jit._folder()
    monkeypatch.setattr(getattr(jit, module), name, value)
    assert before.parent == jit._folder().parent == kept
    assert before != jit._folder()


@compiled_only
def test_another_processor_or_setting_has_a_folder_of_its_own(kept, monkeypatch):
    codegen = type(jit.registry.cpu_target.target_context.codegen())
    folders = [jit._folder()]
    monkeypatch.setattr(codegen, "magic_tuple", lambda self: ("x86_64", "other", ""))
    folders.append(jit._folder())
    for name in ("BOUNDSCHECK", "OPT", "SLP_VECTORIZE"):
        monkeypatch.setattr(jit.numba.config, name, 17)
        folders.append(jit._folder())
    assert len(set(folders)) == 5
    monkeypatch.setattr(jit.numba.config, "THREADING_LAYER", "workqueue")
    assert jit._folder() == folders[-1]


@compiled_only
def test_kernels_are_kept_only_where_the_sources_can_be_read(kept, monkeypatch, tmp_path):
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "package.zip" / "jit.py"))
    jit._sources.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="sources in .* cannot be read"):
            jit.kernel(_cube)(np.ones(1), np.ones(1))
    finally:
        jit._sources.cache_clear()
    assert not kept.exists()


# -------------------------------------------------------------------------------------------- whole processes

# Prints the result of a kernel in both dtypes, how many were compiled, and how often the user was warned.
CODE = """
import sys, warnings
sys.path.insert(0, {root!r})
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from minigrad.kernels import compiled, jit
    for dtype in (np.float32, np.float64):
        print(compiled.erf(np.array([0.5, np.inf], dtype)), compiled.erf(np.zeros(1, dtype)))
print(sum(m.compiled for m in jit.made), len(caught), *[w.category.__name__ + " " + str(w.message) for w in caught])
"""
RESULTS = ["[0.5204999 1.       ] [0.]", "[0.52049988 1.        ] [0.]"]


def start(root=ROOT, **environment):
    """A fresh interpreter that runs the code, with the package that lies in `root`; None unsets a variable."""
    variables = {**os.environ, "NUMBA_DISABLE_JIT": "0", "NUMBA_BOUNDSCHECK": "0", **environment}
    return subprocess.Popen(
        [sys.executable, "-c", CODE.format(root=str(root))],
        env={name: str(value) for name, value in variables.items() if value is not None},
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """How many kernels it compiled, and the warnings: how many, and what they say."""
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    *results, last = out.strip().split("\n")
    assert results == RESULTS
    compiled, warned = last.split(" ", 1)
    return int(compiled), warned


def run(root=ROOT, **environment):
    return finish(start(root, **environment))


def files(folder):
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name)


def copy_of_the_package(folder):
    """The kernels in a package of their own."""
    shutil.copytree(ROOT / "minigrad" / "kernels", folder / "minigrad" / "kernels", ignore=_no_caches)
    (folder / "minigrad" / "__init__.py").touch()
    return folder / "minigrad" / "kernels"


def _no_caches(folder, names):
    return [name for name in names if name == "__pycache__"]


@pytest.fixture(scope="module")
def full_cache(tmp_path_factory):
    """A folder filled by one run of the code."""
    folder = tmp_path_factory.mktemp("cache")
    assert run(NUMBA_CACHE_DIR=folder) == (2, "0")
    return folder


@pytest.fixture
def own_cache(full_cache, tmp_path):
    """A full cache that a test may spoil."""
    return shutil.copytree(full_cache, tmp_path / "cache", copy_function=shutil.copy2)


def test_each_dtype_has_a_file_of_its_own_and_the_next_process_loads_it(full_cache):
    names = {path.name.rsplit("-", 1)[0] for path in files(full_cache)}
    assert names == {"elementwise._erf.float32", "elementwise._erf.float64"}
    assert run(NUMBA_CACHE_DIR=full_cache) == (0, "0")
    assert len(files(full_cache)) == 2


def test_checked_kernels_are_not_mixed_with_unchecked_ones(own_cache):
    assert run(NUMBA_CACHE_DIR=own_cache, NUMBA_BOUNDSCHECK="1") == (2, "0")
    assert len(files(own_cache)) == 4


@pytest.mark.slow
def test_eight_processes_at_once_on_an_empty_cache(tmp_path):
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        for compiled, warned in [finish(p) for p in [start(NUMBA_CACHE_DIR=folder) for _ in range(8)]]:
            assert warned == "0" and compiled <= 2
        assert len(files(folder)) == 2
        assert run(NUMBA_CACHE_DIR=folder) == (0, "0")


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b"\x80garbage" * 9])
def test_truncated_and_garbage_files_are_reported_once_and_made_anew(own_cache, damage):
    for path in files(own_cache):
        path.write_bytes(damage(path.read_bytes()))
    compiled, warned = run(NUMBA_CACHE_DIR=own_cache)
    assert compiled == 2
    assert warned.startswith("1 RuntimeWarning minigrad cannot keep compiled kernels on disk")
    assert str(own_cache) in warned and "was damaged" in warned and "set NUMBA_CACHE_DIR" in warned
    assert run(NUMBA_CACHE_DIR=own_cache) == (0, "0")


@pytest.mark.parametrize("where", [0.1, 0.9])
def test_flipped_bits_in_machine_code_are_never_run(own_cache, where):
    for path in files(own_cache):
        content = bytearray(path.read_bytes())
        for i in range(int(where * len(content)), int(where * len(content)) + 16):
            content[i] ^= 0xFF
        path.write_bytes(content)
    compiled, warned = run(NUMBA_CACHE_DIR=own_cache)
    assert compiled == 2 and warned.startswith("1 RuntimeWarning")


@has_owners
def test_a_folder_that_everyone_can_write_to_is_refused_with_a_warning(own_cache):
    """With a planted file in it, which is not even opened: it is of the wrong kind, and would be reported as such."""
    (folder,) = (own_cache / "minigrad").iterdir()
    folder.chmod(0o777)
    for path in files(own_cache):
        path.unlink()
        os.mkfifo(path, 0o666)
    compiled, warned = run(NUMBA_CACHE_DIR=own_cache)
    assert compiled == 2
    assert warned.startswith("1 RuntimeWarning") and f"another user owns {folder} or can write to it" in warned


def test_a_planted_pickle_does_not_run(own_cache, tmp_path):
    """Whatever a file holds, it is data until its digest has been compared, and no pickle after that."""
    evidence = tmp_path / "evidence"
    planted = f"cos\nsystem\n(S'touch {evidence}'\ntR.".encode()
    for path in files(own_cache):
        path.write_bytes(planted)
    compiled, warned = run(NUMBA_CACHE_DIR=own_cache)
    assert compiled == 2 and warned.startswith("1 RuntimeWarning") and not evidence.exists()
    for path in files(own_cache):  # and one that comes with the right digest
        cache.write(path.parent, path.name, planted)
    compiled, warned = run(NUMBA_CACHE_DIR=own_cache)
    assert compiled == 2 and warned.startswith("1 RuntimeWarning") and not evidence.exists()


def test_a_place_that_cannot_be_written_is_reported_once_and_done_without(tmp_path):
    """A package in a folder where nothing can be written, and no home directory."""
    kernels = copy_of_the_package(tmp_path)
    file = tmp_path / "file"
    file.touch()  # root may write anywhere, but not in here
    for path in [*kernels.iterdir(), kernels]:
        path.chmod(0o555)
    for environment in (
        {"HOME": file, "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None},
        {"HOME": file, "XDG_CACHE_HOME": file / "cache", "NUMBA_CACHE_DIR": file / "numba"},
    ):
        compiled, warned = run(tmp_path, PYTHONDONTWRITEBYTECODE=1, **environment)
        assert compiled == 2
        assert warned.startswith("1 RuntimeWarning minigrad cannot keep compiled kernels on disk")
        assert "NotADirectoryError" in warned and "set NUMBA_CACHE_DIR" in warned
    kernels.chmod(0o755)
    assert not [path for path in kernels.iterdir() if path.suffix != ".py"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device")
def test_a_full_disk_is_reported_once_and_done_without(own_cache, tmp_path):
    kernels = copy_of_the_package(tmp_path)
    (kernels / "cache.py").write_text(
        (kernels / "cache.py").read_text().replace('open(file, "wb")', 'open("/dev/full", "wb", 0)')
    )
    compiled, warned = run(tmp_path, NUMBA_CACHE_DIR=own_cache)
    assert compiled == 2 and warned.startswith("1 RuntimeWarning") and "No space left on device" in warned


@pytest.mark.slow
def test_a_changed_helper_in_another_file_is_compiled_anew(tmp_path):
    """Its kernel's own file, and the date of that, stay as they are."""
    kernels = copy_of_the_package(tmp_path)
    helpers, folder = kernels / "simd.py", tmp_path / "cache"
    (kernels / "changing.py").write_text(CHANGING)
    helpers.write_text(helpers.read_text() + HELPER.format(2))
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom minigrad.kernels import changing, jit\n"
    program += "print(changing.value(), jit.made[-1].compiled)"
    command = [sys.executable, "-W", "error", "-c", program]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0", "NUMBA_CACHE_DIR": str(folder)}
    answers = []
    for factor in (2, 2, 3, 2):
        helpers.write_text(helpers.read_text().replace(HELPER.format(2), "").replace(HELPER.format(3), ""))
        helpers.write_text(helpers.read_text() + HELPER.format(factor))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout.strip())
    assert answers == ["2.0 True", "2.0 False", "3.0 True", "2.0 False"]


HELPER = "\n\ndef factor_for_a_test(x):\n    return x * {}\n"
CHANGING = '''
"""A kernel that calls a helper of another file."""
import numpy as np
from .jit import helper, kernel
from .simd import factor_for_a_test

scale = helper(factor_for_a_test)

@kernel
def _scale(x, y):
    for i in range(x.size):
        y[i] = scale(x[i])

def value():
    y = np.zeros(1)
    _scale(np.ones(1), y)
    return y[0]
'''
