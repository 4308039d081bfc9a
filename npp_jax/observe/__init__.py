"""What instruments see: of a profile by SIMS depth resolution, sensitivity, background, noise; of a current or another
course in time its calibration and noise; and how well data agree with it.

Lengths are in nanometres, signals in fractions of the bulk content of the native ion. This part knows no simulator: a
profile is a list of cells with their averages.
"""

from npp_jax.observe.by_ion import broadest, differs_by_ion, of_each_ion
from npp_jax.observe.convolution import convolve, mean_over
from npp_jax.observe.detection import detection_limits
from npp_jax.observe.likelihood import AbstractLikelihood, GaussianLikelihood, PoissonLikelihood, StudentLikelihood
from npp_jax.observe.noise import measure
from npp_jax.observe.observation import (
    Nuisance,
    NuisancePrior,
    Observation,
    solve_linear_nuisance,
)
from npp_jax.observe.profile import FAR, MINIMUM_POINTS, DepthProfile, Systematic, below_limits, check, within
from npp_jax.observe.record import IN_TIME, RECORDED, Record, Recorded, gathered, scatter
from npp_jax.observe.response import AbstractResponse, DowsettResponse, GaussianResponse, MRIResponse, NoResponse
from npp_jax.observe.sampled import SampledResponse, average, parts_resolved, sample_response
from npp_jax.observe.squares import expected_by_data, expected_squares

__all__ = [
    "FAR",
    "IN_TIME",
    "MINIMUM_POINTS",
    "RECORDED",
    "AbstractLikelihood",
    "AbstractResponse",
    "DepthProfile",
    "DowsettResponse",
    "GaussianLikelihood",
    "GaussianResponse",
    "MRIResponse",
    "NoResponse",
    "Nuisance",
    "NuisancePrior",
    "Observation",
    "PoissonLikelihood",
    "Record",
    "Recorded",
    "SampledResponse",
    "StudentLikelihood",
    "Systematic",
    "average",
    "below_limits",
    "broadest",
    "check",
    "convolve",
    "detection_limits",
    "differs_by_ion",
    "expected_by_data",
    "expected_squares",
    "gathered",
    "mean_over",
    "measure",
    "of_each_ion",
    "parts_resolved",
    "sample_response",
    "scatter",
    "solve_linear_nuisance",
    "within",
]
