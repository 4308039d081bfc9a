"""Diffusion of an isotope through a map of grains with resistive boundaries.

Inside a grain ∂C/∂t = D ∇²C. At a boundary both sides pass the flux k ΔC, k = D_gb/δ its permeability, D_gb the
diffusivity in a layer of thickness δ; C is the fraction of the isotope. Finite volumes: the conductance between
neighbouring pixels is that of two half pixels in series with the boundary between them, if there is one. Time: SDIRK2
of `solver.linear_sdirk`. The systems are symmetric; derivatives are those of the linear solutions, in both modes.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from npp_jax.physics.checks import (
    FINITE,
    NOT_NEGATIVE,
    PERMEABILITY,
    POSITIVE,
    Several,
    expect_numbers,
    expects,
    optional,
)
from npp_jax.physics.leaf import LeafLike, as_leaf, as_optional_leaf
from npp_jax.solver.five_point import Multigrid, Network, apply, multigrid, solve
from npp_jax.solver.linear_sdirk import StageSolution, linear_pass
from npp_jax.tracer.grain_map import GrainMap


class MapStage(eqx.Module):
    """A time during which the sides of the map are as they are."""

    duration: Float[Array, "*batch"] = eqx.field(converter=as_leaf)
    """Duration [s]."""
    source: Float[Array, "*#row"] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Isotope fraction at the left side, one number or one for each row; None if the side is closed."""
    steps: int = eqx.field(static=True, default=24)
    """Number of time steps."""

    def __check_init__(self) -> None:
        """Duration, fraction and steps are those of a stage."""
        expect_numbers(self.duration, NOT_NEGATIVE, "duration")
        expect_numbers(self.source, optional(FINITE), "source")
        expect_numbers(self.steps, POSITIVE, "steps")


class MapSolution(NamedTuple):
    """Maps at the ends of the stages."""

    fraction: Float[Array, "stage row column"]
    """Isotope fraction [1]."""
    uptake: Float[Array, " stage"]
    """Isotope fraction times area that came in through the left side during each stage [m²]."""
    iterations: Int[Array, " stage"]
    """Iterations of all linear systems of a stage."""
    residual: Float[Array, " stage"]
    """Largest residual of a linear system over its right-hand side, in the Euclidean norm."""


def face_network(
    grains: GrainMap, D_bulk: Float[Array, ""], permeability: Float[Array, "*#boundary"], closed: bool
) -> Network:
    """Conductances of all faces per length of face, times the pixel size [m²/s].

    1/g = 1/D + 1/(h |n| k): half a pixel on either side, and the boundary with its share of direction.
    """
    permeability = jnp.broadcast_to(permeability, (max(grains.classes, 1),))

    def conductance(kind: Array, weight: Array) -> Array:
        barrier = grains.pixel_size * weight.astype(permeability.dtype) * permeability[kind]
        return jnp.where(kind >= 0, D_bulk * barrier / (D_bulk + barrier), D_bulk)

    west = conductance(grains.west_class, grains.west_weight).at[:, 0].set(0.0)
    north = conductance(grains.north_class, grains.north_weight).at[0].set(0.0)
    side = jnp.full(grains.shape[0], 0.0 if closed else 2.0, west.dtype) * D_bulk
    return Network(grains.pixels.astype(west.dtype), west, north, side)


def solver_grids(grains: GrainMap, D_bulk: Array, permeability: Array, closed: bool) -> Multigrid:
    """The map and its coarser versions, for the linear systems; approximate, hence without derivatives."""
    D_bulk, permeability = jax.lax.stop_gradient((D_bulk, permeability))
    levels, into = [], []
    level = grains
    while level is not None:
        levels.append(face_network(level, D_bulk, permeability, closed))
        into.append(level.into)
        level = level.coarser
    return multigrid(tuple(levels), tuple(into[:-1]), grains.grain, grains.grains)


@expects(
    grains=GrainMap,
    D_bulk=POSITIVE,
    permeability=PERMEABILITY,
    initial=FINITE,
    stages=Several(MapStage),
    tolerance=optional(POSITIVE),
)
def simulate_map(
    grains: GrainMap,
    D_bulk: LeafLike,
    permeability: LeafLike,
    initial: LeafLike,
    stages: tuple[MapStage, ...],
    *,
    tolerance: LeafLike | None = None,
) -> MapSolution:
    """Diffuse an isotope through a grain map.

    Parameters
    ----------
    grains
        Geometry.
    D_bulk
        Diffusivity in the grains [m²/s].
    permeability
        D_gb/δ of all boundaries or of each class of boundaries, shape [] or [boundary] [m/s].
    initial
        Isotope fraction at the start, shape [] or [row, column].
    stages
        What happens one after the other.
    tolerance
        Relative error of the linear systems in the energy norm; by default 1e-7 in double, 1e-4 in single precision.
    """
    D_bulk, permeability, initial = as_leaf(D_bulk), as_leaf(permeability), as_leaf(initial)
    dtype = jnp.result_type(D_bulk, permeability, initial)
    fraction = jnp.broadcast_to(initial, grains.shape).astype(dtype)
    tolerance = as_leaf((1e-7 if dtype == jnp.float64 else 1e-4) if tolerance is None else tolerance)
    results = []
    for stage in stages:
        physics = (grains, D_bulk, permeability, stage.source is None)
        network, grids = face_network(*physics), solver_grids(*physics)
        fraction, *rest = _advance(network, grids, grains.pixel_size, fraction, stage, tolerance)
        results.append((fraction, *rest))
    return MapSolution(*(jnp.stack(parts) for parts in zip(*results, strict=True)))


def _advance(network: Network, grids: Multigrid, pixel: float, fraction: Array, stage: MapStage, tolerance: Array):
    """Map at the end of a stage, uptake, iterations and largest residual."""
    source = jnp.zeros(()) if stage.source is None else stage.source
    source = jnp.broadcast_to(source, network.side.shape).astype(fraction.dtype)

    def solved(factor: Array, b: Array) -> tuple[Array, Array, Array]:
        held = jax.lax.stop_gradient(factor)
        u, count = jax.lax.custom_linear_solve(
            lambda v: apply(network, factor, v),
            b,
            lambda _, c: solve(grids, held, c, tolerance=tolerance),
            symmetric=True,
            has_aux=True,
        )
        norm = jnp.linalg.norm(b)
        miss = jnp.linalg.norm(b - apply(network, factor, u)) / jnp.where(norm > 0.0, norm, 1.0)
        return u, count, jax.lax.stop_gradient(miss)

    def solve_stage(base: Array, change: Array, weight: Array) -> StageSolution:
        """The system is for the change beyond the known one, which is small on a smooth solution."""
        factor = weight / pixel**2
        inflow = (-network.outflow(base)).at[:, 0].add(network.side * source)
        further, count, miss = solved(factor, factor * inflow - apply(network, factor, change))
        new = base + change + further
        return StageSolution(new, jnp.sum(network.side * (source - new[:, 0])), (count, miss))

    passed = linear_pass(solve_stage, fraction, stage.duration, steps=stage.steps)
    counts, misses = passed.told
    return passed.y, passed.flow, jnp.sum(counts), jnp.max(misses)
