"""scaled_dot_product_attention, pairwise_distance and relu_: PyTorch's results, derivatives and bad input."""

import math

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import autograd, gradcheck, gradgradcheck

MASK = np.array([[True, False, True, True], [False, False, True, False], [True, True, True, True]])
NOWHERE = MASK & [[True], [False], [True]]  # the second query may look at nothing
SQUARE = [(2, 3, 4)] * 3
CROSS = [(2, 3, 5), (2, 4, 5), (2, 4, 2)]
HEADS = [(2, 4, 3, 5), (2, 2, 4, 5), (2, 1, 4, 2)]
# shapes of query, key and value; the mask; the options
CASES = {
    "plain": (SQUARE, None, {}),
    "two dimensions": ([(3, 4), (5, 4), (5, 2)], None, {}),
    "other sizes": (CROSS, None, {}),
    "broadcast": ([(3, 1, 2, 4), (2, 3, 4), (1, 3, 4)], None, {}),
    "scale": (CROSS, None, {"scale": 0.3}),
    "no scale": (CROSS, None, {"scale": 0.0}),
    "causal": (SQUARE, None, {"is_causal": True}),
    "causal, more keys": (CROSS, None, {"is_causal": True}),
    "causal, fewer keys": ([(5, 2), (3, 2), (3, 2)], None, {"is_causal": True}),
    "mask": (CROSS, MASK, {}),
    "mask of rows": (CROSS, MASK[0], {}),
    "mask that leaves nothing": (CROSS, NOWHERE, {}),
    "mask of numbers": (CROSS, np.where(MASK, 0.5, -2.0), {"scale": 1.5}),
    "mask of infinities": (CROSS, np.where(MASK, 0.5, -np.inf), {}),
    "groups": (HEADS, None, {"enable_gqa": True, "is_causal": True}),
    "groups and a mask": (HEADS, NOWHERE, {"enable_gqa": True}),
    "all dropped": (CROSS, None, {"dropout_p": 1.0}),
    "one key": ([(2, 3, 4), (2, 1, 4), (2, 1, 4)], None, {}),
    "no batch": ([(0, 3, 4)] * 3, None, {}),
}


@pytest.mark.reference
@pytest.mark.parametrize("name", CASES)
def test_attention_is_pytorchs(name, rng):
    torch = pytest.importorskip("torch")
    shapes, mask, options = CASES[name]
    arrays = [rng.standard_normal(shape) for shape in shapes]
    ours = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = F.scaled_dot_product_attention(*ours, None if mask is None else minigrad.tensor(mask), **options)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        wanted = torch.nn.functional.scaled_dot_product_attention(
            *theirs, None if mask is None else torch.tensor(mask), **options
        )
    np.testing.assert_allclose(y.detach().numpy(), wanted.detach().numpy(), rtol=1e-10, atol=1e-12, strict=True)
    v = rng.standard_normal(y.shape)
    found = autograd.grad(y, ours, minigrad.tensor(v))
    for g, w in zip(found, torch.autograd.grad(wanted, theirs, torch.tensor(v)), strict=True):
        np.testing.assert_allclose(g.numpy(), w.numpy(), rtol=1e-10, atol=1e-12, strict=True)


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("broadcast", "no batch")])
def test_attention_is_its_definition(name, rng):
    shapes, mask, options = CASES[name]
    q, k, v = (rng.standard_normal(shape) for shape in shapes)
    if options.get("enable_gqa"):
        k, v = (np.repeat(x, 4 // x.shape[1], axis=1) for x in (k, v))
    scores = q @ np.swapaxes(k, -1, -2) * options.get("scale", 1 / math.sqrt(q.shape[-1]))
    seen = np.tri(*scores.shape[-2:]) > 0 if options.get("is_causal") else np.ones(scores.shape[-2:], bool)
    if mask is not None:
        seen, scores = (mask, scores) if mask.dtype == bool else (seen, scores + mask)
    weights = np.exp(scores) * seen
    total = weights.sum(-1, keepdims=True)
    wanted = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0) @ v
    wanted = wanted * (1 - options.get("dropout_p", 0.0))
    given = [minigrad.tensor(x) for x in (q, k, v)]
    y = F.scaled_dot_product_attention(*given, None if mask is None else minigrad.tensor(mask), **options)
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-10, atol=1e-12, strict=True)


@pytest.mark.parametrize("name", ["plain", "causal", "mask that leaves nothing", "mask of infinities", "groups"])
def test_attention_has_derivatives(name, rng):
    shapes, mask, options = CASES[name]
    qkv = [minigrad.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]
    mask = None if mask is None else minigrad.tensor(mask)
    assert gradcheck(lambda *x: F.scaled_dot_product_attention(*x, mask, **options), qkv)
    assert gradgradcheck(lambda *x: F.scaled_dot_product_attention(*x, mask, **options), qkv)


def test_a_mask_of_numbers_has_a_gradient(rng):
    q, k, v, mask = (minigrad.tensor(rng.standard_normal(s), requires_grad=True) for s in (*CROSS, (3, 4)))
    assert gradcheck(F.scaled_dot_product_attention, (q, k, v, mask))


