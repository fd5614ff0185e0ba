"""Hooks around the forward and the backward of modules: what they see, what they replace, and in which order."""

import copy
import gc
import warnings
import weakref
from collections import namedtuple

import numpy as np
import pytest

import minigrad
from minigrad import autograd, nn
from minigrad.nn import hooks


def double(rng, *shape, requires_grad=True):
    return minigrad.tensor(rng.standard_normal(shape), requires_grad=requires_grad)


class Two(nn.Module):
    """Two inputs, two outputs, something that is no Tensor on both sides, and keywords."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(minigrad.tensor([2.0, -3.0], dtype=minigrad.float64))

    def forward(self, a, b, text="", *, scale=1.0):
        return a * self.gain * scale + b, text, a * b * b


def shapes(gradients):
    return [None if g is None else g.shape for g in gradients]


class TestForward:
    def test_always_call_sees_an_error_and_does_not_stop_it(self):
        class Failing(nn.Module):
            def forward(self, x, *, how=None):
                raise ValueError("no")

        layer, seen = Failing(), []
        layer.register_forward_hook(lambda *given: seen.append("plain"))
        layer.register_forward_hook(lambda m, args, output: seen.append((args, output)), always_call=True)
        layer.register_forward_hook(lambda *given: seen.append(given[2:]), always_call=True, with_kwargs=True)
        with pytest.raises(ValueError, match="no"):
            layer(1, how=2)
        assert seen == [((1,), None), ({"how": 2}, None)]

    def test_always_call_runs_once_and_its_own_error_is_a_warning(self):
        layer, seen = nn.Identity(), []

        def fail(*given):
            raise KeyError("first")

        def complain(m, args, output):
            seen.append(output)
            raise RuntimeError("second")

        layer.register_forward_hook(lambda *given: seen.append("ran"), always_call=True)
        layer.register_forward_hook(fail)
        layer.register_forward_hook(complain, always_call=True)
        text = r"Identity: .*always_call=True raised RuntimeError\('second'\)"
        with pytest.raises(KeyError, match="first"), pytest.warns(UserWarning, match=text):
            layer(7)
        assert seen == ["ran", 7]

    def test_hooks_of_all_modules_come_first(self):
        model, seen = nn.Sequential(nn.Identity()), []
        model[0].register_forward_pre_hook(lambda m, args: seen.append("own pre"))
        model[0].register_forward_hook(lambda m, args, output: seen.append("own"), prepend=True)
        with (
            hooks.register_module_forward_pre_hook(lambda m, args: seen.append(f"pre {type(m).__name__}")),
            hooks.register_module_forward_hook(lambda m, args, output: output + 1),
            hooks.register_module_forward_hook(
                lambda m, args, kwargs, output: seen.append((kwargs, output)), with_kwargs=True
            ),
        ):
            assert model(1) == 3
        assert seen == ["pre Sequential", "pre Identity", "own pre", ({}, 2), "own", ({}, 3)]
        assert model(1) == 1 and not hooks.everywhere

    @pytest.mark.parametrize("kind", ["forward_pre_hook", "forward_hook", "full_backward_hook"])
    def test_not_callable(self, kind):
        layer = nn.Identity()
        with pytest.raises(TypeError, match="hook must be callable, got int"):
            getattr(layer, f"register_{kind}")(3)
        with pytest.raises(TypeError, match="hook must be callable, got int"):
            getattr(hooks, f"register_module_{kind}")(3)
        assert not layer._hooks and not hooks.everywhere


class TestWhatTheySee:
    def test_every_gradient_at_once(self, rng):
        module, seen = Two(), []
        module.register_full_backward_pre_hook(lambda m, grad_output: seen.append((m, grad_output)))
        module.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append((m, grad_input, grad_output)))
        a, b = double(rng, 3, 2), double(rng, 2)
        y, text, z = module(a, b, "text", scale=0.5)
        assert text == "text" and len(seen) == 0
        gy, gz = double(rng, 3, 2, requires_grad=False), double(rng, 3, 2, requires_grad=False)
        autograd.backward((y, z), (gy, gz))
        (first, before), (second, grad_input, grad_output) = seen
        assert first is second is module and before is grad_output and grad_output[1] is grad_input[2] is None
        np.testing.assert_array_equal(grad_output[0].array, gy.array)
        np.testing.assert_array_equal(grad_output[2].array, gz.array)
        np.testing.assert_allclose(grad_input[0].array, (gy * module.gain * 0.5 + gz * b * b).detach().array)
        np.testing.assert_array_equal(grad_input[0].array, a.grad.array)
        np.testing.assert_array_equal(grad_input[1].array, b.grad.array)

    def test_hooks_that_only_look_change_nothing(self, rng):
        a, b = double(rng, 3, 2), double(rng, 2)
        plain, module = Two(), Two()
        module.register_full_backward_pre_hook(lambda m, g: None)
        module.register_full_backward_hook(lambda m, gi, go: None)
        found = []
        for m in (plain, module):
            y, _, z = m(a, b)
            found.append(autograd.grad((y * z).sum(), (a, b, m.gain)))
        for x, y in zip(*found, strict=True):
            np.testing.assert_array_equal(x.array, y.array)

    def test_an_output_that_no_gradient_reached(self, rng):
        module, seen = Two(), []
        module.register_full_backward_hook(lambda m, *gradients: seen.append([shapes(g) for g in gradients]))
        a, b = double(rng, 3, 2), double(rng, 2)
        module(a, b)[0].backward(a)
        assert seen == [[[(3, 2), (2,)], [(3, 2), None, None]]]

    def test_an_input_that_no_gradient_reached_has_zeros(self, rng):
        class First(nn.Module):
            def forward(self, a, b, index):
                return a * 2

        module, seen = First(), []
        module.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append(grad_input))
        a, frozen, index = double(rng, 3), double(rng, 2, requires_grad=False), minigrad.tensor([1, 2])
        module(a, frozen, index).backward(a)
        assert seen[0][1].tolist() == [0, 0] and seen[0][1].dtype == minigrad.float64
        assert seen[0][2].tolist() == [0, 0] and seen[0][2].dtype == minigrad.int64
        assert frozen.grad is None and index.grad is None

    def test_no_input_requires_grad(self, rng):
        layer, seen = nn.Linear(3, 2), []
        layer.register_full_backward_pre_hook(lambda m, g: (g[0] * 2,))
        layer.register_full_backward_hook(lambda m, *gradients: seen.append(gradients))
        x, g = minigrad.ones(4, 3), minigrad.ones(4, 2)
        layer(x).backward(g)
        assert seen[0][0] == (None,) and seen[0][1][0].tolist() == (g * 2).tolist()
        assert layer.bias.grad.tolist() == [8, 8]
        layer(input=x).backward(g)
        assert seen[1][0] == ()

    def test_not_called_where_nothing_is_recorded(self, rng):
        layer = nn.Linear(3, 2)
        layer.register_full_backward_hook(lambda *given: pytest.fail("called"))
        with minigrad.no_grad():
            assert layer(double(rng, 3).float()).grad_fn is None
        layer.requires_grad_(False)
        assert not layer(minigrad.ones(3)).requires_grad

    def test_not_called_for_gradients_of_parameters_alone(self, rng):
        layer, seen = nn.Linear(3, 2).double(), []
        layer.register_full_backward_pre_hook(lambda *given: seen.append("pre"))
        layer.register_full_backward_hook(lambda *given: seen.append("full"))
        x = double(rng, 4, 3)
        y = layer(x).sum()
        autograd.grad(y, layer.weight, retain_graph=True)
        assert seen == ["pre"]
        autograd.grad(y, x)
        assert seen == ["pre", "pre", "full"]

    def test_an_output_that_does_not_depend_on_the_input(self, rng):
        class Constant(nn.Module):
            def __init__(self):
                super().__init__()
                self.value = nn.Parameter(minigrad.ones(2))

            def forward(self, x):
                return self.value * 2

        module, seen = Constant(), []
        module.register_full_backward_pre_hook(lambda *given: seen.append("pre"))
        module.register_full_backward_hook(lambda *given: seen.append("full"))
        x = double(rng, 2)
        module(x).sum().backward()
        assert seen == ["pre"] and x.grad is None and module.value.grad.tolist() == [2, 2]

    def test_identity_and_one_tensor_twice(self, rng):
        class Same(nn.Module):
            def forward(self, a, b):
                return a, a

        module, seen = Same(), []
        module.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].tolist(), gi[1].tolist())))
        x = double(rng, 1)
        y, z = module(x, x)
        (y * 3 + z * 4).sum().backward()
        assert seen == [([7.0], [0.0])] and x.grad.tolist() == [7]

    @pytest.mark.parametrize("kind", ["dict", "list"])
    def test_other_outputs_are_warned_of(self, kind, rng):
        class Other(nn.Module):
            def forward(self, x):
                return {"dict": {"y": x * 2}, "list": [x * 2]}[kind]

        module, x = Other(), double(rng, 2)
        module.register_full_backward_hook(lambda *given: pytest.fail("called"))
        with pytest.warns(UserWarning, match=f"Other: its full backward hooks are not called for .* type {kind}") as w:
            y = module(x)
        assert w[0].filename == __file__
        (y["y"] if kind == "dict" else y[0]).sum().backward()
        assert x.grad.tolist() == [2, 2]

    def test_a_named_tuple_stays_one(self, rng):
        pair = namedtuple("pair", "left right")

        class Pair(nn.Module):
            def forward(self, x):
                return pair(x * 2, 3)

        module = Pair()
        module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
        x = double(rng, 1)
        y = module(x)
        assert isinstance(y, pair) and y.right == 3
        y.left.backward()
        assert x.grad.tolist() == [20]


class TestWhatTheyReplace:
    def test_pre_hooks_replace_what_arrives(self, rng):
        module = Two()
        module.register_full_backward_pre_hook(lambda m, g: (g[0] * 2, None, None))
        module.register_full_backward_pre_hook(lambda m, g: [g[0] + 1, None, None])
        a, b = double(rng, 2), double(rng, 2)
        y, _, z = module(a, b)
        autograd.backward((y, z), (minigrad.ones(2).double(),) * 2)
        assert b.grad.tolist() == [3, 3]
        np.testing.assert_allclose(a.grad.array, 3 * module.gain.detach().array)

    def test_hooks_replace_what_leaves(self, rng):
        module = Two()
        module.register_full_backward_hook(lambda m, gi, go: (None, gi[1] * 2))
        module.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[1] + 1))
        a, b = double(rng, 2), double(rng, 2)
        module(a, b)[0].backward(minigrad.ones(2).double())
        assert a.grad is None and b.grad.tolist() == [3, 3]

    def test_one_gradient_need_not_be_in_a_tuple(self, rng):
        layer, x = nn.Tanh(), double(rng, 3)
        layer.register_full_backward_pre_hook(lambda m, g: minigrad.zeros_like(g[0]))
        layer.register_full_backward_hook(lambda m, gi, go: gi[0] + 5)
        layer(x).sum().backward()
        assert x.grad.tolist() == [5, 5, 5]

    def test_an_output_that_no_gradient_reached_may_be_given_one(self, rng):
        module = Two()
        module.register_full_backward_pre_hook(lambda m, g: (None, None, minigrad.ones(2).double()))
        a, b = double(rng, 2), double(rng, 2)
        module(a, b)[0].sum().backward()
        np.testing.assert_allclose(a.grad.array, (b * b).detach().array)

    def test_what_arrives_is_not_the_hook_s_to_change(self, rng):
        layer, x, g = nn.Identity(), double(rng, 2), minigrad.ones(2).double()

        def change(m, grad_output):
            grad_output[0].array[...] = 7

        layer.register_full_backward_pre_hook(change)
        layer(x).backward(g)
        assert g.tolist() == [1, 1]

    @pytest.mark.parametrize("pre", [False, True])
    def test_an_input_must_not_be_changed_in_place(self, pre, rng):
        class InPlace(nn.Module):
            def forward(self, text, x):
                return x.mul_(2)

        module = InPlace()
        (module.register_full_backward_pre_hook if pre else module.register_full_backward_hook)(lambda *given: None)
        text = r"InPlace: forward changed args\[1\], of shape \(3,\), in place.* clone"
        with pytest.raises(RuntimeError, match=text):
            module("a", double(rng, 3) * 1)

    def test_a_kept_gradient_is_the_hook_s_own(self, rng):
        layer, kept = nn.Identity(), []
        layer.register_full_backward_hook(lambda m, gi, go: kept.extend((*gi, *go)))
        x = double(rng, 2)
        layer(x).sum().backward()
        x.grad.array[...] = 9
        assert [g.tolist() for g in kept] == [[1, 1], [1, 1]]
        before = x.grad.tolist()
        kept[0].array[...] = 5
        assert x.grad.tolist() == before

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            (lambda g: (g,), "must return None or a tuple of 2 gradients, got 1 of them"),
            (lambda g: g, "must return None or a tuple of 2 gradients, got Tensor"),
            (lambda g: 3, "must return None or a tuple of 2 gradients, got int"),
            (lambda g: (g[:1], g), r"gradient 0 .* float64 of shape \(2,\), or None, got float64 of shape \(1,\)"),
            (lambda g: (g, g.float()), r"gradient 1 .* float64 of shape \(2,\), or None, got float32 of shape \(2,\)"),
            (lambda g: (1.0, g), r"gradient 0 that it returned must be a Tensor, .* got float"),
        ],
    )
    @pytest.mark.parametrize("pre", [False, True])
    def test_what_does_not_fit(self, answer, text, pre, rng):
        class Swap(nn.Module):
            def forward(self, a, b):
                return b * 2, a * 3

        module = Swap()
        if pre:
            module.register_full_backward_pre_hook(lambda m, g: answer(g[0]))
        else:
            module.register_full_backward_hook(lambda m, gi, go: answer(gi[0]))
        a, b = double(rng, 2), double(rng, 2)
        y, z = module(a, b)
        kind = "backward pre-hook" if pre else "backward hook"
        with pytest.raises(RuntimeError, match=f"^full {kind} of Swap: {text}"):
            (y + z).sum().backward()
        assert a.grad is None and b.grad is None

    def test_without_inputs_that_require_grad_there_is_nothing_to_replace(self):
        layer = nn.Linear(3, 2)
        handle = layer.register_full_backward_hook(lambda m, gi, go: (None,))
        layer(minigrad.ones(3)).sum().backward()
        handle.remove()
        layer.register_full_backward_hook(lambda m, gi, go: (minigrad.ones(3),))
        with pytest.raises(RuntimeError, match=r"hook of Linear: no input requires grad, so it must return None"):
            layer(minigrad.ones(3)).sum().backward()


class TestPasses:
    def test_create_graph(self, rng):
        layer, x, seen = nn.Tanh(), double(rng, 3), []
        layer.register_full_backward_hook(lambda m, gi, go: seen.append(gi[0].requires_grad) or (gi[0] * gi[0],))
        (g,) = autograd.grad(layer(x).sum(), x, create_graph=True)
        (gg,) = autograd.grad(g.sum(), x)
        t = np.tanh(x.detach().array)
        np.testing.assert_allclose(g.detach().array, (1 - t * t) ** 2)
        np.testing.assert_allclose(gg.array, 2 * (1 - t * t) * (-2 * t * (1 - t * t)))
        assert seen == [True], "the second pass does not come through the module's output"

    def test_a_penalty_and_the_loss_in_one_pass(self, rng):
        plain, layer = nn.Linear(3, 1).double(), nn.Linear(3, 1).double()
        layer.load_state_dict(plain.state_dict())
        layer.register_full_backward_hook(lambda m, gi, go: None)
        x = double(rng, 4, 3)
        for model in (plain, layer):
            y = model(x).tanh()
            (g,) = autograd.grad(y.sum(), x, create_graph=True)
            ((g * g).sum() + y.sum()).backward()
        np.testing.assert_allclose(layer.weight.grad.array, plain.weight.grad.array, rtol=1e-12)

    def test_gradcheck(self, rng):
        layer = nn.Sequential(nn.Linear(3, 2).double(), nn.Sigmoid())
        two = Two()
        for module in (layer, two):
            module.register_full_backward_pre_hook(lambda m, g: g)
            module.register_full_backward_hook(lambda m, gi, go: gi)
        assert minigrad.gradcheck(layer, double(rng, 4, 3)) and minigrad.gradgradcheck(layer, double(rng, 4, 3))
        inputs = double(rng, 3, 2), double(rng, 2)
        assert minigrad.gradgradcheck(lambda a, b: two(a, b)[::2], inputs)

    def test_retain_graph(self, rng):
        layer, x, seen = nn.Linear(3, 2).double(), double(rng, 3), []
        layer.register_full_backward_hook(lambda m, gi, go: seen.append(gi[0].tolist()))
        y = layer(x).sum()
        y.backward(retain_graph=True)
        y.backward()
        assert seen[0] == seen[1] and len(seen) == 2
        with pytest.raises(RuntimeError, match="second time"):
            y.backward()

    def test_used_twice_in_one_graph(self, rng):
        layer, x, seen = nn.Linear(2, 2, bias=False).double(), double(rng, 2), []
        layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].array, go[0].array)))
        layer(layer(x)).sum().backward()
        W = layer.weight.detach().array
        np.testing.assert_allclose(seen[0], [W.sum(0), np.ones(2)])
        np.testing.assert_allclose(seen[1], [W.sum(0) @ W, W.sum(0)])
        np.testing.assert_allclose(x.grad.array, W.sum(0) @ W)

    def test_a_failed_pass_leaves_the_next_one_alone(self, rng):
        layer, x, seen = nn.Tanh(), double(rng, 2), []
        layer.register_full_backward_hook(lambda m, gi, go: seen.append(go[0].tolist()))
        handle = layer.register_full_backward_hook(lambda m, gi, go: ())
        y = layer(x)
        with pytest.raises(RuntimeError, match="got 0 of them"):
            y.backward(minigrad.ones(2).double(), retain_graph=True)
        with pytest.raises(RuntimeError, match="got 0 of them"):
            y.backward(minigrad.ones(2).double() * 3)
        handle.remove()
        assert seen == [[1, 1], [3, 3]] and x.grad is None

    def test_a_call_keeps_the_hooks_it_began_with(self, rng):
        layer, x, seen = nn.Tanh(), double(rng, 2), []
        handle = layer.register_full_backward_hook(lambda *given: seen.append("removed"))
        y = layer(x)
        handle.remove()
        layer.register_full_backward_hook(lambda *given: seen.append("added"))
        y.sum().backward()
        assert seen == ["removed"]
        layer(x).sum().backward()
        assert seen == ["removed", "added"]

    def test_order_and_prepend(self, rng):
        layer, seen = nn.Tanh(), []
        for name, prepend in (("b", False), ("c", False), ("a", True)):
            layer.register_full_backward_pre_hook(lambda m, g, name=name: seen.append(f"pre {name}"), prepend)
            layer.register_full_backward_hook(lambda m, gi, go, name=name: seen.append(name), prepend=prepend)
        with (
            hooks.register_module_full_backward_pre_hook(lambda m, g: seen.append("pre all")),
            hooks.register_module_full_backward_hook(lambda m, gi, go: seen.append("all")),
        ):
            y = layer(double(rng, 2))
        y.sum().backward()
        assert seen == ["pre all", "pre a", "pre b", "pre c", "all", "a", "b", "c"]

    def test_an_error_in_a_hook_leaves_gradients_alone(self, rng):
        layer, x = nn.Linear(2, 2).double(), double(rng, 2)

        def fail(m, gi, go):
            raise KeyError("mine")

        layer.register_full_backward_hook(fail)
        with pytest.raises(KeyError, match="mine"):
            layer(x).sum().backward()
        assert x.grad is None and layer.weight.grad is None

    def test_anomaly_mode(self, rng):
        layer, x = nn.Linear(2, 2).double(), double(rng, 2)
        layer.register_full_backward_hook(lambda m, gi, go: (gi[0] / 0,))
        with (
            autograd.detect_anomaly(),
            pytest.raises(RuntimeError, match=r"^hooks of Linear: backward made inf .*layer\(x\)"),
        ):
            layer(x).sum().backward()
        layer = nn.Linear(2, 2).double()
        layer.register_full_backward_hook(lambda m, gi, go: None)
        with autograd.detect_anomaly():
            layer(x).backward(minigrad.tensor([np.inf, 1.0]))
        assert np.isinf(layer.bias.grad.array[0]), "which came from outside"


class TestLife:
    def test_graphs_are_freed_without_the_collector(self, rng):
        gc.disable()
        try:
            layer = nn.Linear(2, 2).double()
            layer.register_full_backward_hook(lambda m, gi, go: None)
            x = double(rng, 2)
            gone = []
            for create_graph in (False, True):
                y = layer(x)
                gone += [weakref.ref(y), weakref.ref(y.grad_fn.edges[1])]
                g = autograd.grad(y.sum(), layer.weight, create_graph=create_graph)
                del y, g
            assert [ref() for ref in gone] == [None] * 4
        finally:
            gc.enable()

    def test_copies_have_hooks_of_their_own(self, rng):
        layer, seen = nn.Tanh(), []
        layer.register_full_backward_hook(lambda m, gi, go: seen.append(m))
        for twin in (copy.copy(layer), copy.deepcopy(layer)):
            twin.register_full_backward_hook(lambda m, gi, go: seen.append("new"))
            twin(double(rng, 2)).sum().backward()
            assert seen == [twin, "new"]
            seen.clear()
        layer(double(rng, 2)).sum().backward()
        assert seen == [layer]


# ------------------------------------------------------------------------------------------- as PyTorch's, exactly


def modules_of(m, nn):
    """Modules of the kinds that hooks differ for, from the names of either library."""

    class TwoByTwo(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, a, b, *, flip=False):
            y, z = self.left(a).tanh(), self.right(b) * self.left(b)
            return (z, y) if flip else (y, z)

    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, times, x, text):
            return self.layer(x) * times, text, None, x.detach()

    class Unused(nn.Module):
        def forward(self, a, b):
            return a * a

    class Dict(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return {"y": self.layer(x)}

    class Uses(nn.Module):
        def __init__(self, inner, call):
            super().__init__()
            self.inner, self.call = inner, call

        def forward(self, a, b):
            return self.call(self.inner, a, b)

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(self.layer(x).tanh())

    nested = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), nn.Linear(4, 2))
    frozen = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    frozen[0].requires_grad_(False)
    return {
        "linear": Uses(nn.Linear(3, 2), lambda f, a, b: f(a)),
        "keyword": Uses(nn.Linear(3, 2), lambda f, a, b: f(input=a)),
        "sequential": Uses(nn.Sequential(nn.Linear(3, 2), nn.Sigmoid()), lambda f, a, b: f(a)),
        "nested": Uses(nested, lambda f, a, b: f(a) + f(b)),
        "frozen": Uses(frozen, lambda f, a, b: f(a)),
        "two": Uses(TwoByTwo(), lambda f, a, b: m.cat(f(a, b), 1)),
        "two, nested": Uses(
            Uses(TwoByTwo(), lambda f, a, b: f(a * 2, b, flip=True)), lambda f, a, b: m.cat(f(b, a), 1)
        ),
        "two, one used": Uses(TwoByTwo(), lambda f, a, b: f(a, b, flip=True)[0] * 2),
        "two of the same": Uses(TwoByTwo(), lambda f, a, b: m.cat(f(a, a), 1)),
        "mixed": Uses(Mixed(), lambda f, a, b: f(3, a, "s")[0] + f(2, b, "t")[0]),
        "unused": Uses(Unused(), lambda f, a, b: f(a, b)),
        "dict": Uses(Dict(), lambda f, a, b: f(a)["y"]),
        "shared": Uses(Shared(), lambda f, a, b: f(b)),
        "identity": Uses(nn.Identity(), lambda f, a, b: f(a) * f(b)),
    }


def listed(gradients):
    return [None if g is None else np.array(g.detach()) for g in gradients]


def assert_same(seen, wanted):
    """The same calls, with gradients that are equal but for rounding."""
    if isinstance(wanted, (tuple, list)):
        assert type(seen) is type(wanted) and len(seen) == len(wanted)
        for pair in zip(seen, wanted, strict=True):
            assert_same(*pair)
    elif isinstance(wanted, np.ndarray):
        np.testing.assert_allclose(seen, wanted, rtol=1e-10, atol=1e-12)
        assert seen.dtype == wanted.dtype
    else:
        assert seen == wanted


REPLACE = {
    "look": (lambda g: None, lambda gi, go: None),
    "scale": (
        lambda g: tuple(None if x is None else x * 2 for x in g),
        lambda gi, go: tuple(None if x is None else x + 1 for x in gi) if any(x is not None for x in gi) else None,
    ),
}


def record(m, nn, name, weights, inputs, cotangents, needs, replace, create_graph):
    """What every hook saw, in order, and every gradient."""
    model = modules_of(m, nn)[name].double()
    with m.no_grad():
        for p, w in zip(model.parameters(), weights, strict=False):
            p.copy_(m.tensor(w[: p.numel()].reshape(tuple(p.shape))))
    pre, full, log = *REPLACE[replace], []

    def watch(path, module):
        def before(m, grad_output):
            log.append((path, "pre", listed(grad_output)))
            return pre(grad_output)

        def after(m, grad_input, grad_output):
            log.append((path, "full", listed(grad_input), listed(grad_output)))
            return full(grad_input, grad_output)

        module.register_forward_pre_hook(lambda m, args: log.append((path, "enter", len(args))))
        module.register_forward_hook(lambda m, args, output: log.append((path, "leave")))
        module.register_full_backward_pre_hook(before)
        module.register_full_backward_hook(after)

    for path, module in model.named_modules():
        watch(path, module)
    a, b = (m.tensor(x, requires_grad=need) for x, need in zip(inputs, needs, strict=True))
    y = model(a, b)
    found = []
    if create_graph:
        wanted = [x for x in (a, b, *model.parameters()) if x.requires_grad]
        first = m.autograd.grad(y, wanted, m.tensor(cotangents[: y.numel()].reshape(tuple(y.shape))),
                                create_graph=True, allow_unused=True)  # fmt: skip
        log.append("second pass")
        found += listed(first)
        total = sum((g * g).sum() for g in first if g is not None and g.requires_grad)
        if isinstance(total, int):
            return log, found
        total.backward()
    else:
        y.backward(m.tensor(cotangents[: y.numel()].reshape(tuple(y.shape))))
    return log, found + listed(x.grad for x in (a, b, *model.parameters()))


@pytest.mark.reference
@pytest.mark.parametrize("create_graph", [False, True], ids=["plain", "create_graph"])
@pytest.mark.parametrize("replace", REPLACE)
@pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("name", modules_of(minigrad, nn))
def test_calls_and_gradients_are_pytorchs(name, needs, replace, create_graph, rng):
    torch = pytest.importorskip("torch")
    weights = [rng.standard_normal(16) for _ in range(8)]
    inputs, cotangents = rng.standard_normal((2, 2, 3)), rng.standard_normal(16)
    given = name, weights, inputs, cotangents, needs, replace, create_graph
    if name == "two, one used" and (replace == "scale" or not needs[1]):
        pytest.skip("PyTorch also calls the hooks of modules that no gradient reaches, where they may make one")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = record(torch, torch.nn, *given)
        except RuntimeError as error:
            assert "does not require grad" in str(error) or "cannot be empty" in str(error)
            with pytest.raises(RuntimeError, match=r"does not require grad|inputs is empty"):
                record(minigrad, nn, *given)
            return
        ours = record(minigrad, nn, *given)
    calls = [call for call in theirs[0] if call[1] not in ("pre", "full") or any(g is not None for g in call[-1])]
    assert_same(ours[0], calls)
    for seen, wanted in zip(ours[1], theirs[1], strict=True):
        if seen is not None or name != "two, one used" or np.any(wanted):
            assert_same(seen, wanted)
