"""One SIMS experiment: resolution, depth scale, and the sensitivity and background of each species.

The signal is linear in sensitivity and background, so that their best values for given data are a small least-squares
problem with a closed solution: a fit need not search for them.
"""

import math
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import concrete
from npp_jax.observe.arrays import as_leaf
from npp_jax.observe.response import AbstractResponse


class Observation(eqx.Module):
    """How one experiment sees a profile: signal = sensitivity × (profile seen through the response) + background."""

    response: AbstractResponse
    """Depth resolution function."""
    sensitivity: Float[Array, "species *#batch"] = eqx.field(converter=as_leaf, default=(1.0,))
    """Relative sensitivity factors; a single one is that of all species [1]."""
    background: Float[Array, "species *#batch"] = eqx.field(converter=as_leaf, default=(0.0,))
    """Signals without any ions, in fractions of the bulk signal of the native ion; a single one is that of all species
    [1]."""
    depth_scale: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=1.0)
    """True depth over depth as measured, from the error of the crater depth [1]."""
    depth_offset: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """True depth of the point that was measured as zero [nm]."""
    sputter_ratio: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=1.0)
    """Sputter rate of the exchanged material over that of the bulk; that of a mixture lies between, in proportion. The
    depth scale is then that of the bulk [1]."""

    def __check_init__(self):
        if self.sensitivity.shape != self.background.shape or self.sensitivity.ndim == 0:
            found = f"{self.sensitivity.shape} and {self.background.shape}"
            raise ValueError(f"sensitivity and background have shapes {found}: one number for each species is needed")
        if concrete(self.depth_scale) and not np.all(np.asarray(self.depth_scale) > 0.0):
            raise ValueError(f"depth_scale = {self.depth_scale}: it must be positive")
        if concrete(self.sputter_ratio) and not np.all(np.asarray(self.sputter_ratio) > 0.0):
            raise ValueError(f"sputter_ratio = {self.sputter_ratio}: it must be positive")
        if concrete(self.sensitivity) and not np.all(np.asarray(self.sensitivity) >= 0.0):
            raise ValueError(f"sensitivity = {self.sensitivity}: it must not be negative")

    def true_depth(self, depth: Float[Array, "depth"]) -> Float[Array, "depth"]:
        """Depth below the surface of points at measured depths [nm]."""
        return self.depth_scale * depth + self.depth_offset

    def signal(self, seen: Float[Array, "species depth"]) -> Float[Array, "species depth"]:
        """Signal of fractions that the response has smoothed already."""
        return self.sensitivity[:, None] * seen + self.background[:, None]


class NuisancePrior(eqx.Module):
    """What is known of sensitivity and background beforehand: Gaussians, wide as you like, within bounds.

    Each is a number or one number for each species. By default nothing is known.
    """

    sensitivity: Float[Array, "*#species"] = eqx.field(converter=as_leaf, default=1.0)
    """Expected sensitivity [1]."""
    sensitivity_sigma: Float[Array, "*#species"] = eqx.field(converter=as_leaf, default=jnp.inf)
    """Standard deviation of it; infinite: unknown, zero: known exactly [1]."""
    background: Float[Array, "*#species"] = eqx.field(converter=as_leaf, default=0.0)
    """Expected background [1]."""
    background_sigma: Float[Array, "*#species"] = eqx.field(converter=as_leaf, default=jnp.inf)
    """Standard deviation of it; infinite: unknown, zero: known exactly [1]."""
    sensitivity_bounds: tuple[float, float] = eqx.field(static=True, default=(-float("inf"), float("inf")))
    """Least and greatest sensitivity."""
    background_bounds: tuple[float, float] = eqx.field(static=True, default=(-float("inf"), float("inf")))
    """Least and greatest background."""

    def __check_init__(self):
        for name in ("sensitivity", "background"):
            lower, upper = getattr(self, f"{name}_bounds")
            if not lower < upper:
                raise ValueError(f"{name}_bounds = ({lower:g}, {upper:g}): the first must be below the second")
            sigma = getattr(self, f"{name}_sigma")
            if concrete(sigma) and not np.all(np.asarray(sigma) >= 0.0):
                raise ValueError(f"{name}_sigma = {sigma}: it must not be negative")


class Nuisance(NamedTuple):
    """Best sensitivity and background of each species and the χ² that they leave."""

    sensitivity: Float[Array, "species"]
    background: Float[Array, "species"]
    chi2: Float[Array, "species"]


