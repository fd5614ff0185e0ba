"""Module: registration, state dicts, hooks, conversion, repr, and errors that name the layer."""

import copy
import gc
import weakref

import numpy as np
import pytest

import minigrad
from minigrad import nn


class Scale(nn.Module):
    """A parameter, a buffer of each kind, a reserved name of each kind."""

    def __init__(self, size=2):
        super().__init__()
        self.register_buffer("seen", minigrad.tensor(0))
        self.gain = nn.Parameter(minigrad.ones(size))
        self.register_buffer("scratch", minigrad.zeros(size), persistent=False)
        self.register_parameter("shift", None)
        self.register_buffer("unused", None)

    def forward(self, x, *, times=1):
        return x * self.gain * times


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Scale()
        self.offset = nn.Parameter(minigrad.zeros(2))
        self.rest = nn.Sequential(Scale(), nn.Identity())

    def forward(self, x):
        return self.rest(self.first(x)) + self.offset


PATHS = ["offset", "first.gain", "rest.0.gain"]


def state(model):
    """All values, copied, to see whether a failed call changed one."""
    return {name: t.detach().numpy().copy() for name, t in (*model.named_parameters(), *model.named_buffers())}


def assert_same_state(model, before):
    after = state(model)
    assert list(after) == list(before)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
        assert after[name].dtype == value.dtype


