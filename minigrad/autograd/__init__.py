"""Automatic differentiation, in reverse mode.

    engine.py      Op, the backward walk, `backward` and `grad`: read this one first
    grad_mode.py   are ops being recorded?
    gradcheck.py   derivatives against finite differences
"""

from .engine import (
    QUIET,
    Fused,
    Op,
    RemovableHandle,
    backward,
    grad,
    is_tensor,
    must_broadcast,
    register_hook,
    register_tensor,
    retain_grad,
    unwrap,
    wrap,
)
from .grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "QUIET",
    "Fused",
    "GradcheckError",
    "Op",
    "RemovableHandle",
    "backward",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "is_grad_enabled",
    "is_tensor",
    "must_broadcast",
    "no_grad",
    "register_hook",
    "register_tensor",
    "retain_grad",
    "set_grad_enabled",
    "unwrap",
    "wrap",
]
