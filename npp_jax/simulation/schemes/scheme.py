"""What the two models share: stabilised central fluxes, boundary flux, potential drop, limits of a Newton step."""

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.simulation.material import Medium, Mixture, Tempo, Unknowns
from npp_jax.simulation.mesh.geometry import Geometry

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar

HELD_BELOW = 1e-3
"""Mobile native fraction below which derivatives pass the stabilising factor by.

Where the last mobile ions leave a cell, D₁ changes by orders of magnitude over a fraction of 1e-4, and with it the
factor: the linearised scheme then loses the monotony that the factor is there for, and derivatives grow from step to
step. Nothing seen of the sample depends on the factor there.
"""

SLOPES_BELOW = 0.03
"""Largest change of a fraction in an iteration below which the next one follows the laws of D along their slopes."""

Result = TypeVar("Result", bound=tuple)

BLOCK = 32
"""Faces evaluated at once in an iteration."""


class Rates(NamedTuple):
    """Rates of the conserved amounts per unit of the clock, and potential drop [kT/e]."""

    rate: Unknowns
    drop: Array


class Linearisation(NamedTuple):
    """Rates and potential drop with the derivatives that an iteration uses.

    The stabilising factor is held, and the current enters the rates one iteration behind: what is cheap, and stable far
    from the solution.
    """

    rate: Unknowns
    lower: tuple[tuple[Array | None, ...], ...]
    """None where nothing couples."""
    diagonal: tuple[tuple[Array | None, ...], ...]
    upper: tuple[tuple[Array | None, ...], ...]
    drop: Array
    drop_by_current: Array
    """At given composition, the field following the current."""
    drop_by_unknown: Unknowns | None = None
    """None where it is neglected."""
    response: Unknowns | None = None
    """What of the unknowns follows the current at given composition, as a derivative; None if nothing does."""
    rate_by_current: Unknowns | None = None
    """None where the current enters the rates one iteration behind."""


