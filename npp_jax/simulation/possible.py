"""Candidates that no sample can be: numbers outside of what a file may hold, less than no ions at the start.

An experiment that is known is refused in words before it is simulated; one candidate of many, and numbers that are not
known before a compiled program runs, are told by their status.
"""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool

from npp_jax.constants import NM
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.inputs import numbers_with_limits
from npp_jax.physics.limits import Limits
from npp_jax.simulation.at_start import faces_at_start, fractions_at_start

LEAST_FRACTION = 1e-5
"""Fraction or charge of a start, in units of the bulk, that is a rounding error."""

ROUNDINGS = 8.0
"""Roundings of the integrals of a start, whose difference is what a cell holds."""

_SLACK = 1e-5
"""Distance from a limit that is a rounding error, in single precision too."""

_CELLS = 200
"""Cells in which a start is looked at, where it changes."""


def impossible(experiment: Experiment) -> Bool[Array, "*batch"]:
    """Candidates that have a number outside of its limits, or that begin with less than no ions of a kind."""
    like = experiment.stages[0].temperature
    wrong = [_outside(value, limits) for _, value, limits in numbers_with_limits(experiment)]
    if experiment.initial is not None:
        wrong.append(_overfull(experiment))
    found = functools.reduce(jnp.logical_or, wrong, jnp.zeros(like.shape, bool))
    return jax.lax.stop_gradient(jnp.broadcast_to(found, like.shape))


def _outside(value: ArrayLike, limits: Limits) -> Bool[Array, "*#batch"]:
    """Open ends belong to the range here: what lies there is what comes near it."""
    value = jnp.asarray(value)
    # What is left of one for an ion of which there is none may be a rounding error below zero.
    low = limits.low - _SLACK * (abs(limits.low) if limits.low else 0.0 if limits.low_open else 1.0)
    high = limits.high + _SLACK * abs(limits.high)
    return (value < low) | (value > high)


def _overfull(experiment: Experiment) -> Bool[Array, "*#batch"]:
    """Starts with less than no ions, or with more or less charge than that of the bulk."""
    thickness = experiment.sample.thickness / NM
    faces = faces_at_start(experiment, _CELLS, jnp.broadcast_to(thickness, experiment.stages[0].temperature.shape))
    cells = fractions_at_start(experiment, faces)
    rounding = ROUNDINGS * jnp.finfo(faces.dtype).eps * faces[-1] / jnp.diff(faces, axis=0) + LEAST_FRACTION
    parts: Iterator[Any] = (
        ion.charge * (c - ion.bulk_fraction) for ion, c in zip(experiment.species, cells, strict=True)
    )
    excess = functools.reduce(jnp.add, parts)
    return jnp.any(cells < -rounding, axis=(0, 1)) | jnp.any(jnp.abs(excess) > rounding, axis=0)
