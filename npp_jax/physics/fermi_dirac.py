"""Occupation of a site energy distribution at a temperature: Fermi–Dirac filling, and its Fermi energy."""

import jax
from jaxtyping import Array, Float

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.physics.sed import AbstractSED, invert


def fermi_dirac_occupied(
    sed: AbstractSED, fermi_energy: Float[Array, "*#shape"], temperature: Float[Array, "*#batch"], *, points: int = 161
) -> Float[Array, "*shape"]:
    """Occupied fraction of the sites at a Fermi energy, with Fermi–Dirac filling.

    p(E_F) = ∫ g(E) / (1 + exp[(E - E_F)/kT]) dE, by the trapezoidal rule over the support of the SED, which converges
    exponentially because g vanishes at both ends: to 1e-6 while the step is below 1.4 kT and below the σ of the
    narrowest component. With the default that is 80 K for a Gaussian of 250 meV.

    Parameters
    ----------
    sed
        The site energy distribution.
    fermi_energy
        Chemical potential of the ions. [eV], shape [..., *batch]
    temperature
        Temperature. [K], shape [*batch]
    points
        Number of quadrature points.
    """
    kt = BOLTZMANN_EV * temperature
    lower, upper = sed.support()
    step = (upper - lower) / (points - 1)

    def term(k: Array | int) -> Array:
        energy = lower + k * step
        return sed.density(energy) * jax.nn.sigmoid((fermi_energy - energy) / kt)

    # The sum starts from an end point, which is negligible, to have the shape and type of all others.
    return step * jax.lax.fori_loop(1, points, lambda k, total: total + term(k), term(0))


def fermi_dirac_energy(
    sed: AbstractSED, occupied: Float[Array, "*#shape"], temperature: Float[Array, "*#batch"]
) -> Float[Array, "*shape"]:
    """Fermi energy [eV] at which Fermi–Dirac filling occupies the fraction `occupied` of the sites.

    Inverse of `fermi_dirac_occupied`, by safeguarded Newton iteration; differentiated implicitly.
    """
    kt = BOLTZMANN_EV * temperature
    lower, upper = sed.support()
    return invert(
        lambda energy: fermi_dirac_occupied(sed, energy, temperature), occupied, lower - 60.0 * kt, upper + 60.0 * kt
    )
