"""Sweeps: designs of candidates and the store that keeps their results."""

from npp_jax.sweep.designs import AbstractDesign, Grid, LatinHypercube, Sobol, Uniform, fingerprint, rows
from npp_jax.sweep.space import Axis, DesignError
from npp_jax.sweep.table import Table, read_table, write_table

__all__ = [
    "AbstractDesign",
    "Axis",
    "DesignError",
    "Grid",
    "LatinHypercube",
    "Sobol",
    "Table",
    "Uniform",
    "fingerprint",
    "read_table",
    "rows",
    "write_table",
]
