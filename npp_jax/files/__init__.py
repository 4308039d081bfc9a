"""Files of the user: experiment files, and what all of them have in common."""

from npp_jax.files.errors import ConfigError, ConfigTable, Name
from npp_jax.files.experiment import experiment_schema, load_experiment, parse_experiment
from npp_jax.files.experiment_tables import Diffusion, Fraction, Temperature, Time

__all__ = [
    "ConfigError",
    "ConfigTable",
    "Diffusion",
    "Fraction",
    "Name",
    "Temperature",
    "Time",
    "experiment_schema",
    "load_experiment",
    "parse_experiment",
]
