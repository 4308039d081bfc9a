"""Profiles that a sweep keeps beside its observables, in single precision."""

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int

from npp_jax.constants import NM
from npp_jax.fitting import Objective, Problem
from npp_jax.observe import RECORDED, DepthProfile, solve_linear_nuisance
from npp_jax.simulation.solution import Solution
from npp_jax.store.assemble import Coordinate, Variable
from npp_jax.store.reading import Reader
from npp_jax.store.stored import reading_sweep

GRID = "depth_profile"
"""Axis of the depths of `KeptProfiles`."""


@dataclasses.dataclass(frozen=True, eq=False)
class KeptProfiles:
    """At which depths profiles are kept.

    Without depths: at those of the measured profiles, as the instrument sees them: with its depth resolution, before
    sensitivity and background, which are kept beside them, and what was recorded besides. Experiments on which nothing
    was measured have none.
    With depths: the composition at these depths in the sample, without the instrument.
    """

    depth: Float64[np.ndarray, " depth"] | None = None
    """Depths in the sample [nm]."""

    def arrays(
        self, objective: Objective, solutions: list[Solution], theta: Float[Array, "candidate parameter"]
    ) -> dict[str, Array]:
        """Profiles [candidate, species, depth] of each experiment, sensitivities and backgrounds [candidate, species];
        records [candidate, point].

        Parameters
        ----------
        objective
            What the solutions are of.
        solutions
            One for each experiment, with the batch axis [candidate].
        theta
            Parameters of the candidates.
        """
        found: dict[str, Array] = {}
        problem = objective.problem
        names = labels(m.name for m in problem.measurements)
        parts = zip(names, problem.measurements, solutions, objective.signals(solutions, theta), strict=True)
        for label, measurement, solution, signal in parts:
            profile = measurement.profile
            if self.depth is not None:
                wanted = solution.species if profile is None else profile.species
                rows = np.array([solution.species.index(name) for name in wanted])
                whole = solution.profile(jnp.asarray(self.depth, solution.depth.dtype) * NM, measurement.output)
                found[f"profile_{label}"] = jnp.moveaxis(whole[rows], -1, 0)
            elif profile is not None and signal is not None:
                prior, data = (
                    jax.tree.map(lambda leaf, like=signal: jnp.asarray(leaf, like.dtype), part)
                    for part in (measurement.nuisance, profile)
                )
                best = jax.vmap(
                    lambda s, d=data, p=prior: solve_linear_nuisance(s, d.fraction, d.sigma, p, weight=d.weight)
                )(signal)
                found[f"profile_{label}"] = signal
                found[f"sensitivity_{label}"] = best.sensitivity
                found[f"background_{label}"] = best.background
            if self.depth is None:
                signals = objective.records(measurement, solution, theta)
                for record, values in zip(measurement.records, signals, strict=True):
                    found[f"record_{record.quantity}_{label}"] = values
        return {name: values.astype(jnp.float32) for name, values in found.items()}

    def variables(self, problem: Problem) -> dict[str, Variable]:
        """Unit, axes and meaning of each of `arrays`."""
        found: dict[str, Variable] = {}
        for label, measurement in zip(labels(m.name for m in problem.measurements), problem.measurements, strict=True):
            of, species = f"of {measurement.name}", f"species_{label}"
            if self.depth is not None:
                text = f"composition {of}, number densities over that of all mobile ions of the bulk"
                found[f"profile_{label}"] = Variable("1", text, (species, GRID))
            elif measurement.profile is not None:
                text = f"profile {of} with the depth resolution, before sensitivity and background"
                found[f"profile_{label}"] = Variable("1", text, (species, f"depth_{label}"))
                found[f"sensitivity_{label}"] = Variable("1", f"best sensitivity {of}", (species,))
                found[f"background_{label}"] = Variable("1", f"best background {of}", (species,))
            for record in measurement.records if self.depth is None else ():
                words, unit = RECORDED[record.quantity]
                text, along = f"{words} {of}, before a gain that is solved for", f"point_{record.quantity}_{label}"
                found[f"record_{record.quantity}_{label}"] = Variable(unit, text, (along,))
        return found

    def coordinates(self, problem: Problem) -> dict[str, Coordinate]:
        """Depths of the grid, and species where no measured profile names them; places of the points of records."""
        if self.depth is None:
            return self._recorded_at(problem)
        shared = {GRID: Coordinate(self.depth, "nm", "depth in the sample")}
        for label, measurement in zip(labels(m.name for m in problem.measurements), problem.measurements, strict=True):
            if measurement.profile is None:
                names = tuple(species.name for species in measurement.experiment.species)
                shared[f"species_{label}"] = Coordinate(names, "1", f"species of {measurement.name}")
        return shared

    @staticmethod
    def _recorded_at(problem: Problem) -> dict[str, Coordinate]:
        """Times of the points of records, temperatures of conductivities."""
        return {
            f"point_{record.quantity}_{label}": Coordinate(
                np.asarray(record.at),
                "K" if record.quantity == "conductivity" else "s",
                f"points of the {RECORDED[record.quantity][0]} of {measurement.name}",
            )
            for label, measurement in zip(
                labels(m.name for m in problem.measurements), problem.measurements, strict=True
            )
            for record in measurement.records
        }


