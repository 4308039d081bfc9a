"""A fit of isotope data from its start to what it says: least squares, covariance, profile likelihoods."""

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import chdtrc

from npp_jax.inference import (
    Covariance,
    Estimate,
    Iteration,
    Parameters,
    Profile,
    Reason,
    RefineOptions,
    RefineResult,
    Uncertain,
    covariance,
    estimate,
    profile_likelihood,
    propagate,
    ranges_of,
    refine,
    theta_slope,
    with_priors,
)
from npp_jax.tracer.model import AbstractTracerModel, linearised, modelled
from npp_jax.tracer.second_start import better_of
from npp_jax.tracer.unknowns import Layout, Unknown, layout_of, place, start_of

OnIteration: TypeAlias = Callable[[Iteration], Any] | None
"""Is told after each iteration of a fit how far it is."""
OnEnds: TypeAlias = Callable[[int, int], Any] | None
"""Is told how many ends of the intervals of profile likelihoods are found, and of how many."""

_BLOCK = 16
"""Starts that are evaluated together."""

_ROUNDING = 1e-9  # Misfit of a datum that is none.
_WEAK = 0.3  # Standard error of a logarithm.
_SETTLED = 1.0
"""Distance to their minimum, in standard errors, at which parameters that others wait for have settled."""

Searched: TypeAlias = Literal["none", "weak", "all"]
"""Of which parameters there are profile likelihoods where some are weak."""


