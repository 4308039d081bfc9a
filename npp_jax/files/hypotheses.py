"""Models of the data that a study compares: the main one, and the rivals that its file tells by what differs."""

import dataclasses
from pathlib import Path

from npp_jax.files import load_experiment
from npp_jax.files.study_tables import ExperimentEntry, ParameterTable, RivalTable, StudyTable
from npp_jax.fitting import Measurement, Parameter, Problem, with_free_form
from npp_jax.inference import Bound, Bounds
from npp_jax.physics import SEDDiffusivity
from npp_jax.sweeping import Axis

SLOPE = "sed_slope_"
"""Names of the parameters of a free-form distribution begin with this."""


@dataclasses.dataclass(frozen=True)
class Rival:
    """One model of the data: the main one of a study, or another that competes with it."""

    name: str
    problem: Problem
    axes: tuple[Axis, ...]
    """Range and scale of each parameter."""
    bounds: Bounds
    """The same with the priors."""
    free_form: bool = False
    """Whether the site energy distribution is given by its slopes, which a prior holds together."""
    contains_main: bool = False
    """Whether the main model of the study is a case of this one."""


def make_model(name: str, measurements: tuple[Measurement, ...], tables: list[ParameterTable]) -> Rival:
    """A model of measurements with the parameters of some tables."""
    parameters = tuple(
        Parameter(p.name, tuple(p.keys), None if p.experiments is None else tuple(p.experiments)) for p in tables
    )
    return Rival(
        name,
        Problem(measurements, parameters),
        tuple(Axis(p.name, p.low, p.high, p.scale, p.levels) for p in tables),
        tuple(
            Bound(p.name, p.low, p.high, p.scale, prior_mean=p.prior_mean, prior_sigma=p.prior_sigma) for p in tables
        ),
    )


def make_rival(rival: RivalTable, study: StudyTable, measurements: tuple[Measurement, ...], folder: Path) -> Rival:
    """The model of a study, changed as the table of a rival says."""
    names = [measurement.name for measurement in measurements]
    known = [table.name for table in study.parameters]
    for kind, given, allowed in (
        ("separate", rival.separate, known),
        ("without", rival.without, known),
        ("files", rival.files, names),
    ):
        unknown = [name for name in given if name not in allowed]
        if unknown:
            raise ValueError(f"rival '{rival.name}': {kind} = '{unknown[0]}'; known are {', '.join(allowed)}")
    tables: list[ParameterTable] = []
    for table in study.parameters:
        if table.name in rival.separate:
            own = table.experiments or names
            tables += [table.model_copy(update={"name": f"{table.name}_{n}", "experiments": [n]}) for n in own]
        elif table.name not in rival.without:
            tables.append(table)
    with_files = _changed(rival, study.experiments, measurements, folder)
    if rival.free_form_knots is not None:
        return _free_form(rival, with_files, [*tables, *rival.parameters])
    more = len(tables) + len(rival.parameters) > len(study.parameters)
    contains = rival.contains_first
    if contains is None:
        contains = more and not (rival.without or rival.files or rival.set)
    if contains and not more:
        raise ValueError(f"rival '{rival.name}': a model that contains the first has more parameters than it")
    model = make_model(rival.name, with_files, [*tables, *rival.parameters])
    return dataclasses.replace(model, contains_main=contains)


def _changed(
    rival: RivalTable, entries: list[ExperimentEntry], measurements: tuple[Measurement, ...], folder: Path
) -> tuple[Measurement, ...]:
    """The measurements with the experiments of a rival: other files, other keys where an experiment has their place."""
    if not rival.files and not rival.set:
        return measurements
    found, placed = [], set()
    for entry, measurement in zip(entries, measurements, strict=True):
        species = {s.name for s in measurement.experiment.species}
        own = {k: v for k, v in rival.set.items() if k.split(".")[0] in {"sample", "stages", *species}}
        placed |= set(own)
        path = folder / rival.files.get(entry.name, entry.file)
        found.append(dataclasses.replace(measurement, experiment=load_experiment(path, changes=own)))
    lost = [key for key in rival.set if key not in placed]
    if lost:
        raise ValueError(f"rival '{rival.name}': set = '{lost[0]}' has no place in any experiment")
    return tuple(found)


def _free_form(rival: RivalTable, measurements: tuple[Measurement, ...], tables: list[ParameterTable]) -> Rival:
    """The native ion of every experiment gets a distribution given by its slopes, each of them a parameter."""
    natives = {s.name for m in measurements for s in m.experiment.species if isinstance(s.diffusivity, SEDDiffusivity)}
    if len(natives) != 1:
        raise ValueError(f"rival '{rival.name}': free_form_knots needs one ion with a site energy distribution")
    (native,) = natives
    replaced = tuple(
        dataclasses.replace(m, experiment=with_free_form(m.experiment, rival.free_form_knots or 0))
        for m in measurements
    )
    shape = (f"{native}.sed_fwhm_eV", f"{native}.vacancy_fraction")
    kept = [table for table in tables if not set(table.keys) & set(shape)]
    slopes = [
        ParameterTable(name=f"{SLOPE}{k}_eV", keys=[f"{native}.sed_slope_eV.{k}"], low=0.005, high=1.0, scale="log")
        for k in range(rival.free_form_knots or 0)
    ]
    return dataclasses.replace(make_model(rival.name, replaced, [*slopes, *kept]), free_form=True)
