"""Layers, losses and what models are made of."""

from .module import Module
from .parameter import Parameter

__all__ = ["Module", "Parameter"]
