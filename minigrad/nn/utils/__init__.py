"""What is done to the parameters and the layers of a model as a whole."""

from .calibrate import calibrate
from .clip_grad import clip_grad_norm_, clip_grad_value_
from .convert_parameters import parameters_to_vector, vector_to_parameters
from .fuse import FoldedBatchNorm, Fusion, fuse

__all__ = [
    "FoldedBatchNorm",
    "Fusion",
    "calibrate",
    "clip_grad_norm_",
    "clip_grad_value_",
    "fuse",
    "parameters_to_vector",
    "vector_to_parameters",
]
