"""Fits: parameters with ranges, least squares from many starts, and what the data determine."""

from npp_jax.fit.objective import Evaluation, Measurement, Objective, Problem
from npp_jax.fit.parameters import Parameter, ParameterError, known_keys, place, value_of
from npp_jax.fit.refine import REASON_ADVICE, Reason, RefineOptions, RefineResult, refine
from npp_jax.fit.transform import (
    Bound,
    Bounds,
    Ranges,
    from_unbounded,
    ranges_of,
    start_values,
    theta_slope,
    to_scaled,
    to_theta,
    to_unbounded,
    unbounded_slope,
)

__all__ = [
    "REASON_ADVICE",
    "Bound",
    "Bounds",
    "Evaluation",
    "Measurement",
    "Objective",
    "Parameter",
    "ParameterError",
    "Problem",
    "Ranges",
    "Reason",
    "RefineOptions",
    "RefineResult",
    "from_unbounded",
    "known_keys",
    "place",
    "ranges_of",
    "refine",
    "start_values",
    "theta_slope",
    "to_scaled",
    "to_theta",
    "to_unbounded",
    "unbounded_slope",
    "value_of",
]
