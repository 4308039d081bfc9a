"""D(c) of a diffusion couple in free form from its profile alone, with its band.

Where both ends are as they were, the profile is that of `couple_profile`: no mesh, so that derivatives are exact and
boundaries of phases sharp. What is fitted is ln D at knots of each phase, the compositions between which phases live,
and the place of the first contact. A measured point belongs to the phase that it shows; a boundary lies somewhere
between the last point of one phase and the first of the next.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import fdtrc

from npp_jax.fitting.couple_band import BY_NOISE, half_width, neighbours_alike
from npp_jax.fitting.couple_start import starts_of
from npp_jax.inference import (
    GOOD,
    Covariance,
    Ranges,
    Reason,
    covariance,
    ranges_of,
    refine,
    to_scaled,
    to_theta,
    with_priors,
)
from npp_jax.physics.boltzmann_matano import Interdiffusion
from npp_jax.physics.checks import FINITE, POSITIVE, expects, optional
from npp_jax.physics.couple_profile import couple_profile, spline_of

POINTS_A_KNOT = 20
"""Measured points of a phase for each knot that it has beside two."""

_MOST_KNOTS = 10

_POINTS_DENSER, _CHANCE = 2, 1e-3
"""Least points of a phase for each knot where these are twice as dense; chance of such a fall of χ² that is told."""

LEAST_SIGMA = 1e-3
"""Standard deviation of a mole fraction that is taken where the data scatter less about their smoothed curve."""

_FAR_OFF = 4.0
"""Standard deviations of χ² from which a fit is tried from another start."""

_BAND = 60
"""Compositions of a phase at which the band is told."""


@dataclasses.dataclass(frozen=True)
class CoupleFit:
    """D(c) of a couple in free form."""

    limits: Float[np.ndarray, "phase two"]
    """Fractions between which each phase lives, in the order of the depth [1]."""
    knots: tuple[Float[np.ndarray, " _"], ...]
    """D at knots, evenly spaced between these [m²/s]."""
    position: float
    """Depth of the first contact [m]."""
    fraction: Float[np.ndarray, " point"]
    """Fractions at the measured depths [1]."""
    chi2: float
    alike: float
    """By what neighbouring residuals that are alike raise the variance of what is found, 1 where they are not."""
    reason: Reason
    covariance: Covariance
    """Of all that was fitted, raised where residuals are larger than the scatter, or alike."""
    curve: Float[np.ndarray, " composition"]
    """Fractions at which the band is told, phase by phase in the order of the depth [1]."""
    D: Float[np.ndarray, "composition three"]
    """D at these, and the ends of the band in which the whole curve lies with a probability of 95 % [m²/s]: that of
    these knots, wider by what knots twice as dense differ at most in a phase beyond noise, squares added."""
    finer: "CoupleFit | None" = None
    """The fit with knots twice as dense, where χ² falls by more than chance allows: D(c) bends more than these do."""

    @property
    def degrees_of_freedom(self) -> int:
        """Points less what was fitted."""
        return len(self.fraction) - len(self.covariance.theta)


class _Data(NamedTuple):
    """What was measured."""

    depth: Float[Array, " point"]
    fraction: Float[Array, " point"]
    sigma: Float[Array, " point"]
    phase: Int[Array, " point"]
    between: Float[Array, "gap two"]
    """Depths of the points on both sides of each boundary [m]."""
    root: Float[Array, ""]
    """√t [√s]."""


@expects(found=Interdiffusion, fraction=FINITE, time=POSITIVE, least=POSITIVE, sigma=optional(POSITIVE))
def fit_couple(
    found: Interdiffusion,
    fraction: Float[np.ndarray, " point"],
    time: float,
    *,
    least: float = LEAST_SIGMA,
    sigma: Float[np.ndarray, " point"] | None = None,
) -> CoupleFit:
    """Fit D(c) in free form.

    Where knots twice as dense lower χ² by more than chance allows, by Fisher's test of a ratio of variances, that fit
    is `finer`, and so on. How large the standard deviations are said to be does not matter to it. The next denser fit
    widens the band by what it differs beyond noise: a bend that the test does not see may put D far off.

    Parameters
    ----------
    found
        What Boltzmann and Matano tell: ends, phases, scatter, and where the fit starts.
    fraction
        Measured fractions. [1]
    time
        Time of the anneal. [s]
    least
        Standard deviation where points scatter less. [1]
    sigma
        Standard deviations of the points; those of the scatter of their phases if not given. [1]

    Raises
    ------
    ValueError
        A phase has no room beside an end, or the free form has no profile near the points.
    """
    lasts = np.flatnonzero(np.diff(found.phase))
    sigma = sigma_of(found, sigma, least)
    between = np.stack([found.depth[lasts], found.depth[lasts + 1]], axis=1)
    data = _Data(*map(jnp.asarray, (found.depth, fraction, sigma, found.phase, between, math.sqrt(time))))
    points = tuple(int(np.sum(found.phase == k)) for k in range(len(lasts) + 1))
    counts = tuple(map(knots_of, points))
    fits = [_fitted(found, data, counts)]
    noise = float(np.mean((least / sigma) ** 2))
    while (denser := _denser(counts, points)) != counts:
        other = _fitted(found, data, denser)
        if _by_chance(fits[-1], other, noise) > _CHANCE:
            fits[-1] = dataclasses.replace(_beside(other, fits[-1], BY_NOISE), finer=None)
            break
        fits, counts = [*fits, other], denser
    return functools.reduce(_beside, reversed(fits))


def _beside(finer: CoupleFit, fit: CoupleFit, by_noise: float = 0.0) -> CoupleFit:
    """A fit with its finer one: by what they differ at most in a phase it may be wrong anywhere in it.

    Of that difference noise makes such a share of the half width of its band, whose square is what the finer fit adds.
    """
    middle = fit.D[:, :1]
    with np.errstate(over="ignore", invalid="ignore"):
        own, other = (np.log(one.D[:, 2:] / one.D[:, :1]) for one in (fit, finer))
        # Where the points tell nothing of D the widths are no numbers, and noise may make any difference.
        more = np.nan_to_num(np.maximum(other**2 - own**2, 0.0), nan=np.finfo(float).max)
        noise = by_noise**2 * more
        square = np.maximum(np.log(finer.D[:, :1] / middle) ** 2 - noise, 0.0).reshape(len(fit.knots), -1)
        half = np.hypot(own, np.sqrt(np.repeat(np.max(square, axis=1), square.shape[1])[:, None]))
        band = np.concatenate([middle, middle * np.exp(-half), middle * np.exp(half)], axis=1)
        return dataclasses.replace(fit, D=band, finer=finer)


def _denser(counts: tuple[int, ...], points: tuple[int, ...]) -> tuple[int, ...]:
    """Knots twice as dense in the phases that have points enough for them."""
    twice = ((2 * count - 1, count, own) for count, own in zip(counts, points, strict=True))
    return tuple(more if _POINTS_DENSER * more <= own else count for more, count, own in twice)


def _by_chance(fit: CoupleFit, finer: CoupleFit, noise: float) -> float:
    """Probability that χ² falls as much to the finer fit where the first is right; `noise` is the least variance."""
    knots, left = fit.degrees_of_freedom - finer.degrees_of_freedom, finer.degrees_of_freedom
    if left < 1 or finer.reason not in GOOD:
        return 1.0
    variance = max(finer.chi2 / left, noise)
    return float(fdtrc(knots, left, max(fit.chi2 - finer.chi2, 0.0) / knots / variance))


def _fitted(found: Interdiffusion, data: _Data, counts: tuple[int, ...]) -> CoupleFit:
    """Fit with so many knots in each phase."""
    fraction, sigma = np.asarray(data.fraction), np.asarray(data.sigma)
    parameters, start = starts_of(found, sigma, counts)
    posterior = with_priors(lambda theta: _linearised(theta, data, counts), parameters)
    refined = refine(posterior, parameters, np.asarray(start)[None])
    if not 2.0 * float(refined.cost[0]) < len(sigma) + _FAR_OFF * math.sqrt(2.0 * len(sigma)):
        # D of noisy ends is no start: one D for all knots.
        inner = float(np.exp(np.nanmedian(np.log(found.D))))
        level = [float(np.clip(inner, p.low, p.high)) for p in parameters[: sum(counts)]]
        other = refine(posterior, parameters, np.asarray([*level, *start[sum(counts) :]])[None])
        refined = other if float(other.cost[0]) < float(refined.cost[0]) else refined
    if not np.isfinite(float(refined.cost[0])):
        raise ValueError(
            f"the free form, of {len(counts)} phases with {sum(counts)} knots, has no profile near these points: more "
            "of them in the steep part, or --ends, may help"
        )
    theta, ranges = refined.theta[0], ranges_of(parameters)
    residual, jacobian = (np.asarray(part[0]) for part in posterior(theta[None]))
    own = residual[: len(sigma)]
    chi2, alike = float(own @ own), neighbours_alike(own, found.phase)
    variance = alike * max(1.0, chi2 / max(len(own) - len(parameters), 1))
    # D at a knot that is at an end of its range, which is about a start, is no better known.
    held = (refined.at_bound[0] != 0) & (np.arange(len(theta)) >= sum(counts))
    known = covariance(jnp.asarray(jacobian), theta, ranges, variance=variance, held=held)
    limits, knots = _parts(theta, counts)
    curve = jnp.linspace(limits[:, 0], limits[:, 1], _BAND, axis=1)
    slope, value = (np.asarray(part) for part in _law(to_scaled(ranges, theta), ranges, curve, counts))
    half = half_width(slope, np.asarray(known.scaled))
    with np.errstate(over="ignore"):  # Where the points tell nothing of D, an end of the band is no number.
        band = np.exp(np.stack([value, value - half, value + half], axis=1))
    return CoupleFit(
        limits=np.asarray(limits),
        knots=tuple(np.exp(np.asarray(part)) for part in knots),
        position=1e-6 * float(theta[-1]),
        fraction=fraction + sigma * own,
        chi2=chi2,
        alike=alike,
        reason=Reason(int(refined.reason[0])),
        covariance=known,
        curve=np.asarray(curve).ravel(),
        D=band,
    )


def sigma_of(
    found: Interdiffusion, told: Float[np.ndarray, " point"] | None, least: float = LEAST_SIGMA
) -> Float[np.ndarray, " point"]:
    """Standard deviations of the points, `least` at least: as they are told, or else those of the scatter."""
    return np.maximum(found.sigma[found.phase] if told is None else told, least)


def _parts(theta: Array, counts: tuple[int, ...]) -> tuple[Float[Array, "phase two"], list[Array]]:
    """Fractions between which phases live, and ln D at their knots."""
    cuts = np.cumsum(counts)
    ends = jnp.concatenate([theta[-3:-2], theta[cuts[-1] : -3], theta[-2:-1]])
    return ends.reshape(len(counts), 2), jnp.split(jnp.log(theta[: cuts[-1]]), cuts[:-1])


def _residual(theta: Array, data: _Data, counts: tuple[int, ...]) -> Float[Array, " residual"]:
    """Deviations of the points, and of the boundaries, over their standard deviations."""
    limits, knots = _parts(theta, counts)
    first, rise = theta[-3], theta[-2] - theta[-3]
    profile = couple_profile((limits - first) / rise, knots)
    position = 1e-6 * theta[-1]
    seen = first + rise * profile.at((data.depth - position) / data.root, data.phase)
    # Anywhere between the two points alike: the variance of an even distribution.
    width = (data.between[:, 1] - data.between[:, 0]) / math.sqrt(12.0)
    off = (position + profile.boundary * data.root - jnp.mean(data.between, axis=1)) / width
    return jnp.concatenate([(seen - data.fraction) / data.sigma, off])


@eqx.filter_jit
def _linearised(theta: Float[Array, "one parameter"], data: _Data, counts: tuple[int, ...]) -> tuple[Array, Array]:
    """Residuals and their Jacobian of one start."""
    function = lambda theta: (_residual(theta, data, counts),) * 2  # noqa: E731
    slope, value = jax.jacfwd(function, has_aux=True)(theta[0])
    return value[None], slope[None]


@eqx.filter_jit
def _law(
    scaled: Array, ranges: Ranges, curve: Float[Array, "phase composition"], counts: tuple[int, ...]
) -> tuple[Array, Array]:
    """Derivatives of ln D at fractions of each phase by the scaled parameters, and ln D."""

    def law(scaled: Array) -> tuple[Array, Array]:
        limits, knots = _parts(to_theta(ranges, scaled), counts)
        share = (curve - limits[:, :1]) / (limits[:, 1:] - limits[:, :1])
        told = [spline_of(at, own) for at, own in zip(share, knots, strict=True)]
        whole = jnp.concatenate(told)
        return whole, whole

    slope, value = jax.jacfwd(law, has_aux=True)(scaled)
    return slope, value


def knots_of(points: int) -> int:
    """Knots of a phase of so many points."""
    return min(2 + points // POINTS_A_KNOT, _MOST_KNOTS)
