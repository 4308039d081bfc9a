"""Laws of free form: one number for each of many knots, held together by a prior of smoothness.

Of a site energy distribution it is the slope of its Fermi energy, of a D(c) that has none ln D itself.

The diffusivity sees the distribution only through E_F(1 - v) - E_F((1 - v) y), so that the vacancy fraction is no
parameter of its own here: it says to which fillings the knots belong.
"""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from npp_jax.inference.refine import ResidualsAndJacobian
from npp_jax.physics import (
    Experiment,
    ExponentialDiffusivity,
    SEDDiffusivity,
    SlopeSED,
    Species,
    SplineDiffusivity,
    normal_quantile,
)

DEEPEST_FILLING = 1e-3
"""Filling of the lowest knot: below it no measured profile has native ions left."""

SMOOTHNESS = 1.0
"""Standard deviation of the change of ln slope per unit of the standard normal quantile."""

SMOOTHNESS_D = 4.0
"""The same of ln D over the whole range of fractions: phases may differ by decades."""


def with_free_form(experiment: Experiment, knots: int) -> Experiment:
    """Experiment whose site energy distributions, or laws D(c), are given at knots, starting from what they are.

    Parameters
    ----------
    experiment
        Experiment with at least one distribution, or law that is a polynomial or a curve.
    knots
        Number of knots, evenly spaced in the standard normal quantile from `DEEPEST_FILLING` to the bulk, or in the
        fraction from 0 to 1.
    """

    def freed(law: SEDDiffusivity) -> SEDDiffusivity:
        top = normal_quantile(1.0 - law.vacancy_fraction)
        bottom = normal_quantile(DEEPEST_FILLING * (1.0 - law.vacancy_fraction))
        z = jnp.linspace(bottom, top, knots)
        support = jnp.asarray(law.sed.support())
        # A straight line through the support: where a fit begins does not matter, that it is smooth does.
        return eqx.tree_at(lambda old: old.sed, law, SlopeSED(z, jnp.full(knots, (support[1] - support[0]) / 14.0)))

    def curved(law: ExponentialDiffusivity | SplineDiffusivity) -> SplineDiffusivity:
        fraction = jnp.linspace(0.0, 1.0, knots)
        own = experiment.stages[0].temperature if law.arrhenius is None else law.arrhenius.reference_temperature
        return SplineDiffusivity(fraction, law.at(jnp.asarray(own))(fraction), "free", law.arrhenius)

    def changed(ion: Species) -> Species:
        match ion.diffusivity:
            case SEDDiffusivity() as law:
                return dataclasses.replace(ion, diffusivity=freed(law))
            case ExponentialDiffusivity() | SplineDiffusivity() as law if not of_sites:
                return dataclasses.replace(ion, diffusivity=curved(law))
        return ion

    of_sites = any(isinstance(ion.diffusivity, SEDDiffusivity) for ion in experiment.species)
    species = tuple(changed(ion) for ion in experiment.species)
    return dataclasses.replace(experiment, species=species)


def with_smoothness(
    function: ResidualsAndJacobian,
    slopes: Int[np.ndarray, " slope"],
    spacing: float,
    *,
    smoothness: float = SMOOTHNESS,
) -> ResidualsAndJacobian:
    """Append the prior that neighbours are alike: residuals Δ(ln slope)/(smoothness √spacing).

    A random walk, so that what it allows does not depend on the number of knots.

    Parameters
    ----------
    function
        Residuals and Jacobian of the data, for a batch.
    slopes
        Places of the slopes among the parameters, in the order of the knots.
    spacing
        Distance of the knots in z.
    smoothness
        Standard deviation of ln slope over a distance of one in z.
    """
    left, right = slopes[:-1], slopes[1:]
    rows = np.arange(len(left))

    def augmented(theta: Array) -> tuple[Array, ...]:
        residual, jacobian, *rest = function(theta)
        unit = 1.0 / (smoothness * np.sqrt(spacing))
        change = unit * jnp.log(theta[:, right] / theta[:, left])
        by = jnp.zeros((len(theta), len(left), theta.shape[1]), theta.dtype)
        by = by.at[:, rows, right].set(unit / theta[:, right]).at[:, rows, left].set(-unit / theta[:, left])
        return jnp.concatenate([residual, change], 1), jnp.concatenate([jacobian, by], 1), *rest

    return augmented
