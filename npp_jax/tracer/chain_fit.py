"""D_gb/δ of single grain boundaries, from profiles that resolve the steps at them."""

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.inference import RefineOptions
from npp_jax.physics.checks import FINITE, POSITIVE, Several, expects
from npp_jax.physics.leaf import LeafLike, as_leaf
from npp_jax.tracer.boundaries import chain_of_grains, followed_permeabilities
from npp_jax.tracer.diffusion import DiffusionStage, diffuse, profile_at
from npp_jax.tracer.fractions import AbstractFractions
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.model import AbstractTracerModel
from npp_jax.tracer.tracer_fit import OnEnds, OnIteration, TracerFit, fit_tracer
from npp_jax.tracer.unknowns import Unknown

_LARGEST_STEP = 1.5
"""Largest change of a logarithm in one step: where D of the grains is far off, a line leads P to where it has no
effect, from where no slope leads back.
"""


@expects(
    sizes=POSITIVE,
    initial=FINITE,
    stages=Several(DiffusionStage),
    profiles=Several(MeasuredProfile, gaps=True),
    D_bulk=POSITIVE,
    permeability=POSITIVE,
    start=FINITE,
    cells=POSITIVE,
    steps=POSITIVE,
)
def fit_boundaries(
    sizes: LeafLike,
    initial: LeafLike,
    stages: Sequence[DiffusionStage],
    profiles: Sequence[MeasuredProfile | None],
    *,
    D_bulk: LeafLike,
    permeability: LeafLike,
    fit_bulk: bool = False,
    start: LeafLike = 0.0,
    cells: int = 8,
    steps: int = 32,
    on_iteration: OnIteration = None,
    on_ends: OnEnds = None,
) -> TracerFit:
    """D_gb/δ of each boundary of a chain of grains from profiles that resolve the steps.

    The parameters are `permeability_m_s`, shape [boundary], and `D_bulk_m2_s` if `fit_bulk`. Profiles fix only the
    ratio of the two where the duration of the exchange does not matter, at long times.

    Parameters
    ----------
    sizes
        Lengths of the grains, shape [grain]. [m]
    initial
        Fraction before the first stage, one number or shape [grain]. [1]
    stages
        Exchange and anneals, with their ends.
    profiles
        Profile at the end of each stage, None where none was measured.
    D_bulk
        Diffusion coefficient in the grains, known or to start from. [m²/s]
    permeability
        D_gb/δ to start from, one number or one for each boundary. [m/s]
    fit_bulk
        Whether D_bulk is fitted too.
    start
        Position of the first face. [m]
    cells, steps
        Finite volumes of a grain and time steps of a stage.
    on_iteration, on_ends
        Are told how far the fit is, and the profile likelihoods after it, where there are any.
    """
    sizes = as_leaf(sizes)
    first = jnp.broadcast_to(as_leaf(permeability), (sizes.shape[0] - 1,))
    limits = followed_permeabilities(float(as_leaf(D_bulk)), float(jnp.min(sizes)))
    unknowns = [Unknown("permeability_m_s", jnp.clip(first, *limits), "log", limits=limits)]
    if fit_bulk:
        unknowns.append(Unknown("D_bulk_m2_s", as_leaf(D_bulk), "log"))
    fraction = jnp.repeat(jnp.broadcast_to(as_leaf(initial), sizes.shape), cells)
    model = ChainModel(sizes, fraction, tuple(stages), tuple(profiles), as_leaf(D_bulk), as_leaf(start), cells, steps)
    options = RefineOptions(largest_step=_LARGEST_STEP)
    return fit_tracer(
        model, tuple(unknowns), searched="all", options=options, on_iteration=on_iteration, on_ends=on_ends
    )


class ChainModel(AbstractTracerModel):
    """Profiles along a chain of grains as functions of the parameters of `fit_boundaries`."""

    sizes: Array
    initial: Array
    stages: tuple[DiffusionStage, ...]
    profiles: tuple[MeasuredProfile | None, ...]
    D_bulk: Array
    start: Array
    cells: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    @property
    def data(self) -> tuple[AbstractFractions, ...]:
        """Profiles that were measured."""
        return tuple(profile.data for profile in self.profiles if profile is not None)

    def finer(self) -> "ChainModel":
        """Twice as many cells and steps."""
        initial = jnp.repeat(self.initial, 2)
        return dataclasses.replace(self, initial=initial, cells=2 * self.cells, steps=2 * self.steps)

    def fractions(self, p: dict[str, Array]) -> tuple[Array, ...]:
        """Fractions at their points [1]."""
        D = p.get("D_bulk_m2_s", self.D_bulk)
        chain = chain_of_grains(self.sizes, p["permeability_m_s"], D, cells=self.cells, start=self.start)
        solution = diffuse(chain, self.initial, self.stages, steps=self.steps)
        return tuple(
            profile_at(chain, values, profile.position)
            for profile, values in zip(self.profiles, solution.fraction, strict=True)
            if profile is not None
        )
