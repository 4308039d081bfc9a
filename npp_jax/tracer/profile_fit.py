"""D from one isotope profile, by a closed solution: constant surface, surface exchange, or finite source.

A profile after a time t depends on D t and k t alone: without a known duration these are what is fitted.
"""

from typing import Literal, TypeAlias, get_args

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.physics.leaf import LeafLike, as_leaf, as_optional_leaf
from npp_jax.tracer import closed_forms as cf
from npp_jax.tracer.evolution import exchange_profile
from npp_jax.tracer.fit import MeasuredProfile, strong
from npp_jax.tracer.least_squares import TracerFit, least_squares

Source: TypeAlias = Literal["constant-surface", "surface-exchange", "finite-source"]
"""What the isotope comes from."""


def fit_profile(
    profile: MeasuredProfile,
    duration: LeafLike = 1.0,
    *,
    start: LeafLike,
    source: Source = "constant-surface",
    k: LeafLike | None = None,
    source_width: LeafLike | None = None,
    thickness: LeafLike | None = None,
    base: LeafLike | None = None,
    origin: LeafLike | None = None,
) -> TracerFit:
    """D of one profile, C = C₀ + (C₁ - C₀) f(x - x₀; D t), f a solution of `closed_forms`.

    The parameters are `log_D` [ln m²/s], `surface` C₁ of the source, `base` C₀ unless it is given, `log_k`
    [ln m/s] with surface exchange, and `origin` x₀ [units of √(D t) at the start] if it is not known.
    In front of x₀ the fraction is that at x₀ (Hasegawa et al. 2024, eqn 4: the part of the sample that is immersed).

    Parameters
    ----------
    profile
        Measured profile; C₁ may lie above or below C₀.
    duration
        Duration t; with one second log_D and log_k are the logarithms of D t [m²] and k t [m]. [s]
    start
        D to start from. [m²/s]
    source
        Constant fraction at the surface, exchange with the coefficient k, or a layer of finite thickness on the sample.
    k
        k to start from, for surface exchange. [m/s]
    source_width
        Thickness of the layer, for a finite source. [m]
    thickness
        Thickness of the sample, with a closed far end; without it the sample has no end. [m]
    base
        Fraction C₀ of the untouched sample, if known. [1]
    origin
        Surface to start from, if it is to be found; otherwise it is at x = 0. [m]

    Raises
    ------
    ValueError
        A quantity that the source needs is missing, or one that it does not take is given.
    """
    if source not in get_args(Source):
        raise ValueError(f"source = {source!r}; allowed are {', '.join(get_args(Source))}")
    for name, value, owner in (("k", k, "surface-exchange"), ("source_width", source_width, "finite-source")):
        if (value is not None) != (source == owner):
            raise ValueError(f"{name} belongs to the source '{owner}', which needs it, and to no other")
    reach = jnp.sqrt(as_leaf(start) * as_leaf(duration))
    first, last = profile.fraction[jnp.argmin(profile.position)], profile.fraction[jnp.argmax(profile.position)]
    parameters = {"log_D": jnp.log(as_leaf(start)), "surface": first}
    if base is None:
        parameters["base"] = last
    if k is not None:
        parameters["log_k"] = jnp.log(as_leaf(k))
    if origin is not None:
        parameters["origin"] = as_leaf(origin) / reach
    optional = [as_optional_leaf(value) for value in (source_width, thickness, base)]
    return least_squares(ProfileModel(profile, as_leaf(duration), reach, source, *optional), strong(parameters))


class ProfileModel(eqx.Module):
    """Weighted residuals of a profile, as a function of the parameters of `fit_profile`."""

    profile: MeasuredProfile
    duration: Array
    reach: Array
    """Unit of the origin [m]."""
    source: Source = eqx.field(static=True)
    width: Array | None
    thickness: Array | None
    base: Array | None

    def at(self, p: dict[str, Array], position: Array) -> Array:
        """Fractions at positions [m]."""
        low = p["base"] if self.base is None else self.base
        return low + (p["surface"] - low) * self._shape(p, position - p.get("origin", 0.0) * self.reach)

    def _shape(self, p: dict[str, Array], x: Array) -> Array:
        D, t, depth = jnp.exp(p["log_D"]), self.duration, jnp.maximum(x, 0.0)
        # The closed forms of a plate hold inside it only.
        inside = depth if self.thickness is None else jnp.minimum(depth, self.thickness)
        match self.source, self.thickness:
            case "constant-surface", None:
                return exchange_profile(x, D * t)
            case "constant-surface", thickness:
                return cf.plate_constant_surface(inside, t, D, thickness)
            case "surface-exchange", None:
                return cf.surface_exchange(depth, t, D, jnp.exp(p["log_k"]))
            case "surface-exchange", thickness:
                return cf.plate_surface_exchange(inside, t, D, jnp.exp(p["log_k"]), thickness)
        assert self.width is not None
        if self.thickness is None:
            return cf.slab_source(depth, t, D, self.width)
        return cf.plate_slab_source(inside, t, D, self.width, self.thickness)

    def __call__(self, p: dict[str, Array]) -> Array:
        """Weighted residuals [1]."""
        return self.profile.residual(self.at(p, self.profile.position))
