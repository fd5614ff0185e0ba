"""Sequential, ModuleList and ModuleDict."""

import copy
import functools
import re
import weakref
from collections import OrderedDict

import numpy as np
import pytest

import minigrad
from minigrad import autograd, nn
from minigrad.nn.hooks import register_module_forward_hook


def layers(n=3):
    return [nn.Linear(2, 2) for _ in range(n)]


def names(container):
    return [name for name, _ in container.named_children()]


class TestSequential:
    def test_calls_every_module_in_turn(self, rng):
        a, b, _ = layers()
        x = minigrad.tensor(rng.standard_normal((4, 2)), dtype=minigrad.float32)
        assert minigrad.equal(nn.Sequential(a, nn.ReLU(), b)(x), b(minigrad.relu(a(x))))
        assert nn.Sequential()(x) is x

    def test_names(self):
        a, b, c = layers()
        assert names(nn.Sequential(a, b, c)) == ["0", "1", "2"]
        for kind in (dict, OrderedDict):
            model = nn.Sequential(kind(first=a, second=b))
            assert names(model) == ["first", "second"] and model.second is b
        model.append(c)
        assert names(model) == ["first", "second", "2"]

    def test_like_a_list(self):
        a, b, c = layers()
        model = nn.Sequential(a, b, c)
        assert len(model) == 3 and list(model) == [a, b, c]
        assert model[0] is a and model[-1] is c and model[np.int64(1)] is b
        assert b in model and nn.ReLU() not in model
        tail = model[1:]
        assert type(tail) is nn.Sequential and list(tail) == [b, c] and names(tail) == ["1", "2"]
        new = nn.ReLU()
        assert list(tail.append(new)) == [b, c, new]
        assert list(model) == [a, b, c]
        model[1] = new
        assert list(model) == [a, new, c] and names(model) == ["0", "1", "2"]
        del model[1]
        assert list(model) == [a, c] and names(model) == ["0", "1"]
        assert model.insert(-1, b) is model and list(model) == [a, b, c]
        assert model.insert(3, new).pop() is new and model.pop(0) is a and names(model) == ["0", "1"]
        assert model.extend([a]) is model and list(model) == [b, c, a]
        del model[::2]
        assert list(model) == [c]
        assert list(model + nn.Sequential(a)) == [c, a] and list(model) == [c]
        model += [a]
        assert list(model) == [c, a]

    def test_multiples_hold_the_same_modules_again(self):
        a, b, _ = layers()
        model = nn.Sequential(a, b)
        for twice in (model * 2, 2 * model):
            assert list(twice) == [a, b, a, b] and len(twice.state_dict()) == 8
        assert list(model) == [a, b]
        model *= 3
        assert list(model) == [a, b] * 3 and len(list(model.parameters())) == 4
        model *= 1
        assert len(model) == 6

    def test_parameters_are_in_order(self):
        a, b, c = layers()
        model = nn.Sequential(a, b)
        model.insert(0, c)
        assert [id(p) for p in model.parameters()] == [id(p) for m in (c, a, b) for p in m.parameters()]
        assert list(model.state_dict())[:2] == ["0.weight", "0.bias"]

    def test_bad_calls_change_nothing(self):
        a, b, c = layers()
        model = nn.Sequential(a, b)
        for call, error, text in (
            (lambda: model[2], IndexError, "index 2 is out of range for 2 modules"),
            (lambda: model[-3], IndexError, "-3"),
            (lambda: model["0"], TypeError, "'0'"),
            (lambda: model.insert(4, c), IndexError, r"\[-2, 2\], got 4"),
            (lambda: model.insert(0, 3), TypeError, "int"),
            (lambda: model.append(3), TypeError, "int"),
            (lambda: model.extend([c, 3]), TypeError, "item 1 must be a Module, got int"),
            (lambda: model.extend(3), TypeError, "int"),
            (lambda: model.__setitem__(0, 3), TypeError, "int"),
            (lambda: model.__delitem__(5), IndexError, "5"),
            (lambda: model.pop(5), IndexError, "5"),
            (lambda: model + 3, TypeError, "int"),
            (lambda: model * 0, ValueError, "times must be an int >= 1, got times=0"),
            (lambda: model * 1.5, TypeError, "times must be an int >= 1, got times=1.5"),
            (lambda: model.__imul__(-1), ValueError, "got times=-1"),
            (lambda: nn.Sequential([a]), TypeError, "item 0 must be a Module, got list"),
            (lambda: nn.Sequential(a, None), TypeError, "NoneType"),
            (lambda: nn.Sequential({"a.b": a}), ValueError, "a.b"),
            (lambda: nn.Sequential({"training": a}), ValueError, "training"),
        ):
            with pytest.raises(error, match=rf"Sequential.*{text}"):
                call()
            assert list(model) == [a, b] and names(model) == ["0", "1"]


