"""Hypotheses on the data that a study compares: the main one, and the rivals that its file tells by what differs."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npp_jax.files import load_experiment
from npp_jax.files.study_tables import ExperimentEntry, RivalTable
from npp_jax.fitting import Measurement, Problem, with_free_form
from npp_jax.fitting.free_form import SMOOTHNESS, SMOOTHNESS_D
from npp_jax.fitting.parameters import slots
from npp_jax.inference import Parameter, Parameters
from npp_jax.physics import Experiment, ExponentialDiffusivity, SEDDiffusivity, SlopeSED, SplineDiffusivity


@dataclasses.dataclass(frozen=True)
class FreeForm:
    """A law given at knots, by slopes of site energies or by D, each a parameter; a prior holds them together."""

    slopes: tuple[int, ...]
    """Places of these numbers among the parameters, in the order of the knots."""
    spacing: float
    """Distance of the knots in the standard normal quantile, or in the fraction."""
    width: str
    """Key of the width that the Gaussian distribution had; empty where there was none."""
    smoothness: float = SMOOTHNESS
    """Standard deviation of the change of their logarithms over a distance of one."""


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """What may explain the data: the experiments as they are taken to be, and the parameters that are free."""

    name: str
    problem: Problem
    free_form: FreeForm | None = None
    """Where a law has a free form."""
    contains_main: bool = False
    """Whether the main hypothesis of the study is a case of this one."""

    @property
    def parameters(self) -> Parameters:
        """The parameters that are free."""
        return self.problem.parameters


def make_rival(rival: RivalTable, main: Hypothesis, entries: list[ExperimentEntry], folder: Path) -> Hypothesis:
    """The main hypothesis of a study, changed as the table of a rival says."""
    measurements = main.problem.measurements
    names = tuple(measurement.name for measurement in measurements)
    known = [parameter.name for parameter in main.parameters]
    for kind, given, allowed in (
        ("separate", rival.separate, known),
        ("without", rival.without, known),
        ("files", rival.files, names),
    ):
        unknown = [name for name in given if name not in allowed]
        if unknown:
            raise ValueError(f"rival '{rival.name}': {kind} = '{unknown[0]}'; known are {', '.join(allowed)}")
    kept: list[Parameter] = []
    for parameter in main.parameters:
        if parameter.name in rival.separate:
            own = parameter.experiments or names
            kept += [dataclasses.replace(parameter, name=f"{parameter.name}_{n}", experiments=(n,)) for n in own]
        elif parameter.name not in rival.without:
            kept.append(parameter)
    parameters = (*kept, *(table.parameter() for table in rival.parameters))
    with_files = _changed(rival, entries, measurements, folder)
    _check_set(rival, Problem(with_files, parameters), measurements)
    if rival.free_form_knots is not None:
        return _free_form(rival.name, rival.free_form_knots, with_files, parameters)
    more = len(parameters) > len(main.parameters)
    contains = rival.contains_first
    if contains is None:
        contains = more and not (rival.without or rival.files or rival.set)
    if contains and not more:
        raise ValueError(f"rival '{rival.name}': a model that contains the first has more parameters than it")
    return Hypothesis(rival.name, Problem(with_files, parameters), contains_main=contains)


def _changed(
    rival: RivalTable, entries: list[ExperimentEntry], measurements: tuple[Measurement, ...], folder: Path
) -> tuple[Measurement, ...]:
    """The measurements with the experiments of a rival: other files, other keys where an experiment has their place."""
    if not rival.files and not rival.set:
        return measurements
    found, placed = [], set()
    for entry, measurement in zip(entries, measurements, strict=True):
        placed |= set(_own_keys(rival, measurement.experiment))
        experiment = _rival_file(rival, entry.name, folder / entry.file, {}, measurement.experiment, folder)
        found.append(dataclasses.replace(measurement, experiment=experiment))
    lost = [key for key in rival.set if key not in placed]
    if lost:
        raise ValueError(f"rival '{rival.name}': set = '{lost[0]}' has no place in any experiment")
    return tuple(found)


def rival_experiment(
    rival: RivalTable, like: str | None, path: Path, changes: Mapping[str, Any], folder: Path
) -> Experiment:
    """An experiment that is none of the study, as a rival takes it to be.

    Parameters
    ----------
    rival
        The rival.
    like
        Experiment of the study that it is like: another file of the rival for that is one for it, too.
    path, changes
        Its file, and the keys that have another value.
    folder
        Where files of the rival are looked for.
    """
    plain = load_experiment(path, changes=changes)
    experiment = _rival_file(rival, like, path, changes, plain, folder)
    return experiment if rival.free_form_knots is None else with_free_form(experiment, rival.free_form_knots)


def _rival_file(
    rival: RivalTable, name: str | None, path: Path, changes: Mapping[str, Any], plain: Experiment, folder: Path
) -> Experiment:
    own = _own_keys(rival, plain)
    other = rival.files.get(name or "")
    if other is None and not own:
        return plain
    return load_experiment(path if other is None else folder / other, changes={**changes, **own})


def _own_keys(rival: RivalTable, experiment: Experiment) -> dict[str, Any]:
    """Keys that a rival sets and that have a place in an experiment."""
    species = {s.name for s in experiment.species}
    return {k: v for k, v in rival.set.items() if k.split(".")[0] in {"sample", "stages", "initial", *species}}


def _check_set(rival: RivalTable, problem: Problem, main: tuple[Measurement, ...]) -> None:
    """What a rival sets is not what one of its parameters varies, unless it is there only as it is set."""
    there = {measurement.name: slots(measurement.experiment) for measurement in main}
    for measurement in problem.measurements:
        numbers = slots(measurement.experiment)
        numbers = {key: slot for key, slot in numbers.items() if key in there.get(measurement.name, numbers)}
        for parameter in problem.parameters:
            varied = {numbers.get(key) for key in parameter.keys if problem.enters(parameter, measurement)}
            for key in rival.set:
                if key in numbers and numbers[key] in varied:
                    raise ValueError(
                        f"rival '{rival.name}': set = '{key}' has no effect, '{parameter.name}' varies it: leave that "
                        f"out by without = ['{parameter.name}']"
                    )


def _free_form(name: str, knots: int, measurements: tuple[Measurement, ...], parameters: Parameters) -> Hypothesis:
    """One ion of every experiment gets a law given at knots, each of them a parameter: that with a distribution of site
    energies, or else that with a D(c).
    """
    sites, curves = (
        {s.name for m in measurements for s in m.experiment.species if isinstance(s.diffusivity, kind)}
        for kind in (SEDDiffusivity, ExponentialDiffusivity | SplineDiffusivity)
    )
    ions = sites or curves
    if len(ions) != 1:
        raise ValueError(
            f"rival '{name}': free_form_knots needs one ion with a site energy distribution, or with a D(c)"
        )
    (ion,) = ions
    freed = tuple(dataclasses.replace(m, experiment=with_free_form(m.experiment, knots)) for m in measurements)
    width = f"{ion}.sed_fwhm_eV"
    replaced = {width, f"{ion}.vacancy_fraction"} if sites else {f"{ion}.D_m2_s"}
    lists = () if sites else (f"{ion}.ln_D_coefficient.", f"{ion}.knot_D_m2_s.")
    kept = [p for p in parameters if not any(k in replaced or k.startswith(lists or "\n") for k in p.keys)]
    if sites:
        made = [Parameter(f"sed_slope_{k}_eV", (f"{ion}.sed_slope_eV.{k}",), 0.005, 1.0, "log") for k in range(knots)]
        form = FreeForm(tuple(range(knots)), _spacing(freed[0].experiment), width)
        return Hypothesis(name, Problem(freed, (*made, *kept)), free_form=form)
    known = [float(freed[0].value_of(f"{ion}.knot_D_m2_s.{k}")) for k in range(knots)]
    low, high = min(known) / _WIDE, max(known) * _WIDE
    made = [Parameter(f"D_knot_{k}_m2_s", (f"{ion}.knot_D_m2_s.{k}",), low, high, "log") for k in range(knots)]
    form = FreeForm(tuple(range(knots)), 1.0 / (knots - 1), "", SMOOTHNESS_D)
    return Hypothesis(name, Problem(freed, (*made, *kept)), free_form=form)


_WIDE = 100.0
"""How far D at a knot may be from what the files have, as a factor."""


def _spacing(experiment: Experiment) -> float:
    """Distance of the knots of the distribution of free form."""
    for species in experiment.species:
        match species.diffusivity:
            case SEDDiffusivity(sed=SlopeSED(z=z)):
                return float(np.asarray(z)[1] - np.asarray(z)[0])
    raise TypeError(f"'{experiment.title}' has no distribution of free form")
