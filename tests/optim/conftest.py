"""One small problem for all optimizers: parameters of awkward shapes and layouts, and twenty gradients for each."""

from types import SimpleNamespace

import numpy as np
import pytest

import minigrad

STEPS = 20


def _weights(seed, dtype):
    """The parameters' arrays, anew at each call: 2-d, 0-d, transposed, reversed with gaps, empty, and one unused."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: np.asarray(rng.normal(size=shape), dtype)  # noqa: E731
    return [draw(3, 4), draw(), draw(4, 2).T, draw(7)[::-2], draw(0, 3), draw(2)]


@pytest.fixture(params=["float32", "float64"])
def problem(request, seed):
    """dtype, weights() and gradients[step][parameter]; the last parameter never gets a gradient."""
    dtype = np.dtype(request.param)
    rng = np.random.default_rng(seed + 1)
    shapes = [w.shape for w in _weights(seed, dtype)]
    gradients = [[np.asarray(rng.normal(size=shape), dtype) for shape in shapes[:-1]] for _ in range(STEPS)]
    return SimpleNamespace(dtype=dtype, weights=lambda: _weights(seed, dtype), gradients=gradients)


@pytest.fixture
def take_step():
    """A function that sets the gradients of `params` and takes one step."""

    def take(optimizer, params, gradients):
        for p, g in zip(params, gradients, strict=False):
            p.grad = minigrad.tensor(g)
        optimizer.step()

    return take


@pytest.fixture
def check_formula(problem, take_step):
    """Compare an optimizer after one, two and twenty steps with `formula(history)`.

    `history` is a list of (parameter before the step, its gradient), in float64, up to the present step; the formula
    gives the parameter after it, from the whole of it.
    """

    def check(make, formula):
        params = [minigrad.from_numpy(w).requires_grad_() for w in problem.weights()]
        unused = params[-1].array.copy()
        optimizer = make(params)
        histories = [[] for _ in params[:-1]]
        for gradients in problem.gradients:
            for p, g, history in zip(params, gradients, histories, strict=False):
                history.append((p.array.astype(np.float64), g.astype(np.float64)))
            take_step(optimizer, params, gradients)
            if len(histories[0]) not in (1, 2, STEPS):
                continue
            for p, history in zip(params, histories, strict=False):
                tolerance = 1e-12 if problem.dtype == np.float64 else 2e-6
                np.testing.assert_allclose(p.array, formula(history), rtol=tolerance, atol=tolerance)
                assert p.dtype == problem.dtype
        np.testing.assert_array_equal(params[-1].array, unused)

    return check


@pytest.fixture
def check_torch(problem, take_step):
    """Compare an optimizer, step by step, with the one of PyTorch of the same name and options."""
    torch = pytest.importorskip("torch")

    def check(name, options):
        params = [minigrad.from_numpy(w).requires_grad_() for w in problem.weights()]
        theirs = [torch.tensor(np.ascontiguousarray(w).reshape(w.shape)).requires_grad_() for w in problem.weights()]
        optimizer = getattr(minigrad.optim, name)(params, **options)
        reference = getattr(torch.optim, name)(theirs, **options)
        largest = [np.abs(p.array).max(initial=0) for p in params]
        for gradients in problem.gradients:
            take_step(optimizer, params, gradients)
            for p, g in zip(theirs, gradients, strict=False):
                p.grad = torch.tensor(g)
            reference.step()
            for i, (p, q) in enumerate(zip(params, theirs, strict=True)):
                largest[i] = max(largest[i], np.abs(p.array).max(initial=0))
                assert_close(p.array, q.detach().numpy(), largest[i])
        ours, saved = optimizer.state_dict(), reference.state_dict()
        assert ours["state"].keys() == saved["state"].keys()
        sizes = [
            {key: np.abs(value.numpy()).max(initial=0) for key, value in state.items()}
            for state in saved["state"].values()
        ]
        for index, state in saved["state"].items():
            assert ours["state"][index].keys() == state.keys()
            for key, value in state.items():
                kept = ours["state"][index][key]
                assert (kept.shape, kept.dtype.name) == (tuple(value.shape), str(value.dtype).split(".")[1])
                assert_close(kept.array, value.numpy(), float(max(size[key] for size in sizes)))
        for group, saved_group in zip(ours["param_groups"], saved["param_groups"], strict=True):
            assert group == {key: saved_group[key] for key in group}

    def assert_close(ours, theirs, largest):
        """Equal to 1e-10, or to 1e-6 in float32, of the largest value there was: one may pass through zero."""
        tolerance = 1e-10 if problem.dtype == np.float64 else 1e-6
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * largest)

    return check
