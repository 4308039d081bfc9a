"""One step of a stage on a moving mesh: from models, mesh and drive to the equations that the solver sees."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.physics.drive import Drive, drive_line
from npp_jax.physics.protocol import Blocking, IonBeamCurrent, IonBeamPotential
from npp_jax.simulation.material import Unknowns
from npp_jax.simulation.mesh.course import AbstractCourse
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.schemes import AbstractScheme
from npp_jax.solver.newton import LinearSystem
from npp_jax.solver.sdirk import Stage as StageEquations
from npp_jax.solver.sdirk import System, Trend, sdirk_step


class State(NamedTuple):
    """State of the sample after a step."""

    y: Unknowns
    faces: Array
    velocity: Array
    """Velocities of the faces during the step."""
    current: Array
    clock: Array
    """Charge [nm] or time [s] since the start of the stage."""
    time: Array
    """Time since the start of the stage [s]."""


class StepInfo(NamedTuple):
    """What a step took."""

    update: Array
    iterations: Array


class StepOptions(NamedTuple):
    """How a step is taken."""

    gamma: Array
    cap: Array
    """As `tolerance`, see `newton`."""
    tolerance: float
    guarded: bool = False
    """Whether corrections are halved until the residual falls, whatever the laws."""
    euler: bool = False
    """One step of backward Euler instead of the two stages."""


def take_step(
    scheme: AbstractScheme,
    actual: AbstractCourse,
    base: State,
    start: State,
    clock: Array,
    faces: Array,
    options: StepOptions,
    *,
    guess: Unknowns,
    guessed: Array,
    trend: Trend | None = None,
) -> tuple[State, StepInfo]:
    """Advance to a value of the clock while the mesh moves evenly to the faces given.

    Parameters
    ----------
    scheme
        As in `march`.
    actual
        Medium and drive, with the parameters by which the result is differentiated.
    base
        State from which the step starts.
    start
        State whose unknowns and current start the iteration.
    clock, faces
        End of the step, and the mesh there.
    options
        Scheme and iterations.
    guess, guessed
        Where `guessed` holds, first guesses of the unknowns at the stages instead, [stage, cell, *batch].
    trend
        How unknowns and current go on from those of `start`; None: they stay.
    """
    medium = actual.medium
    driven = isinstance(actual.front, IonBeamPotential | Blocking)
    rest = actual.resting
    given_current = isinstance(actual.front, IonBeamCurrent)
    size, old = clock - base.clock, base.faces
    # Geometry belongs to the mesh: held where its derivative is stopped, the size of the step apart.
    velocity = (faces - old) / size

    def tempo(v: Array) -> Array:
        return jnp.ones_like(v) if rest else 1.0 / v

    def equations(before: Unknowns, time: Array, share: Array, weight: Array, lasting: Array) -> StageEquations:
        """Equations at a position within the step, for the amounts and the time from which it starts."""
        here = geometry(old + share * (faces - old), velocity, medium.thickness)

        def amount(y: Unknowns) -> Unknowns:
            return scheme.amounts(medium, y, here.width)

        def remainder(y: Unknowns, rate: Unknowns) -> Unknowns:
            return tuple(m - s - weight * r for m, s, r in zip(amount(y), before, rate, strict=True))

        def closure(drop: Array, drop_by_current: Array, v: Array) -> tuple[Array, Array]:
            """Potential drop less the potential applied at the end of the stage, and its derivative."""
            if not driven:
                return jnp.zeros_like(v), jnp.ones_like(v)

            def applied(v: Array) -> Array:
                """On the line that has the integral of the drive over the whole step: no step misses what lies between
                its stages, and none follows noise.
                """
                here = time + lasting * tempo(v)
                end = here + (1.0 - share) * size * tempo(v)
                return _on_line(actual.drive, base.time, end, here) / medium.thermal_potential

            value, slope = jax.jvp(applied, (v,), (jnp.ones_like(v),))
            return drop - value, drop_by_current - slope

        def residual(y: Unknowns, v: Array, last: Array | None = None) -> tuple[Unknowns, Array]:
            aged = scheme.aged(medium, time + lasting * tempo(v))
            seen = aged if last is None else scheme.iterated(aged, last)
            rate, drop = scheme.rates(seen, y, v, tempo, here)
            return remainder(y, rate), closure(drop, drop, v)[0]

        def linearise(y: Unknowns, v: Array, last: Array) -> LinearSystem:
            lin = scheme.linearise(scheme.iterated(medium, last), y, v, tempo, here)
            mass = scheme.masses(medium, here.width)
            size = range(len(y))
            scaled = lambda block: jax.tree.map(lambda entry: -weight * entry, block)  # noqa: E731
            diagonal = scaled(lin.diagonal)
            value, slope = closure(lin.drop, lin.drop_by_current, v)
            return LinearSystem(
                residual=remainder(y, lin.rate),
                lower=scaled(lin.lower),
                diagonal=tuple(
                    tuple(diagonal[i][j] + mass[i] if i == j else diagonal[i][j] for j in size) for i in size
                ),
                upper=scaled(lin.upper),
                closure=value,
                corner=slope,
                row=lin.drop_by_unknown,
                response=lin.response,
                column=None if lin.rate_by_current is None else tuple(-weight * r for r in lin.rate_by_current),
            )

        return StageEquations(residual, linearise if scheme.written_out(medium) else None, amount)

    line = actual.tempo_over(base.clock, clock) if given_current else None

    def given(share: Array) -> Array:
        return jnp.zeros_like(clock) if line is None else 1.0 / (line[0] + (share - 0.5) * line[1])

    system = System(
        stage=equations,
        tempo=tempo,
        given=None if driven else given,
        limit=lambda y, change: scheme.limit(medium, y, change),
        change=lambda y, change: scheme.change(medium, y, change),
        # Where the clock is time, nothing keeps a current from changing its sign.
        positive=not rest,
        guarded=options.guarded or scheme.guarded(medium),
    )
    result = sdirk_step(
        system,
        start.y,
        scheme.amounts(medium, base.y, jnp.diff(old, axis=0)),
        start.current,
        base.time,
        size,
        guess=guess,
        guessed=guessed,
        trend=trend,
        gamma=options.gamma,
        euler=options.euler,
        cap=options.cap,
        tolerance=options.tolerance,
    )
    after = State(result.y, faces, velocity, result.v, clock, result.time)
    if given_current:
        # What is divided by it stays finite where a beam fades away.
        current = jnp.maximum(actual.current_at(clock), 1e-3 * result.v)
        after = after._replace(time=actual.time_at(clock), current=current)
    return after, StepInfo(result.update, result.iterations)


def _on_line(drive: Drive, begin: Array, end: Array, time: Array) -> Array:
    """Potential at a time on the line that stands for a drive between two times, within a factor of two of its range:
    where steps are too long for a jump, the line has no other bounds.
    """
    mean, rise = drive_line(drive, begin, end)
    line = mean + ((time - begin) / (end - begin) - 0.5) * rise
    return jnp.clip(line, 0.5 * jnp.min(drive.value, axis=0), 2.0 * jnp.max(drive.value, axis=0))
