"""Numbers of an experiment that no sample has: what a file is refused for is refused in Python too."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from npp_jax._compile import concrete
from npp_jax.physics.drive import Drive
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.initial import InitialTable
from npp_jax.physics.keys import INITIAL, ION, LISTS, RESERVOIR, SAMPLE, STAGE, Key
from npp_jax.physics.laws import SplineDiffusivity
from npp_jax.physics.limits import Limits
from npp_jax.physics.protocol import Stage
from npp_jax.physics.sed import TabulatedSED
from npp_jax.physics.species import Species

_DERIVED = ("conductivity_S_m", "duration_h", "charge_mC_cm2")
"""Keys whose leaf another key looks at."""

_SHARES = 1e-5
"""How far the shares of the ions in the bulk may be from one together."""

_ROUNDING = 1e-6
"""Distance from a limit that a change of units or single precision may make."""

_LEVEL = {"potential": "potential_V", "current_density": "current_density_A_m2"}
"""Keys of what a trace drives."""


def wrong_input(experiment: Experiment) -> str | None:
    """What is wrong with the numbers of an experiment, in one line; None where nothing is.

    Of a batch every candidate must be wrong, as one fails alone. Leaves that are traced have no values to look at.
    """
    return next(_wrong(experiment), None)


def _wrong(experiment: Experiment) -> Iterator[str]:
    for what, value, limits in numbers_with_limits(experiment):
        yield from _outside(what, value, limits)
    for ion in experiment.species:
        yield from _curves(ion)
    yield from _shares(experiment)
    for name, form in (experiment.initial or {}).items():
        if isinstance(form, InitialTable):
            yield from _rising(f"initial.{name}: depth", form.depth)
    for k, stage in enumerate(experiment.stages):
        for name in ("potential", "current_density"):
            drive = getattr(stage.front, name, None)
            if isinstance(drive, Drive) and drive.time is not None:
                yield from _trace(f"stages[{k}]: {name}", drive, STAGE[_LEVEL[name]].limits)


def numbers_with_limits(experiment: Experiment) -> Iterator[tuple[str, Any, Limits]]:
    """Every number that a key sets, with its name, in the unit of the key, and its limits; traces apart."""
    yield from _of("sample", experiment.sample, SAMPLE)
    for ion in experiment.species:
        yield from _of_ion(ion, experiment)
    for name, form in (experiment.initial or {}).items():
        yield from _of(f"initial.{name}", form, INITIAL)
    for k, stage in enumerate(experiment.stages):
        yield from _of_stage(f"stages[{k}]", stage)


def _of_ion(ion: Species, experiment: Experiment) -> Iterator[tuple[str, Any, Limits]]:
    given = {k: v for k, v in ION.items() if ion.name not in experiment.conductivities or k != "D_bulk_m2_s"}
    yield from _of(ion.name, ion, given)
    for name, key in LISTS.items():
        for n, value in enumerate(key.leaf(ion) if key.of(ion) else ()):
            yield f"{ion.name}.{name}.{n}", value, key.limits


def _of_stage(where: str, stage: Stage) -> Iterator[tuple[str, Any, Limits]]:
    yield from _of(where, stage, STAGE)
    for name, value in getattr(stage.front, "fraction", {}).items():
        yield f"{where}.reservoir_fraction.{name}", value, RESERVOIR["reservoir_fraction"].limits


def _of(where: str, part: Any, table: dict[str, Key]) -> Iterator[tuple[str, Any, Limits]]:
    """Numbers of a part, each with the limits of its key."""
    for name, key in table.items():
        if name not in _DERIVED and key.of(part):
            leaf = key.leaf(part)
            yield f"{where}.{name}", (leaf if key.entry is None else leaf[key.entry]) / key.unit, key.limits


def _outside(what: str, value: Any, limits: Limits) -> Iterator[str]:
    """A number that is outside of its limits, or none; rounding errors of a unit do not count."""
    if not concrete(value):
        return
    values = np.ravel(np.asarray(value, dtype=float)).tolist()
    # What is left of one for an ion of which there is none may be a rounding error below zero.
    slack = 0.0 if limits.low_open else _ROUNDING
    if not any(
        limits.hold(near) for x in values for near in (x, x + slack, x * (1.0 - _ROUNDING), x * (1.0 + _ROUNDING))
    ):
        told = f": must be {limits}" if str(limits) else " is no number"
        yield f"{what} = {values[0]:g}{told}"


def _curves(ion: Species) -> Iterator[str]:
    """Tables of sites and knots of a law."""
    law = ion.diffusivity
    if isinstance(law, SplineDiffusivity):
        yield from _rising(f"{ion.name}: the fraction of the knots", law.fraction)
    sed = getattr(law, "sed", None)
    if isinstance(sed, TabulatedSED):
        yield from _rising(f"{ion.name}: occupied", sed.occupied)
        yield from _rising(f"{ion.name}: energy", sed.energy)
        if concrete(sed.occupied):
            for value in np.asarray(sed.occupied):
                yield from _outside(f"{ion.name}: occupied", value, Limits(0.0, 1.0))


def _rising(what: str, values: Any) -> Iterator[str]:
    if not concrete(values):
        return
    rises = np.diff(np.asarray(values, dtype=float), axis=0) > 0.0
    if not np.all(rises, axis=0).any():
        yield f"{what} must increase from each entry to the next"


def _shares(experiment: Experiment) -> Iterator[str]:
    shares = [ion.bulk_fraction for ion in experiment.species]
    if not concrete(shares):
        return
    for ion in experiment.species:
        yield from _outside(f"{ion.name}.bulk_fraction", ion.bulk_fraction, ION["bulk_fraction"].limits)
    total = np.asarray(sum(np.asarray(share, dtype=float) for share in shares))
    if not np.any(np.abs(total - 1.0) <= _SHARES):
        yield f"bulk_fraction of all ions must add up to 1, got {total.flat[0]:g}"


def _trace(what: str, drive: Drive, limits: Limits) -> Iterator[str]:
    """A trace: times increase, values are within limits, or zero where a beam is off."""
    if not concrete(drive):
        return
    yield from _rising(f"{what}: the times of its trace", drive.time)
    values = np.asarray(drive.value)
    off = Limits(0.0, limits.high, low_open=False, high_open=limits.high_open)
    for value in (values.min(axis=0), values.max(axis=0)):
        yield from _outside(what, value, off)
