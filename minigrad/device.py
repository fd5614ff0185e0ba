"""The one device there is, the CPU, as an object with PyTorch's attributes."""

from __future__ import annotations

import builtins
from typing import Any

__all__ = ["CPU", "check_device", "device"]


class device(str):
    """Where a tensor lives: the CPU, which is the only device. It is a str too, so that it equals "cpu".

    type  : a name such as "cpu" or "cpu:0", or a device
    index : the number of the device, if it is not in the name; only 0 is there

    RuntimeError for any other device.

    >>> import minigrad
    >>> cpu = minigrad.device("cpu")
    >>> cpu, cpu.type, cpu.index, cpu == "cpu"
    (device(type='cpu'), 'cpu', None, True)
    >>> minigrad.zeros(2, device=cpu).device == cpu
    True
    """

    __slots__ = ()

    def __new__(cls, type: Any = "cpu", index: int | None = None) -> device:
        if not isinstance(type, str):
            raise TypeError(f'device: the name of a device must be a str such as "cpu", got {type!r}')
        if index is not None and ":" in type:
            raise RuntimeError(f"device: {str(type)!r} has an index, so none can be given beside it, got {index!r}")
        name = str(type) if index is None else f"{type}:{index}"
        check_device("device", name)
        return super().__new__(cls, name)

    @property
    def type(self) -> str:
        """The name without the index: "cpu"."""
        return str(self).partition(":")[0]

    @property
    def index(self) -> builtins.int | None:  # type: ignore[override]
        """The number in the name, or None."""
        number = str(self).partition(":")[2]
        return int(number) if number else None

    def __repr__(self) -> str:
        return f"device(type={self.type!r})" if self.index is None else f"device(type='cpu', index={self.index})"


def check_device(op: str, device: Any) -> None:
    """RuntimeError for any device but the CPU."""
    if device is not None and str(device) not in ("cpu", "cpu:0"):
        raise RuntimeError(f'{op}: the only device is "cpu", got {str(device)!r}')


CPU = device("cpu")
