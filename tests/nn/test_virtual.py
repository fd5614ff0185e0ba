"""Virtual batch norm: its arithmetic, independence of batch mates, references in models, derivatives, bad input."""

import copy
import re
import threading

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import autograd, gradcheck, gradgradcheck, nn
from minigrad.nn.statistics import Moments

# (a layer's class, the shape of an input without its N)
FORMS = [
    (nn.VirtualBatchNorm1d, (3,)),
    (nn.VirtualBatchNorm1d, (3, 4)),
    (nn.VirtualBatchNorm2d, (3, 2, 5)),
]
forms = pytest.mark.parametrize(("layer", "rest"), FORMS, ids=["NC", "NCL", "NCHW"])
mixes = pytest.mark.parametrize("mix", ["batch", "example"])


def axes(x):
    """All dimensions but that of the channels."""
    return (0, *range(2, x.ndim))


def along(s, x):
    """One number per channel, ready to broadcast against x."""
    return s.reshape(1, -1, *[1] * (x.ndim - 2))


def tensors(rng, *shapes, requires_grad=False, dtype=np.float64):
    return [
        minigrad.tensor((rng.standard_normal(s) * 2 + 1).astype(dtype), requires_grad=requires_grad) for s in shapes
    ]


def random_affine(layer, rng):
    """The layer, its gamma and beta anything."""
    with minigrad.no_grad():
        for p in layer.parameters():
            p.copy_(minigrad.tensor(rng.uniform(0.5, 2, p.shape)))
    return layer


def asked_for(x, ref_mean, ref_mean_sq, gamma, beta, eps):
    """The arithmetic of the layer that was asked for, written as it was: (out, mean, mean_sq)."""
    mean = x.mean(axes(x), keepdim=True)
    mean_sq = (x**2).mean(axes(x), keepdim=True)
    if ref_mean is None:
        mean, mean_sq = mean.detach(), mean_sq.detach()
    else:
        new = 1.0 / (x.shape[0] + 1.0)
        mean = new * mean + (1.0 - new) * ref_mean
        mean_sq = new * mean_sq + (1.0 - new) * ref_mean_sq
    return (x - mean) / (eps + mean_sq - mean**2).sqrt() * gamma + beta, mean, mean_sq


def columns(layer, x):
    """gamma and beta in the shape that broadcasts against x, which may have fewer dimensions."""
    return (p.reshape(1, -1, *[1] * (x.ndim - 2)) for p in (layer.gamma, layer.beta))


# ------------------------------------------------------------------------------------------- the arithmetic


@forms
@pytest.mark.parametrize("N", [1, 2, 7])
def test_the_triple_equals_the_arithmetic_asked_for_and_so_do_its_gradients(layer, rest, N, rng, backend):
    vbn = random_affine(layer(3, eps=1e-3, dtype=minigrad.float64), rng)
    x_ref, x = tensors(rng, (6, *rest), (N, *rest), requires_grad=True)
    cotangents = tensors(rng, (N, *rest), *[along(vbn.ref_mean, x).shape] * 2, (6, *rest))
    found = []
    for call in (vbn, lambda *args: asked_for(*args, *columns(vbn, x), vbn.eps)):
        y_ref, ref_mean, ref_mean_sq = call(x_ref, None, None)
        assert not ref_mean.requires_grad and not ref_mean_sq.requires_grad
        ref_mean, ref_mean_sq = (s.detach().requires_grad_() for s in (ref_mean, ref_mean_sq))
        results = [*call(x, ref_mean, ref_mean_sq), y_ref]
        leaves = [x_ref, x, ref_mean, ref_mean_sq, vbn.gamma, vbn.beta]
        found.append([*results, *autograd.grad(results, leaves, cotangents)])
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)


@forms
@mixes
def test_the_statistics_have_the_weights_stated(layer, rest, mix, rng, backend):
    vbn = layer(3, mix=mix, dtype=minigrad.float64)
    x_ref, x = tensors(rng, (6, *rest), (4, *rest))
    _, ref_mean, ref_mean_sq = vbn(x_ref, None, None)
    _, mean, mean_sq = vbn(x, ref_mean, ref_mean_sq, 6)
    over, w = (axes(x), 1 / 5) if mix == "batch" else (tuple(range(2, x.ndim)), 1 / 7)
    for mixed, reference, power in ((mean, x_ref, 1), (mean_sq, x_ref, 2)):
        own = (x.numpy() ** power).mean(over, keepdims=True)
        theirs = (reference.numpy() ** power).mean(axes(x), keepdims=True)
        np.testing.assert_allclose(mixed.numpy(), w * own + (1 - w) * theirs, rtol=1e-12)
    assert mean.shape == mean_sq.shape == (1 if mix == "batch" else 4, 3, *[1] * (x.ndim - 2))


