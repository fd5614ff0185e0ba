"""Tensor: an array that remembers the op that made it. Every method and operator is on this page.

A line such as `sum = ops.sum` makes the function of `minigrad.ops` a method, its first argument being the tensor;
what it does is said there, beside its rule.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import numpy as np

from . import autograd, checks, dtypes, numpy_protocol, ops, random
from .device import CPU, check_device
from .device import device as Device
from .ops.common import must_be_arrays, python_number, quiet, sizes_of
from .printing import text_of
from .random import Generator, must_be_chances, source

__all__ = ["Tensor", "as_tensor", "asarray", "from_dlpack", "from_numpy", "is_floating_point", "numel", "tensor"]


def _in_place(name: str, op: Callable[..., Any]) -> Callable[..., Tensor]:
    """The method that changes a tensor in place to what `op` makes of it."""

    def method(self: Tensor, *operands: Any, **options: Any) -> Tensor:
        return self._write(name, op, *operands, needs_old=True, **options)

    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    method.__doc__ = f"Change this tensor in place to `minigrad.{op.__name__}(self, ...)`; gives back the tensor."
    return method


class Tensor:
    """An n-dimensional array with gradients.

    data          : an ndarray (shared, not copied, where NumPy would not copy), a Tensor, or nested lists of numbers
    dtype         : by default that of the data; Python floats are float32
    requires_grad : collect the gradient of this tensor in `.grad` when `backward` is called

    `array` is the ndarray inside; `grad_fn` is the op that made this tensor, or None if it is a leaf.

    >>> import minigrad
    >>> x = minigrad.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4., 6.])

    A method whose name ends in `_`, an augmented assignment and `x[index] = value` change a tensor in place. The change
    is recorded like any op: the tensor gets a new history, and so do its base and the other views of its memory.

    >>> y = x * 2
    >>> y[0].add_(x[1])
    tensor(4., grad_fn=<Index>)
    >>> y[1] = 0
    >>> y
    tensor([4., 0., 6.], grad_fn=<Write>)
    >>> minigrad.autograd.grad(y.sum(), x)
    (tensor([2., 1., 2.]),)
    """

    __slots__ = ("__weakref__", "_grad", "_grad_fn", "_requires_grad", "_view", "array", "hooks")
    __hash__ = object.__hash__  # by identity: == compares elements

    array: np.ndarray
    hooks: dict[builtins.int, Callable] | None
    _grad: Tensor | None
    _grad_fn: autograd.Op | None
    _requires_grad: bool
    _view: tuple | None  # of a view: its base, the way from there, and the _grad_fn of the base at that time

    def __init__(self, data: Any = (), dtype: Any = None, requires_grad: bool = False) -> None:
        self.array = _to_array(data, dtype, copy=None)
        self._grad = self._grad_fn = self._view = self.hooks = None
        self._requires_grad = False
        if requires_grad:
            self.requires_grad_()

    # ------------------------------------------------------------------------------------ what it is

    # Read so often that no function in Python stands behind them.
    shape: tuple[int, ...] = property(attrgetter("array.shape"), doc="The sizes of the dimensions.")  # type: ignore
    dtype: np.dtype = property(attrgetter("array.dtype"), doc="The type of the elements.")  # type: ignore
    ndim: int = property(attrgetter("array.ndim"), doc="The number of dimensions.")  # type: ignore

    @property
    def device(self) -> Device:
        """Where the tensor lives: always on the CPU.

        >>> import minigrad
        >>> minigrad.ones(2).device, minigrad.ones(2).device == "cpu"
        (device(type='cpu'), True)
        """
        return CPU

    @property
    def is_cuda(self) -> builtins.bool:
        """Does the tensor live on a GPU? Never."""
        return False

    @property
    def nbytes(self) -> int:
        """The size of the elements in bytes."""
        return self.array.nbytes

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension.

        >>> import minigrad
        >>> minigrad.ones(2, 3).size(-1)
        3
        """
        return self.shape if dim is None else self.shape[ops.normalize_dim("size", dim, self.ndim)]

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def stride(self, dim: int | None = None) -> Any:
        """How many elements apart two neighbours along each dimension lie in memory, or along one dimension.

        >>> import minigrad
        >>> x = minigrad.ones(2, 3)
        >>> x.stride(), x.T.stride(), x.stride(0)
        ((3, 1), (1, 3), 3)
        """
        if dim is not None:
            return self.stride()[ops.normalize_dim("stride", dim, self.ndim)]
        if not self.array.size:  # no two elements whose distance could be measured: as if there were some
            return tuple(math.prod(max(n, 1) for n in self.shape[i + 1 :]) for i in range(self.ndim))
        return tuple(step // self.array.itemsize for step in self.array.strides)

    def element_size(self) -> int:
        """The size of one element in bytes."""
        return self.array.itemsize

    def is_floating_point(self) -> bool:
        """Is the dtype a floating one?"""
        return self.array.dtype.kind == "f"

    def is_contiguous(self) -> bool:
        """Are the elements in memory in row-major order, without gaps?"""
        return self.array.flags.c_contiguous

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __repr__(self) -> str:
        notes, defaults = [], (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool)
        if not self.numel() and self.ndim != 1:
            notes.append(f"size={self.shape}")
        if self.dtype not in (defaults if self.numel() else defaults[:1]):
            notes.append(f"dtype=minigrad.{self.dtype.name}")
        if self.grad_fn is not None:
            notes.append(f"grad_fn={self.grad_fn}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return text_of(self.array, notes)

    def __format__(self, spec: str) -> str:
        if not self.ndim and (spec or type(self) is Tensor):  # a Parameter shows that it is one, as in PyTorch
            return format(self.item(), spec)
        if spec:
            raise TypeError(f"format: {spec!r} is for one number, not a tensor of shape {self.shape}")
        return repr(self)

    # ------------------------------------------------------------------------------------- gradients

    @property
    def grad(self) -> Tensor | None:
        """The gradient collected by `backward`: None until there is one."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad must be a Tensor or None, got {type(value).__name__}")
            if value is self:
                raise RuntimeError("grad: a tensor cannot be its own gradient; assign a clone()")
            if value.shape != self.shape or value.dtype != self.dtype:
                raise RuntimeError(
                    f"grad must have the tensor's shape {self.shape} and dtype {self.dtype.name}, got {value.shape} "
                    f"and {value.dtype.name}"
                )
        self._grad = value

    @property
    def grad_fn(self) -> autograd.Op | None:
        """The op that made this tensor; None for a leaf."""
        if self._view is not None:
            autograd.follow_base(self)
        return self._grad_fn

    @property
    def requires_grad(self) -> bool:
        """Will ops on this tensor be recorded?"""
        if self._view is not None:
            autograd.follow_base(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for the gradient of this leaf, or stop asking; gives back the tensor.

        RuntimeError for integers, and for one that an op made and that should stop.

        >>> import minigrad
        >>> minigrad.ones(2).requires_grad_()
        tensor([1., 1.], requires_grad=True)
        """
        checks.flag("requires_grad_", "requires_grad", requires_grad)
        if requires_grad and self.dtype.kind != "f":
            raise RuntimeError(
                f"requires_grad: only floating tensors have gradients, got {self.dtype.name}; use x.float()"
            )
        if not requires_grad and self.grad_fn is not None:
            raise RuntimeError(
                f"requires_grad: this tensor was made by {self.grad_fn}, so it cannot stop requiring grad; "
                "use x.detach() for one that does not"
            )
        if requires_grad and self.grad_fn is None:
            self._view = None  # a leaf of its own from now on: what happens to its base is not its history
        self._requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Was this tensor made by the user rather than by a recorded op?"""
        return self.grad_fn is None

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor into `.grad` of every leaf it was computed from.

        gradient     : what arrives at this tensor, of its shape; may be left out when it has one element (then 1)
        retain_graph : keep what the ops saved, so that backward can run again
        create_graph : record this pass too, for higher derivatives
        inputs       : accumulate into these tensors only

        >>> import minigrad
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> (x * x).backward(gradient=minigrad.tensor([1.0, 10.0]))
        >>> x.grad
        tensor([ 2., 20.])
        """
        gradients = None if gradient is None else (gradient,)
        autograd.backward((self,), gradients, retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """The same memory, outside of any graph: what is written to it shows in both.

        >>> import minigrad
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> x.detach()[0] = 5.0
        >>> x
        tensor([5., 1.], requires_grad=True)
        """
        return autograd.wrap(self.array)

    def detach_(self) -> Tensor:
        """Make this tensor a leaf that requires no grad; gives back the tensor.

        Views of it, and what was computed from it, keep their history. So does the base of one that is a view, which
        is from then on what `detach()` would give (PyTorch refuses to do this to a view).

        >>> import minigrad
        >>> y = minigrad.ones(2, requires_grad=True) * 2
        >>> y.detach_()
        tensor([2., 2.])
        """
        self._grad_fn = self._view = None
        self._requires_grad = False
        return self

    @property
    def data(self) -> Tensor:
        """The same memory, outside of any graph; assigning replaces it.

        >>> import minigrad
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> x.data = minigrad.zeros(2)
        >>> x
        tensor([0., 0.], requires_grad=True)
        """
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data must be a Tensor, got {type(value).__name__}")
        if self._requires_grad and not value.is_floating_point():
            raise RuntimeError(f"data: only floating tensors have gradients, got {value.dtype.name} for one that has")
        self.array, self._view = value.array, None
        autograd.changed(self, by="assigning .data")

    @property
    def _version(self) -> builtins.int:
        """How often the memory of this tensor was changed in place, through it or through another."""
        return autograd.version(self.array)

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor in `.grad` even though an op made it. Does nothing to a leaf.

        RuntimeError if the tensor does not require grad.

        >>> import minigrad
        >>> y = minigrad.ones(2, requires_grad=True) * 3
        >>> y.retain_grad()
        >>> (y * y).sum().backward()
        >>> y.grad
        tensor([6., 6.])
        """
        if not self.requires_grad:
            raise RuntimeError("retain_grad: this tensor does not require grad")
        if self.grad_fn is not None:
            autograd.retain_grad(self)

    def register_hook(self, hook: Callable) -> autograd.RemovableHandle:
        """Call `hook(grad)` when the gradient of this tensor is complete; a Tensor it returns replaces the gradient.

        `remove()` of the handle it gives ends that. RuntimeError if the tensor does not require grad.

        >>> import minigrad
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> x.sum().backward()
        >>> x.grad
        tensor([10., 10.])
        """
        if not self.requires_grad:
            raise RuntimeError("register_hook: this tensor does not require grad")
        return autograd.register_hook(self, hook)

    # ------------------------------------------------------------------------ to Python and NumPy, copies

    def item(self) -> Any:
        """The one element, as a Python number. RuntimeError if there are more, or none.

        >>> import minigrad
        >>> minigrad.ones(2, 3).sum().item()
        6.0
        """
        if self.array.size != 1:
            raise RuntimeError(f"item: needs exactly one element, got shape {self.shape}; use tolist()")
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers; a 0-d tensor gives a number.

        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        return self.array.tolist()

    def numpy(self, *, force: builtins.bool = False) -> np.ndarray:
        """The ndarray, sharing memory. A tensor that requires grad must be detached first (`force` does it).

        >>> import minigrad
        >>> x = minigrad.zeros(2)
        >>> x.numpy()[0] = 7.0
        >>> x
        tensor([7., 0.])
        """
        if self.requires_grad and not force:
            raise RuntimeError("numpy: an array would cut this tensor out of its graph; use x.detach().numpy()")
        return self.array

    def __array__(self, dtype: Any = None, copy: builtins.bool | None = None) -> np.ndarray:
        if self.requires_grad:
            raise RuntimeError("np.asarray: an array would cut this tensor out of its graph; use x.detach()")
        return np.array(self.array, dtype=dtype, copy=copy)

    __array_ufunc__ = numpy_protocol.array_ufunc

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        if all(issubclass(kind, (Tensor, np.ndarray)) for kind in types):
            return numpy_protocol.call_function(function, args, kwargs)
        return NotImplemented

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: builtins.bool | None = None
    ) -> Any:
        if self.requires_grad:
            raise BufferError("__dlpack__: a tensor that requires grad cannot be exported; use x.detach()")
        if copy is not True and min(self.array.strides, default=0) < 0 and self.array.size > 1:
            raise BufferError(
                f"__dlpack__: other libraries read no memory backwards, as the strides {self.array.strides} would "
                "have them do; use x.contiguous()"
            )
        return self.array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[builtins.int, builtins.int]:
        return self.array.__dlpack_device__()

    def clone(self) -> Tensor:
        """A copy of the elements; the gradient goes back to the original.

        >>> import minigrad
        >>> x = minigrad.zeros(2)
        >>> x.clone().fill_(7.0), x
        (tensor([7., 7.]), tensor([0., 0.]))
        """
        return ops.clone(self)

    def contiguous(self) -> Tensor:
        """The tensor itself if its elements lie in row-major order, else a copy in which they do.

        >>> import minigrad
        >>> x = minigrad.ones(2, 3)
        >>> x.contiguous() is x, x.T.is_contiguous(), x.T.contiguous().is_contiguous()
        (True, False, True)
        """
        return self if self.is_contiguous() else self.clone()

    def to(
        self,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
    ) -> Tensor:
        """`to(dtype)`, `to(other)` for the dtype of another tensor, `to("cpu")`: itself if nothing changes.

        Floats are cut towards zero on their way to integers. `non_blocking` makes no difference on the CPU.
        RuntimeError for any other device.

        >>> import minigrad
        >>> minigrad.tensor([1.9, -1.9]).to(minigrad.int64)
        tensor([ 1, -1])
        """
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif isinstance(arg, str) and arg.split(":")[0] in ("cpu", "cuda", "mps"):
                device = arg
            elif not isinstance(arg, bool):  # PyTorch's non_blocking
                dtype = arg
        check_device("to", device)
        x = self if dtype is None else ops.cast(self, dtypes.as_dtype(dtype))
        return x.clone() if copy and x is self else x

    def type(self, dtype: Any = None, non_blocking: builtins.bool = False) -> Any:
        """The tensor in another dtype; without one the name of its own (PyTorch has names such as torch.FloatTensor).

        >>> import minigrad
        >>> minigrad.ones(2).type(), minigrad.ones(2).type("int64")
        ('float32', tensor([1, 1]))
        """
        return self.dtype.name if dtype is None else self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """The tensor in the dtype of another."""
        must_be_arrays("type_as", other)
        return self.to(other.dtype)

    def float(self) -> Tensor:
        """The tensor as float32."""
        return self.to(dtypes.float32)

    def double(self) -> Tensor:
        """The tensor as float64."""
        return self.to(dtypes.float64)

    def half(self) -> Tensor:
        """The tensor as float16."""
        return self.to(dtypes.float16)

    def long(self) -> Tensor:
        """The tensor as int64."""
        return self.to(dtypes.int64)

    def int(self) -> Tensor:
        """The tensor as int32."""
        return self.to(dtypes.int32)

    def bool(self) -> Tensor:
        """Which elements are not zero."""
        return self.to(dtypes.bool)

    def cpu(self) -> Tensor:
        """The tensor itself."""
        return self

    # ------------------------------------------- others like it: of its dtype, unless another is given

    def new_tensor(
        self, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: builtins.bool = False
    ) -> Tensor:
        """A copy of `data`, which is what `minigrad.tensor` takes.

        >>> import minigrad
        >>> minigrad.ones(2, dtype=minigrad.float64).new_tensor([1, 2]).dtype
        dtype('float64')
        """
        wanted = dtype_to_make("new_tensor", dtype, device, requires_grad, self.dtype)
        return tensor(data, dtype=wanted, requires_grad=requires_grad)

    def new_empty(
        self,
        *sizes: Any,
        size: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """A tensor of the given size whose elements are whatever the memory held.

        >>> import minigrad
        >>> minigrad.ones(2).new_empty(3, 0)
        tensor([], size=(3, 0))
        """
        wanted = dtype_to_make("new_empty", dtype, device, requires_grad, self.dtype)
        return finished(np.empty(sizes_of("new_empty", sizes, size), wanted), wanted, requires_grad)

    def new_zeros(
        self,
        *sizes: Any,
        size: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """Zeros of the given size.

        >>> import minigrad
        >>> minigrad.tensor([1, 2]).new_zeros(3)
        tensor([0, 0, 0])
        """
        wanted = dtype_to_make("new_zeros", dtype, device, requires_grad, self.dtype)
        return finished(np.zeros(sizes_of("new_zeros", sizes, size), wanted), wanted, requires_grad)

    def new_ones(
        self,
        *sizes: Any,
        size: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """Ones of the given size.

        >>> import minigrad
        >>> minigrad.tensor([True]).new_ones((1, 2))
        tensor([[True, True]])
        """
        wanted = dtype_to_make("new_ones", dtype, device, requires_grad, self.dtype)
        return finished(np.ones(sizes_of("new_ones", sizes, size), wanted), wanted, requires_grad)

    def new_full(
        self,
        size: Any,
        fill_value: Any,
        *,
        dtype: Any = None,
        device: Any = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """A tensor of the given size filled with one value, a number or a 0-d tensor.

        >>> import minigrad
        >>> minigrad.ones(2).new_full((2,), 7)
        tensor([7., 7.])
        """
        value = fill_number("new_full", fill_value)
        wanted = dtype_to_make("new_full", dtype, device, requires_grad, self.dtype)
        return filled("new_full", sizes_of("new_full", (size,)), value, wanted, requires_grad)

    def __bool__(self) -> builtins.bool:
        if self.array.size != 1:
            raise RuntimeError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self.array.item())

    def __float__(self) -> builtins.float:
        return float(self.item())

    def __int__(self) -> builtins.int:
        return int(self.item())

    def __index__(self) -> builtins.int:
        if self.dtype.kind not in "iub":
            raise TypeError(f"only an integer tensor of one element can be an index, got {self.dtype.name}")
        return int(self.item())

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, element: Any) -> builtins.bool:
        return bool(autograd.unwrap(ops.eq(self, element)).any())

    def __deepcopy__(self, memo: dict) -> Tensor:
        if self.grad_fn is not None:
            raise RuntimeError("deepcopy: only leaf tensors can be copied with their place in a graph; detach() first")
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.array, copied.hooks = self.array.copy(), None
        copied._grad_fn = copied._view = None
        copied._requires_grad = self._requires_grad
        copied._grad = None if self._grad is None else autograd.wrap(self._grad.array.copy())
        return copied

    # -------------------------------- arithmetic: ops/elementwise.py, ops/rounding.py, ops/linalg.py

    __add__ = ops.add
    __sub__ = ops.sub
    __mul__ = ops.mul
    __truediv__ = ops.div
    __floordiv__ = ops.floor_divide
    __mod__ = ops.remainder
    __pow__ = ops.pow
    __matmul__ = ops.matmul
    __neg__ = ops.neg
    __abs__ = ops.abs

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.sub(other, self)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.mul(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.div(other, self)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Tensor:
        return ops.remainder(other, self)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.pow(other, self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __pos__(self) -> Tensor:
        return self

    add = ops.add
    sub = subtract = ops.sub
    mul = multiply = ops.mul
    div = divide = true_divide = ops.div
    floor_divide = ops.floor_divide
    remainder = ops.remainder
    fmod = ops.fmod
    neg = negative = ops.neg
    pow = ops.pow
    square = ops.square
    reciprocal = ops.reciprocal
    addcmul = ops.addcmul
    addcdiv = ops.addcdiv
    lerp = ops.lerp
    matmul = ops.matmul
    mm = ops.mm
    bmm = ops.bmm
    dot = ops.dot
    vdot = ops.vdot
    inner = ops.inner
    outer = ger = ops.outer
    mv = ops.mv
    addmm = ops.addmm
    addmv = ops.addmv
    baddbmm = ops.baddbmm
    addbmm = ops.addbmm
    trace = ops.trace

    # ---------------------------------------------- functions: ops/elementwise.py, ops/rounding.py

    exp = ops.exp
    log = ops.log
    exp2 = ops.exp2
    expm1 = ops.expm1
    log1p = ops.log1p
    log2 = ops.log2
    log10 = ops.log10
    sqrt = ops.sqrt
    rsqrt = ops.rsqrt
    sin = ops.sin
    cos = ops.cos
    tan = ops.tan
    asin = arcsin = ops.asin
    acos = arccos = ops.acos
    atan = arctan = ops.atan
    atan2 = arctan2 = ops.atan2
    sinh = ops.sinh
    cosh = ops.cosh
    tanh = ops.tanh
    sigmoid = ops.sigmoid
    erf = ops.erf
    relu = ops.relu
    prelu = ops.prelu
    hardshrink = ops.hardshrink
    abs = absolute = ops.abs
    sign = ops.sign
    floor = ops.floor
    ceil = ops.ceil
    round = ops.round
    trunc = fix = ops.trunc
    frac = ops.frac
    nan_to_num = ops.nan_to_num
    clamp = clip = ops.clamp
    clamp_min = ops.clamp_min
    clamp_max = ops.clamp_max
    maximum = ops.maximum
    minimum = ops.minimum
    logaddexp = ops.logaddexp

    def where(self, condition: Tensor, other: Any) -> Tensor:
        """self where the condition holds, else other; the three broadcast.

        >>> import minigrad
        >>> x = minigrad.tensor([-1, 2])
        >>> x.where(x > 0, 0)
        tensor([0, 2])
        """
        return ops.where(condition, self, other)

    # ----------------------------------------------------------------- comparisons: ops/compare.py

    __lt__ = lt = less = ops.lt
    __le__ = le = less_equal = ops.le
    __gt__ = gt = greater = ops.gt
    __ge__ = ge = greater_equal = ops.ge
    eq = ops.eq
    ne = not_equal = ops.ne

    def __eq__(self, other: object) -> Any:
        return ops.eq(self, other) if ops.is_number_or_array(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return ops.ne(self, other) if ops.is_number_or_array(other) else NotImplemented

    __and__ = __rand__ = ops.bitwise_and
    __or__ = __ror__ = ops.bitwise_or
    __xor__ = __rxor__ = ops.bitwise_xor
    __invert__ = ops.bitwise_not
    logical_and = ops.logical_and
    logical_or = ops.logical_or
    logical_xor = ops.logical_xor
    logical_not = ops.logical_not
    isnan = ops.isnan
    isinf = ops.isinf
    isfinite = ops.isfinite
    isclose = ops.isclose
    allclose = ops.allclose
    equal = ops.equal
    nonzero = ops.nonzero
    bitwise_and = ops.bitwise_and
    bitwise_or = ops.bitwise_or
    bitwise_xor = ops.bitwise_xor
    bitwise_not = ops.bitwise_not

    # ------------------------------------------------------------------- reductions: ops/reduce.py

    sum = ops.sum
    mean = ops.mean
    var = ops.var
    std = ops.std
    norm = ops.norm
    dist = ops.dist
    cumsum = ops.cumsum
    cummax = ops.cummax
    cummin = ops.cummin
    diff = ops.diff
    prod = ops.prod
    cumprod = ops.cumprod
    max = ops.max
    min = ops.min
    amax = ops.amax
    amin = ops.amin
    aminmax = ops.aminmax
    median = ops.median
    argmax = ops.argmax
    argmin = ops.argmin
    all = ops.all
    any = ops.any
    count_nonzero = ops.count_nonzero
    softmax = ops.softmax
    log_softmax = ops.log_softmax
    logsumexp = ops.logsumexp

    # -- shape, indices, order: ops/shape.py, join.py, diagonal.py, index.py, scatter.py, sort.py

    reshape = ops.reshape
    view = ops.view
    flatten = ops.flatten
    unflatten = ops.unflatten
    squeeze = ops.squeeze
    unsqueeze = ops.unsqueeze
    permute = ops.permute
    transpose = ops.transpose
    t = ops.t
    movedim = moveaxis = ops.movedim
    swapdims = ops.swapdims
    swapaxes = ops.swapaxes
    ravel = ops.ravel
    expand = ops.expand
    expand_as = ops.expand_as
    broadcast_to = ops.broadcast_to
    repeat = ops.repeat
    repeat_interleave = ops.repeat_interleave
    tile = ops.tile
    flip = ops.flip
    fliplr = ops.fliplr
    flipud = ops.flipud
    rot90 = ops.rot90
    roll = ops.roll
    chunk = ops.chunk
    tensor_split = ops.tensor_split
    unbind = ops.unbind
    diagonal = ops.diagonal
    diag = ops.diag
    diag_embed = ops.diag_embed
    diagflat = ops.diagflat
    tril = ops.tril
    triu = ops.triu
    __getitem__ = ops.getitem
    narrow = ops.narrow
    select = ops.select
    gather = ops.gather
    take = ops.take
    take_along_dim = ops.take_along_dim
    scatter = ops.scatter
    scatter_add = ops.scatter_add
    index_select = ops.index_select
    index_add = ops.index_add
    index_copy = ops.index_copy
    index_fill = ops.index_fill
    index_put = ops.index_put
    masked_fill = ops.masked_fill
    masked_select = ops.masked_select
    masked_scatter = ops.masked_scatter
    sort = ops.sort
    argsort = ops.argsort
    topk = ops.topk
    kthvalue = ops.kthvalue
    unique = ops.unique
    bernoulli = random.bernoulli
    multinomial = random.multinomial

    def split(self, split_size: Any, dim: builtins.int = 0) -> tuple[Tensor, ...]:
        """Views of parts along `dim`, all of one size or of those in a list; see `minigrad.split`.

        >>> import minigrad
        >>> minigrad.arange(5).split(2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
        """
        return ops.split(self, split_size, dim)

    @property
    def T(self) -> Tensor:
        """The dimensions in reverse order, all of them.

        >>> import minigrad
        >>> minigrad.ones(2, 3, 5).T.shape
        (5, 3, 2)
        """
        return ops.permute(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
        return ops.transpose(self, -2, -1)

    def view_as(self, other: Tensor) -> Tensor:
        """A view of this tensor in the shape of another; RuntimeError where that needs a copy.

        >>> import minigrad
        >>> minigrad.arange(4).view_as(minigrad.zeros(2, 2))
        tensor([[0, 1],
                [2, 3]])
        """
        must_be_arrays("view_as", other)
        return ops.view(self, other.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """This tensor in the shape of another."""
        must_be_arrays("reshape_as", other)
        return ops.reshape(self, other.shape)

    # ---------------------------------------------------------------- in place: ops/write.py

    def _write(
        self,
        name: str,
        compute: Callable[..., Any],
        *operands: Any,
        key: Any = ...,
        convert: builtins.bool = False,
        needs_old: builtins.bool = False,
        **options: Any,
    ) -> Tensor:
        """self[key] = compute(*operands, **options), or of (self, *operands) if it `needs_old` values.

        `convert`: to this dtype, whatever the dtype of the values. Nothing changes where an error is raised.
        """
        given = (*operands, *options.values())
        recorded = autograd.is_grad_enabled() and (
            self._has_history(name)
            or (self.is_floating_point() and any(isinstance(x, Tensor) and x.requires_grad for x in given))
        )
        if not self.array.flags.writeable:
            raise RuntimeError(f"{name}: this tensor's memory is read-only (it was expanded, say); write to x.clone()")
        old = self
        if recorded:  # what is recorded must not see the new values: a copy, with the history of this tensor
            old = autograd.wrap(self.array.copy() if needs_old else self.array)
            old._grad_fn, old._requires_grad = self._grad_fn, self._requires_grad
            operands = tuple(old if x is self else x for x in operands)
        with autograd.set_grad_enabled(recorded):
            value = compute(*((old,) if needs_old else ()), *operands, **options)
        array = self._fitting(name, key, np.asarray(autograd.unwrap(value)), convert)
        if recorded:
            self._write_recorded(value, key, needs_old)
        else:
            self.array[key] = array
        autograd.changed(self.array, by=name)
        return self

    def _has_history(self, name: str) -> builtins.bool:
        """Does this tensor require grad? RuntimeError if it is a leaf that does, or a view of one."""
        if self._view is None:
            base, leaf = self, "a leaf that requires grad"
        else:
            base, leaf = self._view[0], "a view of a leaf that requires grad"
        if base._requires_grad and base._grad_fn is None:
            raise RuntimeError(
                f"{name}: {leaf} cannot be changed in place while ops are recorded, for its old values would be "
                "lost to backward; make a new tensor instead, or write inside `with minigrad.no_grad():`"
            )
        if base._requires_grad and not self.requires_grad:
            raise RuntimeError(
                f"{name}: this view was made under no_grad(), so its base, which requires grad, cannot record the "
                "change; make the view outside of no_grad(), or write inside of it"
            )
        return self.requires_grad

    def _fitting(self, name: str, key: Any, value: np.ndarray, convert: builtins.bool) -> np.ndarray:
        """`value` as it can be written to self[key]; else an error."""
        if value.dtype.kind not in "fiub":
            raise TypeError(f"{name}: a value must be a number, an array or a Tensor, got {value.dtype.name}")
        try:
            target = self.array[key].shape
        except IndexError as error:
            raise IndexError(f"{name}: {error}; the tensor has shape {self.shape}") from None
        shape = value.shape if key is ... else ops.without_leading_ones(value.shape, len(target))
        try:
            np.broadcast_to(value.reshape(shape), target)
        except ValueError:
            raise RuntimeError(
                f"{name}: values of shape {value.shape} do not fit in place into shape {target}"
            ) from None
        if not (convert or dtypes.can_hold(self.dtype, value.dtype)):
            raise RuntimeError(
                f"{name}: a {value.dtype.name} result does not fit in place into a {self.dtype.name} tensor"
            )
        return value.reshape(shape)

    def _write_recorded(self, value: Any, key: Any, from_old: builtins.bool) -> None:
        """Write `value` to self[key], and give this tensor, or its base if it is a view, the history of that."""
        base, path = autograd.base_and_path(self)
        whole = from_old and base is self and (value.shape, value.dtype) == (self.shape, self.dtype)
        if whole and value.requires_grad:
            self.array[key] = value.array
            new = value
        else:
            before = autograd.wrap(base.array)
            before._grad_fn, before._requires_grad = base._grad_fn, base._requires_grad
            new = ops.overwrite(before, value, path, key)
        autograd.rebase(base, new)

    add_ = __iadd__ = _in_place("add_", ops.add)
    sub_ = subtract_ = __isub__ = _in_place("sub_", ops.sub)
    mul_ = multiply_ = __imul__ = _in_place("mul_", ops.mul)
    div_ = divide_ = true_divide_ = __itruediv__ = _in_place("div_", ops.div)
    floor_divide_ = __ifloordiv__ = _in_place("floor_divide_", ops.floor_divide)
    remainder_ = __imod__ = _in_place("remainder_", ops.remainder)
    fmod_ = _in_place("fmod_", ops.fmod)
    pow_ = __ipow__ = _in_place("pow_", ops.pow)
    neg_ = negative_ = _in_place("neg_", ops.neg)
    square_ = _in_place("square_", ops.square)
    reciprocal_ = _in_place("reciprocal_", ops.reciprocal)
    addcmul_ = _in_place("addcmul_", ops.addcmul)
    addcdiv_ = _in_place("addcdiv_", ops.addcdiv)
    lerp_ = _in_place("lerp_", ops.lerp)
    addmm_ = _in_place("addmm_", ops.addmm)
    exp_ = _in_place("exp_", ops.exp)
    log_ = _in_place("log_", ops.log)
    exp2_ = _in_place("exp2_", ops.exp2)
    expm1_ = _in_place("expm1_", ops.expm1)
    log1p_ = _in_place("log1p_", ops.log1p)
    log2_ = _in_place("log2_", ops.log2)
    log10_ = _in_place("log10_", ops.log10)
    sqrt_ = _in_place("sqrt_", ops.sqrt)
    rsqrt_ = _in_place("rsqrt_", ops.rsqrt)
    sin_ = _in_place("sin_", ops.sin)
    cos_ = _in_place("cos_", ops.cos)
    tan_ = _in_place("tan_", ops.tan)
    tanh_ = _in_place("tanh_", ops.tanh)
    sigmoid_ = _in_place("sigmoid_", ops.sigmoid)
    erf_ = _in_place("erf_", ops.erf)
    relu_ = _in_place("relu_", ops.relu)
    abs_ = absolute_ = _in_place("abs_", ops.abs)
    sign_ = _in_place("sign_", ops.sign)
    floor_ = _in_place("floor_", ops.floor)
    ceil_ = _in_place("ceil_", ops.ceil)
    round_ = _in_place("round_", ops.round)
    trunc_ = fix_ = _in_place("trunc_", ops.trunc)
    frac_ = _in_place("frac_", ops.frac)
    nan_to_num_ = _in_place("nan_to_num_", ops.nan_to_num)
    clamp_ = clip_ = _in_place("clamp_", ops.clamp)
    clamp_min_ = _in_place("clamp_min_", ops.clamp_min)
    clamp_max_ = _in_place("clamp_max_", ops.clamp_max)
    cumsum_ = _in_place("cumsum_", ops.cumsum)
    cumprod_ = _in_place("cumprod_", ops.cumprod)
    tril_ = _in_place("tril_", ops.tril)
    triu_ = _in_place("triu_", ops.triu)
    scatter_ = _in_place("scatter_", ops.scatter)
    scatter_add_ = _in_place("scatter_add_", ops.scatter_add)
    index_add_ = _in_place("index_add_", ops.index_add)
    index_copy_ = _in_place("index_copy_", ops.index_copy)
    index_fill_ = _in_place("index_fill_", ops.index_fill)
    index_put_ = _in_place("index_put_", ops.index_put)
    masked_fill_ = _in_place("masked_fill_", ops.masked_fill)
    masked_scatter_ = _in_place("masked_scatter_", ops.masked_scatter)
    logical_and_ = _in_place("logical_and_", ops.logical_and)
    logical_or_ = _in_place("logical_or_", ops.logical_or)
    logical_xor_ = _in_place("logical_xor_", ops.logical_xor)
    logical_not_ = _in_place("logical_not_", ops.logical_not)
    bitwise_and_ = __iand__ = _in_place("bitwise_and_", ops.bitwise_and)
    bitwise_or_ = __ior__ = _in_place("bitwise_or_", ops.bitwise_or)
    bitwise_xor_ = __ixor__ = _in_place("bitwise_xor_", ops.bitwise_xor)
    bitwise_not_ = _in_place("bitwise_not_", ops.bitwise_not)

    def copy_(self, src: Any) -> Tensor:
        """Take over the elements of `src`, broadcast and converted to this dtype.

        >>> import minigrad
        >>> minigrad.zeros(2, 2, dtype=minigrad.int64).copy_(minigrad.tensor([1.9, 4.0]))
        tensor([[1, 4],
                [1, 4]])
        """
        return self._write("copy_", _itself, src, convert=True)

    def fill_(self, value: Any) -> Tensor:
        """Set every element to `value`, a number or a 0-d Tensor; RuntimeError for another shape.

        >>> import minigrad
        >>> x = minigrad.zeros(2, 2)
        >>> x[0].fill_(7), x.sum()
        (tensor([7., 7.]), tensor(14.))
        """
        shape = np.shape(autograd.unwrap(value))
        if shape:
            raise RuntimeError(f"fill_: the value must be a number or a 0-d tensor, got shape {shape}; use copy_")
        return self._write("fill_", _itself, value, convert=True)

    def zero_(self) -> Tensor:
        """Set every element to 0."""
        return self._write("zero_", _itself, 0, convert=True)

    def uniform_(self, from_: Any = 0, to: Any = 1, *, generator: Generator | None = None) -> Tensor:
        """Draw every element uniformly from [from_, to). RuntimeError for integers, and if from_ > to.

        >>> import minigrad
        >>> x = minigrad.zeros(1000).uniform_(-1, 1)
        >>> bool((x >= -1).all()), bool((x < 1).all())
        (True, True)
        """
        self._must_be_floating("uniform_")
        from_, to = python_number("uniform_", "from_", from_), python_number("uniform_", "to", to)
        if not from_ <= to:
            raise RuntimeError(f"uniform_: from_ must not exceed to, got {from_} and {to}")

        def draw() -> np.ndarray:
            numbers = source(generator).uniform(from_, to, self.shape)
            low, high = self.dtype.type(from_), self.dtype.type(to)
            return np.minimum(numbers, np.nextafter(high, low))  # rounded to this dtype, one could reach `to`

        return self._write("uniform_", draw, convert=True)

    def normal_(self, mean: Any = 0, std: Any = 1, *, generator: Generator | None = None) -> Tensor:
        """Draw every element from the normal distribution."""
        self._must_be_floating("normal_")
        mean, std = python_number("normal_", "mean", mean), python_number("normal_", "std", std)
        if not std >= 0:
            raise RuntimeError(f"normal_: std must not be negative, got {std}")
        return self._write("normal_", lambda: source(generator).normal(mean, std, self.shape), convert=True)

    def bernoulli_(self, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
        """Set every element to 1 with probability p, else to 0."""
        chances = np.asarray(autograd.unwrap(p))
        if chances.dtype.kind not in "fiub":
            raise TypeError(f"bernoulli_: p must be a number or a tensor of them, got {p!r}")
        must_be_chances("bernoulli_", "p", chances)
        try:
            np.broadcast_to(chances, self.shape)
        except ValueError:
            raise RuntimeError(
                f"bernoulli_: p of shape {chances.shape} does not broadcast to shape {self.shape}"
            ) from None
        return self._write("bernoulli_", lambda: source(generator).random(self.shape) < chances, convert=True)

    def _must_be_floating(self, name: str) -> None:
        if not self.is_floating_point():
            raise RuntimeError(
                f"{name}: needs a floating tensor, got {self.dtype.name}; draw in a floating one and convert"
            )

    def __setitem__(self, key: Any, value: Any) -> None:
        places = ops.as_key(self, key)
        places = places if isinstance(places, tuple) else (places,)  # `...` alone stands for the methods above
        self._write("x[index] = value", _itself, value, key=places, convert=True)


autograd.register_tensor(Tensor)


def _itself(value: Any) -> Any:
    return value


# ----------------------------------------------------------------------------------- making tensors of data


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`: nested lists of numbers, an array, a number or a tensor.

    Python floats become the default dtype (float32), ints int64; arrays keep their dtype.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    check_device("tensor", device)
    made = autograd.wrap(_to_array(data, dtype, copy=True))
    return made.requires_grad_() if requires_grad else made


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing memory if it is an array of that dtype; a tensor stays as it is."""
    check_device("as_tensor", device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return autograd.wrap(_to_array(data, dtype, copy=None))


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Tensor:
    """`obj` as a tensor, sharing memory where that is possible; a tensor stays as it is, and in its graph.

    copy          : True for memory of its own, False for a ValueError where it cannot be shared
    requires_grad : True for a tensor that requires grad, False for one outside of any graph

    >>> import minigrad, numpy as np
    >>> a = np.zeros(2, dtype=np.float32)
    >>> t = minigrad.asarray(a)
    >>> a[0] = 1
    >>> t, minigrad.asarray(a, copy=True).requires_grad
    (tensor([1., 0.]), False)
    """
    check_device("asarray", device)
    x = obj if isinstance(obj, Tensor) else None
    array = _to_array(obj if x is None else x.array, dtype, copy=None)
    shared = array is x.array if x is not None else isinstance(obj, np.ndarray) and np.may_share_memory(array, obj)
    if copy is False and not shared:
        raise ValueError(
            f"asarray: cannot share the memory of this {type(obj).__name__} as {array.dtype.name}; leave copy=False out"
        )
    if x is not None:
        made = x.to(array.dtype, copy=bool(copy))
    else:
        made = autograd.wrap(array.copy() if copy and shared else array)
    if requires_grad is False and made.requires_grad:
        return made.detach()
    return made.requires_grad_() if requires_grad else made


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares the memory of an array.

    >>> import minigrad, numpy as np
    >>> a = np.zeros(2, dtype=np.float32)
    >>> t = minigrad.from_numpy(a)
    >>> a[0] = 1
    >>> t
    tensor([1., 0.])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: needs an ndarray, got {type(ndarray).__name__}; use minigrad.tensor(data)")
    return autograd.wrap(_to_array(ndarray, None, copy=None))


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's, through the DLPack protocol.

    ext_tensor : has `__dlpack__` and `__dlpack_device__`: an array or tensor on the CPU of NumPy, PyTorch, JAX, CuPy
    copy       : True for memory of its own, False for a BufferError where it cannot be shared

    What is read-only there stays so here (with NumPy 2.1 all of it is). TypeError for anything else and for a dtype
    that is not supported, RuntimeError for a tensor on another device, BufferError for one that its library does not
    hand out (one that requires grad, say).

    >>> import minigrad, numpy as np
    >>> a = np.zeros(2, dtype=np.float32)
    >>> t = minigrad.from_dlpack(a)
    >>> a[0] = 1
    >>> t
    tensor([1., 0.])
    """
    check_device("from_dlpack", device)
    if not (hasattr(ext_tensor, "__dlpack__") and hasattr(ext_tensor, "__dlpack_device__")):
        raise TypeError(
            f"from_dlpack: needs an object with __dlpack__ and __dlpack_device__, got {type(ext_tensor).__name__}; use "
            "minigrad.tensor(data)"
        )
    kind, index = ext_tensor.__dlpack_device__()
    if int(kind) not in _DLPACK_ON_THE_HOST:
        raise RuntimeError(
            f"from_dlpack: the only device is the CPU, DLPack's {(_DLPACK_ON_THE_HOST[0], 0)}, got "
            f"{(int(kind), index)}; copy it to the CPU first"
        )
    try:
        array = np.from_dlpack(ext_tensor, copy=copy)
    except RuntimeError as error:
        if "dtype" not in str(error):
            raise
        dtype = getattr(ext_tensor, "dtype", "unknown")
        raise TypeError(f"from_dlpack: dtype {dtype} is not supported; convert it first, to float32, say") from None
    return autograd.wrap(_to_array(array, None, copy=None))


_DLPACK_ON_THE_HOST = (1, 3, 11, 13)  # kDLCPU, and memory that it shares with a GPU: CUDAHost, ROCMHost, CUDAManaged


@quiet
def _to_array(data: Any, dtype: Any, copy: bool | None) -> np.ndarray:
    """`data` as an ndarray of a supported dtype, copied if `copy`, else only where NumPy must."""
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(data, Tensor):
        return np.array(data.array, dtype=wanted, copy=copy)
    if wanted is None and isinstance(data, (list, tuple, float, int)):
        wanted = _dtype_of_numbers(data)
    try:
        array = np.array(data, dtype=wanted, copy=copy)
        return array.astype(dtypes.as_dtype(array.dtype), copy=False)
    except (ValueError, TypeError, OverflowError) as error:
        kind = RuntimeError if isinstance(error, OverflowError) else type(error)
        raise kind(f"tensor: cannot make a tensor of this {type(data).__name__}: {error}") from None


def _dtype_of_numbers(data: Any) -> np.dtype | None:
    """The dtype that all the elements promote to, Python floats being of the default one; None: ask NumPy."""
    found: np.dtype | None = None
    for kind in {getattr(x, "dtype", type(x)) for x in _flatten(data)}:
        if not isinstance(kind, np.dtype):
            kind = {bool: dtypes.bool, int: dtypes.int64, float: dtypes.get_default_dtype()}.get(kind)
        if kind is None or kind not in dtypes.SUPPORTED:
            return None
        found = kind if found is None else dtypes.promote_types(found, kind)
    return dtypes.get_default_dtype() if found is None else found


def _flatten(data: Any) -> Iterator:
    """The elements of nested lists and tuples."""
    if isinstance(data, (list, tuple)):
        for part in data:
            yield from _flatten(part)
    else:
        yield data


def dtype_to_make(op: str, dtype: Any, device: Any, requires_grad: bool, default: np.dtype | None = None) -> np.dtype:
    """The dtype to make. All options are checked at once, before memory is taken or a random number drawn."""
    check_device(op, device)
    wanted = dtypes.as_dtype(dtype) if dtype is not None else default or dtypes.get_default_dtype()
    if requires_grad and wanted.kind != "f":
        raise RuntimeError(f"{op}: only floating tensors have gradients, got requires_grad=True for {wanted.name}")
    return wanted


def finished(array: Any, wanted: np.dtype, requires_grad: bool) -> Tensor:
    """The Tensor of what was made."""
    made = autograd.wrap(np.asarray(array).astype(wanted, copy=False))
    return made.requires_grad_() if requires_grad else made


def fill_number(op: str, fill_value: Any) -> Any:
    """A value to fill a tensor with: a number, or a 0-d array of one."""
    value = autograd.unwrap(fill_value)
    if np.ndim(value):
        raise TypeError(f"{op}: fill_value must be one number, got shape {np.shape(value)}")
    python_number(op, "fill_value", value)
    return value


def filled(op: str, shape: tuple[int, ...], value: Any, wanted: np.dtype, requires_grad: bool) -> Tensor:
    """A tensor of one value. RuntimeError if the dtype cannot hold it."""
    try:
        return finished(np.full(shape, value, wanted), wanted, requires_grad)
    except OverflowError as error:
        raise RuntimeError(f"{op}: {error}") from None


# ------------------------------------------------------------------------------------- questions, as functions


def numel(input: Tensor) -> int:
    """The number of elements.

    >>> import minigrad
    >>> minigrad.numel(minigrad.ones(2, 3))
    6
    """
    must_be_arrays("numel", input)
    return autograd.unwrap(input).size


def is_floating_point(input: Tensor) -> bool:
    """Is the dtype a floating one?

    >>> import minigrad
    >>> minigrad.is_floating_point(minigrad.tensor([1, 2]))
    False
    """
    must_be_arrays("is_floating_point", input)
    return input.dtype.kind == "f"
