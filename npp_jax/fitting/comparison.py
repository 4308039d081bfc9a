"""What was simulated of one experiment, seen as it would be measured, and its distance from what was measured.

Experiments whose data are of one form are compared in a loop, so that three glasses cost one compilation.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.observe import (
    AbstractLikelihood,
    DepthProfile,
    NuisancePrior,
    Observation,
    SampledResponse,
    convolve,
    mean_over,
    solve_linear_nuisance,
)
from npp_jax.physics.interpolation import hermite, hermite_slopes
from npp_jax.simulation.observables import interpolate_profile

Found = TypeVar("Found")

_BLOCK = 2048
"""Depths at which a profile is seen together."""


class Comparison(eqx.Module):
    """Profiles of some candidates of one experiment, and what they are compared with."""

    points: Float[Array, "point candidate"]
    """Depths of the profile: surface, centres of the cells, back electrode [nm]."""
    faces: Float[Array, "face candidate"]
    """Boundaries of the cells [nm]."""
    fraction: Float[Array, "species point candidate"]
    """Fractions of the measured species, in the order of the profile [1]."""
    exchanged: Float[Array, "point candidate"] | None
    """Share of the bulk ions that were replaced, where the sputter rate depends on it [1]."""
    observation: Observation
    """How the experiment is seen; all leaves with a first axis of candidates."""
    response: SampledResponse | None
    """The response at the depths of the profile, where it is the same for all candidates."""
    perfect: bool = eqx.field(static=True)
    """Whether the depth resolution is perfect."""
    profile: DepthProfile
    nuisance: NuisancePrior
    likelihood: AbstractLikelihood
    solved: bool = eqx.field(static=True)
    """Whether sensitivities or backgrounds are solved for."""

    def signal(self) -> Float[Array, "candidate species depth"]:
        """Signal at the depths of the profile, before sensitivities and backgrounds that are solved for."""

        def seen(
            points: Array, faces: Array, fraction: Array, exchanged: Array | None, observation: Observation
        ) -> Array:
            if self.response is None or self.perfect:
                profile = self.profile
                return seen_profile(
                    observation, points, faces, fraction, exchanged, profile.depth, profile.interval, self.perfect
                )
            if exchanged is not None:
                points, faces = sputtered(points, faces, exchanged, observation.sputter_ratio)
            slopes = cell_slopes(points, faces, fraction)
            return observation.signal(self.response(faces, fraction[:, 1:-1], slopes))

        of = (self.points, self.faces, self.fraction, self.exchanged, self.observation)
        return jax.vmap(seen, in_axes=(-1, -1, -1, -1, 0))(*of)

    def residuals(self) -> tuple[Float[Array, "candidate residual"], Float[Array, "candidate species depth"]]:
        """Residuals, those of a prior included, so that Σ² is χ²; and the signal that they belong to."""
        return jax.vmap(self._residuals)(self.signal())

    def chi2(self) -> Float[Array, " candidate"]:
        """χ² with the best sensitivities and backgrounds."""
        return jnp.sum(self.residuals()[0] ** 2, axis=1)

    def _residuals(self, signal: Float[Array, "species depth"]) -> tuple[Array, Array]:
        profile, prior = self.profile, self.nuisance
        if not self.solved:
            return self.likelihood.residuals(signal, profile).ravel(), signal
        best = solve_linear_nuisance(signal, profile.fraction, profile.sigma, prior, weight=profile.weight)
        seen = best.sensitivity[:, None] * signal + best.background[:, None]

        def pull(value: Array, mean: Array, sigma: Array) -> Array:
            # Known exactly or not at all: nothing is pulled.
            soft = (sigma > 0.0) & jnp.isfinite(sigma)
            return jnp.where(soft, (value - mean) / jnp.where(soft, sigma, 1.0), 0.0)

        pulls = jnp.stack(
            [
                pull(best.sensitivity, prior.sensitivity, prior.sensitivity_sigma),
                pull(best.background, prior.background, prior.background_sigma),
            ]
        )
        return jnp.concatenate([self.likelihood.residuals(seen, profile).ravel(), pulls.ravel()]), seen


def seen_profile(
    observation: Observation,
    points: Float[Array, " point"],
    faces: Float[Array, " face"],
    fraction: Float[Array, "species point"],
    exchanged: Float[Array, " point"] | None,
    depth: Float[Array, " depth"],
    interval: Float[Array, " depth"] | None = None,
    perfect: bool = False,
) -> Float[Array, "species depth"]:
    """Signal of one simulated profile, without noise.

    Parameters
    ----------
    observation
        How it is seen.
    points, faces
        Depths of the profile: surface, centres of the cells, back electrode; and boundaries of the cells. [nm]
    fraction
        Fractions at the points. [1]
    exchanged
        Share of the bulk ions that were replaced, where the sputter rate depends on it. [1]
    depth, interval
        Depths as measured, and the intervals over which they are averages, if they are. [nm]
    perfect
        Whether the depth resolution is perfect.
    """
    if exchanged is not None:
        points, faces = sputtered(points, faces, exchanged, observation.sputter_ratio)
    if perfect:
        seen: Callable[[Array], Array] = functools.partial(interpolate_profile, points=points, fraction=fraction)
    else:
        cells, slopes = fraction[:, 1:-1], cell_slopes(points, faces, fraction)
        seen = _in_blocks(lambda at: convolve(observation.response, faces, cells, at, slopes))
    return observation.signal(over_intervals(seen, observation, depth, interval))


def sputtered(
    points: Float[Array, " point"],
    faces: Float[Array, " face"],
    exchanged: Float[Array, " point"],
    ratio: Float[Array, ""],
) -> tuple[Float[Array, " point"], Float[Array, " face"]]:
    """Depths as a clock that runs at the sputter rate of the bulk has them: dz/s with s = 1 + (ratio - 1) × exchanged.

    Parameters
    ----------
    points, faces
        True depths of the profile and boundaries of its cells. [nm]
    exchanged
        Share of the bulk ions that were replaced, at the points.
    ratio
        Sputter rate of the exchanged material over that of the bulk.
    """
    rate = 1.0 + (ratio - 1.0) * jnp.clip(exchanged[1:-1], 0.0, 1.0)
    moved = jnp.concatenate([faces[:1], faces[0] + jnp.cumsum(jnp.diff(faces) / rate)])
    centres = moved[:-1] + (points[1:-1] - faces[:-1]) / rate
    return jnp.concatenate([points[:1], centres, moved[-1:]]), moved


def cell_slopes(
    points: Float[Array, " point"], faces: Float[Array, " face"], fraction: Float[Array, "species point"]
) -> Float[Array, "species cell"]:
    """Mean slope of each cell of the interpolated profile, the function of `Solution.profile` [1/nm]."""
    x, y = points[:, None], fraction.T
    slope = hermite_slopes(x, y)
    step = jnp.diff(x, axis=0)[1:-1]
    t = (faces[1:-1, None] - x[1:-2]) / step
    inner = hermite(t, y[1:-2], y[2:-1], slope[1:-2] * step, slope[2:-1] * step)
    at_faces = jnp.concatenate([y[:1], inner, y[-1:]])
    return (jnp.diff(at_faces, axis=0) / jnp.diff(faces)[:, None]).T


def _in_blocks(signal: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A signal at many depths, some of them at a time: each meets each face of the profile."""

    def seen(depth: Array) -> Array:
        if depth.size <= _BLOCK:
            return signal(depth)
        blocks = jnp.pad(depth, (0, -depth.size % _BLOCK), mode="edge").reshape(-1, _BLOCK)
        found = jnp.moveaxis(jax.lax.map(signal, blocks), 0, 1)
        return found.reshape(found.shape[0], -1)[:, : depth.size]

    return seen


def over_intervals(
    signal: Callable[[Array], Array], observation: Observation, measured: Array, interval: Array | None
) -> Float[Array, "species depth"]:
    """A signal at measured depths, averaged over their intervals where they are averages."""
    depth = observation.true_depth(measured)
    if interval is None:
        return signal(depth)
    # No point lies before the surface.
    return mean_over(signal, depth, jnp.minimum(0.5 * observation.depth_scale * interval, jnp.maximum(depth, 0.0)))


def for_each(function: Callable[[Comparison], Found], comparisons: Sequence[Comparison]) -> list[Found]:
    """What a function makes of each comparison; those of one form are worked through in a compiled loop."""
    groups: dict[object, list[int]] = {}
    for k, comparison in enumerate(comparisons):
        leaves, structure = jax.tree.flatten(comparison)
        groups.setdefault((structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)), []).append(k)
    found: dict[int, Found] = {}
    for members in groups.values():
        if len(members) == 1:
            found[members[0]] = function(comparisons[members[0]])
            continue
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(comparisons[k] for k in members))
        together = jax.lax.map(function, stacked)
        for place, k in enumerate(members):
            found[k] = jax.tree.map(lambda leaf, place=place: leaf[place], together)
    return [found[k] for k in range(len(comparisons))]
