"""Sweeps: designs of candidates, the store that keeps their results, and their ranking."""

from npp_jax.store.assemble import Coordinate, Variable
from npp_jax.store.chunks import DamagedChunk
from npp_jax.store.disk import StoreError, StoreFull, StoreLocked
from npp_jax.store.manifest import Manifest
from npp_jax.store.store import Store, StoreMismatch, as_stored
from npp_jax.store.stored import SweepFileError
from npp_jax.sweeping.description import OBSERVABLES, parameter_variables, shared_values
from npp_jax.sweeping.design.designs import (
    AbstractDesign,
    DesignError,
    Grid,
    LatinHypercube,
    Sobol,
    Uniform,
    fingerprint,
    rows,
)
from npp_jax.sweeping.design.table import Table, read_table
from npp_jax.sweeping.profiles import KeptProfiles
from npp_jax.sweeping.ranking import SweepResult, accepted, best, rank, read_sweep, weights
from npp_jax.sweeping.screening import NoCandidate, fit
from npp_jax.sweeping.sweeping import Certificates, Workers, sweep
from npp_jax.sweeping.training import TrainingData, training_data

__all__ = [
    "OBSERVABLES",
    "AbstractDesign",
    "Certificates",
    "Coordinate",
    "DamagedChunk",
    "DesignError",
    "Grid",
    "KeptProfiles",
    "LatinHypercube",
    "Manifest",
    "NoCandidate",
    "Sobol",
    "Store",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreMismatch",
    "SweepFileError",
    "SweepResult",
    "Table",
    "TrainingData",
    "Uniform",
    "Variable",
    "Workers",
    "accepted",
    "as_stored",
    "best",
    "fingerprint",
    "fit",
    "parameter_variables",
    "rank",
    "read_sweep",
    "read_table",
    "rows",
    "shared_values",
    "sweep",
    "training_data",
    "weights",
]
