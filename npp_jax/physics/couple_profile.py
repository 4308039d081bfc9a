"""Profile of a diffusion couple of any D(c) and any number of phases, without mesh in depth or time.

From a sharp step in a couple that is long on both sides, the profile depends on η = (x - x₀)/√t alone, and the flux
S = D dY/dη over the composition Y obeys, with a prime for d/dY (J. R. Philip, Aust. J. Phys. 13 (1960) 1),

    S'' = -D/(2S),   S = 0 at both ends,   η = -2 S'.

Between two phases D is zero and S' constant: one η for all compositions of the gap, which is the sharp boundary.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax.linalg import tridiagonal_solve
from jaxtyping import Array, Float, Int

from npp_jax.physics.interpolation import interpolate

_INTERVALS = (80, 60)
"""Intervals of a phase: evenly spaced, and further ones towards each end of the couple, where the flux is steep."""

_NEAREST = 1e-4
"""Distance from the end of a couple, as a share of its phase, at which the latter stop to be closer and closer."""

_ITERATIONS = 40


class CoupleProfile(NamedTuple):
    """Composition of each phase over η, and where the phases meet."""

    eta: tuple[Float[Array, " _"], ...]
    """(x - x₀)/√t of each phase, increasing [m/√s]."""
    share: tuple[Float[Array, " _"], ...]
    """Composition at these places, 0 at the first end and 1 at the second [1]."""
    boundary: Float[Array, " gap"]
    """(x - x₀)/√t at which two phases meet [m/√s]."""

    def at(self, eta: Float[Array, " point"], phase: Int[Array | np.ndarray, " point"]) -> Float[Array, " point"]:
        """Composition of points that are known to lie in these phases; beyond a boundary the phase goes on straight."""
        found = jnp.zeros_like(eta)
        last = len(self.eta) - 1
        for k, (places, share) in enumerate(zip(self.eta, self.share, strict=True)):
            inside = eta if k > 0 else jnp.maximum(eta, places[0])
            inside = inside if k < last else jnp.minimum(inside, places[-1])
            found = jnp.where(phase == k, interpolate(inside, places, share, limited=False), found)
        return found


def couple_profile(limits: Float[Array, "phase two"], ln_D: Sequence[Float[Array, " _"]]) -> CoupleProfile:
    """Solve for the profile of a couple from a sharp step.

    Parameters
    ----------
    limits
        Least and greatest composition of each phase, in their order from 0 to 1. [1]
    ln_D
        Logarithms of D at knots in each phase, evenly spaced between its limits: a smooth cubic through them.
        [ln(m²/s)]
    """
    phases = len(ln_D)
    level = jnp.mean(jnp.concatenate([jnp.asarray(knots) for knots in ln_D]))
    nodes, law = [], []
    for k, knots in enumerate(ln_D):
        share = _shares(first=k == 0, last=k == phases - 1)
        nodes.append(limits[k, 0] + (limits[k, 1] - limits[k, 0]) * share)
        law.append(jnp.exp(spline_of(jnp.asarray(0.5 * (share[1:] + share[:-1]), knots.dtype), knots - level)))
        law.append(jnp.zeros(1, knots.dtype))
    Y, D = jnp.concatenate(nodes), jnp.concatenate(law[:-1])
    eta = -2.0 * jnp.diff(_flux(Y, D)) / jnp.diff(Y) * jnp.exp(0.5 * level)
    middle = 0.5 * (Y[1:] + Y[:-1])
    ends = np.cumsum([len(part) for part in nodes])
    boundary = eta[ends[:-1] - 1]
    etas, shares = [], []
    for k, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        own = slice(begin, end - 1)
        before = ([boundary[k - 1 : k]], [Y[begin : begin + 1]]) if k > 0 else ([], [])
        after = ([boundary[k : k + 1]], [Y[end - 1 : end]]) if k < phases - 1 else ([], [])
        etas.append(jnp.concatenate([*before[0], eta[own], *after[0]]))
        shares.append(jnp.concatenate([*before[1], middle[own], *after[1]]))
    return CoupleProfile(tuple(etas), tuple(shares), boundary)


def surface_profile(ln_D: Float[Array, " knot"]) -> tuple[Float[Array, " node"], Float[Array, " node"]]:
    """Solve for the profile below a surface of constant composition 1, in a sample of composition 0 without end.

    It is half of a couple from 0 to 2 whose D is the same on both sides of 1, where by symmetry nothing flows.

    Parameters
    ----------
    ln_D
        Logarithms of D at knots evenly spaced from 0 to 1. [ln(m²/s)]

    Returns
    -------
    x/√t, increasing [m/√s], and the compositions there.
    """
    level, share = jnp.mean(ln_D), _shares(first=True, last=False)
    law = jnp.exp(spline_of(jnp.asarray(0.5 * (share[1:] + share[:-1]), ln_D.dtype), ln_D - level))
    Y = jnp.asarray(np.concatenate([0.5 * share, 1.0 - 0.5 * share[-2::-1]]), ln_D.dtype)
    eta = -2.0 * jnp.diff(_flux(Y, jnp.concatenate([law, law[::-1]]))) / jnp.diff(Y) * jnp.exp(0.5 * level)
    half = len(share) - 1
    middle = Y[:-1] + Y[1:]
    return jnp.pad(-eta[:half][::-1], (1, 0)), jnp.pad(middle[:half][::-1], (1, 0), constant_values=1.0)


def spline_of(share: Float[Array, " point"], knots: Float[Array, " knot"]) -> Float[Array, " point"]:
    """Smooth cubic through knots that are evenly spaced from 0 to 1, at shares of this distance."""
    return interpolate(share, jnp.linspace(0.0, 1.0, len(knots), dtype=knots.dtype), knots, limited=False)


def _shares(*, first: bool, last: bool) -> np.ndarray:
    """Nodes of a phase from 0 to 1, close together at the ends of the couple."""
    even, closer = _INTERVALS
    half = np.concatenate([[0.0], np.geomspace(0.01 * _NEAREST, 0.5, 400)])
    fine = np.concatenate([half, 1.0 - half[-2::-1]])
    towards = lambda place: closer * np.log1p(place / _NEAREST) / np.log1p(1.0 / _NEAREST)  # noqa: E731
    number = even * fine + (towards(fine) if first else 0.0) + (closer - towards(1.0 - fine) if last else 0.0)
    found = np.interp(np.arange(round(number[-1]) + 1), number, fine)
    found[-1] = 1.0
    return found


def _flux(Y: Float[Array, " node"], D: Float[Array, " interval"]) -> Float[Array, " node"]:
    """S at the nodes, by linear elements and Newton's method."""
    width = jnp.diff(Y)
    weight = 0.5 * (D[1:] * width[1:] + D[:-1] * width[:-1])

    def change(S: Array, width: Array, weight: Array) -> Array:
        """Newton's step: linear in what the equation misses, and exact in its derivatives at the solution."""
        left, right = 1.0 / width[:-1], 1.0 / width[1:]
        whole = jnp.pad(S, 1)
        missing = (whole[2:] - S) * right - (S - whole[:-2]) * left + weight / (2.0 * S)
        below, above = left.at[0].set(0.0), right.at[-1].set(0.0)
        return tridiagonal_solve(below, -(left + right) - weight / (2.0 * S**2), above, -missing[:, None])[:, 0]

    def damped(_: Array | int, S: Array) -> Array:
        step = change(S, *held)
        longest = jnp.max(-step / S)
        return S + jnp.minimum(1.0, 0.8 / jnp.maximum(longest, 0.8)) * step

    held = jax.lax.stop_gradient((width, weight))
    mean = jax.lax.stop_gradient(jnp.sqrt(jnp.sum(D * width) / jnp.sum(width)))
    inner = jax.lax.stop_gradient(Y[1:-1])
    S = jax.lax.fori_loop(0, _ITERATIONS, damped, 0.6 * mean * jnp.sqrt(inner * (1.0 - inner)))
    S = jax.lax.stop_gradient(S)
    return jnp.pad(S + change(S, width, weight), 1)
