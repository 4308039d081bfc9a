"""Site energy distributions (SEDs) and the Fermi energy of the ions that fill them.

Energies are measured from the mean of the distribution, in electron volts. A fraction p of the sites is
occupied, from the lowest energy upwards; the Fermi energy E_F(p) is the energy of the last ion. In the bulk
p = 1 - v, with v the vacancy fraction (of sites). Gunawan et al., Phys. Chem. Chem. Phys. 26 (2024) 14430,
section 3.2.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from npp_jax.constants import FWHM_PER_SIGMA
from npp_jax.physics.interpolation import align, interpolate
from npp_jax.physics.leaf import TABLE, as_leaf, expect_as_long
from npp_jax.physics.quantile import normal_distribution, normal_quantile

_PROBABILITY_FLOOR = 1e-12
_ITERATIONS = 48


class AbstractSED(eqx.Module):
    """A normalised density of site energies, with the energy scale that a solver needs."""

    @abstractmethod
    def density(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) at `energy` [eV], in [1/eV]."""

    @abstractmethod
    def distribution(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy` [eV]."""

    @abstractmethod
    def fermi_energy(self, occupied: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Fermi energy [eV] of sharp filling when the fraction `occupied` of all sites is filled."""

    @abstractmethod
    def support(self) -> tuple[Float[Array, "*#batch"], Float[Array, "*#batch"]]:
        """Energies [eV] between which practically all sites lie."""


class GaussianSED(AbstractSED):
    """Gaussian distribution of site energies: g(E) = exp(-E²/2σ²)/(σ√2π), σ = FWHM/2√(2 ln 2)."""

    sed_fwhm: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Full width at half maximum of the distribution of all sites [eV]."""

    @property
    def sigma(self) -> Float[Array, "*batch"]:
        """Standard deviation [eV]."""
        return self.sed_fwhm / FWHM_PER_SIGMA

    def density(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) [1/eV]."""
        return jax.scipy.stats.norm.pdf(energy, scale=self.sigma)

    def distribution(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy`."""
        return normal_distribution(energy / self.sigma)

    def fermi_energy(self, occupied: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """E_F = σ z(p), z the standard normal quantile [eV]."""
        return self.sigma * normal_quantile(occupied)

    def support(self) -> tuple[Float[Array, "*#batch"], Float[Array, "*#batch"]]:
        """Seven standard deviations on either side [eV]."""
        return -7.0 * self.sigma, 7.0 * self.sigma


class MixtureSED(AbstractSED):
    """Sum of Gaussians, Σ_k w_k N(E; E_k, σ_k), with the weights normalised to one."""

    energy: Float[Array, "component *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Centres of the components [eV]."""
    sed_fwhm: Float[Array, "component *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Full widths at half maximum of the components [eV]."""
    weight: Float[Array, "component *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Shares of the components, positive, of any sum [1]."""

    def __check_init__(self) -> None:
        """Each component has a centre, a width and a share."""
        expect_as_long("a mixture", energy=self.energy, sed_fwhm=self.sed_fwhm, weight=self.weight)

    def _components(self) -> Iterator[tuple[Array, Array, Array]]:
        """Share, centre and standard deviation of each component."""
        share = self.weight / jnp.sum(self.weight, axis=0)
        return zip(share, self.energy, self.sed_fwhm / FWHM_PER_SIGMA, strict=True)

    def density(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) [1/eV]."""
        pdf = jax.scipy.stats.norm.pdf
        return _sum(share * pdf(energy, loc=centre, scale=width) for share, centre, width in self._components())

    def distribution(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy`."""
        return _sum(
            share * normal_distribution((energy - centre) / width) for share, centre, width in self._components()
        )

    def fermi_energy(self, occupied: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Quantile of the mixture [eV], by safeguarded Newton iteration, differentiated implicitly."""
        return invert(self.distribution, occupied, *self.support())

    def support(self) -> tuple[Float[Array, "*#batch"], Float[Array, "*#batch"]]:
        """Seven standard deviations beyond the outermost components [eV]."""
        centre, width = align(self.energy, self.sed_fwhm)
        reach = 7.0 / FWHM_PER_SIGMA * width
        return jnp.min(centre - reach, axis=0), jnp.max(centre + reach, axis=0)


class TabulatedSED(AbstractSED):
    """Distribution given by its Fermi energy at some occupied fractions of the sites: a monotone table.

    The table is the quantile function of the distribution, interpolated over the standard normal quantile
    of the occupied fraction: a Gaussian is a straight line there, whatever its width.
    """

    occupied: Float[Array, "knot *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Occupied fractions of the sites, increasing, in (0, 1) [1]."""
    energy: Float[Array, "knot *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Fermi energies at those fractions, increasing [eV]."""

    def __check_init__(self) -> None:
        """Each fraction has an energy."""
        expect_as_long("a table of sites", occupied=self.occupied, energy=self.energy)

    def fermi_energy(self, occupied: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Interpolated Fermi energy [eV]; beyond the table the last slope goes on."""
        return interpolate(normal_quantile(occupied), normal_quantile(self.occupied), self.energy)

    def distribution(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy`."""
        return normal_distribution(interpolate(energy, self.energy, normal_quantile(self.occupied)))

    def density(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) [1/eV]."""
        return jax.jvp(self.distribution, (energy,), (jnp.ones_like(energy),))[1]

    def support(self) -> tuple[Float[Array, "*#batch"], Float[Array, "*#batch"]]:
        """Energies at standard normal quantiles of ±7 [eV]."""
        z = normal_quantile(self.occupied)
        edge = jnp.asarray(7.0, z.dtype)
        return interpolate(-edge, z, self.energy), interpolate(edge, z, self.energy)


class SlopeSED(AbstractSED):
    """Distribution given by the slope dE_F/dz of its Fermi energy over the standard normal quantile z: free form.

    The slope is a straight line between knots, and positive, so that every choice is a distribution and the Fermi
    energy is smooth. A Gaussian has the same slope everywhere, its standard deviation: a smooth distribution is one
    whose slope changes little from knot to knot.
    """

    z: Float[Array, "knot *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Standard normal quantiles of the knots, increasing [1]."""
    slope: Float[Array, "knot *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Slopes dE_F/dz at the knots, positive; constant beyond [eV]."""

    def _energies(self) -> Array:
        """Fermi energies at the knots; zero at z = 0 [eV]."""
        z, slope = align(self.z, self.slope)
        rise = 0.5 * (slope[1:] + slope[:-1]) * jnp.diff(z, axis=0)
        from_first = jnp.concatenate([jnp.zeros_like(rise[:1]), jnp.cumsum(rise, axis=0)])
        return from_first - self._above(jnp.zeros_like(from_first[:1]), from_first)

    def _above(self, z: Array, energy: Array) -> Array:
        """Fermi energy at the quantile z, from that at the knots."""
        knots, slope = align(self.z, self.slope)
        # Each interval adds its part of ∫ slope dz.
        total = energy[0] + slope[0] * jnp.minimum(z - knots[0], 0.0)
        for k in range(knots.shape[0] - 1):
            width = knots[k + 1] - knots[k]
            inside = jnp.clip(z - knots[k], 0.0, width)
            total = total + inside * (slope[k] + 0.5 * (slope[k + 1] - slope[k]) * inside / width)
        return total + slope[-1] * jnp.maximum(z - knots[-1], 0.0)

    def fermi_energy(self, occupied: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """∫ (dE_F/dz) dz from z = 0 [eV]."""
        return self._above(normal_quantile(occupied), self._energies())

    def distribution(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Fraction of the sites below `energy`: Φ of the quantile, by the quadratic of each interval."""
        knots, slope = align(self.z, self.slope)
        at = self._energies()
        z = knots[0] + jnp.minimum(energy - at[0], 0.0) / slope[0] + jnp.maximum(energy - at[-1], 0.0) / slope[-1]
        for k in range(knots.shape[0] - 1):
            width = knots[k + 1] - knots[k]
            rise = jnp.clip(energy - at[k], 0.0, at[k + 1] - at[k])
            curvature = (slope[k + 1] - slope[k]) / width
            # The root that stays right where the curvature vanishes.
            root = jnp.sqrt(jnp.maximum(slope[k] ** 2 + 2.0 * curvature * rise, 0.0))
            z = z + 2.0 * rise / (slope[k] + root)
        return normal_distribution(z)

    def density(self, energy: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Density of sites g(E) [1/eV]."""
        return jax.jvp(self.distribution, (energy,), (jnp.ones_like(energy),))[1]

    def support(self) -> tuple[Float[Array, "*#batch"], Float[Array, "*#batch"]]:
        """Energies at standard normal quantiles of ±7 [eV]."""
        energy = self._energies()
        edge = jnp.full_like(energy[:1], 7.0)
        return self._above(-edge, energy)[0], self._above(edge, energy)[0]


def populated_fwhm(sed: GaussianSED, vacancy_fraction: Float[ArrayLike, "*#batch"]) -> Float[Array, "*batch"]:
    """Full width at half maximum of the populated part of a Gaussian SED, sharp filling [eV].

    With h = √(2 ln 2) and z_v = z(1 - v) the cut above the last ion, in units of σ,
    W_pop = σ [h + min(h, z_v)] for v ≤ ½, where the maximum is occupied: up to v = 0.119 the width of the whole SED;
    W_pop = σ [z_v + √(z_v² + h²)] for v > ½, where the cut is the maximum.
    Gunawan et al. 2024 quote the width of the mobile part of the populated SED (Fig. 4).

    Parameters
    ----------
    sed
        The site energy distribution.
    vacancy_fraction
        Fraction v of the sites that is empty. [1]
    """
    half = math.sqrt(2.0 * math.log(2.0))
    cut = normal_quantile(1.0 - jnp.asarray(vacancy_fraction))
    return sed.sigma * jnp.where(
        cut > 0.0, half + jnp.minimum(half, cut), jnp.minimum(cut, 0.0) + jnp.sqrt(jnp.minimum(cut, 0.0) ** 2 + half**2)
    )


def _sum(terms: Iterable[Array]) -> Array:
    """Sum of arrays that broadcast; no start value, which would have a type of its own."""
    return reduce(jnp.add, terms)


def invert(forward: Callable[[Array], Array], target: Array, lower: Array, upper: Array) -> Array:
    """Solve forward(E) = target for an increasing function, in the logit of its value; derivatives of any order."""
    shape = jnp.broadcast_shapes(target.shape, jax.eval_shape(forward, lower).shape, lower.shape)
    dtype = jnp.result_type(target, lower, jax.eval_shape(forward, lower))
    bounded = jnp.clip(target, _PROBABILITY_FLOOR, 1.0 - 4.0 * float(jnp.finfo(dtype).eps))
    logit = jnp.log(bounded) - jnp.log1p(-bounded)
    noise = jnp.minimum(16.0 * float(jnp.finfo(dtype).eps), 0.25 * jnp.minimum(bounded, 1.0 - bounded))
    below, above = (jnp.broadcast_to(edge, shape).astype(dtype) for edge in (lower, upper))

    def solve(residual: Callable[[Array], Array], start: Array) -> Array:
        def iterate(_: Array | int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            energy, below, above = state
            error, slope = jax.jvp(residual, (energy,), (jnp.ones_like(energy),))
            value = jnp.clip(error + bounded, 1e-30, 1.0 - float(jnp.finfo(dtype).eps))
            error = jnp.log(value) - jnp.log1p(-value) - logit
            below = jnp.where(error < 0.0, energy, below)
            above = jnp.where(error < 0.0, above, energy)
            newton = energy - error * value * (1.0 - value) / jnp.maximum(slope, 1e-30)
            # Where the value is rounding error, its logit is none that a Newton step could follow.
            known = (value > noise) & (value < 1.0 - noise)
            inside = (newton > below) & (newton < above) & known
            return jnp.where(inside, newton, 0.5 * (below + above)), below, above

        return jax.lax.fori_loop(0, _ITERATIONS, iterate, (start, below, above))[0]

    def invert_slope(linear: Callable[[Array], Array], value: Array) -> Array:
        return value / jnp.maximum(linear(jnp.ones_like(value)), 1e-30)

    return jax.lax.custom_root(lambda energy: forward(energy) - bounded, 0.5 * (below + above), solve, invert_slope)