class TestModuleList:
    def test_like_a_list(self):
        a, b, c = layers()
        held = nn.ModuleList([a, b])
        assert list(held) == [a, b] and len(held) == 2 and not len(nn.ModuleList())
        assert held.append(c) is held and held[-1] is c
        assert type(held[1:]) is nn.ModuleList and names(held[1:]) == ["0", "1"]
        held.insert(1, held.pop())
        assert list(held) == [a, c, b] and names(held) == ["0", "1", "2"]
        held += [c]
        assert list(held) == [a, c, b, c] and list(held + nn.ModuleList([a])) == [a, c, b, c, a]
        del held[0]
        held[0] = a
        assert list(held) == [a, b, c]
        assert len(list(held.parameters())) == 6
        assert list(nn.ModuleList(held)) == [a, b, c]
        assert len(nn.ModuleList(nn.Linear(1, 1) for _ in range(12))) == 12

    def test_bad_calls(self):
        held = nn.ModuleList(layers(1))
        for call, error in (
            (lambda: held[1], IndexError),
            (lambda: nn.ModuleList([3]), TypeError),
            (lambda: nn.ModuleList(3), TypeError),
            (lambda: nn.ModuleList({"a": nn.ReLU()}), TypeError),
            (lambda: held.extend([nn.ReLU(), "x"]), TypeError),
        ):
            with pytest.raises(error, match="ModuleList"):
                call()
            assert len(held) == 1
        with pytest.raises(NotImplementedError, match="ModuleList"):
            held(1)

    def test_repr_counts_equal_neighbours(self):
        assert repr(nn.ModuleList([*layers(2), nn.ReLU(), nn.Linear(2, 2)])) == (
            "ModuleList(\n"
            "  (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)\n"
            "  (2): ReLU()\n"
            "  (3): Linear(in_features=2, out_features=2, bias=True)\n"
            ")"
        )
        assert repr(nn.ModuleList()) == "ModuleList()"


class TestModuleDict:
    def test_like_a_dict(self):
        a, b, c = layers()
        held = nn.ModuleDict({"a": a})
        held["b"] = b
        held.update([("c", c), ("a", b)])
        assert list(held) == list(held.keys()) == ["a", "b", "c"] and list(held.values()) == [b, b, c]
        assert list(held.items()) == [("a", b), ("b", b), ("c", c)] and len(held) == 3
        assert "a" in held and "weight" not in held and "training" not in held
        assert held["c"] is held.c is c and held.pop("c") is c
        del held["a"]
        assert list(held) == ["b"]
        held.update(nn.ModuleDict({"z": a}).items())
        held.clear()
        assert len(held) == 0 and not list(held.parameters())

    def test_paths(self):
        held = nn.ModuleDict({"x": nn.Linear(1, 1, bias=False), "y": nn.Linear(1, 1, bias=False)})
        assert list(held.state_dict()) == ["x.weight", "y.weight"]

    def test_bad_calls_change_nothing(self):
        held = nn.ModuleDict({"a": nn.ReLU()})
        for call, error in (
            (lambda: held["b"], KeyError),
            (lambda: held.pop("b"), KeyError),
            (lambda: held.__delitem__("training"), KeyError),
            (lambda: held.update({"b": nn.ReLU(), "c": 3}), TypeError),
            (lambda: held.update(3), TypeError),
            (lambda: held.__setitem__("keys", nn.ReLU()), ValueError),
            (lambda: held.__setitem__("a.b", nn.ReLU()), ValueError),
            (lambda: held.__setitem__(3, nn.ReLU()), TypeError),
        ):
            with pytest.raises(error):
                call()
            assert list(held) == ["a"]


@pytest.mark.reference
def test_names_after_changes_equal_pytorch_s():
    torch = pytest.importorskip("torch")

    def play(nn):
        model = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh(), c=nn.Sigmoid()))
        seen = [list(model[1:].state_dict()), repr(model), repr(model[::2])]
        del model[1]
        model.append(nn.Linear(1, 1)).extend(nn.Sequential(nn.GELU()))
        seen.append(repr(model))
        plain = nn.Sequential(nn.ReLU(), nn.Tanh())
        plain.insert(1, nn.Linear(2, 2))
        plain.pop(0)
        held = nn.ModuleList([nn.ReLU(), nn.Tanh()])
        held.insert(0, nn.GELU())
        held.pop(1)
        return [*seen, repr(plain), repr(held), repr(held[:1])]

    assert play(nn) == play(torch.nn)


# ------------------------------------------------------------------------- batch norm and relu in one pass


def pair(kind=nn.BatchNorm2d, **options):
    return nn.Sequential(nn.Identity(), kind(3, **options), nn.ReLU(), nn.Identity())


