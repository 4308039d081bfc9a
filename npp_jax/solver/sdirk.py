"""Two-stage, second-order, L-stable, stiffly accurate diagonally implicit Runge–Kutta step (SDIRK2).

R. Alexander, SIAM J. Numer. Anal. 14 (1977) 1006, γ = 1 - 1/√2. Written for conserved amounts M(y). The rate of a
stage is taken from its amounts, (M - base)/weight, not from the fluxes: the same thing at the solution, but an
incomplete Newton iteration is then not amplified by the stiffness, and what the linear system conserves is conserved to
round-off.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.solver.block_tridiagonal import Vector
from npp_jax.solver.newton import LinearSystem, Residual, newton

GAMMA = 1.0 - 1.0 / np.sqrt(2.0)
"""Coefficient of the second-order scheme."""

EULER_GAMMA = 0.5
"""With this coefficient the same two stages are two half steps of backward Euler, which keep amounts positive: for
the start from a composition that changes within one step from one to almost zero."""


class Stage(NamedTuple):
    """Equations of one stage."""

    residual: Residual
    """(y, v) ↦ M(y) - base - weight·k(y, v), and the closure."""
    linearise: Callable[[Vector, Array, Array], LinearSystem] | None
    """The same with the derivatives of the iteration; None where the iteration takes those of the residual."""
    amount: Callable[[Vector], Vector]
    """y ↦ M."""


class System(NamedTuple):
    """What a step needs to know of the equations; `share` is the position within the step, from 0 to 1."""

    stage: Callable[[Vector, Array, Array, Array, Array], Stage]
    """(base, time base, share, weight, weight of the tempo in the time) ↦ equations of a stage."""
    tempo: Callable[[Array], Array]
    """v ↦ dt/ds."""
    given: Callable[[Array], Array] | None
    """share ↦ v where it is prescribed; None where it is an unknown."""
    limit: Callable[[Vector, Vector], Vector]
    """Applies a Newton correction within bounds."""
    change: Callable[[Vector, Vector], Array]
    """Size of a correction, which tells convergence."""
    positive: bool = True
    """Whether v stays positive."""
    guarded: bool = False
    """Whether corrections are halved until the residual falls."""


class Trend(NamedTuple):
    """How the unknowns are expected to go on through the stages of a step: where the iterations start."""

    change: Vector
    """What the unknowns have changed by of late."""
    shares: Array
    """Share of it that they change by up to each stage from the one before, shape [stage, *batch]."""
    factors: Array
    """Factors by which v changes, same shape."""


class StepResult(NamedTuple):
    """State after a step, and what the step took."""

    y: Vector
    amount: Vector
    v: Array
    time: Array
    update: Array
    iterations: Array


def sdirk_step(
    system: System,
    y: Vector,
    amount: Vector,
    v: Array,
    time: Array,
    size: Array,
    *,
    guess: Vector,
    guessed: Array,
    trend: Trend | None = None,
    gamma: Array,
    cap: Array,
    tolerance: float,
    euler: bool = False,
) -> StepResult:
    """Advance the conserved amounts by one step of the clock.

    Parameters
    ----------
    system
        The equations.
    y, v
        First guess of the unknowns at the end of the step and of the border scalar.
    amount, time
        Conserved amounts and time at the start of the step.
    size
        Length of the step in the clock, shape [*batch].
    guess, guessed
        First guesses of the unknowns at the stages, stacked on a leading axis, used instead of `y` where `guessed`
        holds.
    trend
        How `y` and `v` go on from there; None: they stay.
    gamma
        `GAMMA` or `EULER_GAMMA`.
    cap, tolerance
        See `newton`.
    euler
        One stage, backward Euler over the whole step, instead of two; `gamma` is then not looked at.
    """
    dtype = size.dtype
    gamma = jnp.ones_like(gamma) if euler else gamma
    shares = jnp.stack([gamma, jnp.ones_like(gamma)]).astype(dtype)
    # Weight of this stage's rate in the explicit part of the next one.
    passed_on = jnp.stack([1.0 - gamma, jnp.zeros_like(gamma)]).astype(dtype)
    # The time is an integral over what both stages find, and of second order with either scheme: half steps of backward
    # Euler give it by the middle alone.
    of_first = jnp.zeros_like(gamma) if euler else 0.5 / (1.0 - gamma)
    past_tempo = jnp.stack([of_first, jnp.zeros_like(gamma)]).astype(dtype)
    own_tempo = jnp.stack([gamma, 1.0 - of_first]).astype(dtype)

    def stage(carry: tuple, coefficients: tuple) -> tuple[tuple, tuple]:
        y, v, base, base_time, update, count = carry
        share, following, past, own, first, expected = coefficients
        if trend is not None:
            part, factor = expected
            y, v = system.limit(y, jax.tree.map(lambda change: part * change, trend.change)), v * factor
        y = jax.tree.map(lambda a, b: jnp.where(guessed, b, a), y, first)
        weight = size * gamma
        equations = system.stage(base, base_time, share, weight, size * own)
        result = newton(
            equations.residual,
            equations.linearise,
            system.limit,
            system.change,
            y,
            v if system.given is None else system.given(share),
            prescribed=system.given is not None,
            cap=cap,
            tolerance=tolerance,
            positive=system.positive,
            guarded=system.guarded,
        )
        end = equations.amount(result.y)
        tempo = system.tempo(result.v)
        next_base = jax.tree.map(lambda m, b, e: m + following / gamma * (e - b), amount, base, end)
        next_time = time + past * size * tempo
        return (
            (
                result.y,
                result.v,
                next_base,
                next_time,
                jnp.maximum(update, result.update),
                count + result.iterations,
            ),
            (end, base_time + size * own * tempo),
        )

    carry = (y, v, amount, time, jnp.zeros_like(v), jnp.zeros(v.shape, jnp.int32))
    rows = (shares, passed_on, past_tempo, own_tempo, guess, None if trend is None else trend[1:])
    if euler:
        rows = jax.tree.map(lambda a: a[-1:], rows)
    (y, v, _, _, update, count), (amounts, times) = jax.lax.scan(stage, carry, rows)
    last = lambda a: a[-1]  # noqa: E731
    return StepResult(y, jax.tree.map(last, amounts), v, times[-1], update, count)