class TestRegistration:
    def test_paths_and_order(self):
        model = Model()
        assert [name for name, _ in model.named_parameters()] == PATHS
        assert next(model.parameters()) is model.offset
        assert [name for name, _ in model.named_buffers()] == [
            "first.seen",
            "first.scratch",
            "rest.0.seen",
            "rest.0.scratch",
        ]
        assert [name for name, _ in model.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
        assert [name for name, _ in model.named_children()] == ["first", "rest"]
        assert list(model.children()) == [model.first, model.rest]
        assert next(model.modules()) is model and len(list(model.modules())) == 5

    def test_prefix_and_recurse(self):
        model = Model()
        assert [name for name, _ in model.named_parameters(prefix="net", recurse=False)] == ["net.offset"]
        assert [name for name, _ in model.named_parameters("net")] == [f"net.{path}" for path in PATHS]
        assert [name for name, _ in model.first.named_buffers("a.b")] == ["a.b.seen", "a.b.scratch"]
        assert list(model.named_buffers(recurse=False)) == []
        assert [name for name, _ in model.named_modules(prefix="net")][:2] == ["net", "net.first"]

    def test_a_new_value_keeps_its_place(self):
        model = Model()
        model.first = Scale(3)
        model.offset = nn.Parameter(minigrad.ones(5))
        assert [name for name, _ in model.named_parameters()] == PATHS
        assert model.offset.shape == (5,)

    def test_shared_parameters_and_modules_count_once(self):
        model = nn.Module()
        model.a = nn.Linear(2, 2)
        model.b = model.a
        model.c = nn.Linear(2, 2, bias=False)
        model.c.weight = model.a.weight
        assert [name for name, _ in model.named_parameters()] == ["a.weight", "a.bias"]
        assert [name for name, _ in model.named_children()] == ["a", "c"]
        assert len(list(model.modules())) == 3
        doubled = [name for name, _ in model.named_parameters(remove_duplicate=False)]
        assert doubled == ["a.weight", "a.bias", "b.weight", "b.bias", "c.weight"]
        assert [name for name, _ in model.named_modules(remove_duplicate=False)] == ["", "a", "b", "c"]
        assert list(model.state_dict()) == doubled

    def test_none_reserves_a_name(self):
        layer = Scale()
        assert layer.shift is None and layer.unused is None
        assert "shift" not in dict(layer.named_parameters())
        layer.shift = nn.Parameter(minigrad.zeros(2))
        layer.unused = minigrad.ones(1)
        assert [name for name, _ in layer.named_parameters()] == ["gain", "shift"]
        assert [name for name, _ in layer.named_buffers()] == ["seen", "scratch", "unused"]
        layer.gain = None
        assert [name for name, _ in layer.named_parameters()] == ["shift"]

    def test_plain_tensors_are_not_registered(self):
        layer = nn.Module()
        layer.table = minigrad.ones(2)
        assert not layer.state_dict() and not list(layer.buffers())

    def test_a_parameter_takes_the_place_of_anything(self):
        layer = nn.Module()
        layer.a = 3
        layer.register_buffer("b", minigrad.ones(1), persistent=False)
        layer.c = nn.Identity()
        for name in "abc":
            setattr(layer, name, nn.Parameter(minigrad.ones(1)))
        assert list(layer.state_dict()) == ["a", "b", "c"]
        assert not list(layer.buffers()) and not list(layer.children())

    def test_registered_names_hold_their_kind(self):
        model = Model()
        for owner, name, value in (
            (model, "offset", minigrad.ones(2)),
            (model, "offset", 3),
            (model, "first", minigrad.ones(2)),
            (model.first, "seen", 4),
        ):
            before = getattr(owner, name)
            with pytest.raises(TypeError, match=rf"{name}.*got {type(value).__name__}"):
                setattr(owner, name, value)
            assert getattr(owner, name) is before

    def test_delete(self):
        model = Model()
        del model.first.gain, model.first.scratch, model.rest
        assert [name for name, _ in model.named_parameters()] == ["offset"]
        assert list(model.first.state_dict()) == ["seen"]
        with pytest.raises(AttributeError, match="rest"):
            _ = model.rest
        with pytest.raises(AttributeError, match="rest"):
            del model.rest
        model.first.register_buffer("scratch", minigrad.ones(1))  # no longer the one that was not persistent
        assert list(model.first.state_dict()) == ["seen", "scratch"]

    def test_an_unknown_attribute_is_an_error_that_names_the_class(self):
        with pytest.raises(AttributeError, match=r"'Model' object has no attribute 'ofset'") as caught:
            _ = Model().ofset
        assert caught.value.name == "ofset"  # Python's "Did you mean: 'offset'?" needs it
        assert not hasattr(Model(), "weight")

    def test_nothing_works_before_init(self):
        class Hasty(nn.Module):
            def __init__(self, value):
                self.harmless = 1
                self.value = value
                super().__init__()

        for value in (nn.Parameter(minigrad.ones(1)), nn.Identity()):
            with pytest.raises(AttributeError, match=r"Hasty.*'value'.*super\(\).__init__\(\)"):
                Hasty(value)

        class Forgetful(nn.Module):
            def __init__(self):
                self.register_buffer("value", minigrad.ones(1))

        with pytest.raises(AttributeError, match=r"Forgetful.*super\(\).__init__\(\)"):
            Forgetful()

        class Empty(nn.Module):
            def __init__(self):
                pass

        for use in (lambda m: m(1), lambda m: m.state_dict(), lambda m: m.eval(), repr):
            with pytest.raises(AttributeError, match=r"Empty.*super\(\).__init__\(\)"):
                use(Empty())

    @pytest.mark.parametrize("register", ["register_parameter", "register_buffer", "register_module", "add_module"])
    def test_bad_names_and_values(self, register):
        layer = Scale()
        layer.taken = 1
        before = list(layer.__dict__)
        for name, error in ((3, TypeError), ("", ValueError), ("a.b", ValueError), ("taken", ValueError)):
            with pytest.raises(error, match=r"Scale"):
                getattr(layer, register)(name, None)
        with pytest.raises(ValueError, match="forward"):
            getattr(layer, register)("forward", None)
        with pytest.raises(TypeError, match=r"Scale.*'new'.*got int"):
            getattr(layer, register)("new", 3)
        assert list(layer.__dict__) == before
        getattr(layer, register)("new", None)
        assert layer.new is None

    def test_get(self):
        model = Model()
        assert model.get_submodule("") is model
        assert model.get_submodule("rest.0") is model.rest[0]
        assert model.get_parameter("rest.0.gain") is model.rest[0].gain
        assert model.get_buffer("first.seen") is model.first.seen
        for get, path in (
            (model.get_submodule, "rest.7"),
            (model.get_submodule, "first.gain"),
            (model.get_parameter, "rest.0.seen"),
            (model.get_parameter, "first.shift"),
            (model.get_buffer, "offset"),
        ):
            with pytest.raises(AttributeError, match=f"Model has no .*{path}"):
                get(path)

    def test_dir_lists_what_is_registered(self):
        assert {"first", "offset", "rest", "forward", "training"} <= set(dir(Model()))


class TestModes:
    def test_train_and_eval_reach_every_module(self):
        model = Model()
        assert all(m.training for m in model.modules())
        assert model.eval() is model and not any(m.training for m in model.modules())
        assert model.train() is model and all(m.training for m in model.modules())
        model.train(False)
        assert not model.rest[0].training
        with pytest.raises(ValueError, match="mode"):
            model.train("eval")
        assert not any(m.training for m in model.modules())

    def test_apply_goes_from_the_inside_out(self):
        model, seen = Model(), []
        assert model.apply(seen.append) is model
        assert seen == [model.first, model.rest[0], model.rest[1], model.rest, model]

    def test_requires_grad(self):
        model = Model()
        assert model.requires_grad_(False) is model and not any(p.requires_grad for p in model.parameters())
        model.first.requires_grad_()
        assert [p.requires_grad for p in model.parameters()] == [False, True, False]

    def test_requires_grad_wants_a_bool(self):
        model = Model()
        with pytest.raises(TypeError, match=r"Model.requires_grad_: requires_grad must be True or False, got .*'x'"):
            model.requires_grad_("x")
        assert all(p.requires_grad for p in model.parameters())

    def test_zero_grad_makes_new_zeros_where_it_cannot_write(self):
        layer, w = nn.Linear(2, 1, bias=False), minigrad.ones(1, 2, requires_grad=True)
        for held in (minigrad.from_numpy(np.broadcast_to(np.float32(1), (1, 2))), w * 2):
            layer.weight.grad, before = held, held.tolist()
            layer.zero_grad(set_to_none=False)
            assert layer.weight.grad.tolist() == [[0, 0]] and held.tolist() == before

    def test_zero_grad(self):
        model = Model()
        model(minigrad.ones(1, 2)).backward(minigrad.ones(1, 2))
        held = [p.grad for p in model.parameters()]
        model.zero_grad(set_to_none=False)
        assert all(p.grad is g for p, g in zip(model.parameters(), held, strict=True)), "zeroed in place"
        assert [g.tolist() for g in held] == [[0, 0]] * 3
        model.zero_grad()
        assert [p.grad for p in model.parameters()] == [None] * 3


class TestConversion:
    def test_floating_tensors_change_and_parameters_stay_the_same_objects(self):
        model = Model()
        model(minigrad.ones(1, 2)).backward(minigrad.ones(1, 2))
        held = list(model.parameters())
        assert model.double() is model
        assert all(a is b for a, b in zip(held, model.parameters(), strict=True))
        assert {p.dtype for p in held} == {p.grad.dtype for p in held} == {np.dtype("float64")}
        assert model.first.scratch.dtype == minigrad.float64 and model.first.seen.dtype == minigrad.int64
        assert all(p.requires_grad and p.is_leaf for p in held)
        assert model.half().offset.dtype == minigrad.float16
        assert model.float().offset.dtype == minigrad.float32

    def test_to(self):
        model = Model()
        assert model.to("cpu") is model.cpu() is model.to(device="cpu") is model
        assert model.to(minigrad.ones(1, dtype=minigrad.float64)).offset.dtype == minigrad.float64
        assert model.to("cpu", minigrad.float32, True).offset.dtype == minigrad.float32
        assert model.to(dtype=minigrad.float64).offset.dtype == minigrad.float64
        assert model.to().offset.dtype == minigrad.float64

    def test_shared_parameters_stay_shared(self):
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        model[1].weight = model[0].weight
        model.double()
        assert model[1].weight is model[0].weight and model[0].weight.dtype == minigrad.float64

    def test_refusals_change_nothing(self):
        model = Model()
        before = state(model)
        for args, error in (
            ((minigrad.int64,), TypeError),
            (("cuda",), RuntimeError),
            (("cuda:1", minigrad.float64), RuntimeError),
            (("nonsense",), TypeError),
        ):
            with pytest.raises(error):
                model.to(*args)
        assert_same_state(model, before)


class TestStateDict:
    def test_keys_and_memory(self):
        model = Model()
        saved = model.state_dict()
        assert list(saved) == ["offset", "first.gain", "first.seen", "rest.0.gain", "rest.0.seen"]
        assert not any(t.requires_grad for t in saved.values())
        assert saved["first.gain"].array is model.first.gain.array
        assert model.state_dict(keep_vars=True)["offset"] is model.offset

    def test_prefix_and_destination(self):
        into = {"mine": 1}
        assert Scale().state_dict(destination=into, prefix="a.") is into
        assert list(into) == ["mine", "a.gain", "a.seen"]

    def test_round_trip_copies(self, rng):
        saved = {
            key: rng.integers(9, size=t.shape) if key.endswith("seen") else rng.standard_normal(t.shape)
            for key, t in Model().state_dict().items()
        }
        model = Model()
        held = list(model.parameters())
        report = model.load_state_dict(saved)
        assert report == ([], []) and repr(report) == "<All keys matched successfully>"
        for key, t in model.state_dict().items():
            np.testing.assert_array_equal(t.numpy(), saved[key].astype(t.numpy().dtype))
            assert t.dtype == (minigrad.int64 if key.endswith("seen") else minigrad.float32)
            assert not np.shares_memory(t.numpy(), saved[key])
        assert all(a is b for a, b in zip(held, model.parameters(), strict=True))
        assert all(p.requires_grad for p in held)
        other = Model()
        other.load_state_dict(model.state_dict())
        assert_same_state(other, state(model))

    def test_every_fault_is_in_one_error_and_nothing_changes(self):
        model = Model()
        before = state(model)
        saved = {
            "offset": minigrad.ones(3),
            "first.gain": [1.0, 2.0],
            "first.seen": np.array("text"),
            "rest.0.seen": minigrad.tensor(5),
            "rest.1.what": minigrad.ones(1),
            "other": minigrad.ones(1),
        }
        with pytest.raises(RuntimeError) as caught:
            model.load_state_dict(saved)
        text = str(caught.value)
        for part in (
            "Model",
            "missing keys: rest.0.gain",
            "unexpected keys: rest.1.what, other",
            "offset: has shape (2,) in the model, but (3,) in the state dict",
            "first.gain: must be a Tensor or an array, got list",
            "first.seen: has dtype int64 in the model, but <U4 in the state dict",
        ):
            assert part in text
        assert_same_state(model, before)

    @pytest.mark.reference
    @pytest.mark.parametrize("assign", [False, True])
    def test_pytorchs_tensors_are_taken(self, assign):
        torch = pytest.importorskip("torch")
        torch.manual_seed(5)
        theirs = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
        model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        assert repr(model.load_state_dict(theirs.state_dict(), assign=assign)) == "<All keys matched successfully>"
        for key, t in theirs.state_dict().items():
            np.testing.assert_array_equal(model.state_dict()[key].numpy(), t.numpy())
        before = state(model)
        parts = dict(theirs.state_dict(), **{"0.bias": theirs[0].bias, "1.weight": torch.ones(2, dtype=torch.bfloat16)})
        with pytest.raises(
            RuntimeError, match=r"0.bias: NumPy cannot read the torch.*detach(.|\n)*1.weight: .*BFloat16"
        ):
            model.load_state_dict(parts)
        assert_same_state(model, before)

    def test_a_broadcastable_shape_does_not_fit(self):
        layer = Scale()
        with pytest.raises(RuntimeError, match=r"gain: has shape \(2,\) in the model, but \(1,\)"):
            layer.load_state_dict({"gain": minigrad.ones(1), "seen": minigrad.tensor(1)})
        assert layer.seen.item() == 0

    def test_not_strict(self):
        model = Model()
        saved = {"offset": minigrad.ones(2), "extra": minigrad.ones(1)}
        missing, unexpected = report = model.load_state_dict(saved, strict=False)
        assert missing == ["first.gain", "first.seen", "rest.0.gain", "rest.0.seen"] and unexpected == ["extra"]
        assert "extra" in repr(report) and report.missing_keys is missing
        assert model.offset.tolist() == [1, 1]
        with pytest.raises(RuntimeError, match="offset"):  # a wrong shape is an error all the same
            model.load_state_dict({"offset": minigrad.ones(3)}, strict=False)

    def test_assign_takes_over_memory_and_dtype(self):
        layer, gain = Scale(), np.full(2, 3.0)
        held = layer.gain
        held.grad = minigrad.ones(2)
        layer.load_state_dict({"gain": gain, "seen": minigrad.tensor(4)}, assign=True)
        assert layer.gain is held and held.requires_grad and held.grad is None
        assert held.dtype == minigrad.float64 and np.shares_memory(held.detach().numpy(), gain)
        with pytest.raises(RuntimeError, match="gain: has dtype float64 in the model, but int64"):
            layer.load_state_dict({"gain": np.array([1, 2]), "seen": minigrad.tensor(4)}, assign=True)

    def test_read_only_memory(self):
        layer = Scale()
        layer.gain = nn.Parameter(np.broadcast_to(np.float32(1), (2,)))
        saved = {"gain": minigrad.zeros(2), "seen": minigrad.tensor(4)}
        with pytest.raises(RuntimeError, match=r"gain: .*read-only"):
            layer.load_state_dict(saved)
        assert layer.seen.item() == 0
        layer.load_state_dict(saved, assign=True)
        assert layer.gain.tolist() == [0, 0]

    def test_loading_records_nothing_and_fills_shared_parameters(self):
        model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
        model[1].weight = model[0].weight
        source = minigrad.ones(2, 2, requires_grad=True) * 2
        model.load_state_dict({"0.weight": source, "1.weight": source})
        assert model[0].weight.is_leaf and model[0].weight.tolist() == [[2, 2], [2, 2]]
        assert model[1].weight is model[0].weight

    def test_any_number_is_converted(self):
        layer = Scale()
        for values in (np.array([1, 2], ">f8"), np.array([1, 2], np.uint8), np.array([1e99, 1.0])):
            layer.load_state_dict({"gain": values, "seen": np.float64(3.0)})
            with np.errstate(over="ignore"):
                np.testing.assert_array_equal(layer.gain.detach().numpy(), values.astype(np.float32))
            assert layer.gain.dtype == minigrad.float32 and layer.seen.item() == 3

    def test_not_a_dict(self):
        with pytest.raises(TypeError, match="list"):
            Scale().load_state_dict([])


class TestHooks:
    def test_a_forward_hook_sees_and_replaces(self):
        layer, seen = Scale(), []
        handle = layer.register_forward_hook(lambda *args: seen.append(args))
        x = minigrad.ones(1, 2)
        y = layer(x, times=3)
        assert seen[0][0] is layer and seen[0][1][0] is x and seen[0][2] is y
        handle.remove()
        handle.remove()
        layer(x)
        assert len(seen) == 1
        with layer.register_forward_hook(lambda m, args, output: output + 1):
            assert layer(x).tolist() == [[2, 2]]
        assert layer(x).tolist() == [[1, 1]]

    def test_a_pre_hook_sees_and_replaces(self):
        layer, x = Scale(), minigrad.ones(1, 2)
        layer.register_forward_pre_hook(lambda m, args: args[0] * 2)
        assert layer(x).tolist() == [[2, 2]]
        layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
        layer.register_forward_pre_hook(lambda m, args: None)
        assert layer(x, times=2).tolist() == [[6, 6]]

    def test_with_kwargs(self):
        layer, x, seen = Scale(), minigrad.ones(1, 2), []
        layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"times": 5}), with_kwargs=True)
        layer.register_forward_hook(lambda m, args, kwargs, output: seen.append(kwargs), with_kwargs=True)
        assert layer(x, times=2).tolist() == [[5, 5]] and seen == [{"times": 5}]
        layer.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
        with pytest.raises(RuntimeError, match=r"pair \(args, kwargs\)"):
            layer(x)

    def test_order_and_prepend(self):
        layer, seen = Scale(), []
        for name, prepend in (("b", False), ("c", False), ("a", True)):
            layer.register_forward_pre_hook(lambda m, args, name=name: seen.append("pre " + name), prepend=prepend)
            layer.register_forward_hook(lambda m, args, output, name=name: seen.append(name), prepend=prepend)
        layer(minigrad.ones(1, 2))
        assert seen == ["pre a", "pre b", "pre c", "a", "b", "c"]

    def test_a_hook_may_remove_itself(self):
        layer = Scale()
        handle = layer.register_forward_hook(lambda *args: handle.remove())
        layer(minigrad.ones(1, 2))
        layer(minigrad.ones(1, 2))
        assert not layer._hooks

    def test_not_callable(self):
        for register in (Scale().register_forward_hook, Scale().register_forward_pre_hook):
            with pytest.raises(TypeError, match="callable"):
                register(3)


