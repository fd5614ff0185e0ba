import copy
import inspect
import json
import re

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim

# Each optimizer with every kind of state it can have.
OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
    "Adam": {"lr": 0.1, "amsgrad": True},
    "AdamW": {"lr": 0.1},
    "RMSprop": {"lr": 0.1, "momentum": 0.9, "centered": True},
    "Adagrad": {"lr": 0.1, "lr_decay": 0.1},
}
each = pytest.mark.parametrize("name", OPTIMIZERS)


def make(name, params, **options):
    return getattr(optim, name)(params, **{**OPTIMIZERS[name], **options})


def leaf(*shape, dtype=None, seed=0):
    draw = np.random.default_rng(seed).normal(size=shape).astype(dtype or np.float32)
    return minigrad.from_numpy(draw).requires_grad_()


def train(optimizer, params, steps, seed=0):
    """Steps with gradients that depend on the seed alone."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in params:
            p.grad = minigrad.tensor(rng.normal(size=p.shape).astype(p.dtype))
        optimizer.step()


def snapshot(optimizer, params):
    """All that a failed call must leave as it was."""
    state = copy.deepcopy(optimizer.state_dict())
    tensors = {i: {key: value.array.tobytes() for key, value in s.items()} for i, s in state["state"].items()}
    return [p.array.tobytes() for p in params], tensors, state["param_groups"]


# ---------------------------------------------------------------------------------------------- parameters


def test_a_group_takes_the_defaults_for_what_it_does_not_set(take_step):
    a, b, c = leaf(3, seed=1), leaf(2, 2, seed=2), leaf(4, seed=3)
    before = [p.array.copy() for p in (a, b, c)]
    given = {"params": [b], "lr": 0.5}
    optimizer = optim.SGD([{"params": a}, given], lr=0.1, weight_decay=0.2)
    optimizer.add_param_group({"params": iter([c]), "weight_decay": 0})
    assert given == {"params": [b], "lr": 0.5}  # what the caller handed in is the caller's
    assert [[p.shape for p in group["params"]] for group in optimizer.param_groups] == [[(3,)], [(2, 2)], [(4,)]]
    grads = [np.ones(p.shape, np.float32) for p in (a, b, c)]
    take_step(optimizer, [a, b, c], grads)
    for p, old, lr, decay in zip((a, b, c), before, (0.1, 0.5, 0.1), (0.2, 0.2, 0), strict=True):
        np.testing.assert_allclose(p.array, old - lr * (1 + decay * old), rtol=1e-6)


def test_options_may_be_changed_between_steps(backend):
    p = leaf(3)
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = minigrad.ones(3)
    before = p.array.copy()
    optimizer.param_groups[0]["lr"] = np.float64(0.25)  # a float64 must not turn the arithmetic into float64
    optimizer.step()
    np.testing.assert_array_equal(p.array, before - np.float32(0.25))


def test_parameters_may_come_with_names():
    model = nn.Module()
    model.weight, model.bias = nn.Parameter(minigrad.ones(2)), nn.Parameter(minigrad.zeros(1))
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.param_groups[0]["params"][1] is model.bias
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    optimizer.add_param_group({"params": [("extra", leaf(2))]})
    with pytest.raises(ValueError, match="param group 2 comes without names; give them for all"):
        optimizer.add_param_group({"params": [leaf(2)]})
    with pytest.raises(ValueError, match="1 of 2 parameters come with names"):
        optimizer.add_param_group({"params": [("a", leaf(2)), leaf(2)]})
    assert len(optimizer.param_groups) == 2
    unnamed = optim.SGD([leaf(2)])
    with pytest.raises(ValueError, match="param group 1 comes with names"):
        unnamed.add_param_group({"params": [("a", leaf(2))]})


def test_parameters_of_a_model_are_updated_in_place(backend):
    p = nn.Parameter(minigrad.ones(2))
    array = p.array
    optimizer = optim.SGD([p], lr=0.5)
    (p * minigrad.tensor([1.0, 2.0])).sum().backward()
    optimizer.step()
    assert p.array is array and p.tolist() == [0.5, 0.0] and p.grad.tolist() == [1.0, 2.0] and p.is_leaf


def non_leaf():
    return leaf(2) * 2


def twice():
    p = leaf(2)
    return [p, p]


SHARED = leaf(2)
BAD_PARAMETERS = {
    "no parameters": (list, ValueError, r"SGD: params is empty; is it a generator"),
    "used-up generator": (lambda: iter(()), ValueError, r"params is empty"),
    "a tensor": (lambda: leaf(2), TypeError, r"iterable of Tensors or of dicts, got a single Tensor; put it in a list"),
    "a dict": (lambda: {"params": [leaf(2)]}, TypeError, r"got a single dict; put it in a list"),
    "a set": (lambda: {leaf(2)}, TypeError, r"a set, whose order changes"),
    "a module": (lambda: nn.Module(), TypeError, r"got a Module; pass its \.parameters\(\)"),
    "a number": (lambda: 3, TypeError, r"must be an iterable of Tensors or of dicts, got int"),
    "modules": (lambda: [nn.Module()], TypeError, r"params\[0\] must be a Tensor.*got Module; pass its \.parameters"),
    "an array": (
        lambda: [leaf(2), np.ones(3)],
        TypeError,
        r"params\[1\] must be a Tensor.*got ndarray of shape \(3,\)",
    ),
    "a pair without name": (lambda: [(leaf(2), leaf(2))], TypeError, r"params\[0\] must be a Tensor or a \(name, Ten"),
    "a non-leaf": (lambda: [non_leaf()], ValueError, r"params\[0\], of shape \(2,\), was made by <Mul>.*detach\(\)"),
    "the same twice": (twice, ValueError, r"params\[1\], of shape \(2,\), is also params\[0\] of the same group"),
    "the same in two groups": (
        lambda: [{"params": [SHARED]}, {"params": [leaf(3), SHARED]}],
        ValueError,
        r"param group 1: params\[1\], of shape \(2,\), is also params\[0\] of group 0",
    ),
    "a group without params": (
        lambda: [{"lr": 1}],
        ValueError,
        r'must have the key "params", got a dict with .*\'lr\'',
    ),
    "a tensor among groups": (
        lambda: [{"params": leaf(2)}, leaf(2)],
        TypeError,
        r"param group 1 must be a dict .* got Tensor of shape \(2,\)",
    ),
    "a set in a group": (lambda: [{"params": {leaf(2)}}], TypeError, r"param group 0: params is a set"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_bad_parameters_are_refused(case):
    params, error, message = BAD_PARAMETERS[case]
    with pytest.raises(error, match=message):
        optim.SGD(params(), lr=0.1)


BAD_OPTIONS = [
    *((name, {"lr": -0.1}, ValueError, "lr must be a finite number >= 0, got lr=-0.1") for name in OPTIMIZERS),
    *((name, {"lr": float("nan")}, ValueError, "lr must be a finite number >= 0, got lr=nan") for name in OPTIMIZERS),
    *((name, {"lr": "0.1"}, TypeError, "lr must be a number >= 0, got lr='0.1'") for name in OPTIMIZERS),
    *((name, {"weight_decay": -1}, ValueError, "weight_decay must be .* >= 0") for name in OPTIMIZERS),
    *((name, {"maximize": 1}, TypeError, "maximize must be True or False, got maximize=1") for name in OPTIMIZERS),
    (
        "SGD",
        {"lr": minigrad.tensor(0.1)},
        TypeError,
        r"lr must be a number >= 0, got lr=tensor\(0.1000\); pass its .item\(\)",
    ),
    ("SGD", {"lr": True}, TypeError, "lr must be a number >= 0, got lr=True"),
    ("SGD", {"momentum": -0.9}, ValueError, "momentum must be a finite number >= 0, got momentum=-0.9"),
    ("SGD", {"dampening": float("inf")}, ValueError, "dampening must be a finite number, got dampening=inf"),
    ("SGD", {"nesterov": True, "momentum": 0}, ValueError, "nesterov=True needs momentum > 0.*got momentum=0 and"),
    (
        "SGD",
        {"nesterov": True, "dampening": 0.5},
        ValueError,
        "nesterov=True needs .* dampening=0, got .* dampening=0.5",
    ),
    ("Adam", {"betas": (0.9, 1.0)}, ValueError, r"betas\[1\] must be a finite number in \[0, 1\), got betas\[1\]=1.0"),
    ("AdamW", {"betas": (-0.1, 0.9)}, ValueError, r"betas\[0\] must be a finite number in \[0, 1\)"),
    ("Adam", {"betas": 0.9}, ValueError, r"betas must be two numbers in \[0, 1\), got betas=0.9"),
    ("Adam", {"betas": (0.9, 0.9, 0.9)}, ValueError, "betas must be two numbers"),
    ("Adam", {"eps": -1e-8}, ValueError, "eps must be a finite number >= 0, got eps=-1e-08"),
    ("Adam", {"amsgrad": None}, TypeError, "amsgrad must be True or False, got amsgrad=None"),
    ("RMSprop", {"alpha": -1}, ValueError, "alpha must be a finite number >= 0, got alpha=-1"),
    ("RMSprop", {"centered": "no"}, TypeError, "centered must be True or False, got centered='no'"),
    ("RMSprop", {"momentum": -1}, ValueError, "momentum must be"),
    ("Adagrad", {"lr_decay": -1}, ValueError, "lr_decay must be"),
    ("Adagrad", {"initial_accumulator_value": -1}, ValueError, "initial_accumulator_value must be"),
]


@pytest.mark.parametrize("name, options, error, message", BAD_OPTIONS)
def test_bad_options_are_refused_as_defaults_and_in_a_group(name, options, error, message):
    with pytest.raises(error, match=f"^{name}: {message}"):
        make(name, [leaf(2)], **options)
    optimizer = make(name, [leaf(2)])
    with pytest.raises(error, match=f"^{name}: param group 1: {message}"):
        optimizer.add_param_group({"params": [leaf(3)], **options})
    assert len(optimizer.param_groups) == 1 and len(optimizer.state_dict()["state"]) <= 1


@pytest.mark.parametrize("name, options, error, message", BAD_OPTIONS)
def test_bad_options_that_are_set_later_stop_the_step_before_it_begins(name, options, error, message):
    params = [leaf(3), leaf(2)]
    optimizer = make(name, [{"params": p} for p in params])
    train(optimizer, params, 1)
    before = [p.array.copy() for p in params]
    optimizer.param_groups[1].update(options)
    with pytest.raises(error, match=f"^{name}: param group 1: {message}"):
        optimizer.step()
    for p, array in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.array, array)


# ---------------------------------------------------------------------------------------------------- steps


@each
def test_state_is_kept_for_parameters_with_a_gradient_only(name, backend):
    used, unused = leaf(3), leaf(2)
    optimizer = make(name, [used, unused])
    before = unused.array.copy()
    train(optimizer, [used], 2)
    np.testing.assert_array_equal(unused.array, before)
    state = optimizer.state_dict()["state"]
    assert set(state) == ({0, 1} if name == "Adagrad" else {0})  # Adagrad's sums are there from the start
    assert all(t.shape == (() if key == "step" else (3,)) for key, t in state[0].items())
    if name != "SGD":
        assert state[0]["step"].item() == 2 and state[0]["step"].dtype == minigrad.float32


@each
def test_groups_and_company_make_no_difference(name, backend):
    """Gradients that are None by turns, options changed, parameters added: the same bits for one group and for many."""
    shapes = [(3,), (2, 2), (), (4,)]
    together, apart, late = ([leaf(*shape, seed=i) for i, shape in enumerate(shapes)] for _ in range(3))
    optimizers = [
        make(name, together),
        make(name, [{"params": p} for p in apart]),
        make(name, late[:2]),
    ]
    optimizers[2].param_groups[0]["params"] += late[2:]
    for step in range(6):
        draw = np.random.default_rng(step)
        gradients = [None if (i + step) % 3 == 0 and step < 4 else draw.normal(size=s) for i, s in enumerate(shapes)]
        for optimizer, params in zip(optimizers, (together, apart, late), strict=True):
            optimizer.zero_grad()
            for p, g in zip(params, gradients, strict=True):
                p.grad = None if g is None else minigrad.tensor(g.astype(np.float32))
            for group in optimizer.param_groups:
                group["lr"], group["weight_decay"] = 0.1 / (step + 1), 0.1 * (step % 2)
            optimizer.step()
    states = [snapshot(o, ps)[:2] for o, ps in zip(optimizers, (together, apart, late), strict=True)]
    assert states[0] == states[1] == states[2]


@each
def test_a_step_without_any_gradient_changes_nothing(name, backend):
    params = [leaf(3), leaf(2)]
    optimizer = make(name, params)
    optimizer.step()
    train(optimizer, params, 2)
    optimizer.zero_grad()
    before = snapshot(optimizer, params)
    optimizer.step()
    assert snapshot(optimizer, params) == before


def test_momentum_may_be_turned_off_and_on_again(backend):
    p = minigrad.zeros(2, requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0)
    for momentum, expected in ((0.5, 1), (0, 1), (0.5, 1.5), (0.5, 1.75)):
        optimizer.param_groups[0]["momentum"] = momentum
        before = p.array.copy()
        p.grad = minigrad.ones(2)
        optimizer.step()
        np.testing.assert_array_equal(before - p.array, [expected, expected])
    optimizer.param_groups[0]["momentum"] = 0
    reshaped_with_gradient(p)
    with pytest.raises(RuntimeError, match=r"of shape \(5,\), but its momentum_buffer is float32 of shape \(2,\)"):
        optimizer.step()  # what it has kept would be wrong later on


@each
def test_half_precision_parameters_keep_their_dtype(name, backend):
    p = leaf(3, dtype=np.float16)
    optimizer = make(name, [p])
    train(optimizer, [p], 2)
    kept = {key: t.dtype for key, t in optimizer.state[p].items() if key != "step"}
    assert p.dtype == np.float16 and np.isfinite(p.array).all() and set(kept.values()) == {minigrad.float16}


def test_zero_grad():
    a, b = leaf(2), leaf(3)
    optimizer = optim.SGD([a, b])
    a.grad = held = minigrad.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert a.grad is held and held.tolist() == [0, 0] and b.grad is None
    optimizer.zero_grad()
    assert a.grad is None


def test_zero_grad_leaves_a_recorded_or_read_only_gradient_intact():
    a, b = leaf(2), leaf(2)
    a.grad = recorded = leaf(2) * 2
    b.grad = expanded = minigrad.ones(1).expand(2)
    values = recorded.array.copy()
    optim.SGD([a, b]).zero_grad(set_to_none=False)
    assert a.grad.tolist() == b.grad.tolist() == [0, 0] and not a.grad.requires_grad
    np.testing.assert_array_equal(recorded.array, values)
    assert expanded.tolist() == [1, 1]


def test_the_closure_runs_first_with_gradients_recorded(backend):
    p = minigrad.tensor([2.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with minigrad.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 4 and p.item() == 1
    assert optimizer.step() is None


def test_a_gradient_that_was_recorded_itself_can_be_used(backend):
    p = leaf(3)
    p.grad = (leaf(3, seed=1) * 2).requires_grad_()
    before = p.array.copy()
    optim.SGD([p], lr=1.0).step()
    np.testing.assert_array_equal(p.array, before - p.grad.array)
    assert p.is_leaf


def made_read_only(p):
    p.array = np.broadcast_to(np.float32(1), p.shape)


def made_float64(p):
    p.data = p.data.double()


def reshaped(p):
    p.data = minigrad.ones(5)


def reshaped_with_gradient(p):
    reshaped(p)
    p.grad = minigrad.ones(5)


CHANGES = {
    made_read_only: "is read-only memory",
    made_float64: r"is float64 of shape \(2,\), but its gradient is float32 of shape \(2,\); call zero_grad\(\)",
    reshaped: r"is float32 of shape \(5,\), but its gradient is float32 of shape \(2,\)",
    reshaped_with_gradient: r"is float32 of shape \(5,\), but its \w+ is float32 of shape \(2,\)",
}


@each
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_parameter_that_cannot_be_updated_stops_the_step_before_it_begins(name, change, together, backend):
    params = [leaf(3), leaf(2)]
    optimizer = make(name, params if together else [{"params": p} for p in params])
    train(optimizer, params, 1)
    for p in params:
        p.grad = minigrad.ones(*p.shape)
    change(params[1])
    before = snapshot(optimizer, params)
    place = "params[1] of group 0" if together else "params[0] of group 1"
    with pytest.raises(RuntimeError, match=f"^{name}: {re.escape(place)} {CHANGES[change]}"):
        optimizer.step()
    assert snapshot(optimizer, params) == before


@each
def test_state_follows_a_parameter_to_another_dtype(name, backend):
    params, wide = [leaf(3), leaf(2, 2)], [leaf(3), leaf(2, 2)]
    optimizer, other = make(name, params), make(name, wide)
    train(optimizer, params, 2)
    train(other, wide, 2)
    saved = other.state_dict()
    for p, q in zip(params, wide, strict=True):
        p.data, q.data, p.grad, q.grad = p.data.double(), q.data.double(), None, None
    other.load_state_dict(saved)  # which takes the dtype of the parameters
    train(optimizer, params, 2, seed=1)
    train(other, wide, 2, seed=1)
    assert snapshot(optimizer, params) == snapshot(other, wide)
    assert {t.dtype for t in optimizer.state[params[0]].values() if t.shape} == {minigrad.float64}


def test_a_step_that_fails_leaves_state_in_the_dtype_it_had():
    params = [leaf(3), leaf(2)]
    optimizer = make("SGD", params)
    train(optimizer, params, 1)
    params[0].data, params[0].grad = params[0].data.double(), minigrad.ones(3, dtype=minigrad.float64)
    reshaped(params[1])
    with pytest.raises(RuntimeError, match="params\\[1\\] of group 0 is float32 of shape"):
        optimizer.step()
    assert optimizer.state[params[0]]["momentum_buffer"].dtype == minigrad.float32


@each
def test_options_about_pytorch_s_kernels_have_no_effect(name):
    p, q = leaf(3), leaf(3)
    ignored = {"foreach": True, "fused": True, "capturable": True, "differentiable": False}
    taken = ignored.keys() & inspect.signature(getattr(optim, name)).parameters.keys()
    plain, told = make(name, [p]), make(name, [q], **{option: ignored[option] for option in taken})
    train(plain, [p], 2)
    train(told, [q], 2)
    assert snapshot(plain, [p]) == snapshot(told, [q])
    with pytest.raises(ValueError, match=f"^{name}: differentiable=True is not possible"):
        make(name, [p], differentiable=True)


@pytest.mark.reference
@each
def test_arguments_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    ours, theirs = (inspect.signature(getattr(lib.optim, name)).parameters for lib in (minigrad, torch))
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]


def test_a_message_about_a_parameter_has_its_name():
    p = leaf(2)
    optimizer = optim.SGD([("head.weight", p)])
    p.grad = minigrad.ones(2)
    made_read_only(p)
    with pytest.raises(RuntimeError, match=r"^SGD: params\[0\] of group 0 \(head.weight\) is read-only"):
        optimizer.step()


# ------------------------------------------------------------------------------------- saving and loading


@each
def test_a_resumed_run_gives_the_same_bits(name, backend):
    params = [leaf(3, 2), leaf(), leaf(4, dtype=np.float64)]
    groups = [{"params": params[:1], "lr": 0.05}, {"params": params[1:]}]
    optimizer = make(name, groups)
    train(optimizer, params, 3, seed=1)
    saved, values = copy.deepcopy(optimizer.state_dict()), [p.array.copy() for p in params]
    train(optimizer, params, 3, seed=2)

    resumed = [minigrad.from_numpy(v).requires_grad_() for v in values]
    other = make(name, [{"params": resumed[:1]}, {"params": resumed[1:]}])
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] == 0.05
    train(other, resumed, 3, seed=2)
    assert snapshot(other, resumed) == snapshot(optimizer, params)


@each
def test_loading_copies_and_takes_the_dtype_of_the_parameter(name):
    params, wide = [leaf(3)], [leaf(3, dtype=np.float64)]
    optimizer, other = make(name, params), make(name, wide)
    train(optimizer, params, 2)
    saved = optimizer.state_dict()
    other.load_state_dict(saved)
    for key, value in other.state[wide[0]].items():
        assert value.dtype == (minigrad.float32 if key == "step" else minigrad.float64)
        np.testing.assert_array_equal(value.array, saved["state"][0][key].array)
    before = snapshot(optimizer, params)
    train(other, wide, 1)
    other.param_groups[0]["lr"] = 7
    assert snapshot(optimizer, params) == before


@each
def test_numbers_and_arrays_will_do_for_tensors(name):
    params = [leaf(3)]
    optimizer, other = make(name, params), make(name, [leaf(3)])
    train(optimizer, params, 2)
    saved = optimizer.state_dict()
    plain = {key: value.item() if key == "step" else value.array for key, value in saved["state"][0].items()}
    groups = json.loads(json.dumps(saved["param_groups"]))
    other.load_state_dict({"state": {0: plain}, "param_groups": groups})
    loaded = other.state_dict()["state"][0]
    for key, value in saved["state"][0].items():
        assert loaded[key].shape == value.shape and loaded[key].dtype == value.dtype
        np.testing.assert_array_equal(loaded[key].array, value.array)
    train(other, other.param_groups[0]["params"], 1)


def test_names_in_a_state_replace_the_names_there_are():
    named = optim.SGD([("a", leaf(2))])
    other = optim.SGD([("b", leaf(2))])
    plain = optim.SGD([leaf(2)])
    other.load_state_dict(plain.state_dict())
    assert other.param_groups[0]["param_names"] == ["b"]
    other.load_state_dict(named.state_dict())
    assert other.param_groups[0]["param_names"] == ["a"]
    assert other.param_groups[0]["param_names"] is not named.param_groups[0]["param_names"]


def damaged(change):
    """A valid state of Adam over params of shapes (3,) and (2,), changed."""
    params = [leaf(3), leaf(2)]
    optimizer = optim.Adam(params)
    train(optimizer, params, 2)
    state = copy.deepcopy(optimizer.state_dict())
    change(state)
    return state


DAMAGES = {
    "no state": (lambda s: s.pop("state"), r'needs a dict with the keys "state" and "param_groups", got a dict with'),
    "groups no list": (lambda s: s.update(param_groups={}), r'"param_groups" must be a list of dicts'),
    "group without params": (lambda s: s["param_groups"][0].pop("params"), r'with a list "params"'),
    "an index twice": (lambda s: s["param_groups"][0].update(params=[0, 0]), "each index in it once"),
    "state no dict": (lambda s: s.update(state=[]), "a dict of dicts"),
    "an entry no dict": (lambda s: s["state"].update({0: None}), "a dict of dicts"),
    "more groups": (lambda s: s["param_groups"].append({"params": [2]}), r"have \[2, 1\] parameters.*optimizer \[2\]"),
    "fewer parameters": (lambda s: s["param_groups"][0].update(params=[0]), r"have \[1\] parameters.*optimizer \[2\]"),
    "options missing": (
        lambda s: [s["param_groups"][0].pop(key) for key in ("lr", "betas")],
        "the saved param group 0 lacks betas, lr; was it saved from another kind",
    ),
    "a bad option": (lambda s: s["param_groups"][0].update(lr=-1), "param group 0: lr must be .* >= 0, got lr=-1"),
    "an unknown index": (lambda s: s["state"].update({5: s["state"][0]}), "state for parameter 5, but no param group"),
    "a wrong shape": (
        lambda s: s["state"][1].update(exp_avg=minigrad.ones(3)),
        r"parameter 1, of shape \(2,\): exp_avg must be numbers of shape \(2,\), got float32 of shape \(3,\)",
    ),
    "missing state": (
        lambda s: s["state"][0].pop("exp_avg_sq"),
        "parameter 0.*has exp_avg, step; Adam needs step, exp_avg, exp_avg_sq",
    ),
    "unknown state": (
        lambda s: s["state"][0].update(momentum_buffer=minigrad.ones(3)),
        "has exp_avg, exp_avg_sq, momentum_buffer, step; Adam .* knows",
    ),
    "text for numbers": (
        lambda s: s["state"][0].update(exp_avg=np.array(["a", "b", "c"])),
        r"exp_avg must be numbers of shape \(3,\), got <U1",
    ),
    "a negative step": (lambda s: s["state"][0].update(step=-1), "step must be a finite number >= 0, got step=-1"),
    "many steps": (lambda s: s["state"][0].update(step=minigrad.ones(2)), r"step must be one number, got float32"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_refused_and_changes_nothing(damage):
    change, message = DAMAGES[damage]
    params = [leaf(3), leaf(2)]
    optimizer = optim.Adam(params, lr=0.5)
    train(optimizer, params, 1)
    before = snapshot(optimizer, params)
    with pytest.raises(ValueError, match=f"^Adam.load_state_dict: .*{message}"):
        optimizer.load_state_dict(damaged(change))
    assert snapshot(optimizer, params) == before


def test_the_state_of_another_optimizer_is_refused():
    p = leaf(3)
    adam = optim.Adam([p])
    with pytest.raises(ValueError, match="lacks dampening, momentum, nesterov; was it saved from another kind"):
        optim.SGD([p]).load_state_dict(adam.state_dict())
    with pytest.raises(ValueError, match=r"needs a dict .* got list"):
        adam.load_state_dict([])


def test_an_optimizer_and_its_parameters_can_be_copied_together(backend):
    params = [leaf(3), leaf(2)]
    optimizer = optim.Adam(params)
    train(optimizer, params, 2)
    other_params, other = copy.deepcopy((params, optimizer))
    train(optimizer, params, 2, seed=5)
    before = snapshot(optimizer, params)
    train(other, other_params, 2, seed=5)
    assert snapshot(other, other_params) == before == snapshot(optimizer, params)


@pytest.mark.reference
@each
def test_states_go_to_pytorch_and_back(name, backend):
    torch = pytest.importorskip("torch")
    params = [leaf(3, 2, seed=1), leaf(4, seed=2)]
    theirs = [torch.tensor(p.array).requires_grad_() for p in params]
    make_ours = lambda ps: make(name, [{"params": ps[0]}, {"params": ps[1], "lr": 0.03}])  # noqa: E731
    optimizer = make_ours(params)
    reference = getattr(torch.optim, name)(
        [{"params": theirs[0]}, {"params": theirs[1], "lr": 0.03}], **OPTIMIZERS[name]
    )

    def step_both(seed):
        rng = np.random.default_rng(seed)
        for p, q in zip(params, theirs, strict=True):
            g = rng.normal(size=p.shape).astype(np.float32)
            p.grad, q.grad = minigrad.tensor(g), torch.tensor(g)
        optimizer.step()
        reference.step()
        for p, q in zip(params, theirs, strict=True):
            np.testing.assert_allclose(p.array, q.detach().numpy(), rtol=2e-6, atol=2e-6)

    for seed in range(3):
        step_both(seed)
    saved = reference.state_dict()
    saved["param_groups"][0]["lr"] = 0.02  # theirs, from now on
    reference.load_state_dict(saved)
    optimizer = make_ours(params)
    optimizer.load_state_dict(reference.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.02
    step_both(3)

    ours = optimizer.state_dict()
    ours["state"] = {
        i: {key: torch.tensor(value.array) for key, value in state.items()} for i, state in ours["state"].items()
    }
    reference = getattr(torch.optim, name)([{"params": theirs[0]}, {"params": theirs[1]}], **OPTIMIZERS[name])
    reference.load_state_dict(ours)
    step_both(4)


@pytest.mark.reference
def test_the_repr_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for name, options in OPTIMIZERS.items():
        theirs = repr(getattr(torch.optim, name)([torch.ones(2)], **options))
        ours = repr(make(name, [leaf(2)]))
        left_out = ("foreach", "fused", "capturable", "differentiable")  # they choose among PyTorch's own kernels
        kept = [line for line in theirs.splitlines() if not line.strip().startswith(left_out)]
        assert ours.splitlines() == kept


def test_repr():
    optimizer = optim.SGD([{"params": leaf(2)}, {"params": leaf(2), "lr": 0.01}], lr=0.1)
    group = (
        "    dampening: 0\n    lr: {}\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n"
    )
    assert repr(optimizer) == (f"SGD (\nParameter Group 0\n{group.format(0.1)}Parameter Group 1\n{group.format(0.01)})")


# ------------------------------------------------------------------------------------------ one's own rules


class WithOwnStep(optim.Optimizer):
    """As one would write it for PyTorch."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["history"] = [*state.get("history", []), float(p.grad.array.sum())]
                state["last"] = {"grad": p.grad.clone()}
                p.array -= group["lr"] * p.grad.array