@forms
def test_mixing_examples_is_batch_norm_over_the_reference_and_the_example(layer, rest, rng, backend):
    vbn = random_affine(layer(3, mix="example", dtype=minigrad.float64), rng)
    x_ref, x = tensors(rng, (6, *rest), (4, *rest))
    vbn.set_reference(x_ref)
    y = vbn(x)
    for i in range(4):
        together = minigrad.cat([x_ref, x[i : i + 1]])
        wanted = F.batch_norm(together, None, None, vbn.gamma.flatten(), vbn.beta.flatten(), training=True)[-1]
        np.testing.assert_allclose(y[i].detach().numpy(), wanted.detach().numpy(), rtol=1e-10, atol=1e-10)


def test_the_length_of_a_sequence_is_no_weight(rng):
    vbn = nn.VirtualBatchNorm1d(2, mix="example", dtype=minigrad.float64)
    x_ref, x = tensors(rng, (5, 2, 9), (1, 2, 4))
    _, mean, _ = vbn(x, *vbn(x_ref, None, None)[1:], 5)
    wanted = (x.numpy().mean((0, 2)) + 5 * x_ref.numpy().mean((0, 2))) / 6
    np.testing.assert_allclose(mean.numpy().ravel(), wanted, rtol=1e-13)


@mixes
@forms
def test_all_ways_to_give_a_reference_agree(layer, rest, mix, rng, backend):
    vbn = layer(3, mix=mix, dtype=minigrad.float64)
    x_ref, x = tensors(rng, (6, *rest), (4, *rest))
    with nn.reference_batch(vbn, x_ref) as y_ref:
        in_block = vbn(x)
    y_ref_by_hand, *statistics = vbn(x_ref, None, None)
    by_hand = vbn(x, *statistics, 6)[0]
    kept = vbn.set_reference(x_ref)(x)
    from_buffers = vbn(x, vbn.ref_mean, vbn.ref_mean_sq, vbn.ref_size.item())[0]
    for y in (by_hand, kept, from_buffers):
        np.testing.assert_allclose(y.detach().numpy(), in_block.detach().numpy(), rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(y_ref.detach().numpy(), y_ref_by_hand.detach().numpy())


# ------------------------------------------------------------------------------------ independence, precision


LAYOUTS = {
    "row-major": lambda x: x,
    "column-major": np.asfortranarray,
    "channels last": lambda x: np.ascontiguousarray(np.moveaxis(x, 1, -1)).swapaxes(1, -1) if x.ndim == 3 else x,
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: np.ascontiguousarray(x[::-1])[::-1],
}


@forms
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_example_does_not_depend_on_its_batch_mates(layer, rest, dtype, layout, rng, backend):
    rest = (*rest[:-1], 37) if len(rest) > 1 else rest
    vbn = random_affine(layer(3, mix="example", dtype=dtype), rng)
    x_ref, x = tensors(rng, (16, *rest), (33, *rest), dtype=dtype)
    vbn.set_reference(x_ref)

    def outputs(*examples):
        return vbn(minigrad.from_numpy(LAYOUTS[layout](x.numpy()[list(examples)]))).detach().numpy()

    alone = np.concatenate([outputs(i) for i in range(33)])
    whole = outputs(*range(33))
    assert whole.dtype == dtype
    np.testing.assert_array_equal(whole, alone)
    np.testing.assert_array_equal(whole, vbn(x).detach().numpy())  # whatever the layout
    order = rng.permutation(33)
    np.testing.assert_array_equal(outputs(*order), alone[order])
    for few in ([5, 0], [7, 8, 9], list(range(16)), list(range(17))):
        np.testing.assert_array_equal(outputs(*few), alone[few])


def test_the_batch_mix_does_depend_on_batch_mates(rng):
    vbn = nn.VirtualBatchNorm1d(3)
    x_ref, x = tensors(rng, (16, 3), (4, 3), dtype=np.float32)
    vbn.set_reference(x_ref)
    assert (vbn(x)[0] - vbn(x[:2])[0]).abs().max() > 1e-3


@forms
@mixes
def test_float32_far_from_zero_keeps_its_digits(layer, rest, mix, rng, backend):
    vbn = layer(3, mix=mix)
    x_ref, x = (rng.integers(-64, 64, (n, *rest)).astype(np.float32) / 16 for n in (6, 4))  # + 1e4 is exact in float32
    near, far = [], []
    for c, results in ((0, near), (1e4, far)):
        with nn.reference_batch(vbn, minigrad.tensor(x_ref + np.float32(c))) as y_ref:
            results += [y_ref, vbn(minigrad.tensor(x + np.float32(c)))]
    for a, b in zip(near, far, strict=True):
        assert a.dtype == minigrad.float32
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=0, atol=1e-5)


