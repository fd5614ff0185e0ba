"""Bilinear: the layer of two inputs."""

import numpy as np
import pytest

import minigrad
from minigrad import gradcheck, gradgradcheck, nn

CASES = [((2, 3, 4), {}, ()), ((2, 3, 4), {"bias": False}, (5,)), ((1, 2, 1), {}, (2, 3)), ((2, 3, 2), {}, (0,))]
cases = pytest.mark.parametrize(("args", "options", "front"), CASES)


def inputs(args, front, rng):
    return [rng.standard_normal((*front, n)) for n in args[:2]]


@cases
def test_derivatives(args, options, front, rng):
    layer = nn.Bilinear(*args, **options, dtype=minigrad.float64)
    x1, x2 = (minigrad.tensor(x, requires_grad=True) for x in inputs(args, front, rng))
    assert gradcheck(lambda x1, x2, *_: layer(x1, x2), (x1, x2, *layer.parameters()))
    assert gradgradcheck(lambda x1, x2, *_: layer(x1, x2), (x1, x2, *layer.parameters()))


@pytest.mark.reference
@cases
def test_it_is_pytorchs(args, options, front, rng):
    torch = pytest.importorskip("torch")
    ours = nn.Bilinear(*args, **options, dtype=minigrad.float64)
    theirs = torch.nn.Bilinear(*args, **options, dtype=torch.float64)
    theirs.load_state_dict({key: torch.tensor(value.numpy()) for key, value in ours.state_dict().items()})
    assert repr(ours) == repr(theirs)
    arrays = inputs(args, front, rng)
    xs = [minigrad.tensor(x, requires_grad=True) for x in arrays]
    ts = [torch.tensor(x, requires_grad=True) for x in arrays]
    y, ty = ours(*xs), theirs(*ts)
    np.testing.assert_allclose(y.detach().numpy(), ty.detach().numpy(), rtol=1e-10, atol=1e-12, strict=True)
    v = rng.standard_normal(y.shape)
    y.backward(minigrad.tensor(v)), ty.backward(torch.tensor(v))
    pairs = [*zip(xs, ts, strict=True), *zip(ours.parameters(), theirs.parameters(), strict=True)]
    for a, b in pairs:
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-10, atol=1e-12, strict=True)
