"""Differentiable Nernst–Planck–Poisson simulation of ion exchange in solid electrolytes."""

__version__ = "0.1.0"

__all__ = ["__version__"]