@mixes
def test_awkward_values(mix, backend):
    vbn = nn.VirtualBatchNorm1d(2, mix=mix)
    constant = minigrad.full((4, 2), 7.0, requires_grad=True)
    y = vbn.set_reference(constant)(constant)
    y.backward(minigrad.randn(4, 2))
    assert np.array_equal(y.detach().numpy(), np.zeros((4, 2))) and np.isfinite(constant.grad.numpy()).all()

    vbn.set_reference(minigrad.randn(8, 2))
    values = minigrad.randn(3, 2)
    values[1, 0] = np.nan
    bad = np.isnan(vbn(values).detach().numpy())
    assert bad[1, 0] and not bad[:, 1].any()
    assert bad[[0, 2], 0].all() == (mix == "batch")  # an example does not spoil the others

    with minigrad.no_grad():
        vbn.gamma.zero_()
    x = minigrad.randn(3, 2, requires_grad=True)
    vbn(x).sum().backward()
    assert np.array_equal(x.grad.numpy(), np.zeros((3, 2))) and np.abs(vbn.gamma.grad.numpy()).min() > 0


@forms
@mixes
def test_no_examples(layer, rest, mix):
    vbn = layer(3, mix=mix).set_reference(minigrad.randn(4, *rest))
    none = minigrad.zeros(0, *rest, requires_grad=True)
    assert vbn(none).shape == (0, *rest)
    vbn(none).backward(none.detach())
    assert none.grad.shape == (0, *rest)


# ----------------------------------------------------------------------------------------------- derivatives


@mixes
@pytest.mark.parametrize("rest", [(3,), (3, 2), (3, 1, 2)], ids=["NC", "NCL", "NCHW"])
def test_two_derivatives(rest, mix, rng, backend):
    x, x_ref, w, b = tensors(rng, (3, *rest), (4, *rest), 3, 3, requires_grad=True)

    def through_both(x, x_ref, w, b):
        y_ref, reference = F.virtual_batch_norm(x_ref, None, w, b, eps=0.1, detach_reference=False)
        y, mixed = F.virtual_batch_norm(x, reference, w, b, eps=0.1, mix=mix)
        return y_ref, y, mixed.mean, mixed.mean_square

    assert gradcheck(through_both, (x, x_ref, w, b)) and gradgradcheck(through_both, (x, x_ref, w, b))


@mixes
def test_third_derivative(mix, rng, backend):
    x, v, u = tensors(rng, (3, 2, 2), (3, 2, 2), (3, 2, 2))
    reference = Moments(4, *tensors(rng, 2), minigrad.tensor(rng.uniform(1, 2, 2)))

    def slope(x):
        with minigrad.enable_grad():
            (gx,) = autograd.grad(F.virtual_batch_norm(x, reference, eps=0.1, mix=mix)[0], x, v, create_graph=True)
            return autograd.grad(gx, x, u, create_graph=True)[0]

    assert gradcheck(slope, x.requires_grad_())


@mixes
@pytest.mark.parametrize("detach", [True, False])
def test_gradients_reach_the_reference_only_if_asked_to(detach, mix, rng):
    model = nn.Sequential(nn.Linear(2, 3), nn.VirtualBatchNorm1d(3, mix=mix, detach_reference=detach)).double()
    x_ref, x = tensors(rng, (5, 2), (4, 2), requires_grad=True)
    (cotangent,) = tensors(rng, (4, 3))
    with nn.reference_batch(model, x_ref) as y_ref:
        model(x).backward(cotangent)
    assert y_ref.requires_grad != detach
    assert (x_ref.grad is None) == detach

    # The weights' gradient is that of the whole function, or of the one in which the reference stays as it is.
    weight = model[0].weight.detach().clone().requires_grad_()
    h_ref, h = (F.linear(a.detach(), weight, model[0].bias.detach()) for a in (x_ref, x))
    h_ref = h_ref.detach() if detach else h_ref
    if mix == "batch":
        mean, mean_sq = h_ref.mean(0), (h_ref**2).mean(0)
        y = asked_for(h, mean, mean_sq, *columns(model[1], h), model[1].eps)[0]
    else:
        gamma, beta = (p.flatten() for p in model[1].parameters())
        together = [minigrad.cat([h_ref, h[i : i + 1]]) for i in range(4)]
        y = minigrad.cat([F.batch_norm(t, None, None, gamma, beta, training=True)[-1:] for t in together])
    y.backward(cotangent)
    np.testing.assert_allclose(model[0].weight.grad.numpy(), weight.grad.numpy(), rtol=1e-9, atol=1e-10)


