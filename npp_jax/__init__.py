"""Differentiable Nernst–Planck–Poisson simulation of ion exchange in solid electrolytes."""

from npp_jax._version import __version__
from npp_jax.files import ConfigError, load_experiment
from npp_jax.physics import Experiment
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import ACCURATE, FAST, simulate
from npp_jax.simulation.solution import Report, Solution, Trace
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.simulation.supported import Unsupported

__all__ = [
    "ACCURATE",
    "FAST",
    "STATUS_ADVICE",
    "ConfigError",
    "Controls",
    "Experiment",
    "Report",
    "Solution",
    "Status",
    "Trace",
    "Unsupported",
    "__version__",
    "load_experiment",
    "simulate",
]
