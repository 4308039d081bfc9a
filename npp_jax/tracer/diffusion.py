"""Diffusion of an isotope along a line: finite volumes with piecewise D and resistive boundaries between cells.

∂C/∂t = ∂/∂x (D ∂C/∂x), with the flux (C₋ - C₊)/R through a boundary of resistance R = δ/D_gb. The conductance between
neighbouring cells is that of two half cells in series with the boundary between them: second order in space. Time:
SDIRK2 of `solver.linear_sdirk`. The total of the isotope is kept to round-off. What comes in at an end is known to the
round-off of the difference across its outermost half cell: 1e-10 for cells of a nanometre.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.physics.checks import FINITE, NOT_NEGATIVE, POSITIVE, Several, expect_numbers, expects, optional
from npp_jax.physics.diffusivity import Arrhenius
from npp_jax.physics.leaf import LeafLike, as_leaf, as_optional_leaf
from npp_jax.solver.ladder import solve_ladder
from npp_jax.solver.linear_sdirk import LinearStage, StageSolution, linear_pass

_GAUSS = np.polynomial.legendre.leggauss(3)


class AbstractEnd(eqx.Module):
    """One end of the line during one stage."""

    @abstractmethod
    def couple(self, half_cell: Array) -> tuple[Array, Array]:
        """Conductance [m/s] from the centre of the last cell to a reservoir, and the fraction of the reservoir.

        `half_cell` is the resistance of the half cell at the end [s/m].
        """


class Closed(AbstractEnd):
    """No flux."""

    def couple(self, half_cell: Array) -> tuple[Array, Array]:
        """No conductance, to a reservoir of any fraction."""
        return jnp.zeros_like(half_cell), jnp.zeros_like(half_cell)


class ConstantSurface(AbstractEnd):
    """Constant fraction at the surface."""

    fraction: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Fraction at the surface [1]."""

    def __check_init__(self) -> None:
        """The fraction is a number."""
        expect_numbers(self.fraction, FINITE, "fraction")

    def couple(self, half_cell: Array) -> tuple[Array, Array]:
        """The half cell alone."""
        return 1.0 / half_cell, self.fraction


class SurfaceExchange(AbstractEnd):
    """Flux k (C₁ - C) through the surface."""

    fraction: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Fraction C₁ of the source [1]."""
    k: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Surface exchange coefficient, zero or positive [m/s]."""

    def __check_init__(self) -> None:
        """The fraction is a number, and k not negative."""
        expect_numbers(self.fraction, FINITE, "fraction")
        expect_numbers(self.k, NOT_NEGATIVE, "k")

    def couple(self, half_cell: Array) -> tuple[Array, Array]:
        """The half cell in series with the exchange."""
        return self.k / (1.0 + self.k * half_cell), self.fraction


class DiffusionStage(eqx.Module):
    """A time with constant conditions."""

    duration: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Duration [s]."""
    temperature: Float[Array, ""] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Temperature [K]; without it D and resistances are taken as they are given."""
    left: AbstractEnd = Closed()
    """End at the first cell."""
    right: AbstractEnd = Closed()
    """End at the last cell."""

    def __check_init__(self) -> None:
        """Duration and temperature are those of a stage."""
        expect_numbers(self.duration, NOT_NEGATIVE, "duration")
        expect_numbers(self.temperature, optional(POSITIVE), "temperature")


class TracerMedium(eqx.Module):
    """What the isotope diffuses through: cells, diffusion coefficient, resistances of boundaries between cells."""

    faces: Float[Array, " face"] = eqx.field(converter=as_leaf)
    """Positions of the faces, increasing [m]."""
    D: Float[Array, "..."] = eqx.field(converter=as_leaf)
    """Diffusion coefficient, one number or one for each cell, at the reference temperature if activated [m²/s]."""
    resistance: Float[Array, "..."] = eqx.field(converter=as_leaf, default=0.0)
    """Resistances δ/D_gb at the inner faces, one number or one for each, zero without a boundary [s/m]."""
    arrhenius: Arrhenius | None = None
    """Thermal activation of D, if any."""
    boundary_arrhenius: Arrhenius | None = None
    """Thermal activation of D_gb, if any."""

    def __check_init__(self) -> None:
        """Cells have a D, and boundaries a resistance."""
        expect_numbers(self.faces, FINITE, "faces")
        expect_numbers(self.D, POSITIVE, "D")
        if np.ndim(self.resistance) == 0 or np.size(self.resistance):
            expect_numbers(self.resistance, NOT_NEGATIVE, "resistance")

    @property
    def centres(self) -> Float[Array, " cell"]:
        """Centres of the cells [m]."""
        return 0.5 * (self.faces[1:] + self.faces[:-1])

    def resistances(self, temperature: Array | None) -> tuple[Float[Array, " cell"], Float[Array, " inner"]]:
        """Resistances of half cells and of inner faces, from centre to centre [s/m], at a temperature [K]."""
        width = jnp.diff(self.faces)
        D, boundary = jnp.broadcast_to(self.D, width.shape), self.resistance
        if temperature is not None and self.arrhenius is not None:
            D = D * self.arrhenius.factor(temperature)
        if temperature is not None and self.boundary_arrhenius is not None:
            boundary = boundary / self.boundary_arrhenius.factor(temperature)
        half = 0.5 * width / D
        return half, half[:-1] + half[1:] + boundary