def solve_linear_nuisance(
    seen: Float[Array, "species depth"],
    data: Float[Array, "species depth"],
    sigma: Float[Array, "species depth"],
    prior: NuisancePrior | None = None,
    *,
    weight: Float[Array, "species depth"] | None = None,
) -> Nuisance:
    """Sensitivity s and background b that bring s × seen + b nearest to the data, for each species.

    Least of χ² = Σ w (s y + b - d)²/σ² + (s - s₀)²/σ_s² + (b - b₀)²/σ_b², exact also within bounds. Where the data
    cannot tell the two apart (a flat signal, no prior) the background stays at its expected value; where they say
    nothing of s either (no signal), so does the sensitivity. Derivatives are those of the closed form.

    Parameters
    ----------
    seen
        Fractions seen through the response, before sensitivity and background.
    data, sigma
        Measured fractions and their standard deviations.
    prior
        What is known beforehand; nothing by default.
    weight
        Weights of the points, zero where masked; one everywhere by default.

    Returns
    -------
    Nuisance
        Optimum and χ² there, prior terms included, each of shape [species].
    """
    prior = NuisancePrior() if prior is None else prior
    used = jnp.ones_like(seen) if weight is None else weight
    w = jnp.where(used > 0.0, used, 0.0) / jnp.where(used > 0.0, sigma, 1.0) ** 2
    s0, b0 = (
        jnp.broadcast_to(mean, seen.shape[:1]).astype(seen.dtype) for mean in (prior.sensitivity, prior.background)
    )
    ps, pb = (_precision(sigma, seen) for sigma in (prior.sensitivity_sigma, prior.background_sigma))
    y = jnp.where(used > 0.0, seen, 0.0)
    # Unknowns are the differences from the expected values: nothing cancels when those are nearly right.
    d = jnp.where(used > 0.0, data - b0[:, None] - s0[:, None] * y, 0.0)

    def chi2_of(s: Array, b: Array) -> Array:
        return jnp.sum(w * (s[:, None] * y + b[:, None] - d) ** 2, axis=1) + ps * s**2 + pb * b**2

    def best_background(s: Array) -> Array:
        return _divide(jnp.sum(w * (d - s[:, None] * y), axis=1), jnp.sum(w, axis=1) + pb)

    def best_sensitivity(b: Array) -> Array:
        return _divide(jnp.sum(w * y * (d - b[:, None]), axis=1), jnp.sum(w * y * y, axis=1) + ps)

    middle = _divide(jnp.sum(w * y, axis=1), jnp.sum(w, axis=1) + pb)
    centred = y - middle[:, None]
    stiffness = jnp.sum(w * centred**2, axis=1) + pb * middle**2 + ps
    scale = jnp.sum(w * y * y, axis=1) + ps
    # Rounding of the signal leaves differences of this size from its mean.
    told_apart = stiffness > (64.0 * jnp.finfo(seen.dtype).eps) ** 2 * scale
    sloped = _divide(jnp.sum(w * centred * d, axis=1), jnp.where(told_apart, stiffness, 1.0))
    s = jnp.where(told_apart, sloped, best_sensitivity(jnp.zeros_like(middle)))
    b = jnp.where(told_apart, best_background(s), 0.0)

    lower_s, upper_s = (bound - s0 for bound in prior.sensitivity_bounds)
    lower_b, upper_b = (bound - b0 for bound in prior.background_bounds)
    edges = []
    for given, held in zip(prior.sensitivity_bounds, (lower_s, upper_s), strict=True):
        if math.isfinite(given):
            edges.append((held, jnp.clip(best_background(held), lower_b, upper_b)))
    for given, held in zip(prior.background_bounds, (lower_b, upper_b), strict=True):
        if math.isfinite(given):
            edges.append((jnp.clip(best_sensitivity(held), lower_s, upper_s), held))
    # A convex function has its least value inside, or on one of the four edges where it is least along that edge.
    inside = (s >= lower_s) & (s <= upper_s) & (b >= lower_b) & (b <= upper_b)
    chi2 = jnp.where(inside, chi2_of(s, b), jnp.inf)
    for edge_s, edge_b in edges:
        value = chi2_of(edge_s, edge_b)
        better = ~inside & (value < chi2)
        s, b, chi2 = jnp.where(better, edge_s, s), jnp.where(better, edge_b, b), jnp.where(better, value, chi2)
    return Nuisance(s0 + s, b0 + b, chi2)


def _precision(sigma: Array, like: Array) -> Array:
    """1/σ², zero for an infinite σ; one that is known exactly gets a precision that nothing in the data outweighs."""
    exact = jnp.finfo(like.dtype).max ** 0.4
    sigma = jnp.broadcast_to(sigma, like.shape[:1]).astype(like.dtype)
    return jnp.minimum(1.0 / jnp.maximum(sigma, 1.0 / jnp.sqrt(exact)) ** 2, exact)


def _divide(numerator: Array, denominator: Array) -> Array:
    """The quotient, zero where the denominator is."""
    return jnp.where(denominator > 0.0, numerator, 0.0) / jnp.where(denominator > 0.0, denominator, 1.0)