def test_an_optimizer_with_a_step_of_its_own_may_keep_any_state():
    p, q = leaf(2), leaf(2, dtype=np.float64)
    optimizer, other = WithOwnStep([p]), WithOwnStep([q])
    train(optimizer, [p], 2)
    saved = optimizer.state_dict()
    other.load_state_dict(saved)
    assert other.state[q]["history"] == optimizer.state[p]["history"]
    assert other.state[q]["history"] is not optimizer.state[p]["history"]
    assert other.state[q]["last"]["grad"].dtype == minigrad.float64
    assert not np.shares_memory(other.state[q]["last"]["grad"].array, optimizer.state[p]["last"]["grad"].array)


class Clipped:
    """Limits the gradients before any optimizer sees them."""

    def update(self, group, gradients):
        super().update(group, [(p, np.clip(g, -1, 1)) for p, g in gradients])


class ClippedSGD(optim.SGD):
    def update(self, group, gradients):
        super().update(group, [(p, np.clip(g, -1, 1)) for p, g in gradients])


class ClippedAdam(Clipped, optim.Adam):
    pass


class AndAgain(ClippedSGD):
    pass


@pytest.mark.parametrize("kind", [ClippedSGD, AndAgain, ClippedAdam])
def test_a_subclass_with_an_update_of_its_own_uses_that(kind, backend):
    p, q = leaf(3), leaf(3)
    optimizer, plain = kind([p], lr=0.1), next(c for c in (optim.SGD, optim.Adam) if issubclass(kind, c))([q], lr=0.1)
    for scale in (5.0, 3.0, 0.5):
        p.grad, q.grad = minigrad.tensor([scale, -scale, 0.25]), minigrad.tensor([min(scale, 1), -min(scale, 1), 0.25])
        optimizer.step()
        plain.step()
    np.testing.assert_array_equal(p.array, q.array)