@mixes
def test_a_weight_has_no_gradient_along_itself_if_the_reference_has_one(mix, rng):
    along_itself = []
    for detach in (False, True):
        norm = nn.VirtualBatchNorm1d(3, eps=1e-12, mix=mix, detach_reference=detach)
        model = nn.Sequential(nn.Linear(2, 3, bias=False), norm).double()
        x_ref, x, cotangent = tensors(rng, (5, 2), (4, 2), (4, 3))
        with nn.reference_batch(model, x_ref):
            model(x).backward(cotangent)
        along_itself.append(abs((model[0].weight.grad * model[0].weight).sum().item()))
    assert along_itself[0] < 1e-9 and along_itself[1] > 1e-3


def test_the_reference_pass_is_not_recorded_unless_it_is_needed(rng):
    model = nn.Sequential(nn.VirtualBatchNorm1d(3), nn.VirtualBatchNorm1d(3, detach_reference=False))
    assert minigrad.is_grad_enabled()
    with nn.reference_batch(model[0], minigrad.randn(4, 3)) as y_ref:
        assert y_ref.grad_fn is None and minigrad.is_grad_enabled()
        assert model[0](minigrad.randn(4, 3)).requires_grad
    with nn.reference_batch(model, minigrad.randn(4, 3)) as y_ref:
        assert y_ref.requires_grad
    with minigrad.no_grad(), nn.reference_batch(model, minigrad.randn(4, 3)) as y_ref:
        assert not y_ref.requires_grad and not minigrad.is_grad_enabled()


def test_outputs_of_a_block_share_the_graph_of_the_reference(rng):
    model = nn.Sequential(nn.Linear(2, 3), nn.VirtualBatchNorm1d(3, detach_reference=False)).double()
    x_ref, x, other, v, w = tensors(rng, (5, 2), (4, 2), (3, 2), (4, 3), (3, 3))
    found = []
    for together in (True, False):
        model.zero_grad()
        with nn.reference_batch(model, x_ref):
            y, z = model(x), model(other)
        if together:
            autograd.backward([y, z], [v, w])
        else:
            y.backward(v, retain_graph=True)
            z.backward(w)
            with pytest.raises(RuntimeError, match="retain_graph=True"):
                y.backward(v)
        found.append(model[0].weight.grad.numpy().copy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10)


# ------------------------------------------------------------------------------------------------- in a model


def deep(mix="example"):
    """Layers in layers, in float64."""
    inner = nn.Sequential(nn.Linear(8, 6), nn.VirtualBatchNorm1d(6, mix=mix), nn.Tanh())
    first = nn.Sequential(nn.Conv2d(1, 2, 3), nn.VirtualBatchNorm2d(2, mix=mix), nn.ReLU(), nn.Flatten())
    return nn.Sequential(first, inner, nn.Linear(6, 1)).double()


@mixes
@pytest.mark.parametrize("training", [True, False])
def test_a_deep_model_is_measured_layer_by_layer(mix, training, rng, backend):
    model = deep(mix).train(training)
    x_ref, x = tensors(rng, (6, 1, 4, 4), (3, 1, 4, 4))
    with nn.reference_batch(model, x_ref) as y_ref:
        y = model(x)
    h_ref, h = x_ref, x
    for layer in (*model[0], *model[1], model[2]):
        if hasattr(layer, "gamma"):
            h_ref_next, *statistics = layer(h_ref, None, None)
            h, h_ref = layer(h, *statistics, 6)[0], h_ref_next
        else:
            h, h_ref = layer(h), layer(h_ref)
    np.testing.assert_allclose(y.detach().numpy(), h.detach().numpy(), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(y_ref.detach().numpy(), h_ref.detach().numpy(), rtol=1e-12)


def test_the_reference_follows_the_weights_and_the_layer_keeps_none_of_it(rng):
    model = deep()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    x_ref, x = tensors(rng, (6, 1, 4, 4), (3, 1, 4, 4))
    with nn.reference_batch(model, x_ref):
        first = model(x)
    with minigrad.no_grad():
        model[1][0].weight.mul_(3.0).add_(0.5)
        before["1.0.weight"] = model[1][0].weight.detach().clone()
    with nn.reference_batch(model, x_ref):
        second = model(x)
    assert (first - second).abs().max() > 1e-3
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key].numpy())
    with pytest.raises(RuntimeError, match=re.escape("model.0.1 (VirtualBatchNorm2d): there is no reference")):
        model(x)


def test_blocks_nest_and_the_innermost_counts(rng):
    vbn = nn.VirtualBatchNorm1d(3, dtype=minigrad.float64)
    a, b, kept, x = tensors(rng, (5, 3), (6, 3), (7, 3), (4, 3))
    vbn.set_reference(kept)
    results = [vbn(x)]
    with nn.reference_batch(vbn, a):
        results.append(vbn(x))
        with nn.reference_batch(vbn, b):
            inner = vbn(x)
        results.append(vbn(x))
    results.append(vbn(x))
    np.testing.assert_array_equal(results[0].detach().numpy(), results[3].detach().numpy())
    np.testing.assert_array_equal(results[1].detach().numpy(), results[2].detach().numpy())
    assert (results[0] - results[1]).abs().max() > 1e-3 and (inner - results[1]).abs().max() > 1e-3