class TracerSolution(NamedTuple):
    """Profiles at the ends of the stages."""

    time: Float[Array, " stage"]
    """Times from the start [s]."""
    fraction: Float[Array, "stage cell"]
    """Mean isotope fraction of each cell [1]."""
    entered_left: Float[Array, " stage"]
    """Isotope fraction times length that came in at the first cell during each stage [m]."""
    entered_right: Float[Array, " stage"]
    """The same at the last cell [m]."""


class _Network(NamedTuple):
    """Conductances [m/s] of a stage, and fractions of the reservoirs at its ends."""

    inner: Array
    outer: Array
    reservoir: Array
    duration: Array


@expects(medium=TracerMedium, initial=FINITE, stages=Several(DiffusionStage), steps=POSITIVE)
def diffuse(
    medium: TracerMedium, initial: Float[Array, " cell"], stages: Sequence[DiffusionStage], *, steps: int = 64
) -> TracerSolution:
    """Let an isotope profile diffuse through a sequence of stages.

    Parameters
    ----------
    medium
        Cells, D and resistances.
    initial
        Mean fractions of the cells at the start; `cell_means` makes them of a function. [1]
    stages
        What happens, in order.
    steps
        Time steps of each stage.
    """
    dtype = jnp.result_type(initial, *jax.tree.leaves((medium, stages)))
    width = jnp.diff(medium.faces).astype(dtype)
    networks = [_network(medium, stage) for stage in stages]
    stacked = jax.tree.map(lambda *leaves: jnp.stack([leaf.astype(dtype) for leaf in leaves]), *networks)

    def advance(fraction: Array, network: _Network) -> tuple[Array, tuple[Array, Array]]:
        passed = linear_pass(_stage(width, network), fraction, network.duration, steps=steps)
        return passed.y, (passed.y, passed.flow)

    _, (fraction, entered) = jax.lax.scan(advance, initial.astype(dtype), stacked)
    return TracerSolution(jnp.cumsum(stacked.duration), fraction, entered[:, 0], entered[:, 1])


def _network(medium: TracerMedium, stage: DiffusionStage) -> _Network:
    half, between = medium.resistances(stage.temperature)
    left, right = stage.left.couple(half[0]), stage.right.couple(half[-1])
    outer, reservoir = (jnp.stack(jnp.broadcast_arrays(*pair)) for pair in zip(left, right, strict=True))
    return _Network(1.0 / between, outer, reservoir, stage.duration)


def _stage(width: Array, network: _Network) -> LinearStage:
    """Amounts balance in each stage: what the system conserves stays conserved. The flows are those at both ends."""
    ends = jnp.asarray([0, -1])

    def stage(base: Array, change: Array, weight: Array) -> StageSolution:
        capacity = width.at[ends].add(weight * network.outer)
        source = (width * base).at[ends].add(weight * network.outer * network.reservoir)
        new = solve_ladder(capacity, weight * network.inner, source)
        return StageSolution(new, network.outer * (network.reservoir - new[ends]), ())

    return stage


@expects(faces=FINITE)
def cell_means(function: Callable[[Array], Array], faces: Float[Array, " face"]) -> Float[Array, " cell"]:
    """Mean values of a function of position in the cells, by a three-point Gauss rule in each."""
    if not callable(function):
        raise TypeError(f"function must be a function of position, got {function!r}")
    node, weight = (jnp.asarray(values, faces.dtype)[:, None] for values in _GAUSS)
    centre, half = 0.5 * (faces[1:] + faces[:-1]), 0.5 * jnp.diff(faces)
    return 0.5 * jnp.sum(weight * function(centre + node * half), axis=0)


@expects(medium=TracerMedium, fraction=FINITE, position=FINITE, temperature=optional(POSITIVE))
def profile_at(
    medium: TracerMedium,
    fraction: Float[Array, " cell"],
    position: Float[LeafLike, " point"],
    temperature: LeafLike | None = None,
) -> Float[Array, " point"]:
    """Fractions at given positions: straight in each cell, with the slope of its mean flux.

    The steps at resistive boundaries stay steps, which interpolation between the centres would smear. Second order.

    Parameters
    ----------
    medium
        Cells, D and resistances.
    fraction
        Mean fractions of the cells. [1]
    position
        Positions; beyond the ends the last slope goes on. [m]
    temperature
        Temperature of the profile, where D and resistances are activated. [K]
    """
    position = as_leaf(position)
    half, between = medium.resistances(as_optional_leaf(temperature))
    flux = -jnp.diff(fraction) / between
    flux = jnp.concatenate([flux[:1], flux, flux[-1:]])
    slope = -0.5 * (flux[:-1] + flux[1:]) * 2.0 * half / jnp.diff(medium.faces)
    index = jnp.searchsorted(medium.faces[1:-1], position, side="right")
    return fraction[index] + slope[index] * (position - medium.centres[index])
