"""Bad calls, one row each: the error, what its text must say, and that the call changed nothing.

The table goes over all of the package: autograd, Tensor, creation, layers in a model, functions and losses, initial
values, optimizers and schedulers, data. Bad calls of the ops are in `test_ops_pytorch.py` (BAD), those of the layers'
constructors in `nn/test_layer_errors.py`; neither are repeated here.
"""

import copy
from typing import NamedTuple

import numpy as np
import pytest

import minigrad
import minigrad.data
import minigrad.nn
import minigrad.optim


class World:
    """Something of every kind to call, made of `m`, which is minigrad or PyTorch. Each test has its own."""

    def __init__(self, m, data):
        self.m, self.data, self.nn, self.optim, self.F, self.init = m, data, m.nn, m.optim, m.nn.functional, m.nn.init
        self.ag, self.sched, self.utils = m.autograd, m.optim.lr_scheduler, m.nn.utils
        rng = np.random.default_rng(7)

        def normal(*shape):
            return m.tensor(rng.standard_normal(shape).astype(np.float32))

        self.x, self.y, self.i = normal(2, 3).requires_grad_(), normal(2, 3), m.tensor([1, 0])
        self.model = m.nn.Sequential(
            m.nn.Linear(3, 4), m.nn.ReLU(), m.nn.Sequential(m.nn.Linear(4, 5), m.nn.BatchNorm1d(5))
        )
        self.image = m.nn.Sequential(m.nn.Conv2d(1, 2, 3), m.nn.MaxPool2d(4), m.nn.Flatten(), m.nn.Linear(8, 2))
        self.words = m.nn.Sequential(m.nn.Embedding(3, 2), m.nn.Linear(2, 2))
        self.optimizer = m.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.model(self.y).backward(normal(2, 5))
        self.optimizer.step()
        self.scheduler = m.optim.lr_scheduler.StepLR(self.optimizer, 2)
        self.dataset = data.TensorDataset(normal(6, 3), m.tensor([0, 1, 2, 0, 1, 2]))
        self.loader = data.DataLoader(self.dataset, batch_size=4)
        self.before = None

    def zeros(self, *shape):
        return self.m.zeros(*shape)

    def ready(self):
        """Called by a row that prepares something: from here on nothing must change."""
        self.before = self.state()

    def state(self):
        """Everything that a failed call must leave alone, as text."""
        models = self.model, self.image, self.words
        tensors = [self.x, self.y, self.i, *self.dataset.tensors]
        tensors += [t for model in models for t in (*model.parameters(), *model.buffers())]
        return [
            *((t.array.tobytes(), t.shape, t.dtype, t.requires_grad, str(t.grad), t.grad_fn, t.hooks) for t in tensors),
            *((name, type(layer), layer.training, len(layer._hooks)) for name, layer in self.model.named_modules()),
            *(str(vars(thing)) for thing in (self.optimizer, self.scheduler)),
            sorted(vars(self.loader)),
            (str(self.m.get_rng_state()), self.m.is_grad_enabled(), self.m.get_default_dtype()),
        ]


class Row(NamedTuple):
    call: object
    error: type
    texts: tuple
    only: str  # why PyTorch accepts the call, or has nothing like it; "" if it refuses it as well


def bad(call, error, *texts, only=""):
    return Row(call, error, texts, only)


# ------------------------------------------------------------------------------------- calls of several steps


def backward_twice(w):
    loss = (w.x * w.x).sum()
    loss.backward()
    w.ready()
    loss.backward()


def grad_twice(w):
    loss = w.x.exp().sum()
    w.ag.grad(loss, w.x)
    w.ag.grad(loss, w.x)


def result_changed(w):
    y = w.x.exp()
    y.mul_(2)
    y.sum().backward()


def weight_changed(w):
    y = w.model(w.y)
    with w.m.no_grad():
        w.model[2][0].weight.mul_(2)
    w.ready()
    y.sum().backward()


def hook_of_another_shape(w):
    y = w.x * 2
    y.register_hook(lambda g: g[0])
    y.sum().backward()


def backward_hook_of_another_length(w):
    w.model[2][0].register_full_backward_hook(lambda module, grad_input, grad_output: (*grad_input, None))
    y = w.model(w.x)
    w.ready()
    y.sum().backward()


def layer_before_init(w):
    layer = w.nn.ReLU()

    class Net(w.nn.Module):
        def __init__(self):
            self.act = layer

    Net()


def no_forward(w):
    class Net(w.nn.Module):
        pass

    Net()(w.x)