class TestCopies:
    def test_deepcopy_is_independent(self):
        model = Model()
        model.tied = model.first.gain
        model.first.register_forward_hook(lambda m, args, output: output)
        twin = copy.deepcopy(model)
        assert [name for name, _ in twin.named_parameters()] == [name for name, _ in model.named_parameters()]
        assert twin.tied is twin.first.gain and twin.tied is not model.tied
        before = state(model)
        with minigrad.no_grad():
            for t in (*twin.parameters(), *twin.buffers()):
                t.fill_(9)
        twin.new = nn.Parameter(minigrad.ones(1))
        twin.first.register_buffer("more", minigrad.ones(1))
        twin.eval()
        assert_same_state(model, before)
        assert model.training and model.first.training
        assert list(twin.first.state_dict()) == ["gain", "seen", "more"]

    def test_a_shallow_copy_shares_tensors_but_not_names(self):
        model = Model()
        twin = copy.copy(model)
        assert twin.offset is model.offset and twin.first is model.first
        twin.new = nn.Parameter(minigrad.ones(1))
        twin.register_forward_hook(lambda m, args, output: output + 1)
        del twin.rest
        assert [name for name, _ in model.named_parameters()] == PATHS
        assert [name for name, _ in twin.named_parameters()] == ["offset", "new", "first.gain"]
        assert model(minigrad.ones(1, 2)).tolist() == [[1, 1]]

    def test_models_are_freed_without_the_collector(self):
        gc.disable()
        try:
            model = Model()
            model(minigrad.ones(1, 2)).backward(minigrad.ones(1, 2))
            gone = weakref.ref(model)
            del model
            assert gone() is None
        finally:
            gc.enable()


