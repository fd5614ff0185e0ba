"""ParameterList and ParameterDict: registration, names, and PyTorch's behaviour."""

import copy

import numpy as np
import pytest

import minigrad
from minigrad import nn


def one(n):
    return minigrad.ones(n)


class TestParameterList:
    def test_tensors_become_parameters_and_the_rest_is_kept(self):
        p = nn.Parameter(one(2))
        held = nn.ParameterList([p, one(3), "text", None])
        assert held[0] is p and isinstance(held[1], nn.Parameter) and held[2] == "text" and held[3] is None
        assert list(held.state_dict()) == ["0", "1"] and len(held) == 4
        assert [name for name, _ in nn.ModuleList([held]).named_parameters()] == ["0.0", "0.1"]

    def test_like_a_list(self):
        held = nn.ParameterList([one(1), one(2)])
        held += (one(n) for n in (3,))
        assert held.append(one(4)) is held and held.extend([one(5)]) is held
        assert [p.shape[0] for p in held] == [1, 2, 3, 4, 5] and held[-1].shape == (5,)
        assert [p.shape[0] for p in held[1::2]] == [2, 4] and isinstance(held[:1], nn.ParameterList)
        held[-1] = one(7)
        assert isinstance(held[4], nn.Parameter) and held[4].shape == (7,)
        held.extend(held)
        assert len(held) == 10 and held[5] is held[0]

    def test_bad_calls_change_nothing(self):
        held = nn.ParameterList([one(1)])
        before = list(held)
        for call, error, text in (
            (lambda: held[1], IndexError, "ParameterList: index 1 is out of range for 1 values"),
            (lambda: held["0"], TypeError, "ParameterList: indices must be ints or slices, got '0'"),
            (lambda: held.extend(one(2)), TypeError, "ParameterList: needs a list of values, got Tensor"),
            (lambda: held.extend(3), TypeError, "ParameterList: needs a list of values, got int"),
            (lambda: held(one(1)), RuntimeError, "ParameterList holds parameters and cannot be called"),
            (lambda: held.__setitem__(0, "x"), TypeError, "parameter '0' must be a Parameter or None, got str"),
        ):
            with pytest.raises(error, match=text):
                call()
            assert [a is b for a, b in zip(held, before, strict=True)] == [True]


class TestParameterDict:
    def test_like_a_dict(self):
        p = nn.Parameter(one(2))
        held = nn.ParameterDict({"b": p, "a": one(3)})
        held["note"] = 5
        assert held["b"] is p and isinstance(held["a"], nn.Parameter) and held["note"] == 5
        assert list(held) == list(held.keys()) == ["b", "a", "note"] and next(reversed(held)) == "note"
        assert list(held.state_dict()) == ["b", "a"] and "a" in held and "c" not in held and len(held) == 3
        assert held.get("c") is None and held.get("c", 1) == 1 and held.setdefault("d", one(1)).shape == (1,)
        assert held.setdefault("d") is held["d"] and dict(held.items())["d"] is list(held.values())[-1]
        assert held.popitem()[0] == "d" and held.pop("note") == 5
        del held["b"]
        assert list(held) == ["a"] and next(iter(held.named_parameters()))[0] == "a"
        held.update([("x", one(1)), ("a", one(4))])
        assert list(held) == ["a", "x"] and held["a"].shape == (4,)
        held.clear()
        assert not len(held) and not held.state_dict()

    def test_merged(self):
        a, b = nn.ParameterDict({"x": one(1), "y": one(2)}), nn.ParameterDict({"y": one(3)})
        both = a | b
        assert both["x"] is a["x"] and both["y"] is b["y"] and a["y"].shape == (2,)
        assert ({"z": one(5)} | a)["z"].shape == (5,)
        a |= b
        assert a["y"] is b["y"]
        assert list(a.fromkeys(["p", "q"], 0).items()) == [("p", 0), ("q", 0)]

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, nn.ParameterDict.copy])
    def test_copies(self, copied):
        held = nn.ParameterDict({"x": one(1)})
        twin = copied(held)
        assert (twin["x"] is held["x"]) == (copied is not copy.deepcopy)
        twin["y"] = one(2)
        assert list(held) == ["x"] and list(twin) == ["x", "y"]

    def test_bad_calls_change_nothing(self):
        held = nn.ParameterDict({"x": one(1)})
        x = held["x"]
        for call, error, text in (
            (lambda: held["y"], KeyError, r"ParameterDict: there is no 'y'; the keys are \['x'\]"),
            (lambda: held.pop("y"), KeyError, "there is no 'y'"),
            (lambda: nn.ParameterDict().popitem(), KeyError, "popitem of an empty one"),
            (lambda: held.update({"new": one(1), "a.b": one(1)}), ValueError, "must not be empty nor contain a dot"),
            (lambda: held.update({"new": one(1), "keys": one(1)}), ValueError, "an attribute of that name already"),
            (
                lambda: held.update({"new": one(1), 3: one(1)}),
                TypeError,
                "the name of a parameter must be a str, got 3",
            ),
            (lambda: held.update({"new": one(1), "x": 3}), TypeError, "parameter 'x' must be a Parameter .* got int"),
            (lambda: held.update(3), TypeError, r"needs a dict or pairs \(name, value\), got int"),
            (lambda: held.update([("new", one(1), 2)]), TypeError, r"needs a dict or pairs \(name, value\), got list"),
            (lambda: held(1), RuntimeError, "ParameterDict holds parameters and cannot be called"),
        ):
            with pytest.raises(error, match=text):
                call()
            assert list(held) == list(held.state_dict()) == ["x"] and held["x"] is x


@pytest.mark.reference
def test_text_is_pytorchs():
    torch = pytest.importorskip("torch")

    def text(m, nn):
        values = [nn.Parameter(m.ones(2)), m.ones(2, 3), 4, "s", m.ones(())]
        lists = [nn.ParameterList(values[:n]) for n in (0, 1, 5)]
        return "".join(map(repr, lists)), repr(nn.Sequential(nn.ParameterDict(zip("abcde", values, strict=True))))

    (ours, ours_dict), (theirs, theirs_dict) = text(minigrad, nn), text(torch, torch.nn)
    assert ours.replace("minigrad", "torch") == theirs
    assert ours_dict.replace("minigrad.float32", "torch.FloatTensor") == theirs_dict


@pytest.mark.reference
def test_training_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    x, weights = rng.standard_normal(3), rng.standard_normal((2, 3))

    def gradients(m, nn):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.steps = nn.ParameterList([m.tensor(w) for w in weights])
                self.named = nn.ParameterDict({"out": m.tensor(weights[0])})

            def forward(self, x):
                for w in self.steps:
                    x = (x * w).tanh()
                return (x * self.named["out"]).sum()

        net = Net()
        net(m.tensor(x)).backward()
        return {name: np.asarray(p.grad.tolist()) for name, p in net.named_parameters()}

    ours, theirs = gradients(minigrad, nn), gradients(torch, torch.nn)
    assert list(ours) == list(theirs) == ["steps.0", "steps.1", "named.out"]
    for name, g in theirs.items():
        np.testing.assert_allclose(ours[name], g, rtol=1e-12)
