"""A problem: what was measured on which experiments, and the parameters that they share."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.fitting.observed import (
    SPUTTER_KEY,
    changes_depth,
    check_limits,
    check_not_solved,
    gain_place,
    is_gain,
    is_observed,
    observed_value,
    place_observed,
)
from npp_jax.fitting.parameters import place, slots, value_of
from npp_jax.fitting.recorded import check_record
from npp_jax.fitting.shares import check_shares
from npp_jax.inference.parameter import Parameter, ParameterError, Parameters
from npp_jax.observe import (
    RECORDED,
    AbstractLikelihood,
    DepthProfile,
    GaussianLikelihood,
    NoResponse,
    NuisancePrior,
    Observation,
    Record,
    differs_by_ion,
    of_each_ion,
)
from npp_jax.physics import Experiment


class DataSet(NamedTuple):
    """A profile or a record: what has residuals of its own."""

    experiment: int
    """Number of the measurement."""
    record: int | None
    """Number of its record; None for its profile."""
    name: str
    """Name of the experiment, with the quantity of a record."""
    size: int
    """Number of residuals."""


class Measurement(eqx.Module):
    """One experiment of a study, and what was measured on it."""

    name: str = eqx.field(static=True)
    experiment: Experiment
    profile: DepthProfile | None = None
    """Measured profile of one output point."""
    observation: Observation | None = None
    """Depth resolution and depth scale with which it was measured; None where the profile is the composition itself."""
    nuisance: NuisancePrior = eqx.field(default_factory=lambda: NuisancePrior(1.0, 0.0, 0.0, 0.0))
    """What is known of sensitivities and backgrounds beyond those of the observation; they are solved for, unless known
    exactly, as by default."""
    likelihood: AbstractLikelihood = eqx.field(default_factory=GaussianLikelihood)
    """Law of the noise."""
    output: int = eqx.field(static=True, default=-1)
    """Output point that the profile shows, numbered from 0 over all stages; -1 is the last."""
    records: tuple[Record, ...] = ()
    """What was recorded besides: current, potential, charge, conductivity, activation energy; at most one of each."""

    def __post_init__(self) -> None:
        outputs = sum(len(stage.outputs) for stage in self.experiment.stages)
        if not -outputs <= self.output < outputs:
            raise ValueError(
                f"{self.name}: output = {self.output}: the experiment has {outputs}, numbered from 0 over all stages"
            )
        self.records = tuple(self.records)
        recorded = [record.quantity for record in self.records]
        if len(set(recorded)) != len(recorded):
            raise ValueError(f"{self.name}: a quantity is recorded twice among {', '.join(recorded)}")
        for record in self.records:
            try:
                check_record(record, self.experiment, outputs)
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}") from None
        if self.profile is None:
            return
        if self.profile.censored is not None and (self.solved or not isinstance(self.likelihood, GaussianLikelihood)):
            raise ValueError(
                f"{self.name}: limits of detection need gaussian noise, and no sensitivities or backgrounds that are "
                "solved for: counts of zero are data, and parameters may stand for the others"
            )
        seen = Observation(NoResponse()) if self.observation is None else self.observation
        count = len(self.profile.species)
        if seen.sensitivity.shape == (1,):
            full = (jnp.repeat(seen.sensitivity, count), jnp.repeat(seen.background, count))
            seen = eqx.tree_at(lambda o: (o.sensitivity, o.background), seen, full)
        try:
            of_each_ion(seen.response, count)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None
        self.observation = seen

    def value_of(self, key: str) -> Array:
        """Value of a key of the experiment, or of how it is seen, in its own unit.

        Raises
        ------
        ParameterError
            There is no such key.
        """
        if not is_observed(key):
            return value_of(self.experiment, key)
        if is_gain(key):
            return self.records[gain_place(self.records, key)].gain
        if self.observation is None or self.profile is None:
            raise ParameterError(f"'{key}': {self.name} has no measured profile")
        return observed_value(self.observation, self.profile.species, key)

    @property
    def points(self) -> int:
        """Measured points that count, of the profile and of all records."""
        counted = 0 if self.profile is None else int(np.sum(np.asarray(self.profile.weight) > 0.0))
        return counted + sum(record.at.size for record in self.records)

    @property
    def censored(self) -> int:
        """Those of the points that count that only tell that they are below a limit of detection."""
        if self.profile is None or self.profile.censored is None:
            return 0
        return int(np.sum((np.asarray(self.profile.censored) > 0.0) & (np.asarray(self.profile.weight) > 0.0)))

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
        A parameter does not exist in an experiment, sets a number that another one sets or that is solved for, or
        leaves no room for the fractions that it shares a sum with.
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
            self._check_there(measurement)
            self.experiment(measurement, ones)
            self.observation(measurement, ones)
            self.records(measurement, ones)
            self._check_keys(measurement)
            if measurement.solved and not isinstance(measurement.likelihood, GaussianLikelihood):
                raise ValueError(
                    f"{measurement.name}: sensitivities and backgrounds are solved for with gaussian noise only; make "
                    "them parameters, observation.NAME.sensitivity and observation.NAME.background"
                )
        self.check_ranges({p.name: (float(p.low), float(p.high)) for p in self.parameters})

    def experiment(self, measurement: Measurement, theta: Float[Array, "parameter *batch"]) -> Experiment:
        """One experiment with the parameters in place."""
        values = {key: value for key, value in self._keys_of(measurement, theta) if not is_observed(key)}
        return place(measurement.experiment, values)

    def observation(self, measurement: Measurement, theta: Float[Array, " parameter"]) -> Observation | None:
        """How one experiment is seen, with the parameters in place; None where nothing was measured."""
        observation, profile = measurement.observation, measurement.profile
        for key, value in self._keys_of(measurement, theta):
            if is_observed(key) and not is_gain(key):
                if observation is None or profile is None:
                    raise ParameterError(f"'{key}': {measurement.name} has no measured profile")
                observation = place_observed(observation, profile.species, key, value)
        return observation

    def records(self, measurement: Measurement, theta: Float[Array, " parameter"]) -> tuple[Record, ...]:
        """What was recorded of one experiment, with the gains that are parameters in place."""
        found = list(measurement.records)
        for key, value in self._keys_of(measurement, theta):
            if is_gain(key):
                place = gain_place(measurement.records, key)
                found[place] = eqx.tree_at(lambda record: record.gain, found[place], jnp.asarray(value))
        return tuple(found)

    @property
    def data(self) -> tuple[DataSet, ...]:
        """All profiles, then all records, in the order of their experiments: that of the residuals."""
        profiles, records = [], []
        for k, measurement in enumerate(self.measurements):
            profile, solved = measurement.profile, measurement.solved
            if profile is not None:
                size = profile.fraction.size + (2 * len(profile.species) if solved else 0)
                profiles.append(DataSet(k, None, measurement.name, size))
            for number, record in enumerate(measurement.records):
                records.append(DataSet(k, number, f"{measurement.name}, {RECORDED[record.quantity][0]}", record.size))
        return (*profiles, *records)

    def seen_anew(self, measurement: Measurement) -> bool:
        """Whether no response can be prepared: depth scale or resolution vary, or the latter from ion to ion."""
        seen = measurement.observation
        return (seen is not None and differs_by_ion(seen.response)) or any(
            changes_depth(key) for key, _ in self._keys_of(measurement, jnp.ones(len(self.parameters)))
        )

    def resolved(self, measurement: Measurement) -> bool:
        """Whether the depth resolution of a measurement is perfect, for all candidates."""
        seen = measurement.observation
        if seen is None or isinstance(seen.response, NoResponse):
            return True
        varied = [key for key, _ in self._keys_of(measurement, jnp.ones(len(self.parameters)))]
        widths = [np.asarray(width) for width in jax.tree.leaves(seen.response)]
        fixed = not any(is_observed(key) and "response." in key for key in varied)
        return fixed and all(bool(np.all(width == 0.0)) for width in widths)

    def sputters(self, measurement: Measurement) -> bool:
        """Whether the sputter rate of a measurement depends on the composition, for any candidate."""
        seen = measurement.observation
        varied = [key for key, _ in self._keys_of(measurement, jnp.ones(len(self.parameters)))]
        return SPUTTER_KEY in varied or (seen is not None and bool(np.any(np.asarray(seen.sputter_ratio) != 1.0)))

    def enters(self, parameter: Parameter, measurement: Measurement) -> bool:
        """Whether an experiment depends on a parameter."""
        return parameter.experiments is None or measurement.name in parameter.experiments

    def _check_there(self, measurement: Measurement) -> None:
        """The experiment has every key of the parameters that enter it, and solves for none of them."""
        for parameter in self.parameters:
            for key in parameter.keys if self.enters(parameter, measurement) else ():
                try:
                    measurement.value_of(key)
                    if is_observed(key) and measurement.profile is not None:
                        check_not_solved(measurement.nuisance, measurement.profile.species, key)
                except ParameterError as error:
                    raise ParameterError(f"parameter '{parameter.name}', '{measurement.name}': {error}") from None

    def _check_keys(self, measurement: Measurement) -> None:
        """No two keys set one number."""
        numbers, setters = slots(measurement.experiment), {}
        for parameter in self.parameters:
            for key in parameter.keys if self.enters(parameter, measurement) else ():
                setter = f"'{parameter.name}' ({key})"
                former = setters.setdefault(numbers.get(key, key), setter)
                if former is not setter:
                    raise ParameterError(f"{former} and {setter} set the same number of '{measurement.name}': keep one")

    def check_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Refuse ranges beyond those of their keys, and of fractions that leave no room for those of the same sum.

        Parameters
        ----------
        ranges
            Least and greatest value of each parameter, by its name.

        Raises
        ------
        ParameterError
            In one line, with the keys and their limits.
        """
        check_limits(self.parameters, ranges)
        for measurement in self.measurements:
            entering = (p for p in self.parameters if self.enters(p, measurement))
            check_shares(measurement.experiment, {key: ranges[p.name] for p in entering for key in p.keys})

    def _keys_of(self, measurement: Measurement, theta: Array) -> Iterator[tuple[str, Array]]:
        for value, parameter in zip(theta, self.parameters, strict=True):
            if self.enters(parameter, measurement):
                for key in parameter.keys:
                    yield key, value
