"""Parameters that are not in a study: a range and a scale for any key of its experiments, from what the files say."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from npp_jax.fitting import Measurement, Problem, known_keys
from npp_jax.fitting.observed import is_observed, observed_keys
from npp_jax.fitting.parameters import slots
from npp_jax.inference import Parameter, ParameterError
from npp_jax.physics.keys import allowed_range

_FIRST = ("D_m2_s", "D_bulk_m2_s", "conductivity_S_m", "sed_fwhm_eV", "vacancy_fraction", "potential_V",
          "current_density_A_m2", "charge_C_m2", "duration_s", "exchange_rate_m_s")  # fmt: skip
"""Keys that have a slider where there is no study to name parameters."""

Scale = Literal["linear", "log"]

_TWICE = {"conductivity_S_m": "D_bulk_m2_s", "duration_h": "duration_s", "charge_mC_cm2": "charge_C_m2"}
"""Keys that are another name of a number."""


def keys_of(measurement: Measurement) -> list[str]:
    """All keys that may vary in an experiment and in how it is seen, each number once."""
    keys = list(known_keys(measurement.experiment))
    if measurement.observation is not None and measurement.profile is not None:
        keys += observed_keys(measurement.observation, measurement.profile.species)
    given = measurement.experiment.conductivities
    found = []
    for key in keys:
        part, _, name = key.rpartition(".")
        other = f"{part}.{_TWICE.get(name, '')}"
        # A conductivity stands where the file gives one, and D of the bulk elsewhere.
        if name == "D_bulk_m2_s" and part in given:
            continue
        if other in keys and not (name == "conductivity_S_m" and part in given):
            continue
        found.append(key)
    return found


def addable(problem: Problem) -> list[tuple[str, str]]:
    """Keys that no parameter sets yet: (what is chosen, how it is called), of all experiments and of single ones."""
    found: dict[str, str] = {}
    free = {m.name: set(_free(problem, m)) for m in problem.measurements}
    for measurement in problem.measurements:
        for key in keys_of(measurement):
            having = [name for name, keys in free.items() if key in keys]
            if having and having == [m.name for m in problem.measurements if key in keys_of(m)]:
                found.setdefault(key, key)
            if len(problem.measurements) > 1 and measurement.name in having:
                found[f"{key}@{measurement.name}"] = f"{key} ({measurement.name} alone)"
    return list(found.items())


def _free(problem: Problem, measurement: Measurement) -> Iterator[str]:
    """Keys of an experiment whose number no parameter sets."""
    numbers = slots(measurement.experiment)
    taken = {k for p in problem.parameters if problem.enters(p, measurement) for k in p.keys}
    held = {numbers.get(key, key) for key in taken}
    yield from (key for key in keys_of(measurement) if numbers.get(key, key) not in held)


def added_parameter(problem: Problem, choice: str) -> Parameter:
    """Parameter of one of the choices of `addable`.

    Raises
    ------
    ParameterError
        It is none of them.
    """
    key, _, single = choice.partition("@")
    having = [m for m in problem.measurements if key in keys_of(m) and (not single or m.name == single)]
    if not having:
        raise ParameterError(f"'{key}' is a key of no experiment")
    value = float(np.asarray(having[0].value_of(key)))
    low, high, scale = _range(key, value)
    names = {p.name for p in problem.parameters}
    name = key.replace(".", "_") if not single else f"{single}_{key.replace('.', '_')}"
    while name in names:
        name += "_"
    whole = len(having) == len(problem.measurements)
    return Parameter(name, (key,), low, high, scale, experiments=None if whole else tuple(m.name for m in having))


def first_parameters(measurements: Sequence[Measurement]) -> tuple[Parameter, ...]:
    """Parameters of experiments that no study has chosen: laws of the ions, drives and ends of the stages."""
    problem = Problem(tuple(measurements), ())
    for choice, _ in addable(problem):
        if choice.rpartition(".")[2] in _FIRST:
            added = added_parameter(problem, choice)
            problem = dataclasses.replace(problem, parameters=(*problem.parameters, added))
    return problem.parameters


def _range(key: str, value: float) -> tuple[float, float, Scale]:
    """Range and scale about a value: a decade either way for what is positive and of no limit above."""
    name = key.rstrip("0123456789.").rpartition(".")[2]
    if is_observed(key):
        return _seen(key, value)
    limits = allowed_range(key)
    if name == "temperature_K" or name == "reference_temperature_K":
        return max(value - 100.0, 50.0), min(value + 100.0, 2000.0), "linear"
    if name.endswith("_fraction") or "reservoir_fraction" in key:
        high = min(max(0.5, 2.0 * value), 0.95)
        return (min(0.005, 0.5 * value) if value > 0.0 else 0.0), max(high, value), "linear"
    if name.endswith("_eV"):
        return (0.4 * value, 2.0 * value, "linear") if value > 0.0 else (value - 0.3, value + 0.3, "linear")
    factor = 4.0 if name.startswith(("potential", "charge", "duration", "thickness", "permittivity")) else 10.0
    if value > 0.0:
        return max(value / factor, limits.low), min(value * factor, limits.high), "log"
    return 0.0, 1.0, "linear"


def _seen(key: str, value: float) -> tuple[float, float, Scale]:
    """The same of how an experiment is seen."""
    name = key.rpartition(".")[2]
    if name == "depth_scale":
        return 0.8 * value, 1.25 * value, "log"
    if name == "sputter_ratio":
        return 0.5 * value, 2.0 * value, "log"
    if name == "depth_offset_nm":
        return value - 20.0, value + 20.0, "linear"
    if name == "sensitivity":
        return (0.5 * value, 2.0 * value, "log") if value > 0.0 else (0.0, 1.0, "linear")
    if name == "background":
        return min(0.0, value), max(0.05, 4.0 * value), "linear"
    return 0.0, max(10.0, 3.0 * value), "linear"