def test_an_optimizer_needs_a_rule():
    class Nothing(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

    p = leaf(2)
    p.grad = minigrad.ones(2)
    with pytest.raises(NotImplementedError, match="Nothing must define update"):
        Nothing([p]).step()


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW])
@pytest.mark.parametrize("where", ["instance", "class"])
def test_an_update_put_in_the_place_of_another_is_used(kind, where, monkeypatch):
    class Kind(kind):
        pass

    p, calls = leaf(3), []
    optimizer, before = Kind([p], lr=0.1), p.array.copy()
    for step in range(3):
        if step == 1:
            replaced = {"instance": optimizer, "class": Kind}[where]
            monkeypatch.setattr(replaced, "update", lambda *args: calls.append(args[-2:]))
            before = p.array.copy()
        p.grad = minigrad.ones(3)
        optimizer.step()
    assert len(calls) == 2 and calls[0][0] is optimizer.param_groups[0]
    np.testing.assert_array_equal(p.array, before)


def test_a_count_of_steps_that_cannot_be_written_changes_nothing(backend):
    p = leaf(3)
    optimizer = optim.Adam([p], lr=0.1)
    p.grad = minigrad.ones(3)
    optimizer.step()
    before, version = p.array.copy(), p._version
    optimizer.state[p]["step"].array.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        optimizer.step()
    np.testing.assert_array_equal(p.array, before)
    assert p._version == version


def test_an_update_of_another_optimizer_is_used():
    p, q = leaf(3), leaf(3, seed=1)
    one, other = (optim.SGD([x], lr=0.1, momentum=0.9) for x in (p, q))
    for step in range(3):
        if step == 2:
            one.update = other.update
        p.grad = minigrad.ones(3)
        one.step()
    assert p in other.state and q not in other.state