class Failing(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


class TestErrorsNameTheLayer:
    @pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError, IndexError, NotImplementedError])
    def test_by_its_path(self, kind):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = nn.ModuleList([nn.Identity(), nn.Sequential(nn.Identity(), Failing(kind("too long")))])

            def forward(self, x):
                return self.blocks[1](x)

        with pytest.raises(kind) as caught:
            Net()(minigrad.ones(1))
        assert str(caught.value) == "model.blocks.1.1 (Failing): too long"
        with pytest.raises(kind) as caught:
            nn.Sequential(Net())(minigrad.ones(1))
        assert str(caught.value) == "model.0.blocks.1.1 (Failing): too long"

    def test_a_real_one(self):
        model = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Linear(784, 10))
        with pytest.raises(RuntimeError, match=r"^model\.2 \(Linear\): .*784.*28") as caught:
            model(minigrad.zeros(32, 28, 28))
        assert "linear:" not in str(caught.value)
        with pytest.raises(RuntimeError, match=r"^Linear: .*784"):
            model[2](minigrad.zeros(32, 28, 28))
        with pytest.raises(ValueError, match=r"^model\.0 \(BatchNorm1d\): training needs"):
            nn.Sequential(nn.BatchNorm1d(3))(minigrad.zeros(1, 3))

    def test_the_model_s_own_text_is_its_own(self):
        with pytest.raises(ValueError) as caught:
            Failing(ValueError("my: words"))(1)
        assert str(caught.value) == "my: words"

    def test_hooks_too(self):
        model = nn.Sequential(nn.Identity())

        def hook(module, args):
            raise ValueError("no")

        model[0].register_forward_pre_hook(hook)
        with pytest.raises(ValueError, match=r"^model\.0 \(Identity\): no$"):
            model(1)

    def test_a_module_that_was_not_registered(self):
        class Hidden(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = [nn.Sequential(nn.Identity(), Failing(ValueError("bad")))]

            def forward(self, x):
                return self.hidden[0](x)

        with pytest.raises(ValueError) as caught:
            nn.Sequential(Hidden())(1)
        assert str(caught.value) == "model.0 (Hidden): model.1 (Failing): bad"

    def test_a_module_that_calls_itself(self):
        class Twice(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = Failing(ValueError("bad"))

            def forward(self, x):
                return self(x - 1) if x else self.inner(x)

        with pytest.raises(ValueError) as caught:
            nn.Sequential(Twice())(2)
        assert str(caught.value) == "model.0.inner (Failing): bad"

    def test_other_errors_are_left_alone(self):
        class Odd(ValueError):
            def __str__(self):
                return f"odd {self.args}"

        for error in (KeyError("k"), Odd("a"), ValueError("two", "parts"), ValueError(), OSError(2, "gone")):
            args = error.args
            with pytest.raises(type(error)) as caught:
                nn.Sequential(Failing(error))(1)
            assert caught.value is error and error.args == args


class TestRepr:
    def test_nested(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem = nn.Conv2d(1, 6, 3, padding=1)
                self.body = nn.ModuleDict({"a": nn.Sequential(nn.Linear(4, 5, bias=False), nn.ReLU()), "b": None})
                self.empty = nn.Sequential()

        assert repr(Net()) == (
            "Net(\n"
            "  (stem): Conv2d(1, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))\n"
            "  (body): ModuleDict(\n"
            "    (a): Sequential(\n"
            "      (0): Linear(in_features=4, out_features=5, bias=False)\n"
            "      (1): ReLU()\n"
            "    )\n"
            "    (b): None\n"
            "  )\n"
            "  (empty): Sequential()\n"
            ")"
        )

    def test_extra_lines(self):
        class Talkative(nn.Module):
            def __init__(self, child):
                super().__init__()
                self.child = child

            def extra_repr(self):
                return "one\ntwo"

        assert repr(Talkative(None)) == "Talkative(\n  one\n  two\n)"
        assert repr(Talkative(nn.Identity())) == "Talkative(\n  one\n  two\n  (child): Identity()\n)"

    @pytest.mark.reference
    def test_equals_pytorch_s(self):
        torch = pytest.importorskip("torch")

        def build(nn):
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)])
                    self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(1, 1), nn.Tanh()) for _ in range(3))
                    self.heads = nn.ModuleDict({"x": nn.Flatten(), "y": nn.ModuleList()})
                    self.gone = None
                    self.none = nn.Identity()
                    self.none = None
                    self.act = nn.Softmax(dim=1)

                def extra_repr(self):
                    return "a=1,\nb=2"

            return repr(Net())

        assert build(nn) == build(torch.nn)


def test_forward_must_be_defined():
    with pytest.raises(NotImplementedError, match="Bare must define forward"):
        type("Bare", (nn.Module,), {})()(1)