def test_blocks_of_different_models_do_not_meet(rng):
    a, b = (nn.VirtualBatchNorm1d(3) for _ in range(2))
    x = minigrad.randn(4, 3)
    with nn.reference_batch(a, minigrad.randn(5, 3)):
        with pytest.raises(RuntimeError, match="there is no reference"):
            b(x)
        with nn.reference_batch(b, minigrad.randn(5, 3) * 2):
            inside = a(x), b(x)
        np.testing.assert_array_equal(a(x).detach().numpy(), inside[0].detach().numpy())


def test_a_part_may_have_a_reference_of_its_own_within_the_pass(rng):
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.own, self.part = nn.VirtualBatchNorm1d(3), nn.VirtualBatchNorm1d(3)

        def forward(self, x):
            with nn.reference_batch(self.part, minigrad.ones(4, 3).cumsum(0)):
                return self.part(self.own(x))

    model, x = Outer(), minigrad.randn(4, 3)
    with nn.reference_batch(model, minigrad.randn(6, 3)):
        y = model(x)
        np.testing.assert_array_equal(model(x).detach().numpy(), y.detach().numpy())


@pytest.mark.parametrize("where", ["in the pass", "in the block"])
def test_an_error_ends_the_block(where, rng):
    model = nn.Sequential(nn.Linear(2, 3), nn.VirtualBatchNorm1d(3), nn.Linear(3, 1))
    x_ref, x = minigrad.randn(5, 2), minigrad.randn(4, 2)
    if where == "in the pass":
        model[2] = nn.Linear(4, 1)
        with pytest.raises(RuntimeError, match=re.escape("model.2 (Linear)")), nn.reference_batch(model, x_ref):
            raise AssertionError("the block must not be entered")
        model[2] = nn.Linear(3, 1)
    else:
        with pytest.raises(KeyError), nn.reference_batch(model, x_ref):
            raise KeyError
    assert minigrad.is_grad_enabled()
    with pytest.raises(RuntimeError, match=re.escape("model.1 (VirtualBatchNorm1d): there is no reference")):
        model(x)
    with nn.reference_batch(model, x_ref):
        assert model(x).shape == (4, 1)


def test_a_block_holds_for_its_thread(rng):
    vbn = nn.VirtualBatchNorm1d(3, mix="example")
    x = minigrad.randn(4, 3)
    references = [minigrad.randn(5, 3) * (i + 1) for i in range(4)]
    wanted = []
    for x_ref in references:
        with nn.reference_batch(vbn, x_ref):
            wanted.append(vbn(x).detach().numpy())
    barrier, found, errors = threading.Barrier(4), [None] * 4, []

    def work(i):
        try:
            with nn.reference_batch(vbn, references[i]):
                barrier.wait(10)  # all of them are in force now
                found[i] = vbn(x).detach().numpy()
                barrier.wait(10)
            with pytest.raises(RuntimeError, match="there is no reference"):
                vbn(x)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    np.testing.assert_array_equal(found, wanted)