def test_dropout_keeps_the_mean():
    minigrad.manual_seed(0)
    x = minigrad.ones(1, 4000, dtype=minigrad.float64).T
    y = F.scaled_dot_product_attention(x[:8], x, x, dropout_p=0.25)
    assert (y != 1).all() and abs(y.mean().item() - 1) < 0.02


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_dtype_is_kept(dtype, rng):
    q, k, v = (minigrad.tensor(rng.standard_normal(s)).to(dtype) for s in CROSS)
    assert F.scaled_dot_product_attention(q, k, v, minigrad.tensor(NOWHERE)).dtype.name == dtype


def attend(*shapes, **options):
    """A call on zeros of these shapes."""
    return F.scaled_dot_product_attention(*(minigrad.zeros(s) for s in shapes), **options)


S = (2, 3)
BAD = [
    (lambda: F.scaled_dot_product_attention([1.0], 1, 2), TypeError, "query must be a Tensor, got list"),
    (lambda: attend((3,), (3,), (3,)), RuntimeError, "needs shapes (..., L, E), (..., S, E) and (..., S, V), got"),
    (lambda: attend(S, (2, 4), S), RuntimeError, "query and key must share E, their last size, key and value S, got"),
    (lambda: attend(S, S, (1, 3)), RuntimeError, "got query (2, 3), key (2, 3) and value (1, 3)"),
    (lambda: attend((2, *S), (3, *S), S), RuntimeError, "the sizes in front do not broadcast"),
    (lambda: attend(S, S, S, enable_gqa=True), RuntimeError, "enable_gqa needs heads in dim -3"),
    (lambda: attend((4, *S), (3, *S), (3, *S), enable_gqa=True), RuntimeError, "must divide those of query, got query"),
    (lambda: attend(S, S, S, dropout_p=2), ValueError, "dropout_p must be a finite number in [0, 1], got dropout_p=2"),
    (lambda: attend(S, S, S, scale="a"), TypeError, "scale must be a number, got scale='a'"),
    (lambda: attend(S, S, S, attn_mask=minigrad.ones(2, 2), is_causal=True), RuntimeError, "is_causal=True is a mask"),
    (lambda: attend(S, S, S, attn_mask=minigrad.ones(2, 3)), RuntimeError, "attn_mask of shape (2, 3) does not"),
    (lambda: attend(S, S, S, attn_mask=minigrad.ones(2, 2).long()), RuntimeError, "attn_mask must be of bools, or of"),
    (lambda: F.scaled_dot_product_attention(*[minigrad.zeros(S).long()] * 3), RuntimeError, "query must be floating"),
    (lambda: F.scaled_dot_product_attention(minigrad.zeros(S), minigrad.zeros(S).double(), minigrad.zeros(S)),
     RuntimeError, "operands must have one dtype, got float32 and float64 and float32"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), BAD, ids=[text[:30] for *_, text in BAD])
def test_bad_calls_of_attention(call, error, text):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
        call()
    assert isinstance(caught.value, error), caught.value
    assert str(caught.value).startswith("scaled_dot_product_attention: ") and text in str(caught.value)


# ------------------------------------------------------------------------------------- distances and relu_


@pytest.mark.reference
@pytest.mark.parametrize("shapes", [[(3, 4), (3, 4)], [(4,), (2, 3, 4)], [(3, 1), (4,)]])
@pytest.mark.parametrize("options", [{}, {"p": 1}, {"p": 3.0, "eps": 0.1, "keepdim": True}, {"p": math.inf}])
def test_pairwise_distance_is_pytorchs(shapes, options, rng):
    torch = pytest.importorskip("torch")
    arrays = [rng.standard_normal(s) for s in shapes]
    ours = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, wanted = F.pairwise_distance(*ours, **options), torch.nn.functional.pairwise_distance(*theirs, **options)
    np.testing.assert_allclose(y.detach().numpy(), wanted.detach().numpy(), rtol=1e-10, strict=True)
    v = rng.standard_normal(y.shape)
    found = autograd.grad(y, ours, minigrad.tensor(v))
    for g, w in zip(found, torch.autograd.grad(wanted, theirs, torch.tensor(v)), strict=True):
        np.testing.assert_allclose(g.numpy(), w.numpy(), rtol=1e-10, atol=1e-12, strict=True)


def test_pairwise_distance_at_no_distance(rng):
    x = minigrad.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    y = F.pairwise_distance(x, x.detach())
    np.testing.assert_allclose(y.detach().numpy(), 1e-6 * math.sqrt(3), rtol=1e-6)
    assert autograd.grad(y, x, minigrad.ones(2).double())[0].isfinite().all()
    with pytest.raises(RuntimeError, match=r"pairwise_distance: .*\(2, 3\).*\(2, 2\)"):
        F.pairwise_distance(x, x[:, :2])
    with pytest.raises(TypeError, match="pairwise_distance: eps must be a number"):
        F.pairwise_distance(x, x, eps="a")


def test_relu_changes_its_input():
    x = minigrad.tensor([-1.0, 2.0], requires_grad=True)
    y = x * 3
    assert F.relu_(y) is y and y.tolist() == [0, 6]
    y.backward(minigrad.tensor([5.0, 7.0]))
    assert x.grad.tolist() == [0, 21]
    with pytest.raises(TypeError, match="relu_: input must be a Tensor, got list"):
        F.relu_([1.0])
