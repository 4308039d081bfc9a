"""Fronts (what happens at the bombarded surface) and the stages of an experiment, as data."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class Drive(eqx.Module):
    """A potential or current density over the time of a stage: constant, ramp or measured trace.

    Piecewise linear between its knots, constant beyond them.
    """

    value: Float[Array, "knot *batch"] = eqx.field(converter=jnp.asarray)
    """Values at the knots [V or A/m²]."""
    time: Float[Array, "knot *batch"] | None = None
    """Times of the knots from the start of the stage, increasing; None for a constant [s]."""

    @classmethod
    def constant(cls, value: Float[Array, "*batch"] | float) -> "Drive":
        """Drive that does not change."""
        return cls(value=jnp.asarray(value)[None])

    @classmethod
    def trace(cls, time: Float[Array, "knot *batch"], value: Float[Array, "knot *batch"]) -> "Drive":
        """Drive given by its values at some times."""
        return cls(value=value, time=jnp.asarray(time))


class AbstractFront(eqx.Module):
    """Condition at the surface x = 0 during one stage."""


class IonBeamPotential(AbstractFront):
    """Ion beam that holds the surface at a potential U(t); its current is a result."""

    beam: str = eqx.field(static=True)
    """Name of the species in the beam."""
    potential: Drive
    """Surface potential against the back electrode [V]."""


class IonBeamCurrent(AbstractFront):
    """Ion beam of prescribed current density j(t); the surface potential is a result."""

    beam: str = eqx.field(static=True)
    """Name of the species in the beam."""
    current_density: Drive
    """Current density, positive into the sample [A/m²]."""


class Closed(AbstractFront):
    """Beam off: no flux of any species through the surface, no current (rest, anneal)."""


class Reservoir(AbstractFront):
    """Ion exchange with a melt or solution: fixed composition of the surface, no total current."""

    fraction: dict[str, Float[Array, "*batch"]]
    """Surface fraction n(0)/N of each species [1]."""


class Blocking(AbstractFront):
    """Electrode that passes no ion (thermal poling), at a potential U(t)."""

    potential: Drive
    """Surface potential against the back electrode [V]."""


class Stage(eqx.Module):
    """A part of the protocol with one front and one temperature, ending at a duration or at a charge."""

    front: AbstractFront
    """Condition at the surface."""
    temperature: Float[Array, "*batch"] = eqx.field(converter=jnp.asarray)
    """Temperature [K]."""
    duration: Float[Array, "*batch"] | None = None
    """Length of the stage; None if it ends at a charge [s]."""
    charge: Float[Array, "*batch"] | None = None
    """Charge per area passed during the stage; None if it ends at a duration [C/m²]."""
    outputs: tuple[float, ...] = eqx.field(static=True, default=(1.0,))
    """Output points as shares of the duration (or charge), increasing, the last being 1."""

    def __check_init__(self) -> None:
        """Exactly one end, and outputs that increase to one."""
        if (self.duration is None) == (self.charge is None):
            raise ValueError("a stage ends either at a duration or at a charge: give exactly one of them")
        increasing = all(a < b for a, b in zip((0.0, *self.outputs), self.outputs, strict=False))
        if not increasing or abs(self.outputs[-1] - 1.0) > 1e-12:
            raise ValueError(f"outputs must increase from above 0 to 1, got {self.outputs}")


def drive_value(drive: Drive, time: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Value of a drive at a time [V or A/m²]."""
    if drive.time is None:
        return drive.value[0]
    bounded = jnp.clip(time, drive.time[0], drive.time[-1])
    return _linear(bounded, drive.time, drive.value)


def drive_integral(drive: Drive, time: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Integral of a drive from 0 to `time` [V s or C/m²]."""
    if drive.time is None:
        return drive.value[0] * time
    start, stop = drive.time[:-1], drive.time[1:]
    first, last = drive.value[:-1], drive.value[1:]
    inside = jnp.clip(time, start, stop) - start
    pieces = inside * (first + 0.5 * (last - first) * inside / (stop - start))
    before = jnp.minimum(time, drive.time[0]) * drive.value[0]
    return before + jnp.sum(pieces, axis=0) + jnp.maximum(time - drive.time[-1], 0.0) * drive.value[-1]


def drive_inverse_integral(drive: Drive, amount: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Time at which the integral of a positive drive reaches `amount` [s]."""
    if drive.time is None:
        return amount / drive.value[0]
    start, stop = drive.time[:-1], drive.time[1:]
    first, last = drive.value[:-1], drive.value[1:]
    reached = jnp.cumsum(0.5 * (first + last) * (stop - start), axis=0) + drive.time[0] * drive.value[0]
    begun = jnp.concatenate([drive.time[:1] * drive.value[:1], reached[:-1]])
    wanted = jnp.clip(amount - begun, 0.0, reached - begun)
    slope = (last - first) / (stop - start)
    # Root of f0 t + slope t²/2 = wanted in the form that stays accurate for slope → 0.
    inside = 2.0 * wanted / (first + jnp.sqrt(jnp.maximum(first * first + 2.0 * slope * wanted, 0.0)))
    before = jnp.minimum(amount / drive.value[0], drive.time[0])
    return before + jnp.sum(inside, axis=0) + jnp.maximum(amount - reached[-1], 0.0) / drive.value[-1]


def _linear(x: Array, knots: Array, values: Array) -> Array:
    share = jnp.clip((x - knots[:-1]) / (knots[1:] - knots[:-1]), 0.0, 1.0)
    return values[0] + jnp.sum(share * (values[1:] - values[:-1]), axis=0)
