"""Fits: parameters with ranges, least squares from many starts, and what the data determine."""

from npp_jax.fit.band import Band, LawBands, draw, law_bands, signal_sigma
from npp_jax.fit.descent import descend
from npp_jax.fit.fitting import FitResult, fit
from npp_jax.fit.free_form import with_free_form, with_smoothness
from npp_jax.fit.identifiability import Combination, Identifiability, identifiability
from npp_jax.fit.jacobian import Expansion, LinearModel
from npp_jax.fit.objective import Evaluation, Measurement, Objective, Predicted, Problem
from npp_jax.fit.parameters import Parameter, ParameterError, known_keys, place, value_of
from npp_jax.fit.plausible import data_warnings, replaced_depth
from npp_jax.fit.posterior import (
    MissingExtra,
    Posterior,
    PosteriorError,
    PosteriorOptions,
    check_blackjax,
    sample_posterior,
)
from npp_jax.fit.prior import with_priors
from npp_jax.fit.profile import DELTA_CHI2_95, Profile, profile_grid, profile_likelihood
from npp_jax.fit.refine import REASON_ADVICE, Reason, RefineOptions, RefineResult, ResidualsAndJacobian, refine
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
from npp_jax.fit.uncertainty import (
    NORMAL_95,
    Covariance,
    InformationCriteria,
    LikelihoodRatio,
    covariance,
    information_criteria,
    likelihood_ratio,
    reduced_chi2,
)

__all__ = [
    "DELTA_CHI2_95",
    "NORMAL_95",
    "REASON_ADVICE",
    "Band",
    "Bound",
    "Bounds",
    "Combination",
    "Covariance",
    "Evaluation",
    "Expansion",
    "FitResult",
    "Identifiability",
    "InformationCriteria",
    "LawBands",
    "LikelihoodRatio",
    "LinearModel",
    "Measurement",
    "MissingExtra",
    "Objective",
    "Parameter",
    "ParameterError",
    "Posterior",
    "PosteriorError",
    "PosteriorOptions",
    "Predicted",
    "Problem",
    "Profile",
    "Ranges",
    "Reason",
    "RefineOptions",
    "RefineResult",
    "ResidualsAndJacobian",
    "check_blackjax",
    "covariance",
    "data_warnings",
    "descend",
    "draw",
    "fit",
    "from_unbounded",
    "identifiability",
    "information_criteria",
    "known_keys",
    "law_bands",
    "likelihood_ratio",
    "place",
    "profile_grid",
    "profile_likelihood",
    "ranges_of",
    "reduced_chi2",
    "refine",
    "replaced_depth",
    "sample_posterior",
    "signal_sigma",
    "start_values",
    "theta_slope",
    "to_scaled",
    "to_theta",
    "to_unbounded",
    "unbounded_slope",
    "value_of",
    "with_free_form",
    "with_priors",
    "with_smoothness",
]
