"""Fits: parameter space and objective."""

from npp_jax.fit.objective import Evaluation, Measurement, Objective, Problem
from npp_jax.fit.parameters import Parameter, ParameterError, known_keys, place, value_of

__all__ = [
    "Evaluation",
    "Measurement",
    "Objective",
    "Parameter",
    "ParameterError",
    "Problem",
    "known_keys",
    "place",
    "value_of",
]
