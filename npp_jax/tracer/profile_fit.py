"""D from one isotope profile, by a closed solution: constant surface, surface exchange, or finite source.

A profile after a time t depends on D t and k t alone: without a known duration these are what is fitted.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.inference import Prior
from npp_jax.physics.checks import FINITE, NOT_NEGATIVE, POSITIVE, expects, optional
from npp_jax.physics.couple_profile import surface_profile
from npp_jax.physics.leaf import LeafLike, as_leaf, as_optional_leaf
from npp_jax.tracer import closed_forms as cf
from npp_jax.tracer.evolution import exchange_profile
from npp_jax.tracer.fractions import AbstractFractions
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.model import AbstractTracerModel
from npp_jax.tracer.second_start import range_of_kt, scanned_start
from npp_jax.tracer.tracer_fit import OnEnds, OnIteration, TracerFit, fit_tracer
from npp_jax.tracer.unknowns import Unknown

Source: TypeAlias = Literal["constant-surface", "surface-exchange", "finite-source"]
"""What the isotope comes from."""

Transport: TypeAlias = Literal["one-path", "two-path", "composition-dependent"]
"""One D; a share of the source on a faster path beside it; or a D that changes with the fraction, ln D a line."""


class Known(NamedTuple):
    """What is known of a parameter beforehand."""

    limits: tuple[float, float] | None = None
    """Range; that of its own kind, if not given. [unit of the parameter]"""
    prior: Prior | None = None


_FAST_RATIO, _FAST_SHARE = 10.0, 0.2
"""Where the fit of two paths starts."""

LIMITS = {"fast_ratio": (1.0, 1e6), "fast_share": (0.0, 1.0), "D_slope": (-12.0, 12.0)}
"""Ranges of D_fast/D, of the share of the fast path, and of ln D at the source less ln D of the untouched sample."""

_LAW_KNOTS = 3


@expects(
    profile=MeasuredProfile,
    duration=optional(POSITIVE),
    start=POSITIVE,
    k=optional(POSITIVE),
    source_width=optional(POSITIVE),
    thickness=optional(POSITIVE),
    base=optional(FINITE),
    origin=optional(FINITE),
    profile_points=NOT_NEGATIVE,
)
def fit_profile(
    profile: MeasuredProfile,
    duration: LeafLike | None = None,
    *,
    start: LeafLike,
    source: Source = "constant-surface",
    transport: Transport = "one-path",
    known: Mapping[str, Known] | None = None,
    k: LeafLike | None = None,
    source_width: LeafLike | None = None,
    thickness: LeafLike | None = None,
    base: LeafLike | None = None,
    origin: LeafLike | None = None,
    profile_points: int = 9,
    on_iteration: OnIteration = None,
    on_ends: OnEnds = None,
) -> TracerFit:
    """D of one profile, C = C₀ + (C₁ - C₀) f(x - x₀; D t), f a solution of `closed_forms`.

    The parameters are `D_m2_s`, `surface` C₁ of the source, `base` C₀ unless it is given, `k_m_s` with surface
    exchange, and `origin_m` x₀ if it is not known. Without a duration they are the products `Dt_m2` and `kt_m`.
    Rivals of one D, for a constant surface of a sample without end: two paths side by side, the fraction `fast_share`
    of the source on one of D `fast_ratio` times as large; and D(C) = D e^(aY), Y = (C - C₀)/(C₁ - C₀), a = `D_slope`.
    In front of x₀ the fraction is that at x₀ (Hasegawa et al. 2024, eqn 4: the part of the sample that is immersed).

    Parameters
    ----------
    profile
        Measured profile; C₁ may lie above or below C₀.
    duration
        Duration t, if it is known. [s]
    start
        D to start from, or D t without a duration. [m²/s or m²]
    source
        Constant fraction at the surface, exchange with the coefficient k, or a layer of finite thickness on the sample.
    transport
        One D, or a rival of it.
    known
        Ranges and priors of parameters by their names.
    k
        k to start from, or k t, for surface exchange. [m/s or m]
    source_width
        Thickness of the layer, for a finite source. [m]
    thickness
        Thickness of the sample, with a closed far end; without it the sample has no end. [m]
    base
        Fraction C₀ of the untouched sample, if known. [1]
    origin
        Surface to start from, if it is to be found; otherwise it is at x = 0. [m]
    profile_points
        Points of the curve of each profile likelihood, which do not change its interval; no profile for zero.
    on_iteration, on_ends
        Are told how far the fit is, and the profile likelihoods after it.

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
    if transport not in get_args(Transport):
        raise ValueError(f"transport = {transport!r}; allowed are {', '.join(get_args(Transport))}")
    if transport != "one-path" and (source != "constant-surface" or thickness is not None):
        raise ValueError(f"transport = '{transport}' needs the source 'constant-surface' and a sample without end")
    first, last = profile.ends()
    unknowns = [Unknown("D_m2_s" if duration is not None else "Dt_m2", as_leaf(start), "log")]
    if k is not None:
        unknowns.append(_exchange(profile, duration, as_leaf(k), known or {}))
    if transport == "two-path":
        unknowns.append(Unknown("fast_ratio", as_leaf(_FAST_RATIO), "log", limits=LIMITS["fast_ratio"]))
        unknowns.append(Unknown("fast_share", as_leaf(_FAST_SHARE), limits=LIMITS["fast_share"]))
    if transport == "composition-dependent":
        unknowns.append(Unknown("D_slope", as_leaf(0.0), limits=LIMITS["D_slope"]))
    unknowns.append(Unknown("surface", first, limits=profile.data.limits))
    if base is None:
        unknowns.append(Unknown("base", last, limits=profile.data.limits))
    if origin is not None:
        unknowns.append(Unknown("origin_m", as_leaf(origin)))
    unknowns = [_with_known(unknown, (known or {}).get(unknown.name)) for unknown in unknowns]
    optional = [as_optional_leaf(value) for value in (duration, source_width, thickness, base)]
    model = ProfileModel(profile, source, transport, *optional)
    return fit_tracer(
        model,
        tuple(unknowns),
        profile_points=profile_points,
        second=scanned_start(profile, unknowns, model.shape, duration, base),
        on_iteration=on_iteration,
        on_ends=on_ends,
    )


