"""Drives: a potential or current density over the time of a stage, its integral and what a step sees of it."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

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


def drive_line(
    drive: Drive, begin: Float[ArrayLike, "*#batch"], end: Float[ArrayLike, "*#batch"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Straight line that has the integral and the first moment of a drive between two times.

    Where the drive is straight it is the drive itself; the noise of a trace it takes the mean of.

    Parameters
    ----------
    drive
        The drive.
    begin, end
        The times. [s]

    Returns
    -------
    Mean, and how much the line rises from begin to end. [V or A/m²]
    """
    if drive.time is None:
        constant = drive_value(drive, jnp.asarray(end) - begin)
        return constant, jnp.zeros_like(constant)
    begin, end = jnp.broadcast_arrays(jnp.asarray(begin), jnp.asarray(end))
    knots, values, begin = _aligned(drive, begin)
    low, high = jnp.minimum(knots[:1], begin), jnp.maximum(knots[-1:], end)
    edges = jnp.concatenate([jnp.broadcast_to(e, (len(e), *begin.shape)) for e in (low, knots, high)])
    held = jnp.concatenate([values[:1], values, values[-1:]])
    widths = jnp.diff(edges, axis=0)
    slope = jnp.diff(held, axis=0) / jnp.where(widths > 0.0, widths, 1.0)
    left, right = jnp.clip(begin, edges[:-1], edges[1:]), jnp.clip(end, edges[:-1], edges[1:])
    width, centre = right - left, 0.5 * (left + right)
    amount = width * (held[:-1] + slope * (centre - edges[:-1]))
    moment = amount * (centre - 0.5 * (begin + end)) + slope * width**3 / 12.0
    length = end - begin
    return jnp.sum(amount, axis=0) / length, 12.0 * jnp.sum(moment, axis=0) / length**2
