"""Fits of experiments: parameters, objective, least squares from many starts, and what the data determine."""

from npp_jax.fitting.band import Band, LawBands, draw, law_bands, signal_sigma
from npp_jax.fitting.evaluation import Evaluation, Predicted
from npp_jax.fitting.fitting import FitResult, fit
from npp_jax.fitting.free_form import with_free_form, with_smoothness
from npp_jax.fitting.jacobian import Expansion, LinearModel
from npp_jax.fitting.minima import Minimum
from npp_jax.fitting.noise import NoiseModel
from npp_jax.fitting.objective import Objective
from npp_jax.fitting.parameters import known_keys, place, value_of
from npp_jax.fitting.phrases import phrases
from npp_jax.fitting.plausible import data_warnings
from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.fitting.replaced import replaced_depth
from npp_jax.fitting.sampling import linear_model, sample_posterior
from npp_jax.fitting.synthetic import synthetic_profile
from npp_jax.fitting.systematic import with_systematic
from npp_jax.fitting.unit_words import unit_of
from npp_jax.inference.estimate import Estimate

__all__ = [
    "Band",
    "Estimate",
    "Evaluation",
    "Expansion",
    "FitResult",
    "LawBands",
    "LinearModel",
    "Measurement",
    "Minimum",
    "NoiseModel",
    "Objective",
    "Predicted",
    "Problem",
    "data_warnings",
    "draw",
    "fit",
    "known_keys",
    "law_bands",
    "linear_model",
    "phrases",
    "place",
    "replaced_depth",
    "sample_posterior",
    "signal_sigma",
    "synthetic_profile",
    "unit_of",
    "value_of",
    "with_free_form",
    "with_smoothness",
    "with_systematic",
]