class Fitted(NamedTuple):
    """An unknown with its uncertainty, in its shape."""

    value: Float[np.ndarray, "*shape"]
    """Best value. [unit of the name]"""
    sigma: Float[np.ndarray, "*shape"]
    """Standard error; infinite where there is none: not determined, or at an end of the range. [unit of the name]"""
    sigma_scaled: Float[np.ndarray, "*shape"]
    """Standard error on the scale: for a logarithm the relative one."""
    interval: Float[np.ndarray, "*shape 2"]
    """95 % interval, NaN where the data set no limit. [unit of the name]"""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TracerFit:
    """What a fit of isotope data found; `fit["D_m2_s"]` is one parameter with its uncertainty."""

    parameters: Parameters
    theta: Float[np.ndarray, " parameter"]
    """Best parameters. [units of the parameters]"""
    chi2: float
    """Misfit of the data at the best parameters, without priors; of counts the deviance."""
    points: int
    """Data that count."""
    covariance: Covariance
    """Covariance at the best parameters, of the expected information."""
    profiles: tuple[Profile, ...]
    """Profile likelihoods; empty if none were asked for."""
    refined: RefineResult
    """How the start ended."""
    model: AbstractTracerModel
    layout: Layout
    """Names and shapes of what was fitted."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, with their units."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def reason(self) -> Reason:
        """How the fit ended; a minimum at which the data do not determine a parameter is not one."""
        reason = Reason(int(self.refined.reason[0]))
        good = reason in (Reason.CONVERGED, Reason.AT_BOUND)
        return Reason.INSENSITIVE if good and not bool(jnp.all(self.covariance.determined)) else reason

    @property
    def converged(self) -> bool:
        """Whether a minimum was found at which all parameters have an effect."""
        return self.reason in (Reason.CONVERGED, Reason.AT_BOUND)

    @property
    def degrees_of_freedom(self) -> int:
        """Data less parameters."""
        return self.points - len(self.parameters)

    @cached_property
    def expected_chi2(self) -> tuple[float, float]:
        """Mean and variance of χ² over repeated measurements; none for counts of a fraction of zero or of one alone."""
        pairs = zip(self.model.data, self.modelled(), strict=True)
        moments = np.sum([data.expected_chi2(fraction) for data, fraction in pairs], axis=0)
        return tuple(np.where(moments > _ROUNDING * self.points, moments, 0.0).tolist())

    @cached_property
    def p_value(self) -> float:
        """Probability of a larger misfit if model and noise are right.

        That of counts is taken for a scaled χ² distribution of `expected_chi2`, less as many data as parameters.
        """
        mean, variance = self.expected_chi2
        if not (mean > 0.0 and variance > 0.0):
            return 1.0 if self.chi2 <= mean + _ROUNDING * self.points else 0.0
        left, scale = max(self.degrees_of_freedom, 1) / max(self.points, 1), variance / (2.0 * mean)
        return float(chdtrc(mean * left / scale, self.chi2 / scale))

    def values(self) -> dict[str, Array]:
        """Best values by name, in their shapes."""
        return place(self.layout, jnp.asarray(self.theta))

    def modelled(self) -> tuple[Array, ...]:
        """Fractions of each of the data at the best parameters [1]."""
        return modelled(self.model, self.layout, jnp.asarray(self.theta))

    def fitted(self, name: str) -> Fitted:
        """One of the unknowns, in its shape."""
        first = next(k for k, known in enumerate(self.layout) if known[0] == name)
        begin = sum(int(np.prod(shape)) for _, shape in self.layout[:first])
        shape = self.layout[first][1]
        part = slice(begin, begin + int(np.prod(shape)))
        ends = np.asarray([self[known].interval for known in self.names[part]])
        errors = self.covariance.standard_error, self.covariance.standard_error_scaled
        sigma, scaled = (np.where(self.covariance.held, np.inf, error)[part].reshape(shape) for error in errors)
        return Fitted(self.theta[part].reshape(shape), sigma, scaled, ends.reshape(*shape, 2))

    def derived(self, function: Callable[[dict[str, Array]], Array]) -> Uncertain:
        """Value and standard error of a function of the values by name, from their full covariance."""
        theta = jnp.asarray(self.theta)
        slope = theta_slope(ranges_of(self.parameters), theta)
        of_vector = lambda vector: function(place(self.layout, vector))  # noqa: E731
        found = propagate(of_vector, theta, self.covariance.scaled * slope[:, None] * slope)
        open_ended = jnp.abs(jax.jacfwd(of_vector)(theta)) @ (1.0 - self.covariance.determined) > 0.0
        return Uncertain(found.value, jnp.where(open_ended, jnp.inf, found.sigma))

    def __getitem__(self, name: str) -> Estimate:
        if name not in self.names:
            raise KeyError(f"no parameter is called '{name}'; known are {', '.join(self.names)}")
        return estimate(self.parameters, self.covariance, self.profiles, self.names.index(name))

    def __repr__(self) -> str:
        found = (self[name] for name in self.names)
        numbers = ", ".join(f"{n} = {e.value:.5g} {e.error_text()}" for n, e in zip(self.names, found, strict=True))
        return f"TracerFit: {numbers}; χ² {self.chi2:.1f} for {self.points} points; {self.reason.name.lower()}"


def fit_tracer(
    model: AbstractTracerModel,
    unknowns: tuple[Unknown, ...],
    *,
    profile_points: int = 0,
    searched: Searched = "none",
    second: Float[Array, " parameter"] | None = None,
    batch: int | None = None,
    options: RefineOptions | None = None,
    on_iteration: OnIteration = None,
    on_ends: OnEnds = None,
) -> TracerFit:
    """Fit what is unknown in a model to its data.

    Parameters
    ----------
    model
        Data, and their fractions as functions of the unknowns.
    unknowns
        What varies, and where it starts.
    profile_points
        Points of the curve of each profile likelihood, which do not change its interval; no profile for zero.
    searched
        Whether there are profile likelihoods even so where a parameter has come to an end of its range, or is known to
        no better than a third: there the covariance sets no limit, or not the right one. They are of all parameters
        then, or of the weak ones, where the others hardly depend on these.
    second
        Where to start too, if the fit from the start ends badly or above it. [units of the parameters]
    batch
        Number of sensitivities computed at once; None for all.
    options
        Numerical choices of `refine`.
    on_iteration, on_ends
        Are told how far the fit is, and the profile likelihoods after it.
    """
    parameters = sum((unknown.parameters() for unknown in unknowns), ())
    layout, start, ranges = layout_of(unknowns), start_of(unknowns), ranges_of(parameters)

    def evaluate(theta: Float[Array, "start parameter"]) -> tuple[Array, Array]:
        # Blocks of one size, so that any number of starts is served by one compiled program, and one start by another.
        block = 1 if len(theta) == 1 else _BLOCK
        filled = np.minimum(np.arange(-(-len(theta) // block) * block), len(theta) - 1)
        found = [
            linearised(model, layout, part, batch)[:2] for part in theta[filled].reshape(-1, block, theta.shape[1])
        ]
        residual, jacobian = (jnp.concatenate(parts)[: len(theta)] for parts in zip(*found, strict=True))
        return residual, jacobian

    def informed(theta: Float[Array, "start parameter"]) -> tuple[Array, Array]:
        residual, _, expected = linearised(model, layout, theta, batch)
        return residual, expected

    posterior = with_priors(evaluate, parameters)
    options = options or RefineOptions()
    points = sum(data.points() for data in model.data)
    waiting = np.concatenate([np.full(jnp.size(unknown.start), unknown.waits) for unknown in unknowns])
    if np.any(waiting):
        settled = dataclasses.replace(options, offset=_SETTLED / max(points, 1) ** 0.5)
        found = refine(posterior, parameters, start[None], fixed=waiting, options=settled, on_iteration=on_iteration)
        start = found.theta[0]
    refined = refine(posterior, parameters, start[None], options=options, on_iteration=on_iteration)
    if second is not None:
        refined = better_of(posterior, parameters, refined, second, options, on_iteration)
    theta = refined.theta[0]
    held = refined.at_bound[0] != 0
    residual = informed(theta[None])[0][0]
    known = covariance(with_priors(informed, parameters)(theta[None])[1][0], theta, ranges, held=held)
    weak = np.asarray(held | ~(known.standard_error_scaled <= _WEAK))
    asked = profile_points or (searched != "none" and np.any(weak))
    profiles: tuple[Profile, ...] = ()
    if asked and int(refined.reason[0]) in (Reason.CONVERGED, Reason.AT_BOUND):
        those = np.asarray(known.determined) & (weak | (searched != "weak"))
        names = [p.name for p, one in zip(parameters, those, strict=True) if one]
        profiles = profile_likelihood(
            posterior, parameters, theta, names, points=profile_points, covariance=known, options=options,
            on_ends=on_ends,
        )  # fmt: skip
    return TracerFit(
        parameters=parameters,
        theta=np.asarray(theta),
        chi2=float(residual @ residual),
        points=points,
        covariance=known,
        profiles=profiles,
        refined=refined,
        model=model,
        layout=layout,
    )
