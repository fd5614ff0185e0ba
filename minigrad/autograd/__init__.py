"""Automatic differentiation, in reverse mode.

engine.py      Op, the backward walk, `backward` and `grad`: read this one first
grad_mode.py   are ops being recorded?
versions.py    what was changed in place since an op saved it
anomaly.py     who made the first NaN, on which line
function.py    an op of one's own in PyTorch's form
functional.py  products with Jacobians and Hessians; stands above `tensor`
gradcheck.py   derivatives against finite differences
diagnosis.py   what gradcheck says of those that disagree
"""

from .anomaly import detect_anomaly, is_anomaly_check_nan_enabled, is_anomaly_enabled, set_detect_anomaly
from .engine import (
    QUIET,
    AccumulateGrad,
    Fused,
    Op,
    RemovableHandle,
    backward,
    base_and_path,
    follow_base,
    grad,
    is_tensor,
    must_broadcast,
    rebase,
    register_hook,
    register_tensor,
    retain_grad,
    unwrap,
    wrap,
)
from .function import Function
from .grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .versions import changed, version

__all__ = [
    "QUIET",
    "AccumulateGrad",
    "Function",
    "Fused",
    "GradcheckError",
    "Op",
    "RemovableHandle",
    "backward",
    "base_and_path",
    "changed",
    "detect_anomaly",
    "enable_grad",
    "follow_base",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_tensor",
    "must_broadcast",
    "no_grad",
    "rebase",
    "register_hook",
    "register_tensor",
    "retain_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "unwrap",
    "version",
    "wrap",
]