@pytest.mark.parametrize("dtype", [minigrad.float32, minigrad.float64, minigrad.float16])
@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (nn.BatchNorm1d, (5, 3)),
        (nn.BatchNorm1d, (4, 3, 7)),
        (nn.BatchNorm2d, (2, 3, 5, 4)),
        (nn.BatchNorm3d, (2, 3, 2, 3, 2)),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_and_relu_make_one_op_with_the_same_bits(kind, shape, training, dtype, backend):
    rng = np.random.default_rng(4)
    model = pair(kind, dtype=dtype).train(training)
    model[1].weight.data, model[1].bias.data = (minigrad.tensor(rng.standard_normal(3)).to(dtype) for _ in range(2))
    twin = copy.deepcopy(model)
    x, g = (rng.standard_normal(shape) for _ in range(2))
    results = []
    for net, forward in ((model, model), (twin, lambda x: twin[2](twin[1](x)))):
        t = minigrad.tensor(x).to(dtype).requires_grad_()
        y = forward(t)
        y.backward(minigrad.tensor(g).to(dtype))
        layer = net[1]
        results.append([y, t.grad, layer.weight.grad, layer.bias.grad, *layer.running_stats()])
    assert results[0][0].grad_fn.name() == ("BatchNormReLU" if training else "NormalizeReLU")
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a.array, b.array)


def test_what_was_made_in_one_pass_is_differentiable_to_any_order():
    rng = np.random.default_rng(5)
    model = pair(dtype=minigrad.float64)
    x = minigrad.tensor(rng.standard_normal((2, 3, 2, 2)), requires_grad=True)
    assert autograd.gradcheck(model, x) and autograd.gradgradcheck(model, x)
    assert autograd.gradcheck(model.eval(), x) and autograd.gradgradcheck(model, x)


class OwnForward(nn.BatchNorm2d):
    def forward(self, input):
        return super().forward(input) + 1


class OwnReLU(nn.ReLU):
    pass


@pytest.mark.parametrize("who", ["hook of the norm", "hook of the relu", "hook everywhere", "norm", "relu", "instance"])
def test_modules_that_must_be_called_one_by_one_are(who):
    seen = []
    model, x = pair(), minigrad.tensor(np.random.default_rng(6).standard_normal((4, 3, 2, 2)).astype(np.float32))
    expected = nn.ReLU()(copy.deepcopy(model)[1](x) + (who == "norm"))

    def hook(module, args, output):
        seen.append(type(module).__name__)

    handle = None
    if who == "norm":
        model[1] = OwnForward(3)
    elif who == "relu":
        model[2] = OwnReLU()
    elif who == "instance":
        model[1].forward = functools.partial(nn.BatchNorm2d.forward, model[1])
    elif who == "hook everywhere":
        handle = register_module_forward_hook(hook)
    else:
        handle = model[1 if "norm" in who else 2].register_forward_hook(hook)
    y = model(x)
    if handle:
        handle.remove()
        assert seen == {"hook of the norm": ["BatchNorm2d"], "hook of the relu": ["ReLU"]}.get(
            who, ["Identity", "BatchNorm2d", "ReLU", "Identity", "Sequential"]
        )
    np.testing.assert_array_equal(y.detach().numpy(), expected.detach().numpy())
    assert y.grad_fn.name() == "ReLU"


def test_errors_of_a_batch_norm_that_makes_relu_too_name_its_place():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm2d(3), nn.ReLU())
    with pytest.raises(
        ValueError, match=r"^model.1 \(BatchNorm2d\): expected input \(N, C, H, W\), got shape \(4, 3\)"
    ):
        model(minigrad.zeros(4, 2))
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(3), nn.ReLU())
    with pytest.raises(RuntimeError, match=r"^model.1 \(BatchNorm1d\): running_mean has shape \(3,\)"):
        model(minigrad.zeros(4, 2))


def test_a_bias_changed_after_the_pass_is_noticed():
    """The backward computes y again, to see where relu cut it."""
    model = pair()
    y = model(minigrad.randn(4, 3, 2, 2))
    with minigrad.no_grad():
        model[1].bias.add_(1.0)
    with pytest.raises(RuntimeError, match=r"BatchNormReLU: backward needs inputs\[2\]"):
        y.sum().backward()


def test_an_empty_batch_passes_both():
    assert pair()(minigrad.zeros(0, 3, 2, 2)).shape == (0, 3, 2, 2)
    assert pair().eval()(minigrad.zeros(0, 3, 2, 2)).shape == (0, 3, 2, 2)


# --------------------------------------------------------------- linear and relu, relu and pooling in one pass

