"""Clipping gradients by their norm and by value."""

import math

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn.utils import clip_grad_norm_, clip_grad_value_

ORDERS = [2.0, 1.0, 3.5, 0.5, math.inf]


def parameters(rng, dtype=np.float64):
    """Some with gradients, one without."""
    made = [nn.Parameter(np.zeros(shape, dtype)) for shape in ((3, 4), (5,), (), (2, 0))]
    for p in made:
        p.grad = minigrad.tensor(rng.normal(0, 3, p.shape).astype(dtype))
    return [*made[:2], nn.Parameter(np.zeros(2, dtype)), *made[2:]]


def gradients(ps):
    return [None if p.grad is None else p.grad.numpy().copy() for p in ps]


@pytest.mark.parametrize("order", ORDERS)
def test_the_norm_of_all_of_them_together(order, rng):
    ps = [p for p in parameters(rng) if p.numel()]
    before = gradients(ps)
    whole = np.concatenate([g.reshape(-1) for g in before if g is not None])
    norm = np.linalg.norm(whole, order)
    held = [p.grad for p in ps]
    total = clip_grad_norm_(ps, norm / 4, order)
    assert isinstance(total, minigrad.Tensor) and total.shape == () and total.item() == pytest.approx(norm)
    clipped = np.concatenate([g.reshape(-1) for g in gradients(ps) if g is not None])
    np.testing.assert_allclose(clipped, whole / 4, rtol=1e-5)
    assert all(a is p.grad for a, p in zip(held, ps, strict=True))


def test_small_gradients_stay(rng):
    ps = parameters(rng)
    before = gradients(ps)
    assert clip_grad_norm_(iter(ps), 1e6).item() < 1e6
    for a, b in zip(before, gradients(ps), strict=True):
        assert a is b is None or np.array_equal(a, b)


def test_one_tensor_and_none_at_all():
    p = nn.Parameter(minigrad.zeros(2))
    assert clip_grad_norm_(p, 1.0).item() == 0 and clip_grad_norm_([], 1.0).item() == 0
    p.grad = minigrad.tensor([3.0, 4.0])
    assert clip_grad_norm_(p, 1.0).dtype == minigrad.float32
    assert p.grad.tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_gradients_that_are_not_finite(bad, rng):
    ps = parameters(rng)
    ps[0].grad[1, 1] = bad
    before = gradients(ps)
    with pytest.raises(RuntimeError, match=f"clip_grad_norm_: .*{bad}.*error_if_nonfinite"):
        clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)
    for a, b in zip(before, gradients(ps), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.isfinite(clip_grad_norm_(ps, 1.0).item())


def test_by_value(rng):
    ps = parameters(rng)
    before = gradients(ps)
    clip_grad_value_(ps, 1.5)
    for a, b in zip(before, gradients(ps), strict=True):
        assert a is b is None or np.array_equal(np.clip(a, -1.5, 1.5), b)


def test_bad_calls():
    p = nn.Parameter(minigrad.zeros(2))
    p.grad = minigrad.ones(2)
    for call, error, text in (
        (lambda: clip_grad_norm_([p], -1), ValueError, "clip_grad_norm_: max_norm .* got max_norm=-1"),
        (lambda: clip_grad_norm_([p], math.nan), ValueError, "nan"),
        (lambda: clip_grad_norm_([p], "1"), TypeError, "clip_grad_norm_: max_norm must be a number >= 0, got .*'1'"),
        (lambda: clip_grad_norm_([p], 1, "x"), ValueError, "clip_grad_norm_: norm_type must be .*'x'"),
        (lambda: clip_grad_norm_(nn.Linear(1, 1), 1), TypeError, "clip_grad_norm_: .* got Linear"),
        (lambda: clip_grad_norm_([p, 3], 1), TypeError, "clip_grad_norm_: .* got int"),
        (lambda: clip_grad_value_([p], -1), ValueError, "clip_grad_value_: clip_value .* got clip_value=-1"),
        (lambda: clip_grad_value_([[p]], 1), TypeError, "clip_grad_value_: .* got list"),
    ):
        with pytest.raises(error, match=text):
            call()
        assert p.grad.tolist() == [1, 1]


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_a_read_only_gradient_is_found_before_any_is_changed(clip):
    ps = [nn.Parameter(minigrad.zeros(2)) for _ in range(2)]
    ps[0].grad = minigrad.ones(2)
    ps[1].grad = minigrad.from_numpy(np.broadcast_to(np.float32(1), (2,)))
    with pytest.raises(RuntimeError, match=rf"{clip.__name__}: .*shape \(2,\) is read-only, .*clone\(\)"):
        clip(ps, 0.5)
    assert ps[0].grad.tolist() == [1, 1]


def test_norms_of_float16_are_taken_in_float32():
    p = nn.Parameter(minigrad.zeros(100, dtype=minigrad.float16))
    p.grad = minigrad.full((100,), 1000.0, dtype=minigrad.float16)
    total = clip_grad_norm_([p], 10.0)
    assert total.dtype == minigrad.float16 and total.item() == 10000
    np.testing.assert_allclose(p.grad.numpy(), 1, rtol=1e-3)
    p.grad = minigrad.full((100,), 60000.0, dtype=minigrad.float16)  # the norm is no float16, but the result is right
    clip_grad_norm_([p], 10.0, error_if_nonfinite=True)
    np.testing.assert_allclose(p.grad.numpy(), 1, rtol=1e-3)


def test_a_norm_type_may_be_spelled():
    p = nn.Parameter(minigrad.zeros(2))
    p.grad = minigrad.tensor([3.0, -4.0])
    assert clip_grad_norm_([p], 2.0, "inf").item() == 4 and p.grad.tolist() == pytest.approx([1.5, -2])


@pytest.mark.reference
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("spoiled", [None, math.inf, math.nan])
def test_equals_pytorch(order, dtype, tolerance, spoiled, rng):
    torch = pytest.importorskip("torch")
    ours = [p for p in parameters(rng, dtype) if p.numel()]
    if spoiled is not None:
        ours[0].grad[0, 0] = spoiled
    theirs = [torch.nn.Parameter(torch.tensor(p.detach().numpy())) for p in ours]
    for p, q in zip(ours, theirs, strict=True):
        q.grad = None if p.grad is None else torch.tensor(p.grad.numpy())
    for limit in (1e4, 2.0, 0.0):
        a = clip_grad_norm_(ours, limit, order)
        b = torch.nn.utils.clip_grad_norm_(theirs, limit, order)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance)
        for p, q in zip(ours, theirs, strict=True):
            if p.grad is not None:
                np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=tolerance, atol=tolerance)
    clip_grad_value_(ours, 0.5), torch.nn.utils.clip_grad_value_(theirs, 0.5)
    for p, q in zip(ours, theirs, strict=True):
        if p.grad is not None:
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=tolerance, atol=tolerance)
