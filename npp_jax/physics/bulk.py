"""Numbers of the untouched material: its conductivity and activation energy, from the ions of the bulk."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import concrete
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.nernst_einstein import nernst_einstein_conductivity
from npp_jax.physics.species import Species


def bulk_conductivity(
    experiment: Experiment, temperature: Float[Array, " temperature"]
) -> Float[Array, " temperature"]:
    """Conductivity of the untouched sample, Σ n_i z_i² e² D_i(T)/kT over the ions of the bulk (Nernst–Einstein) [S/m].

    Parameters
    ----------
    experiment
        Sample and ions.
    temperature
        Temperatures. [K]
    """

    def of(ion: Species) -> Array:
        # A law sees the composition of the bulk at 1.
        law = lambda T: ion.diffusivity.at(T)(jnp.ones_like(T)[None])[0]  # noqa: E731
        density = ion.bulk_fraction * experiment.sample.bulk_density
        return nernst_einstein_conductivity(law(temperature), density, temperature, charge_number=ion.charge)

    return functools.reduce(jnp.add, map(of, bulk_ions(experiment)))


def bulk_ions(experiment: Experiment) -> list[Species]:
    """Ions of the untouched sample."""
    return [s for s in experiment.species if not concrete(s.bulk_fraction) or np.any(np.asarray(s.bulk_fraction) > 0.0)]


def native_ion(experiment: Experiment) -> Species:
    """The ion of which the untouched sample has most; the first where that is not known."""
    shares = [ion.bulk_fraction for ion in bulk_ions(experiment)]
    if not concrete(shares):
        return bulk_ions(experiment)[0]
    return max(bulk_ions(experiment), key=lambda ion: float(np.max(ion.bulk_fraction)))
