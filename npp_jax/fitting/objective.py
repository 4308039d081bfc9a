"""What a set of candidates says about measured profiles: simulation, observation and χ² of several experiments.

One candidate is one vector of parameters; its experiments are simulated with it. Experiments of one form are stacked
in the batch, so that three glasses cost one compilation.
"""

import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import signature
from npp_jax.constants import NM
from npp_jax.fitting.anonymous import anonymous
from npp_jax.fitting.comparison import Comparison, Found, for_each
from npp_jax.fitting.evaluation import Evaluation, Predicted
from npp_jax.fitting.observed import is_observed
from npp_jax.fitting.parameters import spread
from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.fitting.recorded import needs_trace, of_material, predicted
from npp_jax.observe import IN_TIME, Observation, Record, SampledResponse, parts_resolved, sample_response
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import simulate
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.status import FAILED
from npp_jax.simulation.supported import check_supported

_REFINE = (4, 16)
"""Intervals for each measured point over which profiles are averaged before they are seen: at least, and at most, where
a response is narrow beside the distance of the points. Beyond, it is seen exactly, which is cheaper than more."""


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
    sampled: bool = True
    """Whether responses that are fixed are seen by matrices over intervals, which is cheaper and a little less exact
    than where they vary."""

    def __post_init__(self) -> None:
        for measurement in self.problem.measurements:
            check_supported(measurement.experiment, self.model)
        # Prepared here, as it cannot be in compiled code.
        _ = self._responses

    def weighted(self, weights: Sequence[Array | None]) -> "Objective":
        """The objective with other weights of the measured points, also inside of compiled code.

        Parameters
        ----------
        weights
            For each experiment, shape [species, depth]; None where nothing was measured.
        """
        measurements = tuple(
            m if w is None else eqx.tree_at(lambda m: m.profile.weight, m, w)
            for m, w in zip(self.problem.measurements, weights, strict=True)
        )
        # Copied, not made anew: that would check, and prepare responses, with values that are not known there.
        problem, other = copy.copy(self.problem), copy.copy(self)
        object.__setattr__(problem, "measurements", measurements)
        object.__setattr__(other, "problem", problem)
        return other

    def solve(self, theta: Float[Array, "candidate parameter"]) -> list[Solution]:
        """Simulate all experiments for all candidates.

        Returns
        -------
        One solution for each experiment, with the batch axis [candidate].
        """
        columns = theta.T
        count = theta.shape[0]
        groups: dict[object, list[int]] = {}
        spread_out = {}
        alike = self._alike
        for k, measurement in enumerate(self.problem.measurements):
            if alike[k] != k:
                continue
            placed = anonymous(self.problem.experiment(measurement, columns))
            full = spread(placed, anonymous(measurement.experiment), (count,))
            full = jax.tree.map(lambda leaf: leaf.astype(theta.dtype), full)
            spread_out[k] = full
            form = (jax.tree.structure(full), tuple(leaf.shape for leaf in jax.tree.leaves(full)))
            groups.setdefault(form, []).append(k)
        solutions: dict[int, Solution] = {}
        for members in groups.values():
            stacked = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=-1), *(spread_out[k] for k in members))
            together = simulate(stacked, self._controls, model=self.model)
            for place_in_stack, k in enumerate(members):
                part = slice(place_in_stack * count, (place_in_stack + 1) * count)
                own = jax.tree.map(lambda leaf, part=part: leaf[..., part], together)
                solutions[k] = own
        names = [tuple(s.name for s in m.experiment.species) for m in self.problem.measurements]
        return [dataclasses.replace(solutions[alike[k]], species=names[k]) for k in range(len(names))]

    @property
    def _controls(self) -> Controls:
        """The settings, with the history over the steps where records need it."""
        recorded = any(needs_trace(record) for m in self.problem.measurements for record in m.records)
        return dataclasses.replace(self.controls, trace=True) if recorded else self.controls

    @functools.cached_property
    def _alike(self) -> list[int]:
        """The first experiment that is simulated as each one is: several profiles of one cost one simulation."""
        problem = self.problem
        told: dict[object, int] = {}
        found = []
        for k, measurement in enumerate(problem.measurements):
            # How a profile is seen, as the depth scale of one crater, changes nothing of what is simulated.
            entering = tuple(
                p.name
                for p in problem.parameters
                if problem.enters(p, measurement) and not all(is_observed(key) for key in p.keys)
            )
            try:
                text = signature(anonymous(measurement.experiment), values=True)
            except TypeError:
                # Numbers that are not known now, inside of compiled code.
                text = str(k)
            found.append(told.setdefault((text, entering), k))
        return found

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
            values = solution.fraction[measurement.output][rows]
            numbered = dataclasses.replace(
                profile, species=[f"ion {i}" for i in range(len(profile.species))], systematic=None
            )
            made[k] = jax.tree.map(
                lambda leaf, dtype=values.dtype: jnp.asarray(leaf, dtype),
                Comparison(
                    points=solution.depth[measurement.output] / NM,
                    faces=solution.faces[measurement.output] / NM,
                    fraction=values,
                    exchanged=_exchanged(solution, measurement) if self.problem.sputters(measurement) else None,
                    observation=self._observations(measurement, theta),
                    response=self._responses[k],
                    perfect=self.problem.resolved(measurement),
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
        return [self._response(measurement) for measurement in self.problem.measurements]

    def _response(self, measurement: Measurement) -> SampledResponse | None:
        profile, seen = measurement.profile, measurement.observation
        if profile is None or seen is None or not self.sampled or self._anew(measurement):
            return None
        depth, (least, most) = seen.true_depth(profile.depth), _REFINE
        parts = math.ceil(parts_resolved(seen.response, depth))
        if parts > most:
            return None
        interval = None if profile.interval is None else seen.depth_scale * profile.interval
        return sample_response(seen.response, depth, interval=interval, refine=max(parts, least))

    def _anew(self, measurement: Measurement) -> bool:
        return self.problem.seen_anew(measurement) or self.problem.resolved(measurement)

    def residuals(self, theta: Float[Array, "candidate parameter"]) -> Predicted:
        """Residuals of each measured experiment over their standard deviations, with the best sensitivities and
        backgrounds where these are solved for.
        """
        return self.compare(self.solve(theta), theta)

    def compare(self, solutions: list[Solution], theta: Float[Array, "candidate parameter"]) -> Predicted:
        """The same of candidates that were simulated by `solve`."""
        compared = for_each(Comparison.residuals, list(self._comparisons(solutions, theta).values()))
        for measurement, solution in zip(self.problem.measurements, solutions, strict=True):
            compared += self._recorded(measurement, solution, theta)
        finite = jnp.stack([s.report.status < min(FAILED) for s in solutions]).all(axis=0)
        return Predicted([r for r, _ in compared], [seen for _, seen in compared], finite)

    def _recorded(self, measurement: Measurement, solution: Solution, theta: Array) -> list[tuple[Array, Array]]:
        """Residuals and signals of the records of one experiment."""

        def compared(values: Array, gain: Array, record: Record) -> tuple[Array, Array]:
            return eqx.tree_at(lambda r: r.gain, record, gain).residuals(values)

        return [
            jax.vmap(functools.partial(compared, record=record))(quantity, gains)
            for record, quantity, gains in self._predicted(measurement, solution, theta)
        ]

    def records(
        self, measurement: Measurement, solution: Solution, theta: Float[Array, "candidate parameter"]
    ) -> list[Float[Array, "candidate point"]]:
        """Signals of the records of one experiment, before gains that are solved for."""
        found = self._predicted(measurement, solution, theta)
        return [quantity if record.solved else gains[:, None] * quantity for record, quantity, gains in found]

    def _predicted(
        self, measurement: Measurement, solution: Solution, theta: Array
    ) -> list[tuple[Record, Float[Array, "candidate point"], Float[Array, " candidate"]]]:
        """Each record of one experiment with its quantity, and its gain where that is not solved for."""
        if not measurement.records:
            return []
        seen = jax.vmap(lambda row: self.problem.records(measurement, row))(theta)
        found = []
        for place, record in enumerate(measurement.records):
            record = jax.tree.map(lambda leaf: jnp.asarray(leaf, theta.dtype), record)
            if record.quantity in IN_TIME:
                quantity = predicted(record, solution)
            else:
                of_row = lambda row, r=record: of_material(r, self.problem.experiment(measurement, row))  # noqa: E731
                quantity = jax.vmap(of_row)(theta)
            found.append((record, quantity, jnp.asarray(seen[place].gain, quantity.dtype)))
        return found

    def evaluate(self, theta: Float[Array, "candidate parameter"]) -> Evaluation:
        """Observables and χ² of each candidate."""
        return self.assess(self.solve(theta), theta)

    def assess(self, solutions: list[Solution], theta: Float[Array, "candidate parameter"]) -> Evaluation:
        """Observables and χ² of candidates that were simulated by `solve`."""
        unknown = jnp.full_like(solutions[0].plateau[-1], jnp.nan)
        chi2 = []
        profiles = self._of_measured(solutions, theta, Comparison.chi2)
        for measurement, solution, own in zip(self.problem.measurements, solutions, profiles, strict=True):
            parts = [jnp.sum(r**2, axis=1) for r, _ in self._recorded(measurement, solution, theta)]
            parts = parts if own is None else [own, *parts]
            chi2.append(functools.reduce(jnp.add, parts) if parts else unknown)
        outputs = [measurement.output for measurement in self.problem.measurements]

        def each(read: Callable[[Solution], Array]) -> Array:
            return jnp.stack([read(solution) for solution in solutions], axis=-1)

        def seen(read: Callable[[Solution], Array]) -> Array:
            return jnp.stack([read(s)[k] for s, k in zip(solutions, outputs, strict=True)], axis=-1)

        return Evaluation(
            front_depth=seen(lambda s: s.front_depth),
            front_width=seen(lambda s: s.front_width),
            plateau=seen(lambda s: s.plateau),
            charge=seen(lambda s: s.charge),
            time=seen(lambda s: s.time),
            excess_charge=each(lambda s: s.report.excess_charge),
            profile_error=seen(lambda s: s.report.profile_error),
            status=each(lambda s: s.report.status),
            chi2=jnp.stack(chi2, axis=-1),
        )


def _exchanged(solution: Solution, measurement: Measurement) -> Float[Array, "point candidate"]:
    """Share of the ions of the bulk that were replaced."""
    native = [k for k, ion in enumerate(measurement.experiment.species) if np.any(np.asarray(ion.bulk_fraction) > 0.0)]
    return 1.0 - solution.fraction[measurement.output][jnp.asarray(native)].sum(axis=0)