IMAGES = (2, 3, 6, 5)
FUSED = {  # the layers, the shape of the input, and the ops that they make
    "linear": ([nn.Linear(5, 7), nn.ReLU()], (4, 5), ["LinearReLU"]),
    "linear on features": ([nn.Linear(5, 7, bias=False), nn.ReLU()], (2, 3, 5), ["LinearReLU"]),
    "linear of many rows": ([nn.Linear(40, 50), nn.ReLU()], (30, 40), ["LinearReLU"]),
    "pool": ([nn.ReLU(), nn.MaxPool2d(2)], IMAGES, ["MaxPool2x2ReLU"]),
    "pool, in pairs": ([nn.ReLU(), nn.MaxPool2d((2, 2), (2, 2), (0, 0))], IMAGES, ["MaxPool2x2ReLU"]),
    "pool of one image": ([nn.ReLU(), nn.MaxPool2d(2)], IMAGES[1:], ["Reshape", "MaxPool2x2ReLU", "Reshape"]),
    "pool to the edge": ([nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)], IMAGES, ["MaxPool2d", "ReLU"]),
    "norm and pool": ([nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)], IMAGES, ["MaxPool2x2ReLU", "BatchNorm"]),
    "norm and other pool": ([nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(3)], IMAGES, ["MaxPool2d", "BatchNormReLU"]),
    "linear and pool": ([nn.Linear(5, 7), nn.ReLU(), nn.MaxPool2d(2)], IMAGES, ["MaxPool2x2ReLU", "Linear"]),
    "two relus": ([nn.ReLU(), nn.ReLU(), nn.MaxPool2d(2)], IMAGES, ["MaxPool2x2ReLU", "ReLU"]),
    "flatten and linear": ([nn.Flatten(), nn.Linear(90, 7)], IMAGES, ["Linear"]),
    "flatten, linear, relu": ([nn.Flatten(), nn.Linear(90, 7), nn.ReLU()], IMAGES, ["LinearReLU"]),
    "flatten of rows": ([nn.Flatten(), nn.Linear(5, 7), nn.ReLU()], (4, 5), ["LinearReLU"]),
    "flatten of many": ([nn.Flatten(), nn.Linear(90, 40), nn.ReLU()], (20, 3, 6, 5), ["LinearReLU"]),
    "linear, two relus": ([nn.Linear(5, 7), nn.ReLU(), nn.ReLU()], (4, 5), ["ReLU", "LinearReLU"]),
}


def fused(case, dtype=minigrad.float32):
    """The network of a case and an input, with awkward numbers."""
    modules, shape, _ = FUSED[case]
    x = np.random.default_rng(7).standard_normal(shape).round(1)
    x.flat[3], x.flat[4] = 0.0, -0.0
    return copy.deepcopy(nn.Sequential(*modules)).to(dtype), minigrad.tensor(x).to(dtype).requires_grad_()


def one_by_one(model, x):
    for module in model:
        x = module(x)
    return x


def ops_behind(y):
    """The names of the ops from y back to the leaves, through the first input of each."""
    found, op = [], y.grad_fn
    while isinstance(op, autograd.Op):
        found.append(op.name())
        op = op.next_functions[0][0]
    return found


@pytest.mark.parametrize("dtype", [minigrad.float32, minigrad.float64, minigrad.float16])
@pytest.mark.parametrize("case", FUSED)
def test_a_relu_is_done_by_its_neighbour_with_the_same_bits(case, dtype, backend):
    results = []
    for forward in (lambda model, x: model(x), one_by_one):
        model, x = fused(case, dtype)
        y = forward(model, x)
        if not results:
            assert ops_behind(y) == FUSED[case][2]
        g = np.random.default_rng(8).standard_normal(y.shape)
        g.flat[0] = np.inf if "norm" not in case and "linear" not in case else 1.0
        y.backward(minigrad.tensor(g).to(dtype))
        results.append([y, x.grad, *(p.grad for p in model.parameters()), *model.buffers()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a.numpy(force=True), b.numpy(force=True))
        if dtype != minigrad.float16:  # whose relu leaves the sign of -0.0 to the processor
            assert a.numpy(force=True).tobytes() == b.numpy(force=True).tobytes()


@pytest.mark.parametrize("case", FUSED)
def test_what_a_neighbour_does_is_differentiable_to_any_order(case, backend):
    model, x = fused(case, minigrad.float64)
    distinct = np.random.default_rng(9).permutation(x.array.size).reshape(x.shape) - 0.4 * x.array.size
    x = minigrad.tensor(distinct / x.array.size, requires_grad=True)
    assert autograd.gradcheck(model, x) and autograd.gradgradcheck(model, x)


def test_nan_stays_and_lets_the_gradient_through(backend):
    model, x = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), np.full((1, 1, 2, 4), -1.0)
    x[0, 0, 1, 0] = np.nan
    results = []
    for forward in (lambda x: model(x), lambda x: one_by_one(model, x)):
        t = minigrad.tensor(x, requires_grad=True)
        y = forward(t)
        (first,) = autograd.grad(y, t, minigrad.tensor([[[[2.0, 3.0]]]]), retain_graph=True)
        (recorded,) = autograd.grad(y, t, minigrad.tensor([[[[2.0, 3.0]]]]), create_graph=True)
        results += [y.tolist(), first.tolist(), recorded.tolist()]
    for actual, expected in zip(results[:3], results[3:], strict=True):
        np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(results[1], [[[[0, 0, 0, 0], [2, 0, 0, 0]]]])
    layer = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
    layer[0].bias.data = minigrad.tensor([np.nan, -9.0])
    y = layer(minigrad.ones(1, 1))
    y.backward(minigrad.ones(1, 2))
    assert np.isnan(y.tolist()[0][0]) and layer[0].bias.grad.tolist() == [1.0, 0.0]


