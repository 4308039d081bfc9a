"""A problem as a study file with all that it names: the way back of `npp_jax.files.study`."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.files.errors import ConfigError
from npp_jax.files.experiment_out import experiment_table
from npp_jax.files.recorded import record_files
from npp_jax.files.study_tables import ExperimentEntry
from npp_jax.files.toml_out import toml_of
from npp_jax.fitting import Measurement, Problem
from npp_jax.inference import Parameter
from npp_jax.observe import (
    RECORDED,
    AbstractLikelihood,
    AbstractResponse,
    DepthProfile,
    DowsettResponse,
    GaussianResponse,
    MRIResponse,
    NoResponse,
    PoissonLikelihood,
    StudentLikelihood,
)
from npp_jax.text.opened import read_bytes


class Source(NamedTuple):
    """The file of which a profile was read."""

    suffix: str
    """Ending of its name."""
    content: bytes

    @classmethod
    def of(cls, path: Path) -> "Source":
        """A file as it is now."""
        return cls(path.suffix.lower(), read_bytes(path))


class RecordSource(NamedTuple):
    """Tables of a study about the records of an experiment, and the files that they name."""

    tables: Mapping[str, Any]
    files: Mapping[str, Source]
    """By the name of the table."""


def record_source(entry: ExperimentEntry, folder: Path) -> RecordSource | None:
    """What a study says of the records of an experiment; None where there are none.

    Parameters
    ----------
    entry
        Entry of the study.
    folder
        Where its files lie.
    """
    tables = entry.model_dump(include=set(RECORDED), exclude_none=True, exclude_defaults=True)
    if not tables:
        return None
    named = {key.partition(".")[0]: folder / file for key, file in record_files(entry).items()}
    return RecordSource(tables, {name: Source.of(path) for name, path in named.items()})


def study_files(
    problem: Problem,
    values: Sequence[float],
    *,
    name: str,
    title: str,
    profiles: Mapping[str, Source],
    records: Mapping[str, RecordSource],
    weights: Sequence[np.ndarray | None],
    fit: Mapping[str, Any],
    comment: str = "",
) -> dict[str, bytes]:
    """Files of a study of one candidate, by their names; its experiments have the values of the candidate.

    Parameters
    ----------
    problem
        Experiments and parameters.
    values
        Values of the parameters.
    name, title
        Stem of the study file, and its title.
    profiles
        Files from which profiles were read, by the experiment; of others tables are made.
    records
        Tables and files of records, by the experiment; records of others are left out, which the study says.
    weights
        Weights of the measured points of each experiment.
    fit
        Its table `[fit]`.
    comment
        Lines for the top of the study file.

    Raises
    ------
    ConfigError
        Files cannot say what the problem has.
    """
    files: dict[str, bytes] = {}
    lost = [f"{m.name}: {r.quantity}" for m in problem.measurements if m.name not in records for r in m.records]
    if lost:
        comment += f"\nRecords are left out ({', '.join(lost)}): add their tables."
    theta = jnp.asarray(values, float)
    entries = []
    for k, (measurement, weight) in enumerate(zip(problem.measurements, weights, strict=True)):
        stem = plain_name(measurement.name)
        if len(problem.measurements) > 1:
            # Two names may be the same without what no file takes.
            stem = f"{k + 1}_{stem}"
        if f"{stem}.toml" == f"{name}.toml":
            stem = f"{stem}_experiment"
        table, traces = experiment_table(problem.experiment(measurement, theta), stem)
        files[f"{stem}.toml"] = toml_of(table).encode()
        files |= {file: text.encode() for file, text in traces.items()}
        entry: dict[str, Any] = {"name": measurement.name, "file": f"{stem}.toml", "output": measurement.output}
        if measurement.profile is not None and weight is not None:
            entry |= _measured(problem, measurement, theta, weight, stem, profiles.get(measurement.name), files)
        if measurement.records and measurement.name in records:
            entry |= _recorded(records[measurement.name], stem, files)
        entries.append(entry)
    if problem.parameters:
        rows = io.StringIO()
        csv.writer(rows, lineterminator="\n").writerows(
            [[p.name for p in problem.parameters], [repr(float(value)) for value in values]]
        )
        files["candidate.csv"] = rows.getvalue().encode()
        study = {
            "schema_version": 1,
            "title": title,
            "experiments": entries,
            "parameters": [_parameter(parameter) for parameter in problem.parameters],
            "design": {"kind": "table", "file": "candidate.csv"},
            "sweep": {
                "model": fit["model"],
                "setting": fit["setting"],
                "profiles": any(m.profile is not None for m in problem.measurements),
            },
            "fit": dict(fit),
        }
        files[f"{name}.toml"] = toml_of(study, comment=comment).encode()
    return files


def _recorded(source: RecordSource, stem: str, files: dict[str, bytes]) -> dict[str, Any]:
    """Keys of an entry about its records; what they name is one of the files."""
    tables = dict(source.tables)
    for quantity, file in source.files.items():
        name = f"{stem}_{quantity}{file.suffix}"
        files[name] = file.content
        tables[quantity] = {**tables[quantity], "file": name}
    return tables


def plain_name(text: str) -> str:
    """Name of a file that every system takes."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:60] or "experiment"


