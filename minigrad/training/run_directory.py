"""The folder that a run writes into, and no earlier run's files lost in it."""

from __future__ import annotations

import errno
import os
from itertools import count
from pathlib import Path

__all__ = ["RUN_FILES", "check_run_directory", "create_run_directory", "new_run_directory"]

RUN_FILES = ("metrics.csv", "result.json", "curves.png")  # what a run writes


def check_run_directory(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Raise what `create_run_directory` would, if it can be told by now, and change nothing.

    For the beginning of a script, so that a wrong folder does not wait for the data to be read.

    Raises FileExistsError for a folder that holds files of an earlier run (`RUN_FILES`), unless `overwrite`, and
    another OSError if the folder, or the one it would be created in, is none or cannot be written to.

    >>> import pathlib, tempfile
    >>> from minigrad.training import check_run_directory
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     check_run_directory(pathlib.Path(folder, "runs", "first")).exists()
    False
    """
    folder = Path(path)
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "this is a file, and a folder is needed", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "the folder cannot be written to", str(there))
    earlier = _run_files(folder)
    if earlier and not overwrite:
        raise FileExistsError(
            errno.EEXIST,
            f"the folder holds {', '.join(earlier)} of an earlier run; choose another, or set overwrite",
            str(folder),
        )
    return folder


def create_run_directory(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Make the folder `path` ready for a run, creating it and the folders above it as needed.

    A folder that holds files of an earlier run (`RUN_FILES`) is refused with FileExistsError. With `overwrite`
    those files are deleted, so that none of the earlier run stands beside those of the new one. No other file is
    ever touched.

    Raises OSError if the folder cannot be created or written to.

    >>> import pathlib, tempfile
    >>> from minigrad.training import create_run_directory
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     create_run_directory(pathlib.Path(folder, "runs", "first")).is_dir()
    True
    """
    folder = check_run_directory(path, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    for name in _run_files(folder):
        (folder / name).unlink()
    return folder


def new_run_directory(path: str | os.PathLike[str]) -> Path:
    """Create the first folder that is not there yet among `path`, `path-2`, `path-3`, ...

    Of two processes that ask at once each gets its own.

    Raises OSError if it cannot be created or written to.

    >>> import pathlib, tempfile
    >>> from minigrad.training import new_run_directory
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [new_run_directory(pathlib.Path(folder, "conv")).name for _ in range(3)]
    ['conv', 'conv-2', 'conv-3']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = path if number == 1 else path.with_name(f"{path.name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("count() does not end")


def _run_files(folder: Path) -> list[str]:
    """The files of a run that the folder holds."""
    return [name for name in RUN_FILES if (folder / name).exists()]