class OwnLinear(nn.Linear):
    def forward(self, input):
        return super().forward(input) * 2


class OwnPool(nn.MaxPool2d):
    def forward(self, input):
        return super().forward(input) * 2


class OwnCall(nn.Linear):
    def __call__(self, input):
        return super().__call__(input) * 2


def test_a_linear_of_ones_own_without_a_forward_of_its_own_does_the_relu_too():
    class Named(nn.Linear):
        pass

    model = nn.Sequential(Named(2, 2), nn.ReLU())
    assert ops_behind(model(minigrad.ones(1, 2))) == ["LinearReLU"]


@pytest.mark.parametrize(
    ("modules", "shape", "expected"),
    [
        ([OwnLinear(5, 7), nn.ReLU()], (4, 5), ["ReLU", "Mul", "Linear"]),
        ([OwnCall(5, 7), nn.ReLU()], (4, 5), ["ReLU", "Mul", "Linear"]),
        ([nn.Linear(5, 7), OwnReLU()], (4, 5), ["ReLU", "Linear"]),
        ([nn.Sequential(nn.Linear(5, 7)), nn.ReLU()], (4, 5), ["ReLU", "Linear"]),
        ([nn.ReLU(), OwnPool(2)], IMAGES, ["Mul", "MaxPool2x2", "ReLU"]),
        ([OwnReLU(), nn.MaxPool2d(2)], IMAGES, ["MaxPool2x2", "ReLU"]),
        ([nn.ReLU(), nn.MaxPool2d(2, stride=1)], IMAGES, ["MaxPool2d", "ReLU"]),
        ([nn.ReLU(), nn.MaxPool2d(2, padding=1)], IMAGES, ["MaxPool2d", "ReLU"]),
        ([nn.ReLU(), nn.MaxPool2d(2, 2, dilation=2)], IMAGES, ["MaxPool2d", "ReLU"]),
        ([nn.ReLU(), nn.MaxPool1d(2)], (2, 3, 6), ["Reshape", "MaxPool2d", "Reshape", "ReLU"]),
        ([nn.ReLU(), nn.AvgPool2d(2)], IMAGES, ["AvgPool2d", "ReLU"]),
        ([nn.Flatten(2), nn.Linear(30, 4)], IMAGES, ["Linear", "Reshape"]),
        ([nn.Flatten(1, 2), nn.Linear(5, 4), nn.ReLU()], IMAGES, ["LinearReLU", "Reshape"]),
        ([nn.Flatten(), OwnLinear(90, 4)], IMAGES, ["Mul", "Linear", "Reshape"]),
        ([nn.Flatten(), nn.ReLU()], IMAGES, ["ReLU", "Reshape"]),
    ],
)
def test_other_modules_are_called_one_by_one(modules, shape, expected):
    model, x = nn.Sequential(*modules), minigrad.randn(*shape, requires_grad=True)
    y = model(x)
    assert ops_behind(y) == expected
    assert minigrad.equal(y, one_by_one(model, x))


@pytest.mark.parametrize("case", ["linear", "pool", "norm and pool", "flatten, linear, relu"])
def test_whatever_is_hooked_or_replaced_later_is_noticed(case, monkeypatch):
    model, x = fused(case)
    apart = ops_behind(one_by_one(model, x))
    together = ops_behind(model(x))
    assert together != apart
    for place, module in enumerate(model):
        seen = []
        for register in (module.register_forward_hook, register_module_forward_hook):
            with register(lambda module, *_, seen=seen: seen.append(type(module).__name__)):
                y = model(x)
            assert len(ops_behind(y)) > len(together) or case == "norm and pool"
        assert seen == [type(module).__name__, *(type(m).__name__ for m in model), "Sequential"]
        with module.register_full_backward_hook(lambda *_, seen=seen: seen.append("back")):
            model(x).sum().backward()
        assert seen[-1] == "back" and ops_behind(model(x)) == together
        module.forward = functools.partial(type(module).forward, module)
        assert len(ops_behind(model(x))) > len(together) or case == "norm and pool"
        del module.forward
        assert ops_behind(model(x)) == together
        kind, forward = type(module), type(module).forward
        with monkeypatch.context() as patch:
            patch.setattr(kind, "forward", lambda self, input, forward=forward: forward(self, input) + 1)
            assert "Add" in ops_behind(model(x))
        twin = copy.deepcopy(model)
        twin[place] = nn.Flatten(-3) if kind is nn.Flatten else nn.Identity()
        assert minigrad.equal(twin(x), one_by_one(twin, x))


