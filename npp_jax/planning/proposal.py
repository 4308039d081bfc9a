"""Proposals: experiments that could be made next, and how they would be measured."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import ArrayLike, Float

from npp_jax.fitting import Measurement
from npp_jax.fitting.observed import is_observed
from npp_jax.inference import Parameter, Parameters
from npp_jax.observe import (
    AbstractLikelihood,
    AbstractResponse,
    DepthProfile,
    GaussianLikelihood,
    NoResponse,
    NuisancePrior,
    Observation,
    PoissonLikelihood,
)
from npp_jax.physics import Experiment
from npp_jax.physics.checks import FINITE, POSITIVE, expects, optional


@dataclasses.dataclass(frozen=True)
class Proposal:
    """An experiment that could be made next."""

    measurement: Measurement
    """The experiment, and the depths and the noise with which its profile would be measured."""
    like: str | None = None
    """Experiment of the study whose parameters it shares; None: those of all experiments only."""
    hours: float = 0.0
    """What it costs beside the time of its stages [h]."""

    @property
    def name(self) -> str:
        """Name, unique among the proposals."""
        return self.measurement.name


def known_exactly() -> NuisancePrior:
    """Sensitivities of one and backgrounds of zero, without doubt."""
    return NuisancePrior(1.0, 0.0, 0.0, 0.0)


@expects(experiment=Experiment, depth=FINITE, counts_per_fraction=optional(POSITIVE), sigma=POSITIVE)
def proposed(
    name: str,
    experiment: Experiment,
    depth: Float[ArrayLike, " depth"],
    *,
    species: Sequence[str] | None = None,
    counts_per_fraction: float | None = None,
    sigma: float = 0.01,
    response: AbstractResponse | None = None,
    nuisance: NuisancePrior | None = None,
    likelihood: AbstractLikelihood | None = None,
    output: int = -1,
) -> Measurement:
    """A measurement that has not been made: where and how it would be, without any signals.

    Parameters
    ----------
    name
        Name of the proposal.
    experiment
        The experiment.
    depth
        Depths of the points. [nm]
    species
        Ions that would be measured; all by default.
    counts_per_fraction
        Counts at fraction one: the noise is that of counting.
    sigma
        Standard deviation of the fractions, where they are not counted [1].
    response
        Depth resolution; perfect by default.
    nuisance
        What would be known of sensitivities and backgrounds; both exactly by default.
    likelihood
        Law of the noise; by default Poisson's for counts and a normal one else.
    output
        Output point at which the sample is taken out.
    """
    names = tuple(ion.name for ion in experiment.species) if species is None else tuple(species)
    depths = jnp.asarray(depth, jnp.result_type(float))
    ones = jnp.ones((len(names), depths.size))
    counted = counts_per_fraction is not None
    profile = DepthProfile(
        depths,
        names,
        ones,
        jnp.full_like(ones, counts_per_fraction**-0.5 if counted else sigma),
        jnp.full_like(ones, counts_per_fraction) if counted else None,
        jnp.full(len(names), counts_per_fraction) if counted else None,
    )
    law = (PoissonLikelihood() if counted else GaussianLikelihood()) if likelihood is None else likelihood
    known = known_exactly() if nuisance is None else nuisance
    seen = Observation(NoResponse() if response is None else response)
    return Measurement(name, experiment, profile, seen, known, law, output)


def shared_parameters(parameters: Parameters, proposals: Sequence[Proposal], own: Parameters = ()) -> Parameters:
    """Parameters of a study as they enter the proposals, then those that the proposals have alone.

    How a profile of the study was seen, its depth scale for example, is nothing that a further one shares.
    """

    def entering(parameter: Parameter) -> Parameter:
        seen = bool(parameter.keys) and all(map(is_observed, parameter.keys))
        if parameter.experiments is None and not seen:
            return parameter
        known = () if seen else parameter.experiments or ()
        return dataclasses.replace(parameter, experiments=tuple(p.name for p in proposals if p.like in known))

    return (*map(entering, parameters), *own)