def _parameter(parameter: Parameter) -> dict[str, Any]:
    prior = parameter.prior
    return {
        "name": parameter.name,
        "keys": list(parameter.keys),
        "experiments": None if parameter.experiments is None else list(parameter.experiments),
        "low": float(parameter.low),
        "high": float(parameter.high),
        "scale": parameter.scale,
        "levels": parameter.levels,
        "prior_mean": None if prior is None else float(prior.mean),
        "prior_sigma": None if prior is None else float(prior.sigma),
    }


def _measured(
    problem: Problem,
    measurement: Measurement,
    theta: Array,
    weight: np.ndarray,
    stem: str,
    source: Source | None,
    files: dict[str, bytes],
) -> dict[str, Any]:
    """Keys of an entry about its profile; the profile is one of the files."""
    profile, seen = measurement.profile, problem.observation(measurement, theta)
    assert profile is not None and seen is not None
    counted = _counted(profile)
    if source is None:
        file = f"{stem}_profile.csv"
        files[file] = _profile_text(measurement.name, profile, counted).encode()
    else:
        file = f"{stem}_profile{source.suffix}"
        files[file] = source.content
    imported = source is not None and source.suffix == ".h5"
    depth, used = np.asarray(profile.depth), weight.max(axis=0) > 0.0
    inside = (depth >= depth[used][0]) & (depth <= depth[used][-1])
    if np.any(weight != np.where(inside, 1.0, 0.0)):
        raise ConfigError(f"{measurement.name}: study files have no weights of single points")
    nuisance = measurement.nuisance
    limited = {} if profile.censored is None else _limits(profile)
    return {
        "profile": file,
        "depth_scale": float(seen.depth_scale),
        "sputter_ratio": float(seen.sputter_ratio),
        "first_depth_nm": float(depth[used][0]) if not used[0] else 0.0,
        "last_depth_nm": float(depth[used][-1]) if not used[-1] else None,
        "detection_limits": limited or None,
        "counts_per_fraction": None if imported else counted,
        "response": _response(measurement.name, seen.response, profile.species),
        "nuisance": {
            "sensitivity_sigma": float(np.max(np.asarray(nuisance.sensitivity_sigma))),
            "background_sigma": float(np.max(np.asarray(nuisance.background_sigma))),
        },
        "likelihood": _likelihood(measurement.likelihood),
    }


def _limits(profile: DepthProfile) -> dict[str, float]:
    """Limits of detection, of the species of which points lie below."""
    below, fraction = np.asarray(profile.censored) > 0.0, np.asarray(profile.fraction)
    limits = {name: np.unique(fraction[k][below[k]]) for k, name in enumerate(profile.species) if below[k].any()}
    for name, told in limits.items():
        if len(told) > 1:
            raise ConfigError(f"{name}: study files have one limit of detection of an ion, and its points {len(told)}")
    return {name: float(told[0]) for name, told in limits.items()}


def _counted(profile: DepthProfile) -> float | None:
    """Counts at fraction one, where they are one number."""
    if profile.counts_per_fraction is None:
        return None
    numbers = np.unique(np.asarray(profile.counts_per_fraction))
    return float(numbers[0]) if len(numbers) == 1 else None


def _profile_text(name: str, profile: DepthProfile, counted: float | None) -> str:
    lost = profile.interval is not None or profile.systematic is not None or profile.background is not None
    if lost or (profile.counts is not None and counted is None):
        raise ConfigError(f"{name}: a table cannot say all that its profile has; read it from a file")
    columns = [np.asarray(profile.depth)]
    for fraction, sigma in zip(np.asarray(profile.fraction), np.asarray(profile.sigma), strict=True):
        columns += [fraction, sigma]
    titles = ["depth_nm", *(title for ion in profile.species for title in (ion, f"{ion}_sigma"))]
    rows = (",".join(repr(float(value)) for value in row) for row in zip(*columns, strict=True))
    return "\n".join([",".join(titles), *rows]) + "\n"


def _response(name: str, response: AbstractResponse, species: Sequence[str]) -> dict[str, Any]:
    kinds = {NoResponse: "none", GaussianResponse: "gaussian", DowsettResponse: "dowsett", MRIResponse: "mri"}
    if type(response) not in kinds:
        raise ConfigError(f"{name}: study files have no response of the kind {type(response).__name__}")
    widths = {f"{key}_nm": np.asarray(width) for key, width in vars(response).items()}
    return {"kind": kinds[type(response)]} | {
        key: dict(zip(species, width.tolist(), strict=True)) if width.ndim else float(width)
        for key, width in widths.items()
    }


def _likelihood(likelihood: AbstractLikelihood) -> dict[str, Any]:
    relative = float(np.asarray(getattr(likelihood, "relative_sigma", 0.0)))
    match likelihood:
        case PoissonLikelihood():
            return {"kind": "poisson", "relative_sigma": relative}
        case StudentLikelihood(degrees=degrees):
            return {"kind": "student", "relative_sigma": relative, "degrees": float(degrees)}
    return {"kind": "gaussian", "relative_sigma": relative}
