import gzip
import hashlib
import struct
import tracemalloc
from importlib import resources

import numpy as np
import pytest

from minigrad.data import DataError, read_idx

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def header(code, shape):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)


def encode(array):
    return header(CODES[array.dtype.name], array.shape) + big_endian(array)


def big_endian(array):
    return array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def write(tmp_path):
    """Writes bytes to a file and gives its path."""

    def write(data, name="file.idx"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("shape", [(), (5,), (0,), (3, 4), (2, 0, 3), (2, 3, 4, 5), (1,) * 64])
@pytest.mark.parametrize("dtype", CODES)
def test_round_trip(write, dtype, shape, gzipped):
    rng = np.random.default_rng(0)
    expected = np.asarray(rng.standard_normal(shape) * 100).astype(dtype)
    data = encode(expected)
    # The name says the opposite of the content, which is what counts.
    path = write(gzip.compress(data) if gzipped else data, "a.idx" if gzipped else "a.gz")
    got = read_idx(path)
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == expected.dtype and got.dtype.isnative
    assert got.shape == shape
    assert got.flags.c_contiguous and got.flags.writeable


def test_path_may_be_a_string_or_a_resource(write):
    path = write(encode(np.arange(3, dtype=np.uint8)))
    np.testing.assert_array_equal(read_idx(str(path)), [0, 1, 2])
    labels = read_idx(resources.files("minigrad.data") / "mnist" / "t10k-labels-idx1-ubyte.gz")
    assert labels.shape == (10000,) and labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_gzip_of_several_members(write):
    data = encode(np.arange(100, dtype=np.int32))
    path = write(gzip.compress(data[:37]) + gzip.compress(data[37:], compresslevel=0))
    np.testing.assert_array_equal(read_idx(path), np.arange(100))


def test_sha256_is_of_the_unpacked_bytes(write):
    data = encode(np.arange(6, dtype=np.int16))
    digest = hashlib.sha256(data).hexdigest()
    for path in (write(data), write(gzip.compress(data), "b")):
        np.testing.assert_array_equal(read_idx(path, sha256=digest.upper()), np.arange(6))
        with pytest.raises(DataError, match=f"{path}: .*{digest}, expected {'0' * 64}"):
            read_idx(path, sha256="0" * 64)


FAULTS = {
    "empty": (b"", "no IDX file: it ends after 0 bytes"),
    "one byte": (b"\0", "no IDX file: it ends after 1 bytes"),
    "text": (b"hello, world", "no IDX file: its magic number is 68 65 6c 6c"),
    "dtype code": (header(0x0A, (2,)) + b"ab", "magic number is 00 00 0a 01"),
    "too many dimensions": (header(0x08, (1,) * 65) + b"a", r"00 00 08 41.*\(at most 64\)"),
    "within the dimensions": (header(0x08, (2, 3))[:9], "its 2 dimensions take 8 bytes, and it has 5"),
    "within the values": (
        header(0x0C, (2, 3)) + b"abcde",
        "truncated: its header states 2 x 3 values of int32, 24 bytes, and it has 5",
    ),
    "left over": (header(0x08, (2,)) + b"abc", "left over: its header states 2 values of uint8, 2 bytes"),
    "left over, scalar": (header(0x08, ()) + b"abc", "left over: its header states 1 values of uint8"),
    "promises 64 GB": (header(0x0E, (2**16, 2**17)) + b"abc", "states 65536 x 131072 values .* and it has 3"),
    "promises 2**512 bytes": (header(0x08, (2**32 - 1,) * 16), "is truncated|is too large"),
    "empty, but too big": (header(0x08, (0,) + (2**32 - 1,) * 3), "beyond what an array can have"),
}


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_the_file_and_the_fault(write, fault, gzipped):
    data, text = FAULTS[fault]
    if gzipped and "promises" in fault:
        text = "is too large: its header states .* raise max_unpacked=1073741824, or gunzip"
    path = write(gzip.compress(data) if gzipped else data)
    with pytest.raises(DataError, match=text) as caught:
        read_idx(path)
    assert str(caught.value).startswith(str(path))


def test_damaged_gzip(write):
    whole = gzip.compress(encode(np.arange(1000, dtype=np.int32)))
    for cut in range(2, len(whole), 97):
        with pytest.raises(DataError):
            read_idx(write(whole[:cut]))
    crc = bytearray(whole)
    crc[-8] ^= 1
    with pytest.raises(DataError, match="cannot be read: CRC check failed"):
        read_idx(write(crc))
    with pytest.raises(DataError, match="cannot be read: Not a gzipped file"):
        read_idx(write(whole + b"garbage"))


@pytest.mark.parametrize("path", [5, None, b"bytes"])
def test_what_is_no_path(path):
    with pytest.raises(TypeError, match=r"read_idx: path must be a string, a Path or a resource .*, got "):
        read_idx(path)


def test_unreadable(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read: .*directory"):
        read_idx(tmp_path)
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match="there is no such file") as caught:
        read_idx(missing)
    assert caught.value.filename == str(missing)


def test_a_limit_on_unpacking(write):
    data = encode(np.zeros(1000, np.uint8))
    packed = write(gzip.compress(data), "packed")
    assert read_idx(packed, max_unpacked=1000).shape == (1000,)
    with pytest.raises(DataError, match=r"is too large.* 1000 bytes; raise max_unpacked=999"):
        read_idx(packed, max_unpacked=999)
    assert read_idx(write(data), max_unpacked=999).shape == (1000,)


def peak(path):
    """The most memory that reading `path` takes, and the error it ends in."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            read_idx(path)
        return tracemalloc.get_traced_memory()[1], str(caught.value)
    finally:
        tracemalloc.stop()


def test_memory_follows_the_file_not_the_header(write):
    bomb = gzip.compress(header(0x08, (10,)) + bytes(64 << 20))  # 64 KB that unpack to 64 MB
    used, text = peak(write(bomb))
    assert "left over" in text and used < 4 << 20

    used, text = peak(write(header(0x08, (2**31,)) + bytes(1000)))
    assert "truncated" in text and used < 4 << 20

    used, text = peak(write(gzip.compress(header(0x08, (2**29,)) + bytes(1000))))
    assert "truncated" in text and used < 4 << 20


def mutate(rng, data):
    """`data` with one to four random edits, most of them in the first 32 bytes."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        size = len(data)
        at = int(rng.integers(0, max(1, min(size, 32) if rng.random() < 0.6 else size)))
        edit = rng.integers(0, 6)
        if edit == 0 and size:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif edit == 1 and size:
            data[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif edit == 2:
            del data[at:]
        elif edit == 3:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif edit == 4:
            del data[at : at + int(rng.integers(1, 9))]
        else:
            data[at : at + 4] = struct.pack(">I", int(rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])))
    return bytes(data)


