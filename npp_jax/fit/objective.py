"""What a set of candidates says about measured profiles: simulation, observation and misfit of several experiments.

One candidate is one vector of parameters; its experiments are simulated with it. Experiments of one form are stacked
in the batch, so that three glasses cost one compilation.
"""

import dataclasses
import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from npp_jax.fit.parameters import Parameter, place, spread
from npp_jax.integrate import Controls
from npp_jax.observe import (
    DepthProfile,
    NuisancePrior,
    Observation,
    SampledResponse,
    sample_response,
    solve_linear_nuisance,
)
from npp_jax.physics import Experiment, IonBeamCurrent, IonBeamPotential
from npp_jax.simulate import Model, check_supported, simulate
from npp_jax.solution import Solution
from npp_jax.solver.status import Status

NM = 1e-9

_REFINE = 4
"""Intervals for each measured point over which profiles are averaged before they are seen."""


class Measurement(eqx.Module):
    """One experiment of a study, and what was measured on it."""

    name: str = eqx.field(static=True)
    experiment: Experiment
    profile: DepthProfile | None = None
    """Measured profile of the last output point."""
    observation: Observation | None = None
    """Depth resolution and depth scale with which it was measured."""
    nuisance: NuisancePrior = eqx.field(default_factory=NuisancePrior)
    """What is known of sensitivities and backgrounds, which are solved for."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """Experiments and the parameters that vary in them.

    Raises
    ------
    ParameterError
        A parameter does not exist in an experiment.
    ValueError
        Names are not unique, or a parameter names an unknown experiment.
    """

    measurements: tuple[Measurement, ...]
    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        names = [m.name for m in self.measurements]
        for kind, found in (("experiment", names), ("parameter", [p.name for p in self.parameters])):
            if len(set(found)) != len(found):
                raise ValueError(f"the names of the {kind}s must differ, got {', '.join(found)}")
        for measurement in self.measurements:
            check_supported(measurement.experiment)
            species = {s.name for s in measurement.experiment.species}
            unknown = set(measurement.profile.species if measurement.profile is not None else ()) - species
            if unknown:
                raise ValueError(
                    f"{measurement.name}: the profile names {sorted(unknown)}, species are {sorted(species)}"
                )
        for parameter in self.parameters:
            wrong = set(parameter.experiments or ()) - set(names)
            if wrong:
                raise ValueError(
                    f"{parameter.name}: no experiment is called {sorted(wrong)}, known are {', '.join(names)}"
                )
        zeros = jnp.ones(len(self.parameters))
        for measurement in self.measurements:
            self.experiment(measurement, zeros)

    def experiment(self, measurement: Measurement, theta: Float[Array, "parameter *batch"]) -> Experiment:
        """One experiment with the parameters in place."""
        experiment = measurement.experiment
        for value, parameter in zip(theta, self.parameters, strict=True):
            if parameter.experiments is None or measurement.name in parameter.experiments:
                for key in parameter.keys:
                    experiment = place(experiment, key, value)
        return experiment


class Evaluation(NamedTuple):
    """What was found for each candidate; first axes experiment and candidate."""

    front_depth: Float[Array, "experiment candidate"]
    """Depth of the front at the last output point [m]."""
    front_width: Float[Array, "experiment candidate"]
    """Distance between 16 and 84 % of the front [m]."""
    plateau: Float[Array, "experiment candidate"]
    """Native fraction behind the front [1]."""
    charge: Float[Array, "experiment candidate"]
    """Charge passed [C/m²]."""
    time: Float[Array, "experiment candidate"]
    """Time [s]."""
    excess_charge: Float[Array, "experiment candidate"]
    """Excess charge of largest modulus, fraction of the bulk density [1]."""
    profile_error: Float[Array, "experiment candidate"]
    """Estimated numerical error of the profile, NaN where it was not estimated [1]."""
    status: Int[Array, "experiment candidate"]
    """`Status` of the simulation."""
    misfit: Float[Array, "experiment candidate"]
    """χ² of the profile with the best sensitivities and backgrounds; NaN where nothing was measured."""


@dataclasses.dataclass(frozen=True)
class Objective:
    """Evaluates candidates of a problem; `evaluate` and `residuals` are pure and natively batched."""

    problem: Problem
    controls: Controls
    model: Model = "electroneutral"

    def __post_init__(self) -> None:
        # Prepared here, as it cannot be in compiled code.
        _ = self._responses

    def solve(self, theta: Float[Array, "candidate parameter"]) -> list[Solution]:
        """Simulate all experiments for all candidates.

        Returns
        -------
        One solution for each experiment, with the batch axis [candidate].
        """
        columns = theta.T
        count = theta.shape[0]
        groups: dict[object, list[int]] = {}
        spreaded = []
        for k, measurement in enumerate(self.problem.measurements):
            placed = _anonymous(self.problem.experiment(measurement, columns))
            full = spread(placed, _anonymous(measurement.experiment), (count,))
            full = jax.tree.map(lambda leaf: leaf.astype(theta.dtype), full)
            spreaded.append(full)
            form = (jax.tree.structure(full), tuple(leaf.shape for leaf in jax.tree.leaves(full)))
            groups.setdefault(form, []).append(k)
        solutions: list[Solution | None] = [None] * len(spreaded)
        for members in groups.values():
            stacked = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=-1), *(spreaded[k] for k in members))
            together = simulate(stacked, self.controls, model=self.model)
            for place_in_stack, k in enumerate(members):
                part = slice(place_in_stack * count, (place_in_stack + 1) * count)
                own = jax.tree.map(lambda leaf, part=part: leaf[..., part], together)
                names = tuple(s.name for s in self.problem.measurements[k].experiment.species)
                solutions[k] = dataclasses.replace(own, species=names)
        return [solution for solution in solutions if solution is not None]

    def signals(self, solutions: list[Solution]) -> list[Float[Array, "candidate species depth"] | None]:
        """Signal of each measured profile before sensitivity and background, at its depths."""
        signals: list[Array | None] = []
        for measurement, response, solution in zip(self.problem.measurements, self._responses, solutions, strict=True):
            if measurement.profile is None or response is None:
                signals.append(None)
                continue
            rows = jnp.asarray([solution.species.index(name) for name in measurement.profile.species])
            values = solution.fraction[-1][rows, 1:-1]
            fixed = jax.tree.map(lambda leaf, values=values: leaf.astype(values.dtype), response)
            signals.append(jax.vmap(fixed, in_axes=(-1, -1))(solution.faces[-1] / NM, values))
        return signals

    @functools.cached_property
    def _responses(self) -> list[SampledResponse | None]:
        """Responses at the depths of the profiles, as matrices."""
        return [
            None
            if m.profile is None or m.observation is None
            else sample_response(m.observation.response, m.observation.true_depth(m.profile.depth), refine=_REFINE)
            for m in self.problem.measurements
        ]

    def residuals(self, theta: Float[Array, "candidate parameter"]) -> tuple[Float[Array, "candidate residual"], Array]:
        """Residuals over their standard deviations with the best sensitivities and backgrounds, of all experiments.

        Returns
        -------
        Residuals, and whether all simulations of the candidate are finite, shape [candidate].
        """
        solutions = self.solve(theta)
        rows = []
        for measurement, signal in zip(self.problem.measurements, self.signals(solutions), strict=True):
            if signal is not None and measurement.profile is not None:
                rows.append(jax.vmap(lambda s, m=measurement: _standardised(m, s))(signal).reshape(len(theta), -1))
        finite = jnp.stack([s.report.status != Status.NOT_FINITE for s in solutions]).all(axis=0)
        return jnp.concatenate(rows, axis=1), finite

    def evaluate(self, theta: Float[Array, "candidate parameter"]) -> Evaluation:
        """Observables and misfit of each candidate."""
        return self.assess(self.solve(theta))

    def assess(self, solutions: list[Solution]) -> Evaluation:
        """Observables and misfit of candidates that were simulated by `solve`."""
        misfit = []
        for measurement, signal in zip(self.problem.measurements, self.signals(solutions), strict=True):
            if signal is None:
                misfit.append(jnp.full_like(solutions[0].plateau[-1], jnp.nan))
            else:
                misfit.append(jax.vmap(lambda s, m=measurement: jnp.sum(_standardised(m, s) ** 2))(signal))
        each = lambda read: jnp.stack([read(solution) for solution in solutions])  # noqa: E731
        return Evaluation(
            front_depth=each(lambda s: s.front_depth[-1]),
            front_width=each(lambda s: s.front_width[-1]),
            plateau=each(lambda s: s.plateau[-1]),
            charge=each(lambda s: s.charge[-1]),
            time=each(lambda s: s.time[-1]),
            excess_charge=each(lambda s: s.report.excess_charge),
            profile_error=each(lambda s: s.report.profile_error[-1]),
            status=each(lambda s: s.report.status),
            misfit=jnp.stack(misfit),
        )


def _anonymous(experiment: Experiment) -> Experiment:
    """The experiment with its species numbered instead of named: experiments that differ in names alone are alike."""
    numbers = {species.name: f"ion {k}" for k, species in enumerate(experiment.species)}

    def renamed(front: object) -> object:
        if isinstance(front, IonBeamPotential | IonBeamCurrent):
            return dataclasses.replace(front, beam=numbers[front.beam])
        return front

    return dataclasses.replace(
        experiment,
        title="",
        species=tuple(dataclasses.replace(s, name=numbers[s.name]) for s in experiment.species),
        stages=tuple(dataclasses.replace(s, front=renamed(s.front)) for s in experiment.stages),
    )


def _standardised(measurement: Measurement, signal: Float[Array, "species depth"]) -> Float[Array, " residual"]:
    """Residuals over σ at the best sensitivity and background, and those of the prior, so that Σ² is the misfit."""
    profile = measurement.profile
    assert profile is not None
    dtype = signal.dtype
    profile = jax.tree.map(lambda leaf: leaf.astype(dtype), profile)
    prior = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), measurement.nuisance)
    best = solve_linear_nuisance(signal, profile.fraction, profile.sigma, prior, weight=profile.weight)
    seen = best.sensitivity[:, None] * signal + best.background[:, None]
    plain = jnp.sqrt(profile.weight) * (seen - profile.fraction) / profile.sigma

    def pull(value: Array, mean: Array, sigma: Array) -> Array:
        # Known exactly or not at all: nothing is pulled.
        soft = (sigma > 0.0) & jnp.isfinite(sigma)
        return jnp.where(soft, (value - mean) / jnp.where(soft, sigma, 1.0), 0.0)

    pulls = jnp.stack(
        [
            pull(best.sensitivity, prior.sensitivity, prior.sensitivity_sigma),
            pull(best.background, prior.background, prior.background_sigma),
        ]
    )
    return jnp.concatenate([plain.ravel(), pulls.ravel()])