@dataclasses.dataclass(frozen=True, eq=False)
class StoredProfiles:
    """Profiles of some candidates of one experiment, and what was measured on it."""

    experiment: str
    """Name of the experiment."""
    species: tuple[str, ...]
    """Names of the species."""
    depth: Float64[np.ndarray, " depth"]
    """Depths of the profiles [nm]."""
    profile: Float64[np.ndarray, "candidate species depth"]
    """As the instrument sees it, with the best sensitivity and background; or the composition itself [1]."""
    observed: bool
    """Whether it is the former."""
    measured: DepthProfile | None
    """The measured profile, if there is one."""


def _rows(reader: Reader, name: str, dims: tuple[str, ...], candidates: Int[np.ndarray, " chosen"]) -> np.ndarray:
    """What an array holds of some candidates, whose indices increase."""
    data = reader.dataset(name, dims)
    if len(candidates) and (not data.size or candidates[-1] >= len(data)):
        raise reader.fault(f"'{name}' holds no numbers of candidate {candidates[-1]}")
    return np.asarray(data[candidates], np.float64)


def read_profiles(path: str | Path, candidates: Int[np.ndarray, " chosen"]) -> list[StoredProfiles]:
    """Profiles of some candidates in the file of a sweep; empty if the sweep kept none.

    Parameters
    ----------
    path
        File of a finished sweep.
    candidates
        Indices of the candidates; the profiles come in their order.
    """
    found = []
    # HDF5 reads increasing indices.
    unique, back = np.unique(candidates, return_inverse=True)
    with reading_sweep(path) as reader:
        names = reader.names("experiment", ("experiment",))
        for name, label in zip(names, labels(names), strict=True):
            if f"profile_{label}" not in reader:
                continue
            place = GRID if GRID in reader else f"depth_{label}"
            rows = ("candidate", f"species_{label}")
            axes = {"profile": (*rows, place), "sensitivity": rows, "background": rows}
            chosen = {
                key: _rows(reader, f"{key}_{label}", dims, unique)[back]
                for key, dims in axes.items()
                if f"{key}_{label}" in reader
            }
            profile = chosen["profile"]
            if "sensitivity" in chosen:
                profile = chosen["sensitivity"][..., None] * profile + chosen["background"][..., None]
            species = reader.names(f"species_{label}", (f"species_{label}",))
            depth = reader.array(place, (place,), finite=True)
            measured = None
            if f"measured_{label}" in reader:
                along = f"depth_{label}"
                parts = (
                    reader.array(f"{key}_{label}", (f"species_{label}", along), finite=True)
                    for key in ("measured", "sigma", "weight")
                )
                fraction, sigma, weight = parts
                below = f"below_{label}"
                limited = reader.array(below, (f"species_{label}", along), finite=True) if below in reader else None
                measured = DepthProfile(
                    reader.array(along, (along,), finite=True), species, fraction, sigma, weight=weight,
                    censored=limited,
                )  # fmt: skip
            found.append(StoredProfiles(name, species, depth, profile, "sensitivity" in chosen, measured))
    return found


def labels(names: Iterable[str]) -> list[str]:
    """Name of each experiment as a part of names in a file: K+ and K- stay apart; numbered where that does not help."""
    names = list(names)
    for signs in ({}, {"+": "_plus", "-": "_minus"}):
        plain = [re.sub(r"\W", "_", name.translate(str.maketrans(signs))) for name in names]
        if len(set(plain)) == len(plain):
            return plain
    return [str(k) for k in range(len(names))]
