"""Fronts (what happens at the bombarded surface) and the stages of an experiment, as data."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from npp_jax.physics.checks import expect
from npp_jax.physics.interpolation import align
from npp_jax.physics.leaf import TABLE, LeafLike, as_leaf, as_optional_leaf


class Drive(eqx.Module):
    """A potential or current density over the time of a stage: constant, ramp or measured trace.

    Piecewise linear between its knots, constant beyond them.
    """

    value: Float[Array, "knot *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Values at the knots [V or A/m²]."""
    time: Float[Array, "knot *#batch"] | None = eqx.field(converter=as_optional_leaf, default=None, metadata=TABLE)
    """Times of the knots from the start of the stage, increasing; None for a constant [s]."""

    def __check_init__(self) -> None:
        """A constant has one value, a trace as many values as times, at least two."""
        values, times = self.value.shape[0], 0 if self.time is None else self.time.shape[0]
        if self.time is None and values != 1:
            raise ValueError(f"a drive without times has one value, got {values}")
        if self.time is not None and (values != times or times < 2):
            raise ValueError(f"a trace needs as many values as times, two or more, got {values} and {times}")

    @classmethod
    def constant(cls, value: LeafLike) -> "Drive":
        """Drive that does not change."""
        return cls(value=as_leaf(value)[None])

    @classmethod
    def trace(cls, time: LeafLike, value: LeafLike) -> "Drive":
        """Drive given by its values at some times."""
        return cls(value=value, time=time)


def as_drive(value: Drive | LeafLike) -> Drive:
    """A number as a drive that does not change."""
    return value if isinstance(value, Drive) else Drive.constant(value)


class AbstractFront(eqx.Module):
    """Condition at the surface x = 0 during one stage."""


class IonBeamPotential(AbstractFront):
    """Ion beam that holds the surface at a potential U(t); its current is a result."""

    beam: str = eqx.field(static=True)
    """Name of the species in the beam."""
    potential: Drive = eqx.field(converter=as_drive)
    """Surface potential against the back electrode; a number for a constant one [V]."""


class IonBeamCurrent(AbstractFront):
    """Ion beam of prescribed current density j(t); the surface potential is a result."""

    beam: str = eqx.field(static=True)
    """Name of the species in the beam."""
    current_density: Drive = eqx.field(converter=as_drive)
    """Current density, positive into the sample; a number for a constant one [A/m²]."""


class Closed(AbstractFront):
    """Beam off: no flux of any species through the surface, no current (rest, anneal)."""


class Reservoir(AbstractFront):
    """Ion exchange with a melt or solution of fixed composition, no total current.

    The surface has the composition of the reservoir, or, with an exchange rate k, approaches it:
    J_i(0) = k [n_i,reservoir - n_i(0)], one k for all ions as no current flows.
    """

    fraction: dict[str, Float[Array, "*#batch"]] = eqx.field(
        converter=lambda fraction: {name: as_leaf(value) for name, value in fraction.items()}
    )
    """Fraction n/N of each species that is in equilibrium with the reservoir [1]."""
    exchange_rate: Float[Array, "*#batch"] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Surface exchange coefficient k; None for an exchange too fast to matter [m/s]."""


class Blocking(AbstractFront):
    """Electrode that passes no ion (thermal poling), at a potential U(t)."""

    potential: Drive = eqx.field(converter=as_drive)
    """Surface potential against the back electrode; a number for a constant one [V]."""


class Stage(eqx.Module):
    """A part of the protocol with one front and one temperature, ending at a duration or at a charge."""

    front: AbstractFront
    """Condition at the surface."""
    temperature: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Temperature [K]."""
    duration: Float[Array, "*#batch"] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Length of the stage; None if it ends at a charge [s]."""
    charge: Float[Array, "*#batch"] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Charge per area passed during the stage; None if it ends at a duration [C/m²]."""
    outputs: tuple[float, ...] = eqx.field(static=True, default=(1.0,))
    """Output points as shares of the duration (or charge), increasing, the last being 1."""

    def __check_init__(self) -> None:
        """A front, exactly one end, and outputs that increase to one."""
        expect(self.front, AbstractFront, "the front of a stage", "for example IonBeamPotential(beam, potential)")
        if (self.duration is None) == (self.charge is None):
            raise ValueError("a stage ends either at a duration or at a charge: give exactly one of them")
        if not self.outputs:
            raise ValueError("a stage needs at least one output, the last being 1")
        increasing = all(a < b for a, b in zip((0.0, *self.outputs), self.outputs, strict=False))
        if not increasing or abs(self.outputs[-1] - 1.0) > 1e-12:
            raise ValueError(f"outputs must increase from above 0 to 1, got {self.outputs}")


