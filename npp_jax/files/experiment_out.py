"""An experiment as the tables of its file: the way back of `npp_jax.files.experiment`."""

from typing import Any

import numpy as np

from npp_jax.files.errors import ConfigError
from npp_jax.fitting import value_of
from npp_jax.physics import (
    AbstractDiffusivity,
    AbstractInitial,
    Blocking,
    Closed,
    ConstantDiffusivity,
    Drive,
    Experiment,
    ExponentialDiffusivity,
    GaussianSED,
    InitialErfc,
    InitialGaussian,
    InitialStep,
    InitialTable,
    IonBeamCurrent,
    IonBeamPotential,
    MixtureSED,
    MutualDiffusivity,
    Reservoir,
    SEDDiffusivity,
    SplineDiffusivity,
    Stage,
    TabulatedSED,
)
from npp_jax.physics.keys import SAMPLE, is_ramp


def experiment_table(experiment: Experiment, stem: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Content of the file of an experiment, and the traces that it names.

    Parameters
    ----------
    experiment
        An experiment; no batch.
    stem
        Begin of the names of its traces.

    Raises
    ------
    ConfigError
        Files cannot say what it has.
    """
    traces: dict[str, str] = {}
    given = [name for name, key in SAMPLE.items() if key.of(experiment.sample)]
    sample = {name: _of(experiment, f"sample.{name}") for name in given}
    species = [
        {
            "name": ion.name,
            "charge": ion.charge,
            "bulk_fraction": float(ion.bulk_fraction),
            "back": ion.back,
            "diffusivity": _law(experiment, ion.name, ion.diffusivity)
            | ({} if ion.fraction_of is None else {"fraction_of": ion.fraction_of}),
        }
        for ion in experiment.species
    ]
    stages = [_stage(stage, f"{stem}_stage{k}", traces) for k, stage in enumerate(experiment.stages)]
    starts = [_initial(name, form, f"{stem}_initial_{k}", traces) for k, (name, form) in enumerate(_starts(experiment))]
    head = {"schema_version": 1, "title": experiment.title, "sample": sample, "species": species}
    return head | ({"initial": starts} if starts else {}) | {"stages": stages}, traces


def _starts(experiment: Experiment) -> list[tuple[str, AbstractInitial]]:
    return list((experiment.initial or {}).items())


def _initial(ion: str, form: AbstractInitial, stem: str, tables: dict[str, str]) -> dict[str, Any]:
    um = lambda leaf: float(leaf) * 1e6  # noqa: E731
    match form:
        case InitialStep(position=position, surface_fraction=surface, deep_fraction=deep, width=width):
            ends = {"surface_fraction": float(surface), "deep_fraction": float(deep)}
            return {"species": ion, "form": "step", "position_um": um(position), "width_um": um(width), **ends}
        case InitialErfc(surface_fraction=surface, deep_fraction=deep, width=width):
            ends = {"surface_fraction": float(surface), "deep_fraction": float(deep)}
            return {"species": ion, "form": "erfc", "width_um": um(width), **ends}
        case InitialGaussian(position=position, peak_fraction=peak, width=width, deep_fraction=deep):
            levels = {"peak_fraction": float(peak), "deep_fraction": float(deep)}
            return {"species": ion, "form": "gaussian", "position_um": um(position), "width_um": um(width), **levels}
        case InitialTable(depth=depth, fraction=fraction):
            rows = zip((np.asarray(depth, float) * 1e6).tolist(), np.asarray(fraction, float).tolist(), strict=True)
            tables[f"{stem}.csv"] = f"depth_um,{ion}\n" + "".join(f"{x!r},{c!r}\n" for x, c in rows)
            return {"species": ion, "form": "table", "table": f"{stem}.csv"}
    raise ConfigError(f"experiment files have no start of the kind of {ion}, {type(form).__name__}")


def _of(experiment: Experiment, key: str) -> float:
    return float(np.asarray(value_of(experiment, key)))


def _law(experiment: Experiment, ion: str, law: AbstractDiffusivity) -> dict[str, Any]:
    arrhenius = getattr(law, "arrhenius", None)
    activated = {} if arrhenius is None else {
        "activation_energy_eV": float(arrhenius.activation_energy),
        "reference_temperature_K": float(arrhenius.reference_temperature),
    }  # fmt: skip
    match law:
        case ConstantDiffusivity(D=D):
            return {"law": "constant", "D_m2_s": float(D), **activated}
        case ExponentialDiffusivity(D=D, coefficient=coefficient, reference_fraction=reference):
            name = "exponential" if len(coefficient) == 1 else "polynomial"
            told = {"ln_D_coefficient": _numbers(coefficient), "reference_fraction": float(reference)}
            return {"law": name, "D_m2_s": float(D), **told, **activated}
        case SplineDiffusivity(fraction=fraction, D_knot=D, curve=curve):
            knots = {"knot_fraction": _numbers(fraction), "knot_D_m2_s": _numbers(D)}
            return {"law": "spline", **knots, "curve": curve, **activated}
        case MutualDiffusivity(partner=partner):
            return {"law": "mutual", "partner": partner}
        case SEDDiffusivity():
            return {**_of_sites(experiment, ion, law), **activated, **_sites(ion, law)}
    raise ConfigError(f"experiment files have no law of the kind of {ion}, {type(law).__name__}")


def _of_sites(experiment: Experiment, ion: str, law: SEDDiffusivity) -> dict[str, Any]:
    level = "conductivity_S_m" if ion in experiment.conductivities else "D_bulk_m2_s"
    return {
        "law": "sed",
        level: _of(experiment, f"{ion}.{level}"),
        "vacancy_fraction": float(law.vacancy_fraction),
        "immobile_fraction": float(law.immobile_fraction),
        "filling": law.filling,
        "populations": law.populations,
        "diffusion_term": law.diffusion_term,
        "averaging": law.averaging,
    } | ({} if law.mixing_time is None else {"mixing_time_s": float(law.mixing_time)})


def _numbers(leaf: Any) -> list[float]:
    return np.asarray(leaf, float).tolist()


def _sites(ion: str, law: SEDDiffusivity) -> dict[str, Any]:
    match law.sed:
        case GaussianSED(sed_fwhm=width):
            return {"sed_fwhm_eV": float(width)}
        case MixtureSED(energy=energy, sed_fwhm=width, weight=weight):
            columns = {"energy_eV": _numbers(energy), "fwhm_eV": _numbers(width), "weight": _numbers(weight)}
            return {"sed": {"kind": "mixture", **columns}}
        case TabulatedSED(occupied=occupied, energy=energy):
            return {"sed": {"kind": "table", "energy_eV": _numbers(energy), "occupied": _numbers(occupied)}}
    raise ConfigError(f"experiment files have no distribution of the kind of {ion}, {type(law.sed).__name__}")


def _stage(stage: Stage, stem: str, traces: dict[str, str]) -> dict[str, Any]:
    by_time = stage.duration is not None
    end = float(np.asarray(stage.duration if by_time else stage.charge))
    points = [share * end for share in stage.outputs[:-1]] + [end]
    outputs = {"output_times_s" if by_time else "output_charges_C_m2": points} if len(points) > 1 else {}
    last = {"duration_s" if by_time else "charge_C_m2": end}
    common = {"temperature_K": float(stage.temperature), **last, **outputs}
    match stage.front:
        case Closed():
            return {"front": "closed", **common}
        case Reservoir(fraction=fraction, exchange_rate=rate):
            shares = {name: float(value) for name, value in fraction.items()}
            slow = {} if rate is None else {"exchange_rate_m_s": float(rate)}
            return {"front": "reservoir", **common, **slow, "reservoir_fraction": shares}
        case Blocking(potential=drive):
            return {"front": "blocking", **common, **_drive(stage, drive, "potential", "V", stem, traces)}
        case IonBeamPotential(beam=beam, potential=drive):
            driven = _drive(stage, drive, "potential", "V", stem, traces)
            return {"front": "ion-beam", "beam": beam, **common, **driven}
        case IonBeamCurrent(beam=beam, current_density=drive):
            driven = _drive(stage, drive, "current_density", "A_m2", stem, traces)
            return {"front": "ion-beam", "beam": beam, **common, **driven}
    raise ConfigError(f"experiment files have no front of the kind {type(stage.front).__name__}")


def _drive(stage: Stage, drive: Drive, name: str, unit: str, stem: str, traces: dict[str, str]) -> dict[str, Any]:
    values = np.asarray(drive.value, float).tolist()
    if drive.time is None:
        return {f"{name}_{unit}": values[0]}
    if is_ramp(stage, drive):
        return {f"{name}_{unit}": values[0], f"{name}_end_{unit}": values[1]}
    file = f"{stem}_{name}.csv"
    rows = zip(np.asarray(drive.time, float).tolist(), values, strict=True)
    traces[file] = f"time_s,{name}_{unit}\n" + "".join(f"{t!r},{v!r}\n" for t, v in rows)
    return {f"{name}_trace": file}