@pytest.mark.parametrize("dtype", CODES)
def test_mutated_files_give_data_error_or_their_values(write, dtype):
    rng = np.random.default_rng(CODES[dtype])
    original = (rng.standard_normal((4, 3, 5)) * 50).astype(dtype)
    raw = encode(original)
    outer = gzip.compress(raw, mtime=0)
    refused = 0
    for trial in range(1200):
        kind = trial % 3
        if kind == 0:
            data = mutate(rng, raw)
        elif kind == 1:
            data = mutate(rng, outer)
        else:  # a sound gzip stream around damaged content
            data = gzip.compress(mutate(rng, raw), compresslevel=1)
        path = write(data)
        try:
            got = read_idx(path)
        except DataError as error:
            assert str(error).startswith(str(path))
            refused += 1
            continue
        if kind == 1:  # the CRC lets nothing else through
            np.testing.assert_array_equal(got, original)
        else:
            unpacked = data if kind == 0 else gzip.decompress(data)
            assert got.nbytes + 4 + 4 * got.ndim == len(unpacked)
            assert big_endian(got) == unpacked[4 + 4 * got.ndim :]
    assert refused > 600


def test_deflate_streams_of_noise(write):
    rng = np.random.default_rng(1)
    for _ in range(300):
        noise = b"\x1f\x8b\x08" + rng.bytes(int(rng.integers(0, 200)))
        with pytest.raises(DataError):
            read_idx(write(noise))