def test_a_model_that_ran_is_copied_saved_and_changed_like_any_other():
    model, x = fused("linear")
    y = model(x)
    twin = copy.deepcopy(model)
    assert minigrad.equal(twin(x), y) and ops_behind(twin(x)) == ["LinearReLU"]
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    twin.load_state_dict({k: v * 0 for k, v in model.state_dict().items()})
    assert twin(x).abs().sum().item() == 0
    model.append(nn.Tanh())
    assert ops_behind(model(x)) == ["Tanh", "LinearReLU"]
    model[1] = nn.Sigmoid()
    assert ops_behind(model(x)) == ["Tanh", "Sigmoid", "Linear"]
    model.register_module("1", None)
    with pytest.raises(TypeError, match="NoneType"):
        model(x)


def test_errors_of_what_is_done_in_one_pass_name_the_layer():
    model = nn.Sequential(nn.Identity(), nn.Linear(3, 2), nn.ReLU())
    with pytest.raises(RuntimeError, match=r"^model.1 \(Linear\): expected last dimension 3"):
        model(minigrad.zeros(4, 2))
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2), nn.ReLU())
    with pytest.raises(RuntimeError, match=r"^model.1 \(Linear\): expected last dimension 3 .* shape \(4, 6\)"):
        model(minigrad.zeros(4, 2, 3))
    with pytest.raises(IndexError, match=r"^model.0 \(Flatten\): "):
        model(minigrad.zeros(3))
    model = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    with pytest.raises(RuntimeError, match=r"^model.1 \(MaxPool2d\): input must be \(N, C, H, W\)"):
        model(minigrad.zeros(4, 2))
    with pytest.raises(RuntimeError, match=r"^model.1 \(MaxPool2d\): the window \(2, 2\)"):
        model(minigrad.zeros(4, 1, 2, 1))
    with pytest.raises(RuntimeError, match=r"^model.0 \(ReLU\): "):
        model(minigrad.zeros(1, 1, 2, 2).bool())
    with pytest.raises(TypeError, match=r"^model.0 \(ReLU\): "):
        model([1.0])
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2))
    with pytest.raises(ValueError, match=r"^model.0 \(BatchNorm2d\): expected input"):
        model(minigrad.zeros(4, 3))


def test_an_output_changed_after_the_pass_is_noticed():
    model, x = fused("linear")
    y = model(x)
    with minigrad.no_grad():
        y.add_(1.0)
    with pytest.raises(RuntimeError, match="LinearReLU: backward needs what it saved as y"):
        y.sum().backward()


@pytest.mark.parametrize("case", FUSED)
def test_any_number_of_threads_gives_the_same_bits(case, monkeypatch):
    threads = pytest.importorskip("minigrad.kernels.threads")
    for name, value in (("SHARE", 1), ("STALL", 10**12), ("_resume", 0)):
        monkeypatch.setattr(threads, name, value)
    before, results = minigrad.get_num_threads(), []
    try:
        for number in (1, 2):
            minigrad.set_num_threads(number)
            model, x = fused(case)
            y = model(x)
            y.backward(minigrad.ones_like(y))
            results.append([y, x.grad, *(p.grad for p in model.parameters())])
    finally:
        minigrad.set_num_threads(before)
    for a, b in zip(*results, strict=True):
        assert a.numpy(force=True).tobytes() == b.numpy(force=True).tobytes()


@pytest.mark.parametrize("changed", ["bias", "input"])
def test_the_relu_of_a_linear_stays_what_it_was_when_what_its_gradient_does_not_need_changes(changed):
    rng = np.random.default_rng(17)
    layer = nn.Linear(4, 5)
    h = minigrad.tensor(rng.standard_normal((6, 4), np.float32), requires_grad=True)
    layer.weight.requires_grad_(changed == "bias")
    x = h * 1
    y = nn.Sequential(layer, nn.ReLU())(x)
    assert type(y.grad_fn).__name__ == "LinearReLU"
    g = minigrad.tensor(rng.standard_normal((6, 5), np.float32))
    of = layer.weight if changed == "bias" else h
    (plain,) = minigrad.autograd.grad(y, of, g, retain_graph=True)
    with minigrad.no_grad():
        (layer.bias if changed == "bias" else x).mul_(-3)
    (recorded,) = minigrad.autograd.grad(y, of, g, create_graph=True)
    np.testing.assert_allclose(recorded.detach().numpy(), plain.numpy(), rtol=1e-5, atol=1e-6)


def test_a_sequential_runs_in_the_order_of_its_iterator():
    class Backwards(nn.Sequential):
        def __iter__(self):
            return iter(list(super().__iter__())[::-1])

    assert Backwards(nn.Linear(2, 3), nn.Linear(4, 2))(minigrad.ones(1, 4)).shape == (1, 3)


def test_a_pool_that_was_given_an_odd_size_complains_by_its_own_name():
    model = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    model[1].kernel_size = np.array([2, 2])
    with pytest.raises(TypeError, match=r"1 \(MaxPool2d\).*kernel_size must be an int or 2 ints"):
        model(minigrad.ones(1, 1, 4, 4))


