"""Permeability of grain boundaries, D_gb/δ, with its uncertainty, from a measured isotope map.

Derivatives of the map are forward sensitivities: one further linear system a parameter in each step.
"""

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.inference import Prior, RefineOptions
from npp_jax.physics.checks import FINITE, POSITIVE, Several, expects, optional
from npp_jax.physics.leaf import LeafLike, as_leaf
from npp_jax.tracer.boundaries import followed_permeabilities
from npp_jax.tracer.fractions import AbstractFractions
from npp_jax.tracer.grain_map import GrainMap
from npp_jax.tracer.isotope_map import MapStage, simulate_map
from npp_jax.tracer.model import AbstractTracerModel
from npp_jax.tracer.tracer_fit import OnEnds, OnIteration, TracerFit, fit_tracer
from npp_jax.tracer.unknowns import Unknown

_LARGEST_STEP = 1.5
_DISTANCE = 0.01
"""Distance to the minimum at which a fit has converged, in standard errors."""
_ROUNDING_OFFSET = 1e-3
"""The linear systems are solved to 1e-7 of the map, χ² therefore to some 1e-7 of what it is of a wrong map."""
_MOST_SEARCHED = 12
"""Classes of boundaries beyond which profile likelihoods would take too long."""


class MapModel(AbstractTracerModel):
    """Fractions of a map as functions of the parameters of `fit_permeability`."""

    grains: GrainMap
    measured: AbstractFractions
    D_bulk: Array
    initial: Array
    stages: tuple[MapStage, ...]

    @property
    def data(self) -> tuple[AbstractFractions, ...]:
        """The map."""
        return (self.measured,)

    def fractions(self, p: dict[str, Array]) -> tuple[Array, ...]:
        """Fractions at the end of the last stage [1]."""
        D_bulk = p.get("D_bulk_m2_s", self.D_bulk)
        return (simulate_map(self.grains, D_bulk, p["permeability_m_s"], self.initial, self.stages).fraction[-1],)


@expects(
    grains=GrainMap,
    data=AbstractFractions,
    D_bulk=POSITIVE,
    initial=FINITE,
    stages=Several(MapStage),
    guess=POSITIVE,
    D_bulk_error=optional(POSITIVE),
    iterations=POSITIVE,
    batch=POSITIVE,
)
def fit_permeability(
    grains: GrainMap,
    data: AbstractFractions,
    *,
    D_bulk: float,
    initial: LeafLike,
    stages: tuple[MapStage, ...],
    guess: LeafLike,
    D_bulk_error: float | None = None,
    iterations: int = 25,
    batch: int = 8,
    on_iteration: OnIteration = None,
    on_ends: OnEnds = None,
) -> TracerFit:
    """Fit one D_gb/δ for each class of boundaries to the map at the end of the last stage.

    The parameters are `permeability_m_s`, shape [boundary], and `D_bulk_m2_s` if `D_bulk_error` is given.

    Parameters
    ----------
    grains, initial, stages
        As for `simulate_map`.
    data
        The measured map.
    D_bulk
        Diffusivity in the grains, or its prior value if `D_bulk_error` is given [m²/s].
    guess
        First guess of the permeabilities, shape [] or [boundary] [m/s].
    D_bulk_error
        Relative standard deviation of the prior value of D_bulk, which is then fitted too; None keeps it fixed.
    iterations
        Bound on the evaluations of the model with its sensitivities.
    batch
        Number of sensitivities computed at once.
    on_iteration, on_ends
        Are told how far the fit is, and the profile likelihoods after it, which there are of up to 12 boundaries that
        are known to no better than a third.
    """
    limits = followed_permeabilities(D_bulk, grains.pixel_size)
    first = jnp.clip(jnp.broadcast_to(as_leaf(guess), (grains.classes,)), *limits)
    unknowns = [Unknown("permeability_m_s", first, "log", limits=limits)]
    if D_bulk_error is not None:
        unknowns.append(Unknown("D_bulk_m2_s", as_leaf(D_bulk), "log", prior=Prior(D_bulk, D_bulk_error), waits=True))
    options = RefineOptions(
        iterations=iterations,
        offset=_DISTANCE / max(data.points(), 1) ** 0.5,
        largest_step=_LARGEST_STEP,
        rounding_offset=_ROUNDING_OFFSET,
    )
    model = MapModel(grains, data, as_leaf(D_bulk), as_leaf(initial), stages)
    # Each boundary is searched for by itself, and each search is a fit of all others.
    searched = "weak" if grains.classes <= _MOST_SEARCHED else "none"
    return fit_tracer(
        model,
        tuple(unknowns),
        searched=searched,
        batch=batch,
        options=options,
        on_iteration=on_iteration,
        on_ends=on_ends,
    )
