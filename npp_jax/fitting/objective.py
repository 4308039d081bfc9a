"""What a set of candidates says about measured profiles: simulation, observation and misfit of several experiments.

One candidate is one vector of parameters; its experiments are simulated with it. Experiments of one form are stacked
in the batch, so that three glasses cost one compilation.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from npp_jax.constants import NM
from npp_jax.fitting.comparison import Comparison, Found, for_each
from npp_jax.fitting.parameters import (
    changes_depth,
    is_observed,
    place,
    place_observed,
    spread,
)
from npp_jax.inference.parameter import Parameter, ParameterError, Parameters
from npp_jax.observe import (
    AbstractLikelihood,
    DepthProfile,
    GaussianLikelihood,
    NoResponse,
    NuisancePrior,
    Observation,
    SampledResponse,
    sample_response,
)
from npp_jax.physics import Experiment, IonBeamCurrent, IonBeamPotential, Reservoir
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import simulate
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.status import Status
from npp_jax.simulation.supported import check_supported

_REFINE = 4
"""Intervals for each measured point over which profiles are averaged before they are seen."""


class Measurement(eqx.Module):
    """One experiment of a study, and what was measured on it."""

    name: str = eqx.field(static=True)
    experiment: Experiment
    profile: DepthProfile | None = None
    """Measured profile of the last output point."""
    observation: Observation | None = None
    """Depth resolution and depth scale with which it was measured; None where the profile is the composition itself."""
    nuisance: NuisancePrior = eqx.field(default_factory=lambda: NuisancePrior(1.0, 0.0, 0.0, 0.0))
    """What is known of sensitivities and backgrounds beyond those of the observation; they are solved for, unless known
    exactly, as by default."""
    likelihood: AbstractLikelihood = eqx.field(default_factory=GaussianLikelihood)
    """Law of the noise."""

    def __post_init__(self) -> None:
        if self.profile is None:
            return
        seen = Observation(NoResponse()) if self.observation is None else self.observation
        count = len(self.profile.species)
        if seen.sensitivity.shape == (1,):
            full = (jnp.repeat(seen.sensitivity, count), jnp.repeat(seen.background, count))
            seen = eqx.tree_at(lambda o: (o.sensitivity, o.background), seen, full)
        self.observation = seen

    @property
    def solved(self) -> bool:
        """Whether sensitivities or backgrounds are solved for."""
        # In NumPy: inside a compiled function an operation of JAX makes a symbol even of a number at hand.
        sigmas = (self.nuisance.sensitivity_sigma, self.nuisance.background_sigma)
        return any(bool(np.any(np.asarray(sigma) > 0.0)) for sigma in sigmas)


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
    parameters: Parameters

    def __post_init__(self) -> None:
        names = [m.name for m in self.measurements]
        for kind, found in (("experiment", names), ("parameter", [p.name for p in self.parameters])):
            if len(set(found)) != len(found):
                raise ValueError(f"the names of the {kind}s must differ, got {', '.join(found)}")
        for measurement in self.measurements:
            species = {s.name for s in measurement.experiment.species}
            unknown = set(measurement.profile.species if measurement.profile is not None else ()) - species
            if unknown:
                named, known = (", ".join(sorted(group)) for group in (unknown, species))
                raise ValueError(f"{measurement.name}: the profile names {named}, species are {known}")
        for parameter in self.parameters:
            wrong = set(parameter.experiments or ()) - set(names)
            if wrong:
                named = ", ".join(map(repr, sorted(wrong)))
                raise ValueError(f"{parameter.name}: no experiment is called {named}, known are {', '.join(names)}")
        ones = jnp.ones(len(self.parameters))
        for measurement in self.measurements:
            self.experiment(measurement, ones)
            self.observation(measurement, ones)
            if measurement.solved and not isinstance(measurement.likelihood, GaussianLikelihood):
                raise ValueError(
                    f"{measurement.name}: sensitivities and backgrounds are solved for with gaussian noise only; make "
                    "them parameters, observation.NAME.sensitivity and observation.NAME.background"
                )

    def experiment(self, measurement: Measurement, theta: Float[Array, "parameter *batch"]) -> Experiment:
        """One experiment with the parameters in place."""
        experiment = measurement.experiment
        for key, value in self._keys_of(measurement, theta):
            if not is_observed(key):
                experiment = place(experiment, key, value)
        return experiment

    def observation(self, measurement: Measurement, theta: Float[Array, " parameter"]) -> Observation | None:
        """How one experiment is seen, with the parameters in place; None where nothing was measured."""
        observation, profile = measurement.observation, measurement.profile
        for key, value in self._keys_of(measurement, theta):
            if is_observed(key):
                if observation is None or profile is None:
                    raise ParameterError(f"'{key}': {measurement.name} has no measured profile")
                observation = place_observed(observation, profile.species, key, value)
        return observation

    def seen_anew(self, measurement: Measurement) -> bool:
        """Whether depth scale or resolution vary, so that no response can be prepared."""
        return any(changes_depth(key) for key, _ in self._keys_of(measurement, jnp.ones(len(self.parameters))))

    def enters(self, parameter: Parameter, measurement: Measurement) -> bool:
        """Whether an experiment depends on a parameter."""
        return parameter.experiments is None or measurement.name in parameter.experiments

    def _keys_of(self, measurement: Measurement, theta: Array) -> Iterator[tuple[str, Array]]:
        for value, parameter in zip(theta, self.parameters, strict=True):
            if self.enters(parameter, measurement):
                for key in parameter.keys:
                    yield key, value


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


class Predicted(NamedTuple):
    """What was predicted for the measured experiments, in their order."""

    residuals: list[Float[Array, "candidate residual"]]
    signals: list[Float[Array, "candidate species depth"]]
    """Signals that were compared with the data [fractions of the bulk signal]."""
    finite: Bool[Array, " candidate"]
    """Whether all simulations are finite."""


@dataclasses.dataclass(frozen=True)
class Objective:
    """Evaluates candidates of a problem; `evaluate` and `residuals` are pure and natively batched.

    Raises
    ------
    Unsupported
        The model does not simulate one of the experiments.
    """

    problem: Problem
    controls: Controls
    model: Model = "electroneutral"

    def __post_init__(self) -> None:
        for measurement in self.problem.measurements:
            check_supported(measurement.experiment, self.model)
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

    def signals(
        self, solutions: list[Solution], theta: Float[Array, "candidate parameter"]
    ) -> list[Float[Array, "candidate species depth"] | None]:
        """Signal of each measured profile at its depths, before sensitivities and backgrounds that are solved for."""
        return self._of_measured(solutions, theta, Comparison.signal)

    def _of_measured(
        self, solutions: list[Solution], theta: Array, function: Callable[[Comparison], Found]
    ) -> list[Found | None]:
        """What a function makes of each experiment; None where nothing was measured."""
        made = self._comparisons(solutions, theta)
        found = dict(zip(made, for_each(function, list(made.values())), strict=True))
        return [found.get(k) for k in range(len(solutions))]

    def _comparisons(self, solutions: list[Solution], theta: Array) -> dict[int, Comparison]:
        """What was simulated of each measured experiment beside what was measured, by the number of the experiment."""
        made = {}
        for k, (measurement, solution) in enumerate(zip(self.problem.measurements, solutions, strict=True)):
            profile = measurement.profile
            if profile is None:
                continue
            rows = jnp.asarray([solution.species.index(name) for name in profile.species])
            values = solution.fraction[-1][rows, 1:-1]
            numbered = dataclasses.replace(profile, species=[f"ion {i}" for i in range(len(profile.species))])
            made[k] = jax.tree.map(
                lambda leaf, dtype=values.dtype: jnp.asarray(leaf, dtype),
                Comparison(
                    faces=solution.faces[-1] / NM,
                    fraction=values,
                    observation=self._observations(measurement, theta),
                    response=self._responses[k],
                    profile=numbered,
                    nuisance=measurement.nuisance,
                    likelihood=measurement.likelihood,
                    solved=measurement.solved,
                ),
            )
        return made

    def _observations(self, measurement: Measurement, theta: Array) -> Observation:
        """How one experiment is seen, for each candidate."""
        seen = jax.vmap(lambda row: self.problem.observation(measurement, row))(theta)
        assert seen is not None
        return seen

    @functools.cached_property
    def _responses(self) -> list[SampledResponse | None]:
        """Responses at the depths of the profiles, as matrices, where they are fixed."""
        return [
            None
            if m.profile is None or m.observation is None or self.problem.seen_anew(m)
            else sample_response(m.observation.response, m.observation.true_depth(m.profile.depth), refine=_REFINE)
            for m in self.problem.measurements
        ]

    def residuals(self, theta: Float[Array, "candidate parameter"]) -> Predicted:
        """Residuals of each measured experiment over their standard deviations, with the best sensitivities and
        backgrounds where these are solved for.
        """
        solutions = self.solve(theta)
        compared = for_each(Comparison.residuals, list(self._comparisons(solutions, theta).values()))
        finite = jnp.stack([s.report.status != Status.NOT_FINITE for s in solutions]).all(axis=0)
        return Predicted([r for r, _ in compared], [seen for _, seen in compared], finite)

    def evaluate(self, theta: Float[Array, "candidate parameter"]) -> Evaluation:
        """Observables and misfit of each candidate."""
        return self.assess(self.solve(theta), theta)

    def assess(self, solutions: list[Solution], theta: Float[Array, "candidate parameter"]) -> Evaluation:
        """Observables and misfit of candidates that were simulated by `solve`."""
        unknown = jnp.full_like(solutions[0].plateau[-1], jnp.nan)
        misfit = [unknown if m is None else m for m in self._of_measured(solutions, theta, Comparison.misfit)]
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
        if isinstance(front, Reservoir):
            return dataclasses.replace(front, fraction={numbers[name]: c for name, c in front.fraction.items()})
        return front

    return dataclasses.replace(
        experiment,
        title="",
        species=tuple(dataclasses.replace(s, name=numbers[s.name]) for s in experiment.species),
        stages=tuple(dataclasses.replace(s, front=renamed(s.front)) for s in experiment.stages),
    )
