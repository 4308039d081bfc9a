"""Fisher information of measurements about parameters, in shares of their ranges.

The coordinate of a parameter is u = (s - s_low)/(s_high - s_low), s the parameter on its scale: information about
different parameters is then comparable. For residuals of known variance the information is Σ (∂m/∂u)(∂m/∂u)ᵀ/σ² with m
the expected signal (for example Cowan, Statistical Data Analysis, 1998, chapter 6); it depends on no data.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.fitting import Measurement
from npp_jax.inference import Parameter, Parameters, ranges_of, theta_slope
from npp_jax.observe import PoissonLikelihood, StudentLikelihood

Matrix = Float[np.ndarray, "parameter parameter"]


class Information(NamedTuple):
    """What one measurement would tell, at one set of parameters."""

    matrix: Matrix
    """Fisher information about u."""
    signal: Float[np.ndarray, " point"]
    """Expected signals [fractions of the bulk signal]."""
    weight: Float[np.ndarray, " point"]
    """One over their standard deviations."""
    slope: Float[np.ndarray, "point parameter"]
    """Derivatives of the signals by u."""
    unknown: Float[np.ndarray, "point nuisance"]
    """Their derivatives by sensitivities and backgrounds, in standard deviations of what is known of these."""


def widths_of(parameters: Parameters) -> Float[np.ndarray, " parameter"]:
    """Widths of the ranges on the scales of the parameters; √12 standard deviations of the prior where all is allowed.

    Raises
    ------
    ValueError
        A parameter has neither a range nor a prior.
    """
    ranges = ranges_of(parameters)
    return np.array(
        [
            _width(parameter, float(low), float(high))
            for parameter, low, high in zip(parameters, ranges.low, ranges.high, strict=True)
        ]
    )


def _width(parameter: Parameter, low: float, high: float) -> float:
    if parameter.bounded:
        return high - low
    if parameter.prior is None:
        raise ValueError(f"{parameter.name}: a finite range or a prior is needed to plan an experiment")
    return 12.0**0.5 * float(parameter.prior.sigma)


def known_before(parameters: Parameters) -> Matrix:
    """Information before any data: a uniform range counts as a normal law of its variance, 1/12, beside the prior."""
    widths = widths_of(parameters)
    own = [0.0 if p.prior is None else (w / float(p.prior.sigma)) ** 2 for p, w in zip(parameters, widths, strict=True)]
    return np.diag(12.0 * np.array([parameter.bounded for parameter in parameters], float) + np.array(own))


def by_share(parameters: Parameters, theta: Float[np.ndarray, " parameter"]) -> Float[np.ndarray, " parameter"]:
    """∂θ/∂u."""
    return np.asarray(theta_slope(ranges_of(parameters), theta)) * widths_of(parameters)


def information(
    measurement: Measurement,
    signal: Float[np.ndarray, "species depth"],
    slope: Float[np.ndarray, "species depth parameter"],
) -> Information:
    """What a measurement tells about the parameters, with its sensitivities and backgrounds as unknown as they are.

    Parameters
    ----------
    measurement
        How it is measured; the signals that it holds do not matter.
    signal
        Expected signals [fractions of the bulk signal].
    slope
        Their derivatives by u.
    """
    assert measurement.profile is not None
    weight = np.sqrt(np.asarray(measurement.profile.weight) / _variance(measurement, signal)).ravel()
    slopes = slope.reshape(len(weight), -1)
    unknown = _unknown(measurement, signal).reshape(len(weight), -1)
    own, others = slopes * weight[:, None], unknown * weight[:, None]
    cross = others.T @ own
    lost = cross.T @ np.linalg.solve(np.eye(others.shape[1]) + others.T @ others, cross)
    return Information(own.T @ own - lost, signal.ravel(), weight, slopes, unknown)


def _variance(measurement: Measurement, signal: np.ndarray) -> np.ndarray:
    """Variance of the measured fractions where the signal is expected."""
    profile, law = measurement.profile, measurement.likelihood
    assert profile is not None
    drift = np.asarray(getattr(law, "relative_sigma", 0.0))
    if isinstance(law, PoissonLikelihood):
        exposure = np.asarray(profile.exposure)
        background = 0.0 if profile.background is None else np.asarray(profile.background)
        mean = exposure * np.maximum(signal + background, 0.0) + np.asarray(law.floor)
        return (mean + (drift * mean) ** 2) / exposure**2
    variance = np.asarray(profile.sigma) ** 2 + (drift * signal) ** 2
    if isinstance(law, StudentLikelihood):
        # Fisher information of the location of Student's law: (ν + 1)/(ν + 3) of the normal one.
        degrees = np.asarray(law.degrees)
        return variance * (degrees + 3.0) / (degrees + 1.0)
    return variance


def _unknown(measurement: Measurement, signal: np.ndarray) -> np.ndarray:
    """Derivatives by sensitivity and background of each species, over standard deviations; shape [..., nuisance]."""
    rows, prior = len(signal), measurement.nuisance
    spread = [np.broadcast_to(np.asarray(s), rows) for s in (prior.sensitivity_sigma, prior.background_sigma)]
    columns = []
    for shape, sigmas in zip((signal, np.ones_like(signal)), spread, strict=True):
        for k, sigma in enumerate(sigmas):
            if sigma > 0.0:
                column = np.zeros_like(signal)
                # What is not known at all is known to a thousand times the bulk signal.
                column[k] = shape[k] * min(float(sigma), 1e3)
                columns.append(column)
    return np.stack(columns, axis=-1) if columns else np.zeros((*signal.shape, 0))