def _with_known(unknown: Unknown, known: Known | None) -> Unknown:
    """The unknown with its range and prior, starting inside."""
    if known is None:
        return unknown
    low, high = unknown.limits or (-np.inf, np.inf)
    if known.limits is not None:
        low, high = max(low, known.limits[0]), min(high, known.limits[1])
        if not low < high:
            raise ValueError(f"{unknown.name}: no possible value lies in the range {known.limits}")
        unknown = unknown._replace(limits=(low, high))
    return unknown._replace(start=jnp.clip(unknown.start, *unknown.inner(0.01)), prior=known.prior)


def _exchange(profile: MeasuredProfile, duration: LeafLike | None, k: Array, known: Mapping[str, Known]) -> Unknown:
    """The exchange coefficient k, or k t, as far as data tell it from none and from one without end."""
    name, seconds = ("kt_m", 1.0) if duration is None else ("k_m_s", float(as_leaf(duration)))
    ends = range_of_kt(profile)
    if ends is None or (name in known and known[name].limits is not None):
        return Unknown(name, k, "log")
    rate = Unknown(name, k, "log", limits=(ends[0] / seconds, ends[1] / seconds))
    return rate._replace(start=jnp.clip(k, *rate.inner(0.01)))


class ProfileModel(AbstractTracerModel):
    """Fractions of a profile as a function of the parameters of `fit_profile`."""

    profile: MeasuredProfile
    source: Source = eqx.field(static=True)
    transport: Transport = eqx.field(static=True)
    duration: Array | None
    width: Array | None
    thickness: Array | None
    base: Array | None

    @property
    def data(self) -> tuple[AbstractFractions, ...]:
        """The profile."""
        return (self.profile.data,)

    def fractions(self, p: dict[str, Array]) -> tuple[Array, ...]:
        """Fractions at its points [1]."""
        return (self.at(p, self.profile.position),)

    def at(self, p: dict[str, Array], position: Array) -> Array:
        """Fractions at positions [m]."""
        low = p["base"] if self.base is None else self.base
        return low + (p["surface"] - low) * self.shape(p, position)

    def _rival(self, p: dict[str, Array], x: Array, area: Array) -> Array:
        """Constant surface, for an area D t [m²]."""
        match self.transport:
            case "one-path":
                return exchange_profile(x, area)
            case "two-path":
                fast = exchange_profile(x, p["fast_ratio"] * area)
                return exchange_profile(x, area) + p["fast_share"] * (fast - exchange_profile(x, area))
            case "composition-dependent":
                line = jnp.linspace(0.0, 1.0, _LAW_KNOTS, dtype=area.dtype)
                places, share = surface_profile(jnp.log(area) + p["D_slope"] * line)
                return jnp.interp(jnp.maximum(x, 0.0), places, share)

    def shape(self, p: dict[str, Array], position: Array) -> Array:
        """From 0 in the untouched sample to 1 at the source, at positions [m]."""
        x = position - p.get("origin_m", 0.0)
        depth = jnp.maximum(x, 0.0)
        if self.duration is None:
            D, t, k = p["Dt_m2"], 1.0, p.get("kt_m", 0.0)
        else:
            D, t, k = p["D_m2_s"], self.duration, p.get("k_m_s", 0.0)
        # The closed forms of a plate hold inside it only.
        inside = depth if self.thickness is None else jnp.minimum(depth, self.thickness)
        match self.source, self.thickness:
            case "constant-surface", None:
                return self._rival(p, x, D * t)
            case "constant-surface", thickness:
                return cf.plate_constant_surface(inside, t, D, thickness)
            case "surface-exchange", None:
                return cf.surface_exchange(depth, t, D, k)
            case "surface-exchange", thickness:
                return cf.plate_surface_exchange(inside, t, D, k, thickness)
        assert self.width is not None
        if self.thickness is None:
            return cf.slab_source(depth, t, D, self.width)
        return cf.plate_slab_source(inside, t, D, self.width, self.thickness)