# ------------------------------------------------------------------- how it is run is decided once, until a change


def counted(model):
    """A list that grows whenever the Sequential decides anew how it is run."""
    decisions, decide = [], nn.Sequential._decide
    model.__dict__["_decide"] = lambda: (decisions.append(None), decide(model))[1]
    return decisions


def test_how_it_is_run_is_decided_once_until_something_changes():
    model, x = fused("flatten, linear, relu")
    decisions = counted(model)
    steps = [
        lambda: None,
        lambda: model.train(),  # it is in that mode already
        lambda: model.load_state_dict(model.state_dict()),
        lambda: setattr(model[1], "weight", model[1].weight),
        lambda: model.double().float(),
        lambda: model(x).sum().backward(),
    ]
    y = model(x)
    for step in steps:
        step()
        assert minigrad.equal(model(x), y) and len(decisions) == 1
    other = nn.Linear(1, 1)
    for count, step in enumerate([model.eval, other.eval, lambda: other.register_forward_hook(print)], 2):
        step()
        assert minigrad.equal(model(x), y) and len(decisions) == count
    assert "_plan" not in repr(model) and list(model.state_dict()) == ["1.weight", "1.bias"]


CHANGES = {
    "set an item": lambda m: m.__setitem__(2, nn.Tanh()),
    "set an attribute": lambda m: setattr(m, "2", nn.Tanh()),
    "register": lambda m: m.register_module("2", nn.Tanh()),
    "append": lambda m: m.append(nn.Tanh()),
    "insert": lambda m: m.insert(2, nn.Tanh()),
    "delete an item": lambda m: m.__delitem__(2),
    "delete an attribute": lambda m: delattr(m, "2"),
    "pop": lambda m: m.pop(0),
    "option of flatten": lambda m: setattr(m[0], "start_dim", 2),
    "class of the relu": lambda m: setattr(m[2], "__class__", nn.Tanh),
    "class of the linear": lambda m: setattr(m[1], "__class__", OwnLinear),
    "forward of the linear": lambda m: setattr(m[1], "forward", lambda input: input.reshape(2, -1) * 2),
    "forward of the relu": lambda m: setattr(m[2], "forward", lambda input: input * 2),
    "weight": lambda m: setattr(m[1], "weight", nn.Parameter(m[1].weight.detach() * 2)),
    "no bias": lambda m: setattr(m[1], "bias", None),
}


@pytest.mark.parametrize("how", CHANGES)
def test_every_change_of_a_model_that_ran_is_noticed(how):
    x = minigrad.randn(2, 3, 4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 12), nn.ReLU())
    model(x)
    twin, shallow = copy.deepcopy(model), copy.copy(model)
    assert "_plan" in vars(model) and not any("_plan" in vars(copied) for copied in (twin, shallow))
    before = model(x)
    CHANGES[how](model)
    if how in ("option of flatten", "pop"):
        with pytest.raises(RuntimeError, match=r"^model.(0|1) \(Linear\): expected last dimension 12"):
            model(x)
    else:
        assert minigrad.equal(model(x), one_by_one(model, x)) and not minigrad.equal(model(x), before)
    assert minigrad.equal(twin(x), before)
    if how.split()[0] in ("set", "register", "append", "insert", "delete", "pop"):
        assert minigrad.equal(shallow(x), before)


@pytest.mark.parametrize("option", [{"stride": 1}, {"kernel_size": 3}, {"padding": 1}, {"dilation": 2}])
def test_options_of_a_pooling_that_change_later_are_noticed(option):
    model, x = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), minigrad.randn(1, 1, 6, 6, requires_grad=True)
    assert ops_behind(model(x)) == ["MaxPool2x2ReLU"]
    for name, value in option.items():
        setattr(model[1], name, value)
    assert ops_behind(model(x)) == ["MaxPool2d", "ReLU"] and minigrad.equal(model(x), one_by_one(model, x))
    model = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    model(x)
    model[1].return_indices = True
    assert len(model(x)) == 2