def drive_value(drive: Drive, time: Float[ArrayLike, "*#batch"]) -> Float[Array, "*batch"]:
    """Value of a drive at a time [V or A/m²]."""
    if drive.time is None:
        constant = drive.value[0]
        shape = jnp.broadcast_shapes(constant.shape, jnp.shape(time))
        return jnp.broadcast_to(constant, shape).astype(jnp.result_type(constant, time))
    knots, values, time = _aligned(drive, time)
    share = jnp.clip((time - knots[:-1]) / jnp.diff(knots, axis=0), 0.0, 1.0)
    return values[0] + jnp.sum(share * jnp.diff(values, axis=0), axis=0)


def drive_integral(drive: Drive, time: Float[ArrayLike, "*#batch"]) -> Float[Array, "*batch"]:
    """Integral of a drive from 0 to `time` [V s or C/m²]."""
    if drive.time is None:
        return drive.value[0] * jnp.asarray(time)
    knots, values, time = _aligned(drive, time)
    first, rise, width = values[:-1], jnp.diff(values, axis=0), jnp.diff(knots, axis=0)
    inside = jnp.clip(time - knots[:-1], 0.0, width)
    pieces = inside * (first + 0.5 * rise * inside / width)
    before = jnp.minimum(time, knots[0]) * values[0]
    return before + jnp.sum(pieces, axis=0) + jnp.maximum(time - knots[-1], 0.0) * values[-1]


def drive_inverse_integral(drive: Drive, amount: Float[ArrayLike, "*#batch"]) -> Float[Array, "*batch"]:
    """Time at which the integral of a drive that is nowhere negative first reaches `amount` ≥ 0 [s].

    A drive that ends at zero never passes more than it has by then: the time is infinite (in fact larger than
    any that occurs).
    """
    if drive.time is None:
        return jnp.asarray(amount) / drive.value[0]
    knots, values, amount = _aligned(drive, amount)
    first, width = values[:-1], jnp.diff(knots, axis=0)
    pieces = 0.5 * (first + values[1:]) * width
    begun = jnp.cumsum(jnp.concatenate([values[:1] * knots[:1], pieces]), axis=0)
    tiny = float(jnp.finfo(pieces.dtype).tiny)
    wanted = amount - begun[:-1]
    passed, under_way = wanted >= pieces, (wanted > 0.0) & (wanted < pieces)
    held = jnp.where(under_way, wanted, 0.5 * pieces)
    # Root of f0 t + slope t²/2 = wanted in the form that stays accurate for slope → 0; half the piece stands in where
    # the root is not used, as a drive that starts or ends at zero would make its derivative infinite there.
    discriminant = first * first + 2.0 * held * jnp.diff(values, axis=0) / width
    root = 2.0 * held / (first + jnp.sqrt(jnp.maximum(discriminant, tiny)))
    inside = jnp.where(under_way, root, jnp.where(passed & (wanted > 0.0), width, 0.0))
    initial, rest = begun[0], amount - begun[-1]
    before = jnp.where(amount < initial, amount / jnp.where(values[0] > 0.0, values[0], 1.0), knots[0])
    # The root of the least number: its square, in the derivative, is still a number.
    after = jnp.maximum(rest, 0.0) / jnp.where(values[-1] > 0.0, values[-1], tiny**0.5)
    return before + jnp.sum(inside, axis=0) + after


def _aligned(drive: Drive, argument: Float[ArrayLike, "*batch"]) -> tuple[Array, Array, Array]:
    """Knots, values and argument of equal rank, so that their batch axes broadcast."""
    if drive.time is None:
        raise ValueError("a constant drive has no knots")
    knots, values, argument = align(drive.time, drive.value, jnp.asarray(argument)[None])
    return knots, values, argument[0]
