"""What was measured in an experiment of a study, and how it was seen."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npp_jax.files import load_experiment
from npp_jax.files.profile_table import read_profile
from npp_jax.files.recorded import make_records
from npp_jax.files.seen_tables import LikelihoodTable, ResponseTable
from npp_jax.files.study_tables import ExperimentEntry
from npp_jax.fitting import Measurement
from npp_jax.observe import (
    MINIMUM_POINTS,
    AbstractLikelihood,
    AbstractResponse,
    DowsettResponse,
    GaussianLikelihood,
    GaussianResponse,
    MRIResponse,
    NoResponse,
    NuisancePrior,
    Observation,
    PoissonLikelihood,
    StudentLikelihood,
    below_limits,
)


def make_measurement(entry: ExperimentEntry, folder: Path) -> Measurement:
    """Experiment and profile of one entry of a study, from the files that it names."""
    experiment = load_experiment(folder / entry.file)
    if entry.profile is None:
        return Measurement(entry.name, experiment, output=entry.output, records=make_records(entry, folder, experiment))
    profile = read_profile(
        folder / entry.profile,
        first_depth_nm=entry.first_depth_nm,
        last_depth_nm=math.inf if entry.last_depth_nm is None else entry.last_depth_nm,
        counts_per_fraction=entry.counts_per_fraction,
    )
    if entry.detection_limits:
        try:
            profile = below_limits(profile, entry.detection_limits)
        except ValueError as error:
            raise ValueError(f"{entry.name}: detection_limits: {error}") from None
    left = int(np.sum(np.asarray(profile.weight)[0] > 0.0))
    if left < MINIMUM_POINTS:
        raise ValueError(
            f"{entry.name}: {left} points of {entry.profile} lie {_between(entry)}; at least {MINIMUM_POINTS} are "
            "needed"
        )
    likelihood = likelihood_of(entry.likelihood)
    if isinstance(likelihood, PoissonLikelihood) and profile.counts is None:
        raise ValueError(f"{entry.name}: a poisson likelihood needs counts; {_without_counts(entry.profile)}")
    try:
        response = response_of(entry.response, profile.species)
    except ValueError as error:
        raise ValueError(f"{entry.name}: {error}") from None
    return Measurement(
        entry.name,
        experiment,
        profile,
        Observation(response, depth_scale=entry.depth_scale, sputter_ratio=entry.sputter_ratio),
        NuisancePrior(
            sensitivity_sigma=entry.nuisance.sensitivity_sigma, background_sigma=entry.nuisance.background_sigma
        ),
        likelihood,
        entry.output,
        make_records(entry, folder, experiment),
    )


def _between(entry: ExperimentEntry) -> str:
    """The depths that count, in words."""
    if entry.last_depth_nm is None:
        return f"below first_depth_nm = {entry.first_depth_nm:g}"
    return f"between first_depth_nm = {entry.first_depth_nm:g} and last_depth_nm = {entry.last_depth_nm:g}"


def _without_counts(profile: str) -> str:
    """What to do about a profile without counts."""
    if not profile.endswith(".h5"):
        return "give counts_per_fraction"
    return (
        f"{profile} has none (no counting statistics, numbers that do not scatter as counts, or close_sum; the import "
        "told which): use kind = 'gaussian'"
    )


def likelihood_of(table: LikelihoodTable) -> AbstractLikelihood:
    """Law of the noise that a table tells."""
    match table.kind:
        case "poisson":
            return PoissonLikelihood(relative_sigma=table.relative_sigma)
        case "student":
            return StudentLikelihood(degrees=table.degrees or 4.0, relative_sigma=table.relative_sigma)
    return GaussianLikelihood(relative_sigma=table.relative_sigma)


def response_of(table: ResponseTable, species: Sequence[str]) -> AbstractResponse:
    """Depth resolution that a table tells, of these species in their order.

    Raises
    ------
    ValueError
        A length is told for other ions.
    """

    def width(key: str) -> float | list[float]:
        told = getattr(table, key)
        if not isinstance(told, dict):
            return told or 0.0
        if set(told) != set(species):
            raise ValueError(f"response: {key} is told of {', '.join(told)}; the ions are {', '.join(species)}")
        return [told[name] for name in species]

    match table.kind:
        case "gaussian":
            return GaussianResponse(width("sigma_nm"))
        case "dowsett":
            return DowsettResponse(width("leading_nm"), width("trailing_nm"), width("sigma_nm"))
        case "mri":
            return MRIResponse(width("mixing_nm"), width("roughness_nm"), width("information_nm"))
    return NoResponse()