def function_that_gives_too_many(w):
    class Twice(w.ag.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g, g

    Twice.apply(w.x).sum().backward()


def deleted_option(w):
    del w.optimizer.param_groups[0]["momentum"]
    w.ready()
    w.optimizer.step()


def deleted_params(w):
    groups, w.optimizer.param_groups = w.optimizer.param_groups, [{"lr": 0.1}]
    try:
        w.optimizer.step()
    finally:
        w.optimizer.param_groups = groups


def option_out_of_range(w):
    w.optimizer.param_groups[0]["lr"] = "a"
    w.ready()
    w.optimizer.step()


def parameter_of_another_shape(w):
    w.model[0].weight.data = w.zeros(2, 2)
    w.ready()
    w.optimizer.step()


def clip_nan(w):
    w.x.grad = w.y * float("nan")
    w.ready()
    w.utils.clip_grad_norm_([w.x], 1.0, error_if_nonfinite=True)


def load(w, without=None, **values):
    """Load the model's own state, but for one key, and other values ("0__weight" for "0.weight")."""
    state = {key: t.clone() for key, t in w.model.state_dict().items() if key != without}
    w.model.load_state_dict(state | {key.replace("__", "."): value for key, value in values.items()})


def load_optimizer(w, change):
    """Load the optimizer's own state, changed."""
    state = copy.deepcopy(w.optimizer.state_dict())
    change(state)
    w.optimizer.load_state_dict(state)


def first_batch(w, dataset, *args, **kwargs):
    return next(iter(w.data.DataLoader(dataset, *args, **kwargs)))


LEAF = "a leaf that requires grad cannot be changed in place"
INTEGER = "only floating tensors have gradients, got int64"
EARLIER = "PyTorch accepts it, and fails or is wrong later"
NO_WORKERS = "there are no worker processes here"

# fmt: off
ROWS = {
    "autograd": [
        bad(lambda w: w.x.add_(1), RuntimeError, "add_: ", LEAF, "minigrad.no_grad()"),
        bad(lambda w: w.x.__imul__(2), RuntimeError, "mul_: ", LEAF),
        bad(lambda w: w.x.__setitem__(0, 1.0), RuntimeError, "x[index] = value: ", LEAF),
        bad(lambda w: w.x[0].add_(1), RuntimeError, "add_: ", "a view of a leaf that requires grad", "no_grad()"),
        bad(lambda w: w.x.uniform_(), RuntimeError, "uniform_: ", LEAF),
        bad(backward_twice, RuntimeError, "backward through Mul a second time", "freed", "retain_graph=True"),
        bad(grad_twice, RuntimeError, "backward through Exp a second time", "retain_graph=True"),
        bad(result_changed, RuntimeError, "Exp: ", "(2, 3)", "version 0", "version 1", "by mul_", "clone()"),
        bad(weight_changed, RuntimeError, "Linear: ", "(5, 4)", "changed in place by mul_", "weight.mul_(2)"),
        bad(lambda w: (w.x * 2).backward(), RuntimeError, "outputs[0] has shape (2, 3)", ".sum()", "pass a gradient"),
        bad(lambda w: w.y.sum().backward(), RuntimeError, "does not require grad and has no grad_fn",
            "requires_grad_()"),
        bad(lambda w: (w.x * 2).backward(w.zeros(3)), RuntimeError, "outputs[0] has shape (2, 3)", "shape (3,)"),
        bad(lambda w: (w.x * 2).backward(w.y[:1]), RuntimeError, "outputs[0] has shape (2, 3)", "shape (1, 3)"),
        bad(lambda w: w.ag.backward((w.x * 2).sum(), inputs=[]), RuntimeError, "backward: inputs is empty"),
        bad(lambda w: w.ag.backward((w.x * 2).sum(), inputs=[w.y]), RuntimeError, "one of the inputs, of shape (2, 3)"),
        bad(lambda w: w.ag.backward([(w.x * 2).sum()], [None, None]), RuntimeError, "1 outputs but 2 gradients",
            only=EARLIER),
        bad(lambda w: w.m.tensor([1, 2], requires_grad=True), RuntimeError, INTEGER, "x.float()"),
        bad(lambda w: w.i.requires_grad_(), RuntimeError, INTEGER),
        bad(lambda w: setattr(w.i, "requires_grad", True), RuntimeError, INTEGER),
        bad(lambda w: w.nn.Parameter(w.i), RuntimeError, INTEGER),
        bad(lambda w: (w.x * 2).requires_grad_(False), RuntimeError, "made by <Mul>", "x.detach()"),
        bad(lambda w: w.ag.grad((w.x * 2).sum(), w.m.ones(4, requires_grad=True)), RuntimeError,
            "do not depend on inputs[0], of shape (4,)", "allow_unused=True", "materialize_grads=True"),
        bad(lambda w: w.ag.grad((w.x * 2).sum(), w.y), RuntimeError, "one of the inputs, of shape (2, 3)"),
        bad(lambda w: w.ag.grad(w.x * 2, w.x, w.y[0]), RuntimeError, "grad: outputs[0] has shape (2, 3)", "(3,)"),
        bad(lambda w: w.ag.grad((w.x * 2).sum(), 3), TypeError, "grad: inputs must be Tensors, got int"),
        bad(lambda w: w.ag.grad((w.x * 2).sum(), w.x, allow_unused=False, materialize_grads=True), ValueError,
            "allow_unused=False contradicts materialize_grads=True"),
        bad(lambda w: w.y.retain_grad(), RuntimeError, "retain_grad: this tensor does not require grad"),
        bad(lambda w: w.y.register_hook(print), RuntimeError, "register_hook: this tensor does not require grad"),
        bad(lambda w: w.x.register_hook(3), TypeError, "register_hook: needs a function of the gradient, got 3",
            only=EARLIER),
        bad(hook_of_another_shape, RuntimeError, "a hook must return None or a Tensor", "(2, 3) and float32"),
        bad(backward_hook_of_another_length, RuntimeError, "full backward hook of Linear", "a tuple of 1", "got 2"),
        bad(lambda w: setattr(w.x, "grad", w.y[0]), RuntimeError, "shape (2, 3) and dtype float32", "got (3,)"),
        bad(lambda w: setattr(w.x, "grad", w.y.double()), RuntimeError, "dtype float32", "(2, 3) and float64"),
        bad(lambda w: setattr(w.x, "grad", 3.0), TypeError, "grad must be a Tensor or None, got float"),
        bad(lambda w: setattr(w.x, "data", w.i), RuntimeError, "data: only floating tensors have gradients", "int64"),
        bad(lambda w: w.x.numpy(), RuntimeError, "numpy: ", "cut this tensor out of its graph", "x.detach().numpy()"),
        bad(lambda w: np.asarray(w.x), RuntimeError, "np.asarray: ", "x.detach()"),
        bad(lambda w: copy.deepcopy(w.x * 2), RuntimeError, "deepcopy: only leaf tensors", "detach() first"),
        bad(lambda w: w.ag.gradcheck(lambda x: x * 2, [w.y]), ValueError, "gradcheck: none of the inputs requires"),
        bad(lambda w: w.ag.functional.hessian(lambda x: x * 2, w.x), RuntimeError, "hessian: ", "got shape (2, 3)"),
        bad(lambda w: w.ag.functional.vjp(lambda x: x * 2, w.x, w.y[0]), RuntimeError, "vjp: v[0] has shape (3,)",
            "output 0 has (2, 3)"),
        bad(lambda w: (w.x * 2).sum().backward("g"), TypeError, "outputs[0]: its gradient must be a Tensor", "got 'g'"),
        bad(lambda w: w.ag.grad((w.x * 2).sum(), []), RuntimeError, "grad: inputs is empty"),
        bad(lambda w: setattr(w.x, "grad", w.x), RuntimeError, "grad: a tensor cannot be its own gradient", "clone()"),
        bad(lambda w: w.x.requires_grad_("no"), TypeError, "requires_grad_: requires_grad must be True or False",
            "'no'"),
        bad(lambda w: w.m.set_grad_enabled("no"), TypeError, "set_grad_enabled: mode must be True or False", "'no'"),
        bad(lambda w: w.ag.set_detect_anomaly("yes"), TypeError, "set_detect_anomaly: mode must be True or False",
            "'yes'"),
        bad(lambda w: w.F.binary_cross_entropy(w.y.sigmoid(), w.y * 0 + 2), RuntimeError,
            "binary_cross_entropy: target must hold probabilities", "got 2"),
        bad(function_that_gives_too_many, RuntimeError, "Twice: backward gave 2 gradients", "forward took 1"),
    ],
    "tensor": [
        bad(lambda w: w.y.item(), RuntimeError, "item: needs exactly one element, got shape (2, 3)", "tolist()"),
        bad(lambda w: bool(w.y), RuntimeError, "the truth of a tensor of shape (2, 3)", ".any() or .all()"),
        bad(lambda w: float(w.y), RuntimeError, "item: needs exactly one element, got shape (2, 3)"),
        bad(lambda w: [1, 2][w.y[0, 0]], TypeError, "only an integer tensor of one element", "got float32"),
        bad(lambda w: len(w.y.sum()), TypeError, "len() of a 0-d tensor"),
        bad(lambda w: list(w.y.sum()), TypeError, "iteration over a 0-d tensor"),
        bad(lambda w: f"{w.y:.3f}", TypeError, "format: '.3f' is for one number, not a tensor of shape (2, 3)"),
        bad(lambda w: w.y.to("cuda"), RuntimeError, 'to: the only device is "cpu", got \'cuda\''),
        bad(lambda w: w.y.to("nonsense"), TypeError, "'nonsense' is not a dtype", "minigrad.float32"),
        bad(lambda w: w.m.tensor([[1], [1, 2]]), ValueError, "tensor: cannot make a tensor of this list"),
        bad(lambda w: w.m.tensor("abc"), TypeError, "tensor: cannot make a tensor of this str", "float32"),
        bad(lambda w: w.m.tensor({"a": 1}), TypeError, "a tensor of this dict", "float32"),
        bad(lambda w: w.m.tensor([300], dtype=w.m.uint8), RuntimeError, "of this list", "300", "uint8"),
        bad(lambda w: w.m.tensor([1.0], dtype="S"), TypeError, "'S' is not a dtype"),
        bad(lambda w: w.m.from_numpy([1.0]), TypeError, "from_numpy: needs an ndarray, got list", "minigrad.tensor"),
        bad(lambda w: w.m.from_numpy(np.array(["a"])), TypeError, "a tensor of this ndarray", "str32"),
        bad(lambda w: w.y.fill_(w.y), RuntimeError, "fill_: ", "got shape (2, 3)", "use copy_"),
        bad(lambda w: w.i.uniform_(), RuntimeError, "uniform_: needs a floating tensor, got int64"),
        bad(lambda w: w.y.uniform_(2, 1), RuntimeError, "uniform_: from_ must not exceed to, got 2 and 1"),
        bad(lambda w: w.y.normal_(0, -1), RuntimeError, "normal_: std must not be negative, got -1"),
        bad(lambda w: w.y.bernoulli_(2.0), RuntimeError, "bernoulli_: p must be in [0, 1], got 2.0"),
        bad(lambda w: w.y.add_(w.zeros(5, 2, 3)), RuntimeError, "add_: values of shape (5, 2, 3)", "shape (2, 3)"),
        bad(lambda w: w.i.add_(1.5), RuntimeError, "add_: a float32 result", "int64 tensor"),
        bad(lambda w: w.zeros(1).expand(3).add_(1), RuntimeError, "add_: ", "read-only", "x.clone()"),
        bad(lambda w: w.y.copy_(w.zeros(4)), RuntimeError, "copy_: values of shape (4,)", "(2, 3)"),
        bad(lambda w: w.y.__setitem__(5, 1.0), IndexError, "index 5 is out of bounds", "shape (2, 3)"),
        bad(lambda w: w.y.__setitem__(0, w.zeros(4)), RuntimeError, "values of shape (4,)", "shape (3,)"),
        bad(lambda w: w.y.__setitem__("a", 1), IndexError, "index: must be ints, slices", "got 'a'"),
        bad(lambda w: w.y[1.5], IndexError, "index: must be ints, slices", "got 1.5"),
        bad(lambda w: w.y + "a", TypeError, "Tensor", "str"),
        bad(lambda w: w.y.size(5), IndexError, "size: dim must be in [-2, 1] for 2 dimensions, got 5"),
        bad(lambda w: setattr(w.y, "shape", (3, 2)), AttributeError, "shape"),
        bad(lambda w: w.y.foo, AttributeError, "no attribute 'foo'"),
    ],
    "creation": [
        bad(lambda w: w.m.zeros(-1), RuntimeError, "zeros: sizes must not be negative, got (-1,)"),
        bad(lambda w: w.m.ones("2"), TypeError, "ones: sizes must be ints, got ('2',)"),
        bad(lambda w: w.m.empty(2**60), RuntimeError, "empty: (1152921504606846976,)", "more elements than memory"),
        bad(lambda w: w.m.full((2,), "a"), TypeError, "full: fill_value must be a number, got 'a'"),
        bad(lambda w: w.m.eye(-1), RuntimeError, "eye: sizes must not be negative, got (-1, -1)"),
        bad(lambda w: w.m.arange(0, 10, -1), RuntimeError, "arange: step -1 does not lead from 0 to 10"),
        bad(lambda w: w.m.arange(0, float("inf")), RuntimeError, "arange: ", "must be finite, got 0, inf and 1"),
        bad(lambda w: w.m.linspace(0, 1, -1), RuntimeError, "linspace: steps must not be negative, got -1"),
        bad(lambda w: w.m.rand(2, dtype=w.m.int64), RuntimeError, "rand: needs a floating dtype, got int64", "randint"),
        bad(lambda w: w.m.randint(5, 2, (2,)), RuntimeError, "randint: high must exceed low, got low=5 and high=2"),
        bad(lambda w: w.m.randint(3, 2.0), TypeError, "randint: size must be a tuple of ints, got 2.0"),
        bad(lambda w: w.m.randint(0, 300, (2,), dtype=w.m.uint8), RuntimeError, "uint8 cannot hold", "from 0 to 299"),
        bad(lambda w: w.m.randperm(-1), RuntimeError, "randperm: n must not be negative, got -1"),
        bad(lambda w: w.m.normal(0.0, -1.0, (2,)), RuntimeError, "normal: std must not be negative, got -1"),
        bad(lambda w: w.m.normal(w.y, w.zeros(4)), RuntimeError, "normal: shapes (2, 3) and (4,) do not broadcast"),
        bad(lambda w: w.m.zeros_like([1.0]), TypeError, "zeros_like: input must be a Tensor, got list"),
        bad(lambda w: w.m.zeros(2, dtype="nonsense"), TypeError, "'nonsense' is not a dtype"),
        bad(lambda w: w.m.zeros(2, dtype=w.m.int64, requires_grad=True), RuntimeError, "zeros: ", "int64"),
        bad(lambda w: w.m.rand(2, generator=3), TypeError, "generator must be a minigrad.Generator, got int"),
        bad(lambda w: w.m.manual_seed("a"), TypeError, "manual_seed: needs an int, got 'a'"),
        bad(lambda w: w.m.set_rng_state(w.y), RuntimeError, "set_state: not a state from Generator.get_state"),
        bad(lambda w: w.m.set_default_dtype(w.m.int64), TypeError, "set_default_dtype: ", "minigrad.float32", "int64"),
    ],
    "model": [
        bad(lambda w: w.model(w.zeros(2, 4)), RuntimeError, "model.0 (Linear): expected last dimension 3", "(2, 4)",
            "flatten or transpose"),
        bad(lambda w: w.model(w.y.double()), RuntimeError, "model.0 (Linear): ", "float64 and float32", ".to(dtype)"),
        bad(lambda w: w.model(w.zeros(3)), ValueError, "model.2.1 (BatchNorm1d): expected input (N, C)", "(5,)"),
        bad(lambda w: w.model("abc"), TypeError, "model.0 (Linear): ", "str"),
        bad(lambda w: w.model(w.zeros(1, 3)), ValueError,
            "model.2.1 (BatchNorm1d): ", "more than one value", "(1, 5)"),
        bad(lambda w: w.model(w.zeros(2, 3, 3)), RuntimeError, "model.2.1 (BatchNorm1d): ", "(5,)", "(2, 3, 5)"),
        bad(lambda w: w.model(), TypeError, "Sequential.forward() missing 1 required positional argument: 'input'"),
        bad(lambda w: w.image(w.zeros(1, 1, 5, 5)), RuntimeError, "model.1 (MaxPool2d): ", "(4, 4)", "(1, 2, 3, 3)"),
        bad(lambda w: w.image(w.zeros(1, 1, 10, 6)), RuntimeError, "model.3 (Linear): expected last dimension 8",
            "(1, 4)"),
        bad(lambda w: w.image(w.zeros(1, 3, 9, 9)), RuntimeError, "model.0 (Conv2d): ", "1 input channels", "has 3"),
        bad(lambda w: w.words(w.m.tensor([3])), IndexError, "model.0 (Embedding): ", "[0, 3)", "got 3", "3 rows"),
        bad(lambda w: w.words(w.y), RuntimeError, "model.0 (Embedding): ", "integers, got float32", ".long()"),
        bad(lambda w: w.model.train("x"), ValueError, "train: mode must be True or False, got 'x'"),
        bad(lambda w: w.model.requires_grad_("x"), TypeError, "Sequential.requires_grad_: ", "requires_grad='x'"),
        bad(lambda w: w.model.to("cuda"), RuntimeError, "Sequential.to: the only device is \"cpu\", got 'cuda'"),
        bad(lambda w: w.model.to(w.m.int64), TypeError, "Sequential.to: needs a floating dtype, got int64"),
        bad(lambda w: w.model.apply(3), TypeError, "Sequential.apply: fn must be callable, got fn=3"),
        bad(lambda w: w.model.load_state_dict(3), TypeError, "load_state_dict: state_dict must be a dict, got int"),
        bad(lambda w: load(w, without="0.bias"), RuntimeError, "nothing was loaded", "missing keys: 0.bias"),
        bad(lambda w: load(w, extra=w.y), RuntimeError, "nothing was loaded", "unexpected keys: extra"),
        bad(lambda w: load(w, **{"2__1__weight": w.y}), RuntimeError, "2.1.weight: has shape (5,) in the model",
            "(2, 3) in the state dict"),
        bad(lambda w: load(w, **{"0__weight": "a"}), RuntimeError, "0.weight: must be a Tensor or an array, got str"),
        bad(lambda w: w.model.get_submodule("9"), AttributeError, "Sequential has no module '9'", "['0', '1', '2']"),
        bad(lambda w: w.model.get_parameter("0.foo"), AttributeError, "'0.foo'", "Linear, ['weight', 'bias']"),
        bad(lambda w: w.model[9], IndexError, "Sequential: index 9 is out of range for 3 modules"),
        bad(lambda w: w.model.append(3), TypeError, "Sequential: module '3' must be a Module or None, got int"),
        bad(lambda w: w.model.insert(9, w.nn.ReLU()), IndexError, "Sequential.insert: ", "[-3, 3], got 9"),
        bad(lambda w: w.model.insert("a", w.nn.ReLU()), TypeError, "Sequential.insert: index must be an int", "'a'"),
        bad(lambda w: w.nn.ModuleDict({"a.b": w.nn.ReLU()}), ValueError, "contain a dot, got 'a.b'"),
        bad(lambda w: w.nn.ModuleDict({"a": w.nn.ReLU()})["b"], KeyError, "ModuleDict: there is no 'b'", "['a']"),
        bad(lambda w: w.nn.ParameterList([w.y])[1], IndexError, "ParameterList: index 1 is out of range for 1 values"),
        bad(lambda w: w.model.register_buffer("0", w.y), ValueError, "buffer '0'", "an attribute of that name"),
        bad(lambda w: w.model.register_parameter("p", w.y), TypeError, "parameter 'p' must be a Parameter", "Tensor"),
        bad(lambda w: w.model.weight, AttributeError, "'Sequential' object has no attribute 'weight'"),
        bad(lambda w: setattr(w.model[0], "weight", w.y), TypeError, "Linear: parameter 'weight'", "got Tensor"),
        bad(lambda w: setattr(w.model, "0", w.y), TypeError, "Sequential: module '0' must be a Module", "got Tensor"),
        bad(layer_before_init, AttributeError, "Net: cannot assign 'act'", "super().__init__()"),
        bad(no_forward, NotImplementedError, "Net must define forward"),
        bad(lambda w: w.model.register_forward_hook(3), TypeError, "a forward hook must be callable, got int",
            only=EARLIER),
        bad(lambda w: w.nn.CrossEntropyLoss(label_smoothing=2.0), ValueError, "CrossEntropyLoss: ", "[0, 1]", "2.0",
            only=EARLIER),
        bad(lambda w: w.nn.MSELoss(reduction="avg"), ValueError, "MSELoss: reduction", '"mean"', "'avg'", only=EARLIER),
        bad(lambda w: w.nn.Linear(3, 2, dtype="S"), TypeError, "'S' is not a dtype"),
    ],
    "functions": [
        bad(lambda w: w.F.cross_entropy(w.x, w.m.tensor([0, 3])), IndexError, "cross_entropy: ", "[0, 3)",
            "3 at index 1", "(2, 3) has 3 classes"),
        bad(lambda w: w.F.cross_entropy(w.x, w.m.tensor([0.0, 1.0])), ValueError, "cross_entropy: ",
            "(2, 3), got (2,)", "target.long()"),
        bad(lambda w: w.F.cross_entropy(w.x, w.m.tensor([0, 1, 2])), ValueError, "of shape (2,), got", "(3,)"),
        bad(lambda w: w.F.cross_entropy(w.x, w.m.tensor([[0], [1]])), ValueError, "(2, 1)", "target.squeeze(1)"),
        bad(lambda w: w.F.cross_entropy(w.x, [0, 1]), TypeError, "cross_entropy: target", "list"),
        bad(lambda w: w.F.cross_entropy(w.x, w.i, weight=w.zeros(2)), RuntimeError, "3 classes", "(3,), got (2,)"),
        bad(lambda w: w.F.cross_entropy(w.x, w.i, reduction="avg"), ValueError, "reduction", "'avg'"),
        bad(lambda w: w.F.cross_entropy(w.i, w.i), RuntimeError, "input must be floating, got int64", "input.float()"),
        bad(lambda w: w.F.nll_loss(w.x, w.m.tensor([0, 5])), IndexError, "nll_loss: labels must be in [0, 3), got 5"),
        bad(lambda w: w.F.binary_cross_entropy(w.x, w.y.sigmoid()), RuntimeError, "between 0 and 1", "sigmoid"),
        bad(lambda w: w.F.binary_cross_entropy_with_logits(w.x, w.zeros(2)), ValueError, "(2, 3)", "(2,)"),
        bad(lambda w: w.F.mse_loss(w.x, w.zeros(4)), RuntimeError, "mse_loss: ", "(2, 3)", "(4,)"),
        bad(lambda w: w.F.huber_loss(w.x, w.y, delta=0), ValueError, "huber_loss: delta", "delta=0"),
        bad(lambda w: w.F.kl_div(w.x, w.y, reduction="avg"), ValueError, "kl_div: reduction", "batchmean", "'avg'"),
        bad(lambda w: w.F.dropout(w.y, 1.5), ValueError, "dropout: p must be", "[0, 1]", "1.5"),
        bad(lambda w: w.F.one_hot(w.m.tensor([-1])), IndexError, "one_hot: classes must be in [0, ", "got -1"),
        bad(lambda w: w.F.one_hot(w.i, 1), IndexError, "one_hot: classes must be in [0, 1), got 1", "num_classes is 1"),
        bad(lambda w: w.F.batch_norm(w.y, w.zeros(3), w.zeros(4)), RuntimeError, "batch_norm: running_var", "(4,)",
            "(3,)"),
        bad(lambda w: w.F.batch_norm(w.zeros(1, 3), None, None, training=True), ValueError, "more than one value"),
        bad(lambda w: w.F.layer_norm(w.y, (4,)), RuntimeError, "layer_norm: ", "(4,)", "(2, 3)"),
        bad(lambda w: w.F.group_norm(w.y, 2), RuntimeError, "group_norm: ", "2", "3"),
        bad(lambda w: w.F.softmax(w.y, dim=7), IndexError, "softmax: dim must be in [-2, 1]", "got 7"),
        bad(lambda w: w.init.uniform_("a"), TypeError, "uniform_: ", "got str"),
        bad(lambda w: w.init.xavier_uniform_(w.zeros(3)), ValueError, "xavier_uniform_: ", "(3,)"),
        bad(lambda w: w.init.kaiming_uniform_(w.y, mode="x"), ValueError, "kaiming_uniform_: mode", "fan_in", "'x'"),
        bad(lambda w: w.init.orthogonal_(w.zeros(3)), ValueError, "orthogonal_: ", "(3,)"),
        bad(lambda w: w.init.eye_(w.zeros(2, 2, 2)), ValueError, "eye_: ", "(2, 2, 2)"),
        bad(lambda w: w.init.calculate_gain("x"), ValueError, "calculate_gain: ", "'x'"),
    ],
    "optimizers": [
        bad(lambda w: w.optim.SGD([], 0.1), ValueError, "SGD: params is empty", "model.parameters()"),
        bad(lambda w: w.optim.SGD(w.model, 0.1), TypeError, "SGD: params", "got a Sequential", ".parameters()"),
        bad(lambda w: w.optim.SGD(w.x, 0.1), TypeError, "SGD: params", "a single Tensor", "put it in a list"),
        bad(lambda w: w.optim.SGD([3], 0.1), TypeError, "SGD: param group 0: params[0] must be a Tensor", "got int"),
        bad(lambda w: w.optim.SGD([w.x], -1), ValueError, "SGD: lr must be", ">= 0", "lr=-1"),
        bad(lambda w: w.optim.SGD([w.x], 0.1, nesterov=True), ValueError, "nesterov=True needs momentum > 0"),
        bad(lambda w: w.optim.SGD([w.x * 2], 0.1), ValueError, "params[0], of shape (2, 3), was made by <Mul>"),
        bad(lambda w: w.optim.SGD([w.x, w.x], 0.1), ValueError, "params[1]", "params[0] of the same group",
            only="PyTorch warns, and updates it twice"),
        bad(lambda w: w.optim.SGD([{"lr": 1}], 0.1), ValueError, 'param group 0 must have the key "params"'),
        bad(lambda w: w.optim.SGD([w.x], 0.1, foo=1), TypeError, "unexpected keyword argument 'foo'"),
        bad(lambda w: w.optim.Adam([w.x], betas=(1.0, 0.9)), ValueError, "Adam: ", "[0, 1)", "1.0"),
        bad(lambda w: w.optim.Adam([w.x], betas=0.9), ValueError, "Adam: betas must be two numbers", "betas=0.9"),
        bad(lambda w: w.optim.RMSprop([w.x], alpha=-1), ValueError, "RMSprop: alpha", "alpha=-1"),
        bad(lambda w: w.optimizer.add_param_group({"params": [w.model[0].weight]}), ValueError, "param group 1: ",
            "(4, 3)", "is also params[0] of group 0"),
        bad(lambda w: w.optimizer.add_param_group(3), TypeError, 'param group 1 must be a dict with the key "params"'),
        bad(lambda w: w.optimizer.step(3), TypeError, "SGD.step: closure must be callable, got closure=3"),
        bad(deleted_option, ValueError, "SGD: param group 0 lacks momentum", "param_groups[0]['momentum'] = ..."),
        bad(deleted_params, ValueError, "SGD: param group 0 lacks", "params"),
        bad(option_out_of_range, TypeError, "SGD: param group 0: lr must be a number >= 0, got lr='a'"),
        bad(parameter_of_another_shape, RuntimeError, "SGD: params[0] of group 0 is float32 of shape (2, 2)", "(4, 3)",
            "zero_grad()"),
        bad(lambda w: w.optimizer.load_state_dict({}), ValueError, '"state" and "param_groups"'),
        bad(lambda w: load_optimizer(w, lambda s: s["param_groups"][0]["params"].pop()), ValueError,
            "SGD.load_state_dict: ", "[5] parameters", "[6]"),
        bad(lambda w: load_optimizer(w, lambda s: s["param_groups"][0].pop("lr")), ValueError, "param group 0 lacks lr",
            only=EARLIER),
        bad(lambda w: load_optimizer(w, lambda s: s["state"][0].update(momentum_buffer=w.y)), ValueError,
            "parameter 0, of shape (4, 3)", "momentum_buffer", "(2, 3)", only=EARLIER),
        bad(lambda w: w.sched.StepLR(3, 2), TypeError, "StepLR: optimizer must be a minigrad.optim.Optimizer, got int"),
        bad(lambda w: w.sched.StepLR(w.optimizer, 0), ValueError, "StepLR: step_size", "step_size=0", only=EARLIER),
        bad(lambda w: w.sched.LambdaLR(w.optimizer, [abs, abs]), ValueError, "LambdaLR: lr_lambda has 2", "1 param"),
        bad(lambda w: w.sched.LambdaLR(w.optimizer, lambda epoch: "a"), TypeError, "LambdaLR: lr_lambda(0)", "'a'"),
        bad(lambda w: w.sched.OneCycleLR(w.optimizer, 0.1), ValueError, "OneCycleLR: ", "total_steps", "epochs"),
        bad(lambda w: w.sched.ReduceLROnPlateau(w.optimizer, mode="x"), ValueError, '"min" or "max"', "'x'"),
        bad(lambda w: w.scheduler.load_state_dict({"foo": 1}), ValueError, "StepLR.load_state_dict: ", "'foo'",
            only=EARLIER),
        bad(clip_nan, RuntimeError, "clip_grad_norm_: ", "is nan", "no gradient was changed"),
        bad(lambda w: w.utils.clip_grad_norm_(w.model.parameters(), "a"), TypeError, "clip_grad_norm_: max_norm"),
        bad(lambda w: w.utils.vector_to_parameters(w.zeros(3), w.model.parameters()), RuntimeError, "(51,), got (3,)"),
    ],
    "data": [
        bad(lambda w: w.data.DataLoader(w.dataset, 0), ValueError, "DataLoader: batch_size", ">= 1", "batch_size=0"),
        bad(lambda w: w.data.DataLoader(w.dataset, 2.5), TypeError, "DataLoader: batch_size", "batch_size=2.5"),
        bad(lambda w: w.data.DataLoader(w.dataset, 2, shuffle="x"), TypeError, "DataLoader: shuffle", "'x'",
            only=EARLIER),
        bad(lambda w: w.data.DataLoader(w.dataset, 2, shuffle=True, sampler=[0]), ValueError, "sampler and shuffle"),
        bad(lambda w: w.data.DataLoader(w.dataset, 2, batch_sampler=[[0]]), ValueError, "batch_size=2", "excludes"),
        bad(lambda w: w.data.DataLoader(w.dataset, 2, num_workers=2), ValueError, "num_workers=2, and only 0",
            only=NO_WORKERS),
        bad(lambda w: w.data.DataLoader(w.dataset, None, drop_last=True), ValueError, "batch_size=None"),
        bad(lambda w: first_batch(w, object(), 2), TypeError, "DataLoader: dataset must have len(dataset)", "object"),
        bad(lambda w: first_batch(w, w.dataset, 2, sampler=3), TypeError, "DataLoader: sampler must be iterable", "3"),
        bad(lambda w: first_batch(w, w.dataset, 2, sampler=[7]), IndexError, "index 7 is out of range for 6 samples"),
        bad(lambda w: first_batch(w, w.dataset, 2, collate_fn=3), TypeError, "DataLoader: collate_fn", "collate_fn=3"),
        bad(lambda w: first_batch(w, [w.zeros(2), w.zeros(3)], 2), RuntimeError, "default_collate: ", "shape (2,)",
            "shape (3,) in sample 1", "collate_fn"),
        bad(lambda w: first_batch(w, [object()]), TypeError, "default_collate: sample is of type object"),
        bad(lambda w: first_batch(w, [{"a": 1}, {"b": 1}], 2), RuntimeError, "key 'a'", "['b']"),
        bad(lambda w: setattr(w.loader, "batch_size", 3), ValueError, "DataLoader: batch_size cannot be changed"),
        bad(lambda w: w.data.TensorDataset(w.y, w.zeros(3)), ValueError, "TensorDataset: ", "(2, 3), (3,)"),
        bad(lambda w: w.data.ConcatDataset([]), ValueError, "ConcatDataset: needs one dataset or more"),
        bad(lambda w: w.data.ConcatDataset([3])[0], TypeError, "ConcatDataset: dataset 0 must have a length", "int"),
        bad(lambda w: w.data.random_split(w.dataset, [1, 2]), ValueError, "[1, 2] sum to 3", "the 6 samples"),
        bad(lambda w: w.data.random_split(w.dataset, 3), TypeError, "random_split: lengths must be iterable", "3"),
        bad(lambda w: w.data.random_split(w.dataset, ["a"]), TypeError, "random_split: lengths must be", "['a']"),
        bad(lambda w: w.data.Subset(w.dataset, 3)[0], TypeError, "Subset: indices must be a sequence of ints, got 3"),
        bad(lambda w: w.data.Subset(w.dataset, [0])[5], IndexError, "Subset: index 5 is out of range for 1 samples"),
        bad(lambda w: w.data.RandomSampler(w.dataset, num_samples=0), ValueError, "num_samples", "num_samples=0"),
        bad(lambda w: w.data.WeightedRandomSampler([-1.0, 1.0], 1), ValueError, "weights must be", "-1.0 to 1.0",
            only=EARLIER),
        bad(lambda w: w.data.WeightedRandomSampler("a", 1), TypeError, "WeightedRandomSampler: weights", "'a'"),
        bad(lambda w: w.data.BatchSampler([0], 0, False), ValueError, "BatchSampler: batch_size", "batch_size=0"),
        bad(lambda w: w.data.Dataset()[0], NotImplementedError, "Dataset must define __getitem__"),
    ],
}
# fmt: on


each_row = pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{section}{i}-{row.texts[0][:40]}")
        for section, table in ROWS.items()
        for i, row in enumerate(table)
    ],
)


@each_row
def test_it_says_what_is_wrong_and_changes_nothing(row):
    w = World(minigrad, minigrad.data)
    w.ready()
    with pytest.raises(row.error) as caught:
        row.call(w)
    text = str(caught.value)
    assert caught.type is row.error
    assert [part for part in row.texts if part not in text] == [], text
    assert w.state() == w.before


@pytest.mark.reference
@each_row
@pytest.mark.filterwarnings("ignore")
def test_pytorch_refuses_it_too(row):
    torch = pytest.importorskip("torch")
    from torch.utils import data

    w = World(torch, data)
    if row.only:
        row.call(w)
    else:
        with pytest.raises((ValueError, TypeError, RuntimeError, LookupError, AttributeError, AssertionError)):
            row.call(w)


def test_the_table_is_as_long_as_promised():
    assert sum(map(len, ROWS.values())) >= 150
