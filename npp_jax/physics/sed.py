"""Site energy distributions (SEDs) and the Fermi energy of the ions that fill them.

Energies are measured from the mean of the distribution, in electron volts. A fraction p of the sites is
occupied, from the lowest energy upwards; the Fermi energy E_F(p) is the energy of the last ion. In the bulk
p = 1 - v, with v the vacancy fraction (of sites). Gunawan et al., Phys. Chem. Chem. Phys. 26 (2024) 14430,
section 3.2.
"""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.constants import BOLTZMANN_EV, FWHM_PER_SIGMA
from npp_jax.physics.interpolation import interpolate
from npp_jax.physics.quantile import normal_distribution, normal_quantile

_PROBABILITY_FLOOR = 1e-12
_NEWTON_STEPS = 12


class AbstractSED(eqx.Module):
    """A normalised density of site energies, with the energy scale that a solver needs."""

    @abstractmethod
    def density(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) at `energy` [eV], in [1/eV]."""

    @abstractmethod
    def distribution(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy` [eV]."""

    @abstractmethod
    def fermi_energy(self, occupied: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Fermi energy [eV] of sharp filling when the fraction `occupied` of all sites is filled."""

    @abstractmethod
    def support(self) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """Energies [eV] between which practically all sites lie."""


class GaussianSED(AbstractSED):
    """Gaussian distribution of site energies: g(E) = exp(-E²/2σ²)/(σ√2π), σ = FWHM/2√(2 ln 2)."""

    sed_fwhm: Float[Array, "*batch"] = eqx.field(converter=jnp.asarray)
    """Full width at half maximum of the distribution of all sites [eV]."""

    @property
    def sigma(self) -> Float[Array, "*batch"]:
        """Standard deviation [eV]."""
        return self.sed_fwhm / FWHM_PER_SIGMA

    def density(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) [1/eV]."""
        return jax.scipy.stats.norm.pdf(energy, scale=self.sigma)

    def distribution(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy`."""
        return normal_distribution(energy / self.sigma)

    def fermi_energy(self, occupied: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """E_F = σ z(p), z the standard normal quantile [eV]."""
        return self.sigma * normal_quantile(occupied)

    def support(self) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """Seven standard deviations on either side [eV]."""
        return -7.0 * self.sigma, 7.0 * self.sigma


class MixtureSED(AbstractSED):
    """Sum of Gaussians, Σ_k w_k N(E; E_k, σ_k), with the weights normalised to one."""

    energy: Float[Array, "component *batch"] = eqx.field(converter=jnp.asarray)
    """Centres of the components [eV]."""
    sed_fwhm: Float[Array, "component *batch"] = eqx.field(converter=jnp.asarray)
    """Full widths at half maximum of the components [eV]."""
    weight: Float[Array, "component *batch"] = eqx.field(converter=jnp.asarray)
    """Shares of the components, positive, of any sum [1]."""

    def _share(self) -> Array:
        return self.weight / jnp.sum(self.weight, axis=0)

    def density(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) [1/eV]."""
        sigma = self.sed_fwhm / FWHM_PER_SIGMA
        terms = [
            share * jax.scipy.stats.norm.pdf(energy, loc=centre, scale=width)
            for share, centre, width in zip(self._share(), self.energy, sigma, strict=True)
        ]
        return sum(terms, start=jnp.zeros_like(energy))

    def distribution(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy`."""
        sigma = self.sed_fwhm / FWHM_PER_SIGMA
        terms = [
            share * normal_distribution((energy - centre) / width)
            for share, centre, width in zip(self._share(), self.energy, sigma, strict=True)
        ]
        return sum(terms, start=jnp.zeros_like(energy))

    def fermi_energy(self, occupied: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Quantile of the mixture [eV], by safeguarded Newton iteration."""
        return _invert(self.distribution, self.density, occupied, *self.support())

    def support(self) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """Seven standard deviations beyond the outermost components [eV]."""
        reach = 7.0 * self.sed_fwhm / FWHM_PER_SIGMA
        return jnp.min(self.energy - reach, axis=0), jnp.max(self.energy + reach, axis=0)


class TabulatedSED(AbstractSED):
    """Distribution given by its Fermi energy at some occupied fractions of the sites: a monotone table.

    The table is the quantile function of the distribution, interpolated over the standard normal quantile
    of the occupied fraction: a Gaussian is a straight line there, whatever its width.
    """

    occupied: Float[Array, "knot *batch"] = eqx.field(converter=jnp.asarray)
    """Occupied fractions of the sites, increasing, in (0, 1) [1]."""
    energy: Float[Array, "knot *batch"] = eqx.field(converter=jnp.asarray)
    """Fermi energies at those fractions, increasing [eV]."""

    def fermi_energy(self, occupied: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Interpolated Fermi energy [eV]; beyond the table the last slope goes on."""
        return interpolate(normal_quantile(occupied), normal_quantile(self.occupied), self.energy)

    def distribution(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy`."""
        return normal_distribution(interpolate(energy, self.energy, normal_quantile(self.occupied)))

    def density(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) [1/eV]."""
        return jax.jvp(self.distribution, (energy,), (jnp.ones_like(energy),))[1]

    def support(self) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """Energies at standard normal quantiles of ±7 [eV]."""
        z = normal_quantile(self.occupied)
        reach = [interpolate(jnp.full_like(z[:1], edge), z, self.energy)[0] for edge in (-7.0, 7.0)]
        return reach[0], reach[1]


def fermi_dirac_occupied(sed: AbstractSED, fermi_energy: Array, temperature: Array, *, points: int = 161) -> Array:
    """Occupied fraction of the sites at a Fermi energy, with Fermi–Dirac filling.

    p(E_F) = ∫ g(E) / (1 + exp[(E - E_F)/kT]) dE, by the trapezoidal rule over the support of the SED, which converges
    exponentially because g vanishes at both ends.

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
    fractions = jnp.linspace(0.0, 1.0, points, dtype=fermi_energy.dtype)
    step = (upper - lower) / (points - 1)
    total = jnp.zeros_like(fermi_energy)
    for_fraction = lambda f, acc: acc + sed.density(lower + f * (upper - lower)) * jax.nn.sigmoid(  # noqa: E731
        (fermi_energy - lower - f * (upper - lower)) / kt
    )
    total = jax.lax.fori_loop(0, points, lambda k, acc: for_fraction(fractions[k], acc), total)
    return total * step


def fermi_dirac_energy(sed: AbstractSED, occupied: Array, temperature: Array) -> Array:
    """Fermi energy [eV] at which Fermi–Dirac filling occupies the fraction `occupied` of the sites.

    Inverse of `fermi_dirac_occupied`, by safeguarded Newton iteration; differentiated implicitly.
    """
    kt = BOLTZMANN_EV * temperature
    lower, upper = sed.support()

    def forward(energy: Array) -> Array:
        return fermi_dirac_occupied(sed, energy, temperature)

    def slope(energy: Array) -> Array:
        return jax.jvp(forward, (energy,), (jnp.ones_like(energy),))[1]

    return _invert(forward, slope, occupied, lower - 60.0 * kt, upper + 60.0 * kt)


def _invert(forward, slope, target: Array, lower: Array, upper: Array) -> Array:  # noqa: ANN001
    """Solve forward(E) = target for an increasing function, in the logit of its value."""
    bounded = jnp.clip(target, _PROBABILITY_FLOOR, 1.0 - 1e-9)
    logit = jnp.log(bounded) - jnp.log1p(-bounded)

    def iterate(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        energy, below, above = state
        value = jnp.clip(forward(energy), 1e-30, 1.0 - 1e-9)
        error = jnp.log(value) - jnp.log1p(-value) - logit
        below = jnp.where(error < 0.0, energy, below)
        above = jnp.where(error < 0.0, above, energy)
        newton = energy - error * value * (1.0 - value) / jnp.maximum(slope(energy), 1e-30)
        inside = (newton > below) & (newton < above)
        return jnp.where(inside, newton, 0.5 * (below + above)), below, above

    below = jnp.broadcast_to(lower, target.shape).astype(target.dtype)
    above = jnp.broadcast_to(upper, target.shape).astype(target.dtype)
    energy, _, _ = jax.lax.fori_loop(0, 4 * _NEWTON_STEPS, iterate, (0.5 * (below + above), below, above))
    energy = jax.lax.stop_gradient(energy)
    # One Newton step outside the loop carries the derivative (implicit function theorem).
    return energy - (forward(energy) - bounded) / jnp.maximum(jax.lax.stop_gradient(slope(energy)), 1e-30)
