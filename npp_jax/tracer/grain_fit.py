"""Permeability of grain boundaries, D_gb/δ, with its uncertainty, from a measured isotope map.

Gauss–Newton steps with the expected (Fisher) information, damped after Levenberg and Marquardt, in the logarithms of
the parameters. Derivatives of the map are forward sensitivities: one further linear system a parameter in each step.
"""

from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from npp_jax.physics.leaf import LeafLike, as_leaf
from npp_jax.tracer.grain_map import GrainMap
from npp_jax.tracer.isotope_map import MapStage, simulate_map

_LARGEST_STEP = 1.5
_INTERVAL = 1.959963984540054
# Where the map does not depend on a parameter, its standard deviation is 10⁴ in the logarithm rather than infinite.
_LEAST_INFORMATION = 1e-8
_LEAST_GAIN = 1e-4
_SETTLED = 1.0
_LOSS_NOISE = 0.1


class AbstractMapData(eqx.Module):
    """A measured map."""

    @abstractmethod
    def loss(
        self, model: Float[Array, "row column"]
    ) -> tuple[Float[Array, ""], Float[Array, "row column"], Float[Array, "row column"]]:
        """Half of the deviance of a modelled map, minus its gradient, and the information of each pixel."""

    @abstractmethod
    def used(self) -> Int[Array, ""]:
        """Number of pixels that count."""


class IsotopeCounts(AbstractMapData):
    """Counts of two mass channels, Poisson distributed, with equal yield for both isotopes.

    Given the sum of both, the counts of one are binomial with the isotope fraction as probability, whatever the
    intensity of the pixel (topography, charging, current): the intensities need not be known.
    """

    counted: Float[Array, "row column"] = eqx.field(converter=as_leaf)
    """Counts of the isotope of which the fraction is modelled."""
    other: Float[Array, "row column"] = eqx.field(converter=as_leaf)
    """Counts of the other isotope."""

    def loss(self, model: Array) -> tuple[Array, Array, Array]:
        """Half of the binomial deviance."""
        least = jnp.finfo(model.dtype).eps
        c = jnp.clip(model, least, 1.0 - least)
        n = self.counted + self.other
        xlogy = jax.scipy.special.xlogy
        loss = xlogy(self.counted, self.counted / jnp.where(n > 0.0, n * c, 1.0))
        loss = loss + xlogy(self.other, self.other / jnp.where(n > 0.0, n * (1.0 - c), 1.0))
        variance = c * (1.0 - c)
        return jnp.sum(loss), (self.counted - n * c) / variance, n / variance

    def used(self) -> Array:
        """Pixels with counts."""
        return jnp.sum(self.counted + self.other > 0.0)


class FractionMap(AbstractMapData):
    """Isotope fractions with normally distributed errors."""

    fraction: Float[Array, "row column"] = eqx.field(converter=as_leaf)
    """Isotope fraction [1]."""
    sigma: Float[Array, "*#shape"] = eqx.field(converter=as_leaf)
    """Standard deviation, of all pixels or of each; infinite where a pixel is to be left out [1]."""

    def loss(self, model: Array) -> tuple[Array, Array, Array]:
        """Half of χ²."""
        weight = jnp.broadcast_to(1.0 / self.sigma**2, model.shape)
        difference = jnp.where(weight > 0.0, self.fraction - model, 0.0)
        return 0.5 * jnp.sum(weight * difference**2), weight * difference, weight

    def used(self) -> Array:
        """Pixels with a finite standard deviation."""
        return jnp.sum(jnp.broadcast_to(jnp.isfinite(self.sigma), self.fraction.shape))


class MapFit(NamedTuple):
    """Result of `fit_permeability`."""

    permeability: Float[Array, " boundary"]
    """D_gb/δ of each class [m/s]."""
    interval: Float[Array, "boundary 2"]
    """Ends of the 95 % intervals of the permeabilities [m/s]."""
    D_bulk: Float[Array, ""]
    """Diffusivity in the grains [m²/s]."""
    covariance: Float[Array, "parameter parameter"]
    """Covariance of the logarithms: of the permeabilities, then of D_bulk if it is fitted."""
    deviance_per_pixel: Float[Array, ""]
    """Deviance over degrees of freedom, about 1 where the model holds and counts are not scarce."""
    iterations: Int[Array, ""]
    """Number of evaluations of the model."""
    converged: Bool[Array, ""]
    """Whether a further step would be below 1.5 % of the standard deviations: half of its square is 10⁻⁴."""


