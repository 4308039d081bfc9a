"""Least squares, uncertainty, profile likelihood, posterior, identifiability of any residuals; knows no experiment."""

from npp_jax.inference.agreement import UNLIKELY, agrees, too_close
from npp_jax.inference.descent import descend
from npp_jax.inference.digits import estimate_texts, further, interval_text, misfit, together, with_power
from npp_jax.inference.estimate import Estimate, Uncertain, covariance_ends, estimate, given, given_text, propagate
from npp_jax.inference.identifiability import Combination, Group, Identifiability, identifiability
from npp_jax.inference.interval_end import End, Outcome, between, meanings
from npp_jax.inference.parameter import Parameter, ParameterError, Parameters, Prior
from npp_jax.inference.posterior import MissingExtra, Posterior, PosteriorError, PosteriorOptions, check_blackjax
from npp_jax.inference.prior import with_priors
from npp_jax.inference.profile import DELTA_CHI2_95, Profile, profile_likelihood
from npp_jax.inference.refine import ResidualsAndJacobian, refine
from npp_jax.inference.refine_result import GOOD, REASON_ADVICE, Iteration, Reason, RefineOptions, RefineResult
from npp_jax.inference.sampling import sample_posterior
from npp_jax.inference.transform import (
    Ranges,
    from_unbounded,
    ranges_of,
    theta_slope,
    to_scaled,
    to_theta,
    to_unbounded,
    unbounded_slope,
)
from npp_jax.inference.uncertainty import (
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
    "GOOD",
    "NORMAL_95",
    "REASON_ADVICE",
    "UNLIKELY",
    "Combination",
    "Covariance",
    "End",
    "Estimate",
    "Group",
    "Identifiability",
    "InformationCriteria",
    "Iteration",
    "LikelihoodRatio",
    "MissingExtra",
    "Outcome",
    "Parameter",
    "ParameterError",
    "Parameters",
    "Posterior",
    "PosteriorError",
    "PosteriorOptions",
    "Prior",
    "Profile",
    "Ranges",
    "Reason",
    "RefineOptions",
    "RefineResult",
    "ResidualsAndJacobian",
    "Uncertain",
    "agrees",
    "between",
    "check_blackjax",
    "covariance",
    "covariance_ends",
    "descend",
    "estimate",
    "estimate_texts",
    "from_unbounded",
    "further",
    "given",
    "given_text",
    "identifiability",
    "information_criteria",
    "interval_text",
    "likelihood_ratio",
    "meanings",
    "misfit",
    "profile_likelihood",
    "propagate",
    "ranges_of",
    "reduced_chi2",
    "refine",
    "sample_posterior",
    "theta_slope",
    "to_scaled",
    "to_theta",
    "to_unbounded",
    "together",
    "too_close",
    "unbounded_slope",
    "with_power",
    "with_priors",
]