@pytest.mark.parametrize("place", range(3))
def test_a_class_that_is_called_in_another_way_later_is_noticed(place, monkeypatch):
    model, x = fused("flatten, linear, relu")
    y, seen = model(x), []
    call = nn.Module.__call__

    def spying(self, *args, **kwargs):
        seen.append(type(self).__name__)
        return call(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(type(model[place]), "__call__", spying)
        assert minigrad.equal(model(x), y) and seen == [type(model[place]).__name__]
        patch.setattr(nn.Module, "__call__", spying)
        seen.clear()
        assert minigrad.equal(model(x), y)
        assert sorted(seen) == ["Flatten", "Linear", "ReLU", "Sequential"]
    seen.clear()
    assert minigrad.equal(model(x), y) and not seen


def test_what_a_module_changes_in_those_after_it_counts_in_the_same_call():
    class Meddler(nn.Module):
        def forward(self, input):
            self.handle = model[2].register_forward_hook(lambda module, args, output: seen.append(output.shape))
            return input

    seen, x = [], minigrad.randn(4, 5)
    model = nn.Sequential(Meddler(), nn.Linear(5, 7), nn.ReLU())
    assert minigrad.equal(model(x), one_by_one(model[1:], x)) and seen == [(4, 7), (4, 7)]
    model[0].handle.remove()
    model[0] = nn.Identity()
    model(x)
    assert len(seen) == 2


def test_one_s_own_order_of_modules_is_asked_for_at_each_call():
    class Alternating(nn.Sequential):
        def __iter__(self):
            self.__dict__["turn"] = 1 - self.__dict__.get("turn", 1)
            return iter([self[self.turn], self[1 - self.turn]])

    model, x = Alternating(nn.ReLU(), nn.Hardtanh(-2.0, -1.0)), minigrad.tensor([-3.0])
    assert [model(x).item() for _ in range(4)] == [-1.0, 0.0, -1.0, 0.0]


@pytest.mark.parametrize(
    ("modules", "x", "kind", "message"),
    [
        ([nn.Flatten(), nn.Linear(1, 2)], minigrad.ones(3), IndexError, r"model.0 \(Flatten\): "),
        ([nn.Flatten(), nn.Linear(1, 2)], 3.0, None, r"model.0 \(Flatten\): "),
        ([nn.Flatten(), nn.Linear(3, 2)], minigrad.ones(2, 2, 2), RuntimeError, r"model.1 \(Linear\): expected last"),
        ([nn.ReLU(), nn.MaxPool2d(2)], [1.0], TypeError, r"model.0 \(ReLU\): "),
        ([nn.ReLU(), nn.MaxPool2d(2)], minigrad.ones(3), RuntimeError, r"model.1 \(MaxPool2d\): "),
        ([nn.Linear(3, 2), nn.ReLU()], minigrad.ones(2), RuntimeError, r"model.0 \(Linear\): expected last dim"),
        ([nn.Conv2d(1, 1, 3), nn.ReLU()], minigrad.ones(2), RuntimeError, r"model.0 \(Conv2d\): "),
    ],
)
def test_errors_of_what_is_run_as_one_are_those_of_the_modules(modules, x, kind, message):
    model, errors = nn.Sequential(*modules), []
    for run in (model, model, lambda x: nn.Sequential(nn.Identity(), *map(nn.Sequential, modules))(x)):
        with pytest.raises(kind or Exception) as caught:
            run(x)
        errors.append(caught.value)
    assert type(errors[0]) is type(errors[1]) is type(errors[2]) and str(errors[0]) == str(errors[1])
    assert str(errors[0]).split(": ", 1)[1] == str(errors[2]).split(": ", 1)[1]
    assert re.match(message, str(errors[0])) and errors[0].__context__ is None


def test_a_batch_norm_that_failed_is_not_run_again():
    model = nn.Sequential(nn.BatchNorm1d(2, momentum=0.5), nn.ReLU())
    model(minigrad.ones(4, 2))
    model[0].weight.data = minigrad.tensor([1.0, 3e38])
    x = minigrad.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [5.0, 1.0]])
    for _ in range(2):
        model[0].reset_running_stats()
        with autograd.detect_anomaly(), pytest.raises(RuntimeError, match=r"^model.0 \(BatchNorm1d\): .*forward made"):
            model(x)
        assert model[0].running_mean[0].item() == 1.0


def test_what_was_taken_out_of_a_model_that_ran_is_freed_at_once():
    model, x = fused("flatten, linear, relu")
    model(x)
    gone = weakref.ref(model.pop(2)), weakref.ref(model[1])
    model(x)
    model[1] = nn.Linear(90, 2)
    assert [ref() for ref in gone] == [None, None]
    model(x)
    gone = [weakref.ref(module) for module in (model, *model)]
    del model
    assert [ref() for ref in gone] == [None] * 3


class Counts(nn.Module):
    """Sets an attribute each time it is called."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x


def test_neighbours_behind_a_module_that_changes_itself_are_one_op_still(rng):
    model = nn.Sequential(Counts(), nn.Linear(3, 4), nn.ReLU())
    for calls in (1, 2, 3):
        y = model(minigrad.tensor(rng.standard_normal((2, 3)), dtype=minigrad.float32))
        assert type(y.grad_fn).__name__ == "LinearReLU" and model[0].calls == calls


def test_copies_are_made_of_no_plan(rng):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    model(minigrad.ones(2, 3))
    state = model.__reduce_ex__(2)[2]
    assert state["_registry"] and "_plan" not in state
    for copied in (copy.copy(model), copy.deepcopy(model)):
        assert "_plan" not in vars(copied)
        assert minigrad.equal(copied(minigrad.ones(2, 3)), model(minigrad.ones(2, 3)))