class _Point(NamedTuple):
    """A point in the space of parameters, and what the model says there."""

    q: Array
    loss: Array
    score: Array
    information: Array


def fit_permeability(
    grains: GrainMap,
    data: AbstractMapData,
    *,
    D_bulk: LeafLike,
    initial: LeafLike,
    stages: tuple[MapStage, ...],
    guess: LeafLike,
    D_bulk_error: float | None = None,
    iterations: int = 25,
    batch: int = 8,
) -> MapFit:
    """Fit one D_gb/δ for each class of boundaries to the map at the end of the last stage.

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
    """
    D_bulk, guess = as_leaf(D_bulk), as_leaf(guess)
    count = grains.classes
    prior = jnp.log(jnp.append(jnp.broadcast_to(guess, (count,)), D_bulk))
    prior = prior if D_bulk_error is not None else prior[:count]
    precision = jnp.zeros_like(prior) if D_bulk_error is None else jnp.zeros_like(prior).at[-1].set(D_bulk_error**-2)

    def model(q: Array) -> Array:
        bulk = D_bulk if D_bulk_error is None else jnp.exp(q[-1])
        return simulate_map(grains, bulk, jnp.exp(q[:count]), initial, stages).fraction[-1]

    def evaluate(q: Array) -> _Point:
        value, push = jax.linearize(model, q)
        basis = jnp.eye(q.size, dtype=q.dtype)
        sensitivity = jax.lax.map(push, basis, batch_size=min(batch, q.size)).reshape(q.size, -1)
        loss, gain, weight = data.loss(value)
        away = prior - q
        information = (sensitivity * weight.reshape(-1)) @ sensitivity.T + jnp.diag(precision + _LEAST_INFORMATION)
        return _Point(
            q, loss + 0.5 * jnp.sum(precision * away**2), sensitivity @ gain.reshape(-1) + precision * away, information
        )

    def damped(point: _Point, damping: Array) -> Array:
        matrix = point.information + damping * jnp.diag(jnp.diag(point.information))
        step = jnp.linalg.solve(matrix, point.score)
        # Far from the minimum D_bulk would make up for wrong permeabilities: it joins when they have settled.
        alone = jnp.linalg.solve(matrix[:count, :count], point.score[:count])
        unsettled = 0.5 * point.score[:count] @ alone > _SETTLED
        step = jnp.where(unsettled, jnp.zeros_like(step).at[:count].set(alone), step)
        return step * jnp.minimum(1.0, _LARGEST_STEP / jnp.maximum(jnp.max(jnp.abs(step)), 1e-30))

    def gain_left(point: _Point) -> Array:
        return 0.5 * point.score @ jnp.linalg.solve(point.information, point.score)

    def unfinished(state):
        point, damping, number = state
        return (number < iterations) & ((number == 0) | (gain_left(point) > _LEAST_GAIN)) & (damping < 1e8)

    def iterate(state):
        point, damping, number = state
        trial = evaluate(point.q + damped(point, damping))
        # Close to the minimum the loss changes by less than the linear systems are solved to, the score does not.
        nearer = (gain_left(trial) < 0.5 * gain_left(point)) & (trial.loss < point.loss + _LOSS_NOISE)
        better = (trial.loss < point.loss) | nearer
        point = jax.tree.map(lambda new, old: jnp.where(better, new, old), trial, point)
        return point, jnp.where(better, damping / 10.0, damping * 10.0), number + 1

    # The first evaluation is that of the guess: no step leads to it, and any loss is better.
    start = _Point(
        prior, jnp.asarray(jnp.inf, prior.dtype), jnp.zeros_like(prior), jnp.eye(prior.size, dtype=prior.dtype)
    )
    point, _, number = jax.lax.while_loop(unfinished, iterate, (start, jnp.asarray(1e-2, prior.dtype), jnp.asarray(0)))
    covariance = jnp.linalg.inv(point.information)
    error = jnp.sqrt(jnp.diag(covariance))[:count, None] * jnp.array([-_INTERVAL, _INTERVAL], prior.dtype)
    fitted = jnp.exp(point.q[:count])
    return MapFit(
        permeability=fitted,
        interval=fitted[:, None] * jnp.exp(error),
        D_bulk=D_bulk if D_bulk_error is None else jnp.exp(point.q[-1]),
        covariance=covariance,
        deviance_per_pixel=2.0 * point.loss / (data.used() - prior.size),
        iterations=number,
        converged=gain_left(point) <= _LEAST_GAIN,
    )