def test_inputs_of_any_number_and_hooks(rng):
    class Conditional(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.VirtualBatchNorm1d(3)

        def forward(self, x, label, *, gain=1.0):
            return self.norm(x + label) * gain

    model = Conditional()
    seen = []
    x, label = minigrad.randn(4, 3), minigrad.randn(4, 1)
    with nn.reference_batch(model, x, label, gain=2.0) as y_ref:
        wanted = 2 * model.norm(x + label, None, None)[0].detach()
        np.testing.assert_array_equal(y_ref.numpy(), wanted.numpy())
        model.norm.register_forward_hook(lambda module, args, output: seen.append(output.shape))
        assert model(x[:2], label[:2]).shape == (2, 3)
    with nn.reference_batch(model, x, label):
        assert model(x[:3], label[:3]).shape == (3, 3)
    assert seen == [(2, 3), (4, 3), (3, 3)]


def test_a_training_step(rng):
    model = deep()
    x_ref, x = tensors(rng, (6, 1, 4, 4), (3, 1, 4, 4))
    optimizer = minigrad.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        with nn.reference_batch(model, x_ref):
            loss = ((model(x) - 1) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


# ----------------------------------------------------------------------------------------------------- state


def test_how_a_layer_starts():
    vbn = nn.VirtualBatchNorm1d(2000)
    assert vbn.gamma.shape == vbn.beta.shape == (1, 2000, 1) and nn.VirtualBatchNorm2d(3).gamma.shape == (1, 3, 1, 1)
    gamma = vbn.gamma.detach().numpy()
    assert abs(gamma.mean() - 1) < 0.002 and abs(gamma.std() - 0.02) < 0.002
    assert np.array_equal(vbn.beta.detach().numpy(), np.zeros((1, 2000, 1)))
    assert (vbn.mix, vbn.detach_reference, vbn.eps, vbn.ref_size.item()) == ("batch", True, 1e-5, 0)
    assert repr(nn.VirtualBatchNorm2d(3, eps=1e-3, mix="example")) == (
        "VirtualBatchNorm2d(num_features=3, eps=0.001, mix='example', detach_reference=True)"
    )
    assert nn.VirtualBatchNorm1d(3, dtype=minigrad.float64).ref_mean.dtype == minigrad.float64


@forms
def test_set_reference_is_kept_in_the_state_dict(layer, rest, rng):
    x_ref, x = tensors(rng, (6, *rest), (4, *rest), dtype=np.float32)
    vbn = layer(3, mix="example").set_reference(x_ref)
    state = vbn.state_dict()
    assert list(state) == ["gamma", "beta", "ref_mean", "ref_var", "ref_size"]
    assert state["ref_size"].item() == 6
    np.testing.assert_allclose(state["ref_mean"].numpy(), x_ref.numpy().mean(axes(x)), rtol=1e-6)
    np.testing.assert_allclose(state["ref_var"].numpy(), x_ref.numpy().var(axes(x)), rtol=1e-5)
    np.testing.assert_allclose(vbn.ref_mean_sq.numpy(), (x_ref.numpy() ** 2).mean(axes(x)), rtol=1e-6)
    other = layer(3, mix="example")
    assert str(other.load_state_dict(state)) == "<All keys matched successfully>"
    for twin in (other, copy.deepcopy(vbn)):
        np.testing.assert_array_equal(twin(x).detach().numpy(), vbn(x).detach().numpy())
        twin.set_reference(None)
        with pytest.raises(RuntimeError, match="there is no reference"):
            twin(x)
    assert vbn.ref_size.item() == 6
    assert vbn.double()(x.double()).dtype == minigrad.float64
    vbn.reset_parameters()
    assert vbn.ref_size.item() == 0


def test_a_copy_made_in_a_block_has_no_part_in_it():
    vbn = nn.VirtualBatchNorm1d(3)
    with nn.reference_batch(vbn, minigrad.randn(4, 3)):
        twin = copy.deepcopy(vbn)
        with pytest.raises(RuntimeError, match="there is no reference"):
            twin(minigrad.randn(4, 3))


def test_a_reference_changed_between_forward_and_backward_does_no_harm(rng):
    vbn = nn.VirtualBatchNorm1d(3, dtype=minigrad.float64)
    a, x = tensors(rng, (5, 3), (4, 3))
    cotangent = minigrad.tensor(rng.standard_normal((4, 3)))
    gradients = []
    for change in (False, True):
        y = vbn.set_reference(a)(x.requires_grad_())
        if change:
            vbn.set_reference(a * 2)
        gradients.append(autograd.grad(y, x, cotangent)[0].numpy())
    np.testing.assert_array_equal(*gradients)


def test_inputs_and_the_given_statistics_stay_as_they_are(rng):
    vbn = nn.VirtualBatchNorm1d(3, dtype=minigrad.float64)
    x_ref, x = tensors(rng, (5, 3, 2), (4, 3, 2))
    _, mean, mean_sq = vbn(x_ref, None, None)
    before = [t.numpy().copy() for t in (x, mean, mean_sq)]
    vbn(x, mean, mean_sq)[0].sum().backward()
    for t, was in zip((x, mean, mean_sq), before, strict=True):
        np.testing.assert_array_equal(t.numpy(), was)


# --------------------------------------------------------------------------------------------------- bad input

ONE, TWO = nn.VirtualBatchNorm1d(3), nn.VirtualBatchNorm2d(3)
X = minigrad.arange(24.0).reshape(2, 3, 4)
MEAN, MEAN_SQ = X.mean((0, 2), keepdim=True), (X**2).mean((0, 2), keepdim=True)
REFUSED = [
    (lambda: ONE(minigrad.ones(2, 4)), ValueError, "VirtualBatchNorm1d: expected input (N, C) or (N, C, L) with C = num"
     "_features = 3, got shape (2, 4)"),
    (lambda: ONE(X, MEAN[:, :2], MEAN_SQ), ValueError, "VirtualBatchNorm1d: ref_mean must hold one number for each of "
     "the 3 features, in shape (1, 3, 1), got shape (1, 2, 1)"),
    (lambda: ONE(X, MEAN, X), ValueError, "VirtualBatchNorm1d: ref_mean_sq must hold one number for each"),
    (lambda: TWO(X), ValueError, "VirtualBatchNorm2d: expected input (N, C, H, W) with C = num_features = 3, got sh"),
    (lambda: ONE([1.0]), ValueError, "VirtualBatchNorm1d: expected input (N, C) or (N, C, L) with C = num_features = 3,"
     " got list"),
    (lambda: ONE.set_reference(X[:, :2]), ValueError, "VirtualBatchNorm1d: expected input (N, C) or (N, C, L)"),
    (lambda: ONE(X.long()), RuntimeError, "VirtualBatchNorm1d: there is no reference to normalize by; run the model"),
    (lambda: ONE(X.long(), None, None), RuntimeError, "VirtualBatchNorm1d: input must be floating, got int64"),
    (lambda: ONE(X.double(), None, None), RuntimeError, "VirtualBatchNorm1d: operands must have one dtype, got float6"),
    (lambda: ONE(X), RuntimeError, "VirtualBatchNorm1d: there is no reference to normalize by; run the model inside "
     "`with nn.reference_batch(model, x_ref):` (in this thread), give this layer one with set_reference(x_ref)"),
    (lambda: ONE(X, MEAN), ValueError, "VirtualBatchNorm1d: ref_mean and ref_mean_sq belong together"),
    (lambda: ONE(X, ref_mean_sq=None), ValueError, "VirtualBatchNorm1d: ref_mean and ref_mean_sq belong together"),
    (lambda: ONE(X, MEAN, None), ValueError, "VirtualBatchNorm1d: ref_mean and ref_mean_sq belong together"),
    (lambda: ONE(X, 0.0, MEAN_SQ), TypeError, "VirtualBatchNorm1d: ref_mean must be a floating Tensor, got float"),
    (lambda: ONE(X, MEAN.long(), MEAN_SQ), TypeError, "VirtualBatchNorm1d: ref_mean must be a floating Tensor"),
    (lambda: ONE(X, MEAN, minigrad.ones(1, 3, 1)), ValueError, "VirtualBatchNorm1d: ref_mean_sq must be the mean of "
     "squares, at least the square of ref_mean, but in channel 0 it is 1 and ref_mean is 7.5; for a variance, give"),
    (lambda: ONE(X, MEAN, MEAN_SQ, 0), ValueError, "VirtualBatchNorm1d: ref_size must be an int >= 1, got ref_size=0"),
    (lambda: nn.VirtualBatchNorm1d(3, mix="example")(X, MEAN, MEAN_SQ), ValueError, 'VirtualBatchNorm1d: mix="example"'
     " weighs a reference by its number of examples; give that as ref_size"),
    (lambda: ONE(X[:1, :, 0], None, None), ValueError, "VirtualBatchNorm1d: a reference batch needs more than one value"
     " per channel, but an input of 1 x 1 (batch x positions) has 1; use a larger reference batch"),
    (lambda: ONE.set_reference(X[:0]), ValueError, "virtual_batch_norm: a reference batch needs more than one val"),
    (lambda: nn.VirtualBatchNorm1d(0), ValueError, "VirtualBatchNorm1d: num_features must be an int >= 1, got num_fea"),
    (lambda: nn.VirtualBatchNorm2d(3, eps=0.0), ValueError, "VirtualBatchNorm2d: eps must be a finite number > 0, got"),
    (lambda: nn.VirtualBatchNorm1d(3, mix="both"), ValueError, 'VirtualBatchNorm1d: mix must be "batch" or "example"'),
    (lambda: nn.VirtualBatchNorm1d(3, detach_reference=1), TypeError, "VirtualBatchNorm1d: detach_reference must be"),
    (lambda: nn.reference_batch(nn.Linear(3, 2), X).__enter__(), ValueError, "reference_batch: Linear has no VirtualBat"
     "chNorm1d or VirtualBatchNorm2d, so a reference batch would change nothing"),
    (lambda: nn.reference_batch(len, X).__enter__(), TypeError, "reference_batch: model must be a Module, got builtin"),
    (lambda: nn.reference_batch(ONE, X[:, :2]).__enter__(), ValueError, "VirtualBatchNorm1d: expected input (N, C) or"),
    (lambda: nn.reference_batch(nn.Sequential(ONE, ONE), X).__enter__(), RuntimeError, "model.0 (VirtualBatchNorm1d): "
     "the reference batch came to this layer twice, but it keeps one reference; make a layer for each place"),
    (lambda: F.virtual_batch_norm(X, (MEAN, MEAN_SQ)), TypeError, "virtual_batch_norm: reference must be the Moments of"
     " a reference batch or None, got tuple"),
    (lambda: F.virtual_batch_norm(X, Moments(2, MEAN, MEAN)), ValueError, "virtual_batch_norm: the mean of the referenc"
     "e has shape (1, 3, 1), but input, of shape (2, 3, 4), has 3 channels (dim 1) and needs (3,)"),
    (lambda: F.virtual_batch_norm(X, Moments(0, np.zeros(3), np.zeros(3))), ValueError, "virtual_batch_norm: the refere"
     "nce has a count of 0, so there is nothing to normalize by"),
    (lambda: F.virtual_batch_norm(X, mix="none"), ValueError, 'virtual_batch_norm: mix must be "batch" or "example"'),
    (lambda: F.virtual_batch_norm(X, eps=0), ValueError, "virtual_batch_norm: eps must be a finite number > 0, got"),
    (lambda: F.virtual_batch_norm(X, weight=MEAN), RuntimeError, "virtual_batch_norm: weight has shape (1, 3, 1), but"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "error", "text"), REFUSED)
def test_bad_calls_say_what_is_wrong_and_change_nothing(bad, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}"):
        bad()
    assert ONE.ref_size.item() == 0 and ONE.ref_mean.tolist() == [0, 0, 0]
    with pytest.raises(RuntimeError, match="there is no reference"):
        ONE(X)


def test_the_error_names_the_layer_by_its_path():
    model = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU(), nn.VirtualBatchNorm1d(5)))
    with pytest.raises(ValueError, match=re.escape("model.1.1 (VirtualBatchNorm1d): expected input (N, C) or")):
        model(minigrad.ones(2, 4))


