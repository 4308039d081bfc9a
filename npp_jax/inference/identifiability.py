"""Which combinations of the parameters the data determine, in words.

The Fisher information JᵀJ is compared with what the ranges alone say: each parameter is measured in the standard
deviation of a uniform distribution over its range, width/√12 on its scale. In these units an eigenvalue λ of JᵀJ
means that along its direction the data are √λ times as sharp as the range, and Σ λ/(1 + λ) is the effective number
of parameters that the data determine (D. J. C. MacKay, "Bayesian interpolation", Neural Comput. 4, 415 (1992)).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from npp_jax.inference.parameter import Parameters
from npp_jax.inference.transform import ranges_of, theta_slope

_WHOLE_DOMAIN = 10.0  # taken as the width where the range is infinite, on scales that have no unit


class Combination(NamedTuple):
    """One combination Σ a s of the parameters on their scales, largest |a| = 1."""

    text: str
    """For `log` parameters a product of powers, else a sum."""
    product: bool
    """Whether it is a product of powers."""
    weights: np.ndarray
    """a, shape [parameter]"""
    standard_error: float
    """Of the combination, of its logarithm where it is a product. Infinite where the data say nothing."""
    sharpness: float
    """√λ: how many times sharper than the range alone the data determine it."""


class Identifiability(NamedTuple):
    """What the data determine, best first."""

    combinations: tuple[Combination, ...]
    effective_parameters: float
    """Between 0 and the number of parameters."""

    def lines(self) -> list[str]:
        """One sentence for each combination, and a summary."""
        sentences = [_sentence(combination) for combination in self.combinations]
        total = len(self.combinations)
        return [*sentences, f"the data determine {self.effective_parameters:.1f} of {total} parameters"]


def identifiability(
    jacobian: ArrayLike,
    theta: ArrayLike | Sequence[float],
    parameters: Parameters,
    *,
    variance: float = 1.0,
    tolerance: float = 1e-8,
) -> Identifiability:
    """Analyse the Jacobian at a minimum.

    Parameters
    ----------
    jacobian
        ∂r/∂θ without priors, shape [residual, parameter]; residuals in units of their standard deviation.
    theta
        The minimum. [units of the parameters], shape [parameter]
    parameters
        The parameters.
    variance
        Variance of the residuals.
    tolerance
        Directions of this sharpness relative to the best, and less, count as not determined at all.
    """
    ranges = ranges_of(parameters)
    values = np.asarray(theta, float)
    width = ranges.high - ranges.low
    natural = np.where(ranges.is_log | ranges.is_logit, _WHOLE_DOMAIN, np.maximum(np.abs(values), 1e-300))
    unit = np.where(np.isfinite(width), width, natural) / math.sqrt(12.0)
    sensitivity = (
        np.asarray(jacobian, float) * np.asarray(theta_slope(ranges, jnp.asarray(values))) * unit / math.sqrt(variance)
    )
    missing = max(len(parameters) - len(sensitivity), 0)
    _, sharpness, right = np.linalg.svd(np.pad(sensitivity, ((0, missing), (0, 0))), full_matrices=False)
    sharpness = np.where(sharpness > tolerance * sharpness.max(), sharpness, 0.0)
    combinations = tuple(
        _combination(parameters, row / unit, value) for row, value in zip(right, sharpness, strict=True)
    )
    return Identifiability(combinations, float(np.sum(sharpness**2 / (1.0 + sharpness**2))))


def _combination(parameters: Parameters, weights: np.ndarray, sharpness: float) -> Combination:
    largest = weights[np.argmax(np.abs(weights))]
    error = 1.0 / (sharpness * abs(largest)) if sharpness > 0.0 else math.inf
    weights = weights / largest
    # In the order of their weight; those below 5 % of the largest are left out of the words.
    order = [int(k) for k in np.argsort(-np.abs(weights), kind="stable") if abs(weights[k]) >= 0.05]
    product = all(parameters[k].scale == "log" for k in order)
    text = _product(parameters, weights, order) if product else _sum(parameters, weights, order)
    return Combination(text, product, weights, error, float(sharpness))


def _product(parameters: Parameters, weights: np.ndarray, order: list[int]) -> str:
    return " · ".join(parameters[k].name + ("" if _is_one(weights[k]) else f"^{weights[k]:.2g}") for k in order)


def _sum(parameters: Parameters, weights: np.ndarray, order: list[int]) -> str:
    prefix = {"linear": "", "log": "ln ", "logit": "logit "}
    text = ""
    for k in order:
        sign = " - " if weights[k] < 0.0 else " + "
        factor = "" if _is_one(abs(weights[k])) else f"{abs(weights[k]):.2g} "
        text += sign + factor + prefix[parameters[k].scale] + parameters[k].name
    return text.removeprefix(" + ")


def _is_one(weight: float) -> bool:
    return bool(abs(weight - 1.0) < 5e-3)


def _sentence(combination: Combination) -> str:
    if combination.sharpness == 0.0:
        return f"not determined: {combination.text}"
    verdict = "well" if combination.sharpness >= 10.0 else "poorly" if combination.sharpness >= 1.0 else "hardly"
    error = combination.standard_error
    if not combination.product:
        known = f"± {error:.2g}"
    else:
        known = f"{100.0 * error:.2g} %" if error < 0.1 else f"a factor of {math.exp(min(error, 700.0)):.3g}"
    return f"{verdict} determined: {combination.text}, to {known} (1 standard error)"
