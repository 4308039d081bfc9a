"""A measured depth profile: fractions with their uncertainty, and the counts behind them."""

import dataclasses
from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from npp_jax._compile import concrete
from npp_jax.observe.arrays import as_leaf

MINIMUM_POINTS = 5
"""Fewest points of a depth profile."""

FAR = 3.0
"""Fraction above which a scale cannot be right: noise and matrix effects stay far below."""

_PER_CENT = 200.0
"""Largest number that may be a fraction in per cent, pile-up included."""


class Systematic(eqx.Module):
    """Standard deviations of errors that all points of a profile share; zero where there is none."""

    depth_scale: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Relative one of all depths, from the crater [1]."""
    sensitivity: Float[Array, "species"] = eqx.field(converter=as_leaf)
    """Relative one of the fractions of each species [1]."""
    background: Float[Array, "species"] = eqx.field(converter=as_leaf)
    """That of the background taken off, as a fraction [1]."""


class DepthProfile(eqx.Module):
    """Fractions of some species against depth, as measured or as they would be.

    Masked points have the weight zero and hold finite numbers, whatever was given there.
    """

    depth: Float[Array, "depth"]
    """Depths, increasing [nm]."""
    species: tuple[str, ...] = eqx.field(static=True)
    """Names of the species, in the order of the rows below."""
    fraction: Float[Array, "species depth"]
    """Signal over that of the native ion in the bulk [1]."""
    sigma: Float[Array, "species depth"]
    """Standard deviation of `fraction` [1]."""
    counts: Float[Array, "species depth"] | None
    """Counts of the detector, if known [1]."""
    counts_per_fraction: Float[Array, "species *depth"] | None
    """Counts of the detector at fraction one, if known; one number for each species, or for each point [1]."""
    weight: Float[Array, "species depth"]
    """Weight of each point in χ², zero where masked [1]."""
    background: Float[Array, "species depth"] | None
    """Signal that was taken off `fraction` and is part of `counts`, as a fraction; None for none [1]."""
    interval: Float[Array, "depth"] | None
    """Range of depths over which each point is an average, about its depth; None where it is the value there [nm]."""
    systematic: Systematic | None
    """Errors that all points share; a fit makes parameters of them. None for none."""
    censored: Float[Array, "species depth"] | None
    """One at points of which only is known that they lie below `fraction`, a limit of detection; None where no point
    is [1]."""

    def __init__(
        self,
        depth: ArrayLike | Sequence,
        species: Sequence[str],
        fraction: ArrayLike | Sequence,
        sigma: ArrayLike | Sequence,
        counts: ArrayLike | Sequence | None = None,
        counts_per_fraction: ArrayLike | Sequence | None = None,
        weight: ArrayLike | Sequence | None = None,
        background: ArrayLike | Sequence | None = None,
        interval: ArrayLike | Sequence | None = None,
        systematic: Systematic | tuple | None = None,
        censored: ArrayLike | Sequence | None = None,
    ):
        """Check and hold a profile.

        Parameters
        ----------
        depth
            Depths, increasing, at least five. [nm], shape [depth]
        species
            Names, all different.
        fraction
            Signals over that of the native ion in the bulk, shape [species, depth].
        sigma
            Standard deviations of them, positive, shape [species, depth]. A number, or one number for each species
            (shape [species, 1]), serves all points.
        counts
            Counts of the detector, shape [species, depth].
        counts_per_fraction
            Counts of the detector at fraction one, shape [species], or [species, depth] where a matrix signal or dead
            time changes them.
        weight
            Weights of the points, shape [species, depth] or [depth]; one everywhere by default.
        background
            Signal that was taken off the fractions but is part of the counts, as a fraction, shape [species, depth].
        interval
            Range of depths over which each point is an average. [nm], shape [depth]
        systematic
            Errors that all points share, also as a tuple of them.
        censored
            One where `fraction` is a limit of detection that the point lies below, else zero, shape [species, depth].

        Raises
        ------
        ValueError
            If a shape does not fit, if the depths are not increasing, if a number that is not masked is not finite, or
            if a standard deviation is not positive. Values are checked outside of compiled functions only.
        """
        depth, fraction = as_leaf(depth), as_leaf(fraction)
        self.species = _names(species)
        shape = (len(self.species), depth.shape[0] if depth.ndim == 1 else -1)
        if depth.ndim != 1 or shape[1] < MINIMUM_POINTS:
            raise ValueError(f"depth has shape {depth.shape}: a list of at least {MINIMUM_POINTS} depths is needed")
        if fraction.shape != shape:
            raise ValueError(f"fraction has shape {fraction.shape}: [species, depth] = {shape} is needed")
        sigma, weight = _spread("sigma", sigma, shape), _spread("weight", 1.0 if weight is None else weight, shape)
        counts = None if counts is None else _spread("counts", counts, shape)
        if counts_per_fraction is not None:
            counts_per_fraction = as_leaf(counts_per_fraction)
            if counts_per_fraction.shape not in (shape[:1], shape):
                found = counts_per_fraction.shape
                raise ValueError(f"counts_per_fraction has shape {found}: [species] = {shape[:1]} is needed")
        background = None if background is None else _spread("background", background, shape)
        if interval is not None:
            interval = as_leaf(interval)
            if interval.shape != depth.shape:
                raise ValueError(f"interval has shape {interval.shape}: [depth] = {depth.shape} is needed")
            if concrete(interval) and not np.all(np.asarray(interval) >= 0.0):
                raise ValueError(f"interval = {interval} nm: it must not be negative")
        if concrete(depth):
            _check_depth(np.asarray(depth))
        if concrete(weight):
            _check("weight", weight, self.species, np.ones(shape, bool), 0.0)
        if counts_per_fraction is not None and concrete(counts_per_fraction):
            # In NumPy: inside a compiled function an operation of JAX makes a symbol even of a number at hand.
            exposure = np.asarray(counts_per_fraction).reshape(shape[0], -1)
            _check("counts_per_fraction", exposure, self.species, np.ones(exposure.shape, bool))
        if concrete(fraction, sigma, counts, weight):
            used = np.asarray(weight) > 0.0
            _check("fraction", fraction, self.species, used, -np.inf)
            _check("sigma", sigma, self.species, used)
            if counts is not None:
                _check("counts", counts, self.species, used, 0.0)
        dtype = jnp.result_type(depth, fraction)
        used = weight > 0.0
        self.depth = depth.astype(dtype)
        self.fraction = jnp.where(used, fraction, 0.0).astype(dtype)
        self.sigma = jnp.where(used, sigma, 1.0).astype(dtype)
        self.counts = None if counts is None else jnp.where(used, counts, 0.0).astype(dtype)
        self.counts_per_fraction = None if counts_per_fraction is None else counts_per_fraction.astype(dtype)
        self.weight = weight.astype(dtype)
        self.background = None if background is None else background.astype(dtype)
        self.interval = None if interval is None else interval.astype(dtype)
        self.censored = None if censored is None else _spread("censored", censored, shape).astype(dtype)
        self.systematic = Systematic(*systematic) if isinstance(systematic, tuple) else systematic

    @property
    def exposure(self) -> Float[Array, "species _"] | None:
        """Counts at fraction one as a table, of one column where they are the same for all points [1]."""
        counted = self.counts_per_fraction
        return None if counted is None else counted if counted.ndim == 2 else counted[:, None]


def within(
    profile: DepthProfile, shallowest: Float[ArrayLike, ""], deepest: Float[ArrayLike, ""] = np.inf
) -> DepthProfile:
    """Mask the points outside of a range of depths, such as the transient of the first 5 to 10 nm.

    Parameters
    ----------
    profile
        The profile.
    shallowest, deepest
        Range of the depths that stay. [nm]

    Returns
    -------
    The profile with the weight zero outside of the range; its shape does not change.
    """
    inside = (profile.depth >= shallowest) & (profile.depth <= deepest)
    return eqx.tree_at(lambda tree: tree.weight, profile, jnp.where(inside, profile.weight, 0.0))


def below_limits(profile: DepthProfile, limits: Mapping[str, float]) -> DepthProfile:
    """The profile with limits of detection: points at or below that of their species only tell that they are below.

    Parameters
    ----------
    profile
        The profile.
    limits
        Least fraction that is told from none, by the names of species; others have no limit.

    Raises
    ------
    ValueError
        The profile has no such species, or a limit is not positive.
    """
    unknown = [name for name in limits if name not in profile.species]
    if unknown:
        raise ValueError(f"limit of detection of {unknown[0]}: the profile has {', '.join(profile.species)}")
    wrong = [name for name, limit in limits.items() if not 0.0 < limit < np.inf]
    if wrong:
        raise ValueError(f"limit of detection of {wrong[0]} = {limits[wrong[0]]:g}: it must be positive")
    least = jnp.asarray([limits.get(name, -np.inf) for name in profile.species], profile.fraction.dtype)[:, None]
    below = profile.fraction <= least
    held = jnp.where(below, least, profile.fraction)
    return dataclasses.replace(profile, fraction=held, censored=jnp.where(below, 1.0, 0.0))


def check(profile: DepthProfile, *, shallowest: float = 1.0, deepest: float = 1e5) -> list[str]:
    """List what looks wrong in a profile that can be used: one sentence each, nothing if all is well.

    Parameters
    ----------
    profile
        The profile.
    shallowest, deepest
        Spans of depths below and beyond which their unit is doubted. [nm]
    """
    depth, used = np.asarray(profile.depth), np.asarray(profile.weight) > 0.0
    warnings = []
    span = depth[-1] - depth[0]
    if span < shallowest:
        warnings.append(f"the depths span {span:.3g} nm: are they in micrometres?")
    if span > deepest:
        warnings.append(
            f"the depths span {span:.3g} nm: is their unit right? Nanometres called micrometres, and ångströms called "
            "nanometres, span as much"
        )
    if depth[0] < 0.0:
        warnings.append(f"the first depth, {depth[0]:.3g} nm, lies before the surface")
    steps = np.diff(depth)
    if steps.max() > 100.0 * np.median(steps):
        at = int(steps.argmax())
        warnings.append(f"there is a gap between {depth[at]:.6g} and {depth[at + 1]:.6g} nm")
    for row, name in enumerate(profile.species):
        fraction, sigma = np.asarray(profile.fraction)[row][used[row]], np.asarray(profile.sigma)[row][used[row]]
        if fraction.size < MINIMUM_POINTS:
            warnings.append(f"{fraction.size} points of {name} are not masked")
        elif not fraction.any():
            warnings.append(f"the fractions of {name} are all zero")
        elif np.ptp(fraction) < 3.0 * np.median(sigma):
            warnings.append(f"the fractions of {name} are flat within their uncertainty")
        if fraction.size and fraction.max() > 10.0:
            told = f"per cent, for the title '{name} [%]'" if fraction.max() <= _PER_CENT else "counts"
            warnings.append(f"the fractions of {name} reach {fraction.max():.3g} of the bulk: are these {told}?")
        if fraction.size and (fraction < -5.0 * sigma).any():
            warnings.append(f"the fractions of {name} fall below zero by more than five standard deviations")
    return warnings


def _names(species: Sequence[str]) -> tuple[str, ...]:
    names = (species,) if isinstance(species, str) else tuple(species)
    if not names or len(set(names)) != len(names) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"species = {names}: different names are needed, at least one")
    return names


def _spread(name: str, value: ArrayLike | Sequence, shape: tuple[int, int]) -> Array:
    value = as_leaf(value)
    try:
        return jnp.broadcast_to(value, shape)
    except ValueError:
        raise ValueError(f"{name} has shape {value.shape}: [species, depth] = {shape} is needed") from None


def _check_depth(depth: np.ndarray) -> None:
    if not np.isfinite(depth).all():
        raise ValueError(f"depth[{int(np.argmin(np.isfinite(depth)))}] is not a finite number")
    steps = np.diff(depth)
    if not (steps > 0.0).all():
        at = int(np.argmax(steps <= 0.0))
        raise ValueError(f"depth[{at + 1}] = {depth[at + 1]:.6g} nm after {depth[at]:.6g} nm: depths must increase")


def _check(
    name: str, value: Array | np.ndarray, species: tuple[str, ...], used: np.ndarray, lower: float | None = None
) -> None:
    """Refuse values that are not finite or below `lower`; by default those that are not positive."""
    table = np.asarray(value)
    good = np.isfinite(table) & (table > 0.0 if lower is None else table >= lower)
    if (used & ~good).any():
        row, column = (int(k) for k in np.argwhere(used & ~good)[0])
        allowed = "positive" if lower is None else "finite" if lower == -np.inf else f"at least {lower:g}"
        raise ValueError(f"{name} of {species[row]}, point {column}, is {table[row, column]:.6g}: it must be {allowed}")