class AbstractScheme(eqx.Module):
    """Equations of a model on the mesh of a step.

    A scheme holds nothing: it is a choice. The material comes with every call, as it changes from stage to stage and
    carries what is differentiated; `y` are the unknowns, one array [cell, *batch] each.
    """

    poisson: AbstractClassVar[bool]
    """Whether the field is among the unknowns, as the last."""

    @property
    @abstractmethod
    def neutral(self) -> "AbstractScheme":
        """Scheme of the first step from a step profile, where Poisson's equation adds nothing but stiffness."""

    def written_out(self, medium: Any) -> bool:
        """Whether `linearise` serves; the iteration takes the derivatives of `rates` otherwise."""
        return True

    def guarded(self, medium: Any) -> bool:
        """Whether corrections of an iteration are halved until the residual falls."""
        return False

    def iterated(self, medium: Any, last: Array) -> Any:
        """Material whose derivatives an iteration takes, after a largest change of a fraction by `last`."""
        return medium

    def aged(self, medium: Any, time: Array) -> Any:
        """Material at a time since the start of the stage [s]."""
        return medium

    @abstractmethod
    def start(self, medium: Any, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Unknowns:
        """Unknowns of a neutral sample with the fractions y."""

    @abstractmethod
    def amounts(self, medium: Any, y: Unknowns, width: Array) -> Unknowns:
        """Conserved amounts per cell."""

    @abstractmethod
    def masses(self, medium: Any, width: Array) -> Unknowns:
        """Derivatives of the conserved amounts with respect to the unknowns."""

    @abstractmethod
    def face_field(self, medium: Any, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Array:
        """Field at the faces [kT/(e nm)]."""

    @abstractmethod
    def rates(self, medium: Any, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Rates:
        """Rates of the conserved amounts, and potential drop."""

    @abstractmethod
    def linearise(self, medium: Any, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Linearisation:
        """The same, with the derivatives of an iteration."""

    @abstractmethod
    def limit(self, medium: Any, y: Unknowns, change: Unknowns) -> Unknowns:
        """Apply a Newton correction so that fractions stay physical."""

    @abstractmethod
    def change(self, medium: Any, y: Unknowns, step: Unknowns) -> Array:
        """Size of a Newton step."""


class AbstractMixtureScheme(AbstractScheme):
    """A scheme of any number of ions."""

    @property
    @abstractmethod
    def neutral(self) -> "AbstractMixtureScheme":
        """As of any scheme."""

    def guarded(self, medium: Mixture) -> bool:
        """Where laws may jump."""
        return medium.jumping

    def aged(self, medium: Mixture, time: Array) -> Mixture:
        """The mixture, of which populations may have intermixed further."""
        return medium.later(time)

    def iterated(self, medium: Mixture, last: Array) -> Mixture:
        """The mixture; where it is `holding`, far from the solution with laws of D that are held.

        Slopes over decades may throw fractions about. With laws held an iteration ends nearly always, but slowly.
        """
        if not medium.holding:
            return medium
        share = jnp.where(last < SLOPES_BELOW, 1.0, 0.0)

        def held(law: Callable[[Array], Array]) -> Callable[[Array], Array]:
            def value(c: Array) -> Array:
                fixed = jax.lax.stop_gradient(c)
                return law(fixed + share * (c - fixed))

            return value

        return medium._replace(laws=tuple(held(law) for law in medium.laws))

    @abstractmethod
    def fractions(self, medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
        """Fractions of all species in the cells."""

    @abstractmethod
    def ionic_current(self, medium: Mixture, y: Unknowns, current: Array, here: Geometry) -> Array:
        """v₀ of the ions [nm/s]."""


def join_cells(*parts: Array) -> Array:
    """Join arrays along the axis of the cells."""
    return jnp.concatenate(parts, axis=0)


class Transport(NamedTuple):
    """Coefficients of transport of a neutral mixture, and their derivatives by the native fraction u."""

    native: Array
    """D₁ [nm²/s]."""
    native_slope: Array
    foreign: Array
    """D₂ [nm²/s]."""
    foreign_slope: Array
    resistivity: Array
    """1/S, with S = D₁u + D₂(1-u)."""
    share: Array
    """Transport number of the native ion, t₁ = D₁u/S."""
    share_slope: Array
    mutual: Array
    """Mutual diffusion coefficient, D₁₂ = D₁D₂/S [nm²/s]."""
    mutual_slope: Array


def transport(medium: Medium, u: Float[Array, "inner *batch"]) -> Transport:
    """Coefficients at the composition u.

    The derivatives are written out: what a compiler makes of differentiated quotients takes twice the time, and these
    are evaluated at every face in every iteration.
    """
    one = jnp.ones_like(u)
    native, native_slope = jax.jvp(medium.native, (u,), (one,))
    foreign, foreign_slope = jax.jvp(medium.foreign, (u,), (one,))
    resistivity = 1.0 / (native * u + foreign * (1.0 - u))
    slope = native_slope * u + native + foreign_slope * (1.0 - u) - foreign
    ratio = native * resistivity
    ratio_slope = (native_slope - ratio * slope) * resistivity
    return Transport(
        native=native,
        native_slope=native_slope,
        foreign=foreign,
        foreign_slope=foreign_slope,
        resistivity=resistivity,
        share=ratio * u,
        share_slope=ratio_slope * u + ratio,
        mutual=ratio * foreign,
        mutual_slope=ratio_slope * foreign + ratio * foreign_slope,
    )


def stabiliser(
    at: Transport, mobile: Float[Array, "inner *batch"], current: Array, tempo: Array, geometry: Geometry
) -> Float[Array, "inner *batch"]:
    """Factor √(1 + P²) on the diffusive flux, P the Péclet number of the cell in the moving frame.

    The speed in P is that of a composition relative to the mesh, which vanishes on the self-similar ramp, so that
    second order survives where cells are longer than the diffusion length; elsewhere the factor turns the central flux
    into an upwind one. Where less than `HELD_BELOW` of the native ions is `mobile`, its derivative is taken as zero.
    """
    speed = tempo * current * at.share_slope - geometry.velocity
    peclet = 0.5 * geometry.distance * speed / (tempo * at.mutual)
    factor = jnp.sqrt(1.0 + peclet * peclet)
    return jnp.where(mobile < HELD_BELOW, jax.lax.stop_gradient(factor), factor)


def in_blocks(function: Callable[..., Result], *arrays: Float[Array, "inner *batch"]) -> Result:
    """Evaluate a function of the faces so that what it returns is computed once and kept.

    A compiler would fold the whole chain into each of its many users and evaluate it over and over. On a CPU the faces
    go in blocks of some each, whose intermediate values stay in the cache; an accelerator takes them all at once.
    """
    return jax.lax.platform_dependent(
        *arrays, cpu=functools.partial(_block_by_block, function), default=functools.partial(_at_once, function)
    )


def _at_once(function: Callable[..., Result], *arrays: Array) -> Result:
    return jax.lax.optimization_barrier(function(*arrays))


def _block_by_block(function: Callable[..., Result], *arrays: Array) -> Result:
    size = len(arrays[0])
    blocks = max(1, round(size / BLOCK))
    length = -(-size // blocks)

    def cut(a: Array) -> Array:
        padded = join_cells(a, jnp.broadcast_to(a[-1:], (blocks * length - size, *a.shape[1:])))
        return padded.reshape(blocks, length, *a.shape[1:])

    def joined(a: Array) -> Array:
        return a.reshape(blocks * length, *a.shape[2:])[:size]

    return jax.tree.map(joined, jax.lax.map(lambda block: function(*block), tuple(cut(a) for a in arrays)))


def gain(flux: Float[Array, "inner *batch"], current: Array, tempo: Array, geometry: Geometry) -> Array:
    """What the cells gain by the native flux: none enters at the surface, at the other end it carries all current."""
    edge = jnp.zeros_like(flux[:1])
    return -jnp.diff(join_cells(edge, flux, edge + tempo * current - geometry.outer_velocity), axis=0)


def potential_drop(medium: Medium, field: Float[Array, "inner *batch"], current: Array, geometry: Geometry) -> Array:
    """∫E dx from the surface to the back electrode; beyond the mesh the bulk conducts [kT/e]."""
    return jnp.sum(geometry.field_weight * field, axis=0) + geometry.beyond * current / medium.bulk


def fraction_change(change: Unknowns) -> Array:
    """Largest change of a fraction in a Newton step."""
    return functools.reduce(jnp.maximum, [jnp.max(jnp.abs(part), axis=0) for part in change])