def test_a_layer_that_the_reference_did_not_reach():
    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.even, self.odd = nn.VirtualBatchNorm1d(3), nn.VirtualBatchNorm1d(3)

        def forward(self, x):
            return (self.odd if len(x) % 2 else self.even)(x)

    model = Fork()
    with nn.reference_batch(model, minigrad.randn(6, 3)):
        assert model(minigrad.randn(4, 3)).shape == (4, 3)
        with pytest.raises(RuntimeError, match=re.escape("model.odd (VirtualBatchNorm1d): the reference batch did n")):
            model(minigrad.randn(3, 3))
        model.odd.set_reference(minigrad.randn(5, 3))
        assert model(minigrad.randn(3, 3)).shape == (3, 3)


def test_rounding_below_the_square_is_forgiven():
    x = minigrad.full((8, 1), 1e4 + 1 / 3)
    vbn = nn.VirtualBatchNorm1d(1)
    _, mean, mean_sq = vbn(x, None, None)
    y, *_ = vbn(x, mean, mean_sq * (1 - 1e-6))
    assert np.isfinite(y.detach().numpy()).all()


# ----------------------------------------------------------------------------------------------------- PyTorch


@pytest.mark.reference
@forms
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-11)])
def test_the_triple_equals_the_arithmetic_asked_for_in_pytorch(layer, rest, dtype, tolerance, rng, backend):
    torch = pytest.importorskip("torch")
    vbn = random_affine(layer(3, eps=1e-3, dtype=dtype), rng)
    x_ref, x, *cotangents = (rng.standard_normal((n, *rest)).astype(dtype) for n in (6, 4, 6, 4))
    found = []
    for make in (minigrad.tensor, torch.tensor):
        a, b = make(x_ref, requires_grad=True), make(x, requires_grad=True)
        if make is torch.tensor:
            over, affine = axes(a), [torch.tensor(p.detach().numpy(), requires_grad=True) for p in columns(vbn, a)]
            mean, mean_sq = a.mean(over, keepdim=True).detach(), (a**2).mean(over, keepdim=True).detach()
            y_ref = (a - mean) / torch.sqrt(vbn.eps + mean_sq - mean**2) * affine[0] + affine[1]
            mixed = 0.2 * b.mean(over, keepdim=True) + 0.8 * mean
            mixed_sq = 0.2 * (b**2).mean(over, keepdim=True) + 0.8 * mean_sq
            y = (b - mixed) / torch.sqrt(vbn.eps + mixed_sq - mixed**2) * affine[0] + affine[1]
        else:
            affine = [vbn.gamma, vbn.beta]
            y_ref, mean, mean_sq = vbn(a, None, None)
            y, mixed, mixed_sq = vbn(b, mean, mean_sq)
        y_ref.backward(make(cotangents[0]))
        y.backward(make(cotangents[1]))
        found.append([*(t.detach().numpy() for t in (y_ref, y, mixed, mixed_sq)), *(t.grad for t in (a, b, *affine))])
    for ours, theirs in zip(*found, strict=True):
        theirs = np.asarray(theirs)
        np.testing.assert_allclose(np.asarray(ours).reshape(theirs.shape), theirs, rtol=tolerance, atol=tolerance)
