"""A folder for machine code, kept from one process to the next, and nobody else's to write to.

What is loaded from here runs, so the folder is the user's own: other users can neither change it nor put a folder or
a link of theirs in its place, and a file is used only if the open file itself belongs to the user and can be written
by nobody else. Each file holds one kernel for one signature and begins with a digest of its name and its content,
which is compared before anything else is done with it: flipped bits in machine code end the process, or give wrong
numbers. It gets its name in one step when it is whole. So processes that start together each find a whole file or
none, and the worst that can happen is that both compile the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path

FOLDERS = "kernels-"  # what the names of our folders begin with; the rest says what the machine code depends on
SECONDS_KEPT = 30 * 24 * 3600  # a folder that no process has used for so long is removed when a new one is made

MAGIC = b"minigrad kernel\n"
DIGEST = hashlib.sha256().digest_size

# A link is not followed, and a pipe is not waited for.
OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

WRITEABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def home() -> Path:
    """The folder that ours are in: in NUMBA_CACHE_DIR if that is set, else where this system keeps users' caches."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen) / "minigrad"
    if os.name == "nt":
        chosen, usual = os.environ.get("LOCALAPPDATA"), "~/AppData/Local"
    elif sys.platform == "darwin":
        chosen, usual = None, "~/Library/Caches"
    else:
        chosen, usual = os.environ.get("XDG_CACHE_HOME"), "~/.cache"
    if chosen and Path(chosen).is_absolute():
        return Path(chosen) / "minigrad"
    try:
        return Path(usual).expanduser() / "minigrad"
    except RuntimeError as error:
        raise FileNotFoundError("there is no home directory to keep them in") from error


def read(folder: Path, name: str) -> bytes | None:
    """What was written under this name, None if nothing was.

    ValueError if it has been damaged, PermissionError if somebody else may have written it.
    """
    path = folder / name
    try:
        _require_private(folder)
        file = os.open(path, OPEN)
    except FileNotFoundError:
        return None
    with open(file, "rb") as stream:
        _require_own(path, os.fstat(file), stat.S_ISREG)
        content = stream.read()
    start = len(MAGIC) + DIGEST
    if content[:start] != MAGIC + _digest(path, content[start:]):
        raise ValueError(f"{path} was damaged")
    with contextlib.suppress(OSError):
        os.utime(folder)  # it is in use
    return content[start:]


def write(folder: Path, name: str, content: bytes) -> None:
    """Keep the content under this name."""
    if not folder.is_dir():
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        _remove_unused(folder.parent)
    _require_private(folder)
    file, temporary = tempfile.mkstemp(dir=folder, prefix=f"{name}.")
    try:
        with open(file, "wb") as stream:
            stream.write(MAGIC + _digest(folder / name, content) + content)
        os.replace(temporary, folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _digest(path: Path, content: bytes) -> bytes:
    """Of the names too, so that one file cannot stand in for another."""
    return hashlib.sha256(f"{path.parent.name}/{path.name}\0".encode() + content).digest()


def _require_private(folder: Path) -> None:
    """Raise if another user could put files in this folder, or a folder in its place."""
    for ours in (folder, folder.parent):
        _require_own(ours, ours.lstat(), stat.S_ISDIR)
    mode = folder.parent.parent.stat().st_mode
    if _has_owners() and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise PermissionError(f"every user can rename what is in {folder.parent.parent}")


def _require_own(path: Path, status: os.stat_result, is_kind: object) -> None:
    """Raise unless this is a plain file or folder, as asked, that the user alone owns and can write to."""
    if not is_kind(status.st_mode):  # type: ignore[operator]
        raise PermissionError(f"{path} is a link or something else that does not belong there")
    if _has_owners() and (status.st_uid != os.geteuid() or status.st_mode & WRITEABLE_BY_OTHERS):
        raise PermissionError(f"another user owns {path} or can write to it")


def _has_owners() -> bool:
    """Whether the system tells who may do what to a file as Unix does."""
    return hasattr(os, "geteuid")


def _remove_unused(parent: Path) -> None:
    """Remove the folders, of other versions or processors, that nobody has used for long."""
    for folder in parent.glob(f"{FOLDERS}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_mtime < time.time() - SECONDS_KEPT:
                shutil.rmtree(folder)
