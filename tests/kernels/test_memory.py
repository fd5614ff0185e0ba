"""Memory of large results is used again, once nothing refers to it."""

import gc
import os
import threading
import weakref

import numpy as np
import pytest

from minigrad.autograd import versions
from minigrad.kernels import compiled, memory

FLOAT32 = np.dtype(np.float32)
SHAPE = (100, 1000)  # 400,000 bytes


@pytest.fixture(autouse=True)
def no_idle_memory():
    gc.collect()
    memory.release()
    assert memory.idle_bytes() == 0
    yield
    memory.release()


def _address(a):
    return a.ctypes.data


def test_freed_memory_is_used_again():
    a = memory.empty(SHAPE, FLOAT32)
    address = _address(a)
    assert type(a) is np.ndarray and a.shape == SHAPE and a.dtype is FLOAT32 and a.flags.carray
    assert address % 64 == 0
    a.fill(7)
    del a
    assert memory.idle_bytes() >= 400_000
    assert _address(memory.empty((50, 1000), np.dtype(np.float64))) == address


@pytest.mark.parametrize(
    "refer",
    [
        lambda a: a[3:7],
        lambda a: a.reshape(-1)[::-3],
        lambda a: a.T.view(np.int32),
        lambda a: memoryview(a),
        lambda a: np.frombuffer(memoryview(a), np.uint8),
        lambda a: a.base,
        lambda a: a.base[5:],
        lambda a: np.asarray(a.base),
        lambda a: a.base.base,  # the memory itself
        lambda a: np.from_dlpack(a),
        lambda a: np.lib.stride_tricks.as_strided(a, (2,), (4,)),
        lambda a: np.broadcast_to(a, (2, *SHAPE)),
        lambda a: a.ctypes,
        lambda a: iter(a),
    ],
)
def test_nothing_is_used_again_while_something_refers_to_it(refer):
    a = memory.empty(SHAPE, FLOAT32)
    address = _address(a)
    kept = refer(a)
    del a
    others = [memory.empty(SHAPE, FLOAT32) for _ in range(3)]
    assert address not in map(_address, others)
    del kept


def test_what_is_made_of_the_owner_gives_nothing_back():
    """A view of a block has its class, and must not free what is in use."""
    a = memory.empty(SHAPE, FLOAT32)
    for made in (a.base[:], a.base + 1, a.base.copy(), a.base[:1]):
        del made
    assert memory.idle_bytes() == 0
    assert _address(memory.empty(SHAPE, FLOAT32)) != _address(a)


def test_small_and_huge_arrays_are_left_to_numpy():
    for n in (0, 1, 16_000, 17 * 2**20):
        a = memory.empty((n,), FLOAT32)
        assert a.base is None
        del a
    assert memory.idle_bytes() == 0


def test_sizes_that_nobody_wants_are_given_up_before_memory_is_asked_for(monkeypatch):
    """What was wanted long ago makes room for what is new, and what was wanted just now stays."""
    monkeypatch.setattr(memory, "WHILE", 20)
    for n in (100_000, 50_000, 200_000):
        a = memory.empty((n,), FLOAT32)
        del a
    assert memory.idle_bytes() >= 1_400_000
    for _ in range(30):
        a = memory.empty((50_000,), FLOAT32)
        del a
    a = memory.empty((250_000,), FLOAT32)  # in the place of the other two
    assert 200_000 <= memory.idle_bytes() <= 200_000 + 4096
    del a


def test_the_sizes_of_a_step_do_not_push_each_other_out(monkeypatch):
    asked_for = []
    more = memory._more
    monkeypatch.setattr(memory, "_more", lambda size: asked_for.append(size) or more(size))
    for _ in range(5):
        held = [memory.empty((n,), FLOAT32) for n in (100_000, 50_000, 200_000)]
        del held[0]
        held.append(memory.empty((70_000,), FLOAT32))
        del held
    assert len(asked_for) == 4


def test_the_memory_that_is_kept_has_a_limit(monkeypatch):
    monkeypatch.setattr(memory, "LIMIT", memory._bytes + 1_000_000)
    arrays = [memory.empty(SHAPE, FLOAT32) for _ in range(5)]
    assert [a.base is not None for a in arrays] == [True, True, False, False, False]
    del arrays
    assert 800_000 <= memory.idle_bytes() <= 1_000_000


def test_changes_of_earlier_arrays_are_forgotten():
    """The count of writes belongs to the array, not to its memory."""
    a = memory.empty(SHAPE, FLOAT32)
    versions.changed(a, by="test")
    address, gone = _address(a), weakref.ref(versions.memory(a))
    assert versions.version(a) == versions.version(a[2:]) == 1
    del a
    assert gone() is None
    b = memory.empty(SHAPE, FLOAT32)
    assert _address(b) == address and versions.version(b) == 0


def test_kernels_get_their_results_from_here():
    x = np.ones(SHAPE, np.float32)
    address = _address(compiled.relu(x))
    assert _address(compiled.relu_backward(x, x)) == address


def test_threads_never_share_memory():
    """Each fills its arrays, and finds in them what it wrote."""
    wrong = []

    def work(number):
        rng, kept = np.random.default_rng(number), []
        for i in range(300):
            a = memory.empty((int(rng.integers(1, 4)) * 20_000,), FLOAT32)
            a.fill(number * 1000 + i)
            kept.append((a[::7], number * 1000 + i))
            if len(kept) > 4:
                view, value = kept.pop(int(rng.integers(5)))
                wrong.extend(view[view != value])

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_has_memory_of_its_own():
    """Also when the lock was held at that moment; what the child writes, the parent does not see."""
    a = memory.empty(SHAPE, FLOAT32)
    a.fill(1)
    address = _address(a)
    del a
    with memory._lock:
        child = os.fork()
        if child == 0:
            b = memory.empty(SHAPE, FLOAT32)
            b.fill(2)
            os._exit(0 if _address(b) == address else 1)
    assert os.waitpid(child, 0)[1] == 0
    b = memory.empty(SHAPE, FLOAT32)
    assert _address(b) == address and (b == 1).all()
