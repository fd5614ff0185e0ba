"""IDX files, the format of MNIST and its relatives, gzipped or not."""

from __future__ import annotations

import errno
import gzip
import hashlib
import math
import os
import sys
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import numpy as np

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["DataError", "read_idx"]

_GZIP_MAGIC = b"\x1f\x8b"
_DTYPES = {
    code: np.dtype(name)
    for code, name in {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}.items()
}
_MAX_NDIM = 64  # NumPy's
_CHUNK = 1 << 20

_Stream = IO[bytes] | gzip.GzipFile


class DataError(ValueError):
    """A data file is damaged, or is not what it has to be. The text names the file and the fault."""


def read_idx(
    path: str | os.PathLike[str] | Traversable,
    *,
    sha256: str | None = None,
    max_unpacked: int = 1 << 30,
) -> np.ndarray:
    """Read an IDX file into an array of the machine's byte order.

    An IDX file is a magic number (two zero bytes, a dtype code, the number of dimensions), each dimension as
    a big-endian 32-bit integer, and the values, big-endian, in C order. The dtype codes are 0x08 uint8, 0x09
    int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64. The file may be gzipped; its content decides,
    not its name.

    The file is not trusted. It is read in pieces, never past the size its header states, and memory grows
    with the bytes that are really there, not with those a header promises.

    path         : the file (or a resource of a package, as `importlib.resources.files` finds it).
    sha256       : the SHA-256 that the unpacked bytes must have, in hexadecimal.
    max_unpacked : the most bytes that the values of a gzipped file may take, 1 GiB unless told. A few kilobytes can
                   unpack to gigabytes, so the size of the file does not bound them.

    Raises FileNotFoundError if there is no such file; DataError for one that cannot be read, is no IDX file, is
    damaged, is shorter or longer than its header says, unpacks to more than `max_unpacked`, or does not match `sha256`;
    TypeError for what is no path.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", "The IDX file format".

    >>> import pathlib, tempfile
    >>> from minigrad.data import read_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a.idx")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]))
    ...     read_idx(path)
    array([[1, 2, 3],
           [4, 5, 6]], dtype=uint8)
    """
    source = Path(path) if isinstance(path, (str, os.PathLike)) else path
    if not hasattr(source, "open"):
        raise TypeError(f"read_idx: path must be a string, a Path or a resource of a package, got {path!r}")
    try:
        with source.open("rb") as file:
            gzipped = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            stream: _Stream = gzip.GzipFile(fileobj=file) if gzipped else file
            header, shape, dtype = _read_header(stream, source)
            values = _read_values(stream, source, shape, dtype, max_unpacked if gzipped else None)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "read_idx: there is no such file", str(source)) from None
    except (OSError, EOFError, zlib.error) as error:  # from the disk, or from a damaged gzip stream
        raise DataError(f"{source}: cannot be read: {error}") from error
    if sha256 is not None:
        digest = hashlib.sha256(header)
        digest.update(values)
        if digest.hexdigest() != sha256.lower():
            _refuse(
                source,
                "was damaged or replaced: the SHA-256 of its unpacked bytes is "
                f"{digest.hexdigest()}, expected {sha256.lower()}",
            )
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.type, copy=False)


def _read_header(stream: _Stream, source: object) -> tuple[bytes, tuple[int, ...], np.dtype]:
    """The header's bytes, and the shape and dtype that it states."""
    magic = _read(stream, 4)
    if len(magic) < 4:
        _refuse(source, f"is no IDX file: it ends after {len(magic)} bytes, within the 4-byte magic number")
    _, _, code, ndim = magic
    if magic[:2] != b"\0\0" or code not in _DTYPES or ndim > _MAX_NDIM:
        codes = ", ".join(f"{known:02x}" for known in _DTYPES)
        _refuse(
            source,
            f"is no IDX file: its magic number is {magic.hex(' ')} in hexadecimal, expected 00 00, then a "
            f"dtype code ({codes}), then the number of dimensions (at most {_MAX_NDIM})",
        )
    dims = _read(stream, 4 * ndim)
    if len(dims) < 4 * ndim:
        _refuse(source, f"is truncated: its {ndim} dimensions take {4 * ndim} bytes, and it has {len(dims)}")
    shape = tuple(int.from_bytes(dims[i : i + 4], "big") for i in range(0, len(dims), 4))
    return bytes(magic + dims), shape, _DTYPES[code]


def _read_values(
    stream: _Stream, source: object, shape: tuple[int, ...], dtype: np.dtype, limit: int | None
) -> bytearray:
    """The bytes after the header, exactly as many as the header states."""
    expected = math.prod(shape) * dtype.itemsize
    stated = f"its header states {' x '.join(map(str, shape)) or 1} values of {dtype.name}, {expected} bytes"
    if limit is not None and expected > limit:
        _refuse(source, f"is too large: {stated}; raise max_unpacked={limit}, or gunzip the file")
    # NumPy bounds the product of the dimensions other than 0, so an empty array can still be too big.
    if math.prod(n for n in shape if n) * dtype.itemsize > sys.maxsize:
        _refuse(source, f"is too large: {stated}, and its dimensions are beyond what an array can have")
    values = _read(stream, expected)
    if len(values) < expected:
        _refuse(source, f"is truncated: {stated}, and it has {len(values)}")
    if stream.read(1):  # at the end of a gzip stream this is also what checks its CRC
        _refuse(source, f"has bytes left over: {stated}, and it has more")
    return values


def _read(stream: _Stream, count: int) -> bytearray:
    """The next `count` bytes, or as many as there are; memory follows what arrives."""
    buffer = bytearray()
    while len(buffer) < count:
        chunk = stream.read(min(_CHUNK, count - len(buffer)))
        if not chunk:
            break
        buffer += chunk
    return buffer


def _refuse(source: object, fault: str) -> NoReturn:
    raise DataError(f"{source}: {fault}")
