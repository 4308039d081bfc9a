"""Stages as they are marched through: a trace that jumps or pauses makes several of one."""

from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.physics.cuts import drive_of
from npp_jax.physics.drive import Drive, drive_integral
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import AbstractFront, Closed, Cut, IonBeamCurrent, Stage
from npp_jax.simulation.supported import Unsupported


class Parts(eqx.Module):
    """An experiment whose stages are smooth."""

    experiment: Experiment
    seen: tuple[bool, ...] = eqx.field(static=True)
    """Whether the end of each stage is an output."""
    delay: Array
    """Time before the first stage in which the beam is off [s]."""


class _Edge(NamedTuple):
    """A cut, with its time and the values next to it."""

    time: Array
    before: Array
    after: Array
    last: int
    """Last knot before."""
    first: int
    """First knot after."""


def in_parts(experiment: Experiment) -> Parts:
    """Turn each part of a stage into a stage of its own.

    Raises
    ------
    Unsupported
        An output lies where the beam has not been on yet.
    """
    stages: list[Stage] = []
    seen: list[bool] = []
    delay = jnp.zeros_like(experiment.stages[0].temperature)
    for number, stage in enumerate(experiment.stages):
        for part, wanted in _stages_of(stage):
            if not stages and isinstance(part.front, Closed) and stage.parts:
                if wanted or len(part.outputs) > 1:
                    raise Unsupported(f"stages[{number}]: an output lies before the beam is on for the first time")
                delay = delay + part.duration
            else:
                stages.append(part)
                seen.append(wanted)
    return Parts(eqx.tree_at(lambda e: e.stages, experiment, tuple(stages)), tuple(seen), delay)


def _stages_of(stage: Stage) -> list[tuple[Stage, bool]]:
    """Parts of a stage as stages, and whether their ends are outputs."""
    drive = drive_of(stage)
    if not stage.parts or drive is None or drive.time is None:
        return [(stage, True)]
    like = stage.temperature
    knots = len(drive.time)
    zero, end = jnp.zeros_like(like), jnp.zeros_like(like)
    start = _Edge(zero, drive.value[0], drive.value[0], -1, 0)
    stop = _Edge(end, drive.value[-1], drive.value[-1], knots - 1, knots)
    made = []
    for part in stage.parts:
        begin = start if part.begin is None else _edge(drive, part.begin)
        finish = stop if part.end is None else _edge(drive, part.end)
        from_start = jnp.broadcast_to(begin.time, like.shape).astype(like.dtype)
        duration, charge = None, None
        if part.end is not None:
            duration = jnp.broadcast_to(finish.time - begin.time, like.shape).astype(like.dtype)
        elif stage.duration is not None:
            duration = stage.duration - from_start
        elif stage.charge is not None:
            charge = stage.charge - _passed(drive, begin)
        inner = _between(drive, begin, finish)
        inner = Drive(jnp.mean(inner.value, axis=0)[None]) if part.level else inner
        front = Closed() if part.resting else _driven(stage, inner)
        sub = replace(stage, front=front, duration=duration, charge=charge, outputs=part.outputs, parts=())
        made.append((sub, part.seen))
    return made


def _driven(stage: Stage, drive: Drive) -> AbstractFront:
    """Front of the stage with another drive."""
    name = "current_density" if isinstance(stage.front, IonBeamCurrent) else "potential"
    return replace(stage.front, **{name: drive})


def _edge(drive: Drive, cut: Cut) -> _Edge:
    """Place of a cut: the integral on both sides is that of the trace."""
    time, value = _columns(drive)
    a, b = cut.left, cut.right
    first, last = value[a], value[b]
    area = jnp.sum(0.5 * jnp.diff(time[a : b + 1], axis=0) * (value[a + 1 : b + 1] + value[a:b]), axis=0)
    if cut.kind == "off":
        before = cut.left_over * first
        return _Edge(time[a] + 2.0 * area / (first + before), before, jnp.zeros_like(last), a, b)
    if cut.kind == "on":
        after = cut.left_over * last
        return _Edge(time[b] - 2.0 * area / (last + after), jnp.zeros_like(first), after, a, b)
    rise = last - first
    share = (last * (time[b] - time[a]) - area) / jnp.where(rise == 0.0, 1.0, rise)
    return _Edge(time[a] + share, first, last, a, b)


def _passed(drive: Drive, begin: _Edge) -> Array:
    """Integral of a drive up to a cut."""
    if begin.last < 0:
        return jnp.zeros_like(begin.time)
    time, _ = _columns(drive)
    return drive_integral(drive, time[begin.last]) + begin.before * (begin.time - time[begin.last])


def _columns(drive: Drive) -> tuple[Array, Array]:
    """Times and values of the knots in one shape."""
    time, value = jnp.asarray(drive.time), drive.value
    rank = max(time.ndim, value.ndim)
    time, value = (a.reshape(a.shape[:1] + (1,) * (rank - a.ndim) + a.shape[1:]) for a in (time, value))
    shape = jnp.broadcast_shapes(time.shape, value.shape)
    return jnp.broadcast_to(time, shape), jnp.broadcast_to(value, shape)


def _between(drive: Drive, begin: _Edge, finish: _Edge) -> Drive:
    """Drive between two cuts, its time from the first of them on."""
    time, value = _columns(drive)
    inside = slice(begin.first, finish.last + 1)
    times, values = [time[inside]], [value[inside]]
    if begin.last >= 0:
        times.insert(0, _row(begin.time, time)), values.insert(0, _row(begin.after, time))
    if finish.first < len(time):
        times.append(_row(finish.time, time)), values.append(_row(finish.before, time))
    origin = begin.time if begin.last >= 0 else jnp.zeros_like(time[0])
    return Drive(jnp.concatenate(values), jnp.concatenate(times) - origin)


def _row(edge: Array, like: Array) -> Array:
    return jnp.broadcast_to(edge, like.shape[1:])[None]
