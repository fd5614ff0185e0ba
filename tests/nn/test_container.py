"""Sequential, ModuleList and ModuleDict."""

import copy
import functools
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
