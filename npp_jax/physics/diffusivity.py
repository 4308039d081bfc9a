"""Diffusivity laws: how the diffusion coefficient of an ion depends on its own concentration and on temperature.

A law is data. `law.at(temperature)` evaluates what depends on temperature alone and returns a function of the
ion's fraction x = n/n_ref, which is all that the flux needs.
"""

import functools
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.physics.checks import expect, expect_word
from npp_jax.physics.fermi_dirac import fermi_dirac_energy
from npp_jax.physics.fermi_table import fermi_energy_table
from npp_jax.physics.interpolation import interpolate
from npp_jax.physics.leaf import as_leaf, as_optional_leaf
from npp_jax.physics.quantile import normal_quantile
from npp_jax.physics.sed import AbstractSED, GaussianSED, MixtureSED

FILLING_FLOOR = 1e-6
"""Least filling argument y: below it D stays constant and tiny instead of vanishing."""

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(6)

FULL = 1.0 - 1e-5
"""Occupied fraction at which the sites count as full: the Fermi energy rises no further."""

Filling = Literal["sharp", "fermi-dirac"]
Populations = Literal["separate", "intermixed"]
DiffusionTerm = Literal["ideal", "thermodynamic"]
Averaging = Literal["middle", "integral"]
DiffusivityBetween = Callable[[Float[Array, "*shape"], Float[Array, "*shape"]], Float[Array, "*shape"]]
DiffusivityFunction = Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]


class Arrhenius(eqx.Module):
    """Thermal activation on top of a law: exp[-(E_a/k)(1/T - 1/T_ref)]."""

    activation_energy: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Activation energy E_a [eV]."""
    reference_temperature: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Temperature at which the factor is one [K]."""

    def factor(self, temperature: Float[Array, "*#batch"]) -> Float[Array, "*batch"]:
        """Factor on D at `temperature` [K]."""
        return jnp.exp(-self.activation_energy / BOLTZMANN_EV * (1.0 / temperature - 1.0 / self.reference_temperature))


class AbstractDiffusivity(eqx.Module):
    """Diffusivity of one species as a function of its own fraction, or of that of another (`Species.fraction_of`)."""

    @abstractmethod
    def at(self, temperature: Float[Array, "*#batch"]) -> DiffusivityFunction:
        """Return x ↦ D(x) [m²/s] at `temperature` [K]."""

    def between(self, temperature: Float[Array, "*#batch"]) -> DiffusivityBetween | None:
        """Return (a, b) ↦ ∫D dx/(b - a), the mean of D over the fractions on the sides of a face [m²/s].

        None where the D of the middle serves. A law that jumps needs it: the flux between two phases is that of the
        integral, however few cells lie in what separates them.
        """
        return None

    def thermodynamic_factor(self, temperature: Float[Array, "*#batch"]) -> DiffusivityFunction | None:
        """Return x ↦ Γ(x) = (n/kT) dμ/dn, by which the diffusion term is multiplied; None for the ideal one, Γ = 1."""
        return None


class ConstantDiffusivity(AbstractDiffusivity):
    """D independent of composition, optionally thermally activated."""

    D: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Diffusion coefficient (at the reference temperature, if activated) [m²/s]."""
    arrhenius: Arrhenius | None = None
    """Thermal activation, if any."""

    def at(self, temperature: Float[Array, "*#batch"]) -> DiffusivityFunction:
        """Return the constant function x ↦ D [m²/s]."""
        D = self.D if self.arrhenius is None else self.D * self.arrhenius.factor(temperature)
        return lambda x: jnp.broadcast_to(D, jnp.broadcast_shapes(x.shape, D.shape))


class SEDDiffusivity(AbstractDiffusivity):
    """D that follows the Fermi energy of a site energy distribution.

    D(x) = D_bulk exp{[E_F(y) - E_F(1)]/kT},   y = (x - x_imm)/(1 - x_imm),
    with the fraction (1 - v) y of the sites occupied (Gunawan et al. 2024, eqn (2): E_act = E_DC - E_F). With
    intermixed populations x is the sum of the fractions n_j/N of all ions: one Fermi energy for all that fill the
    distribution, which the source takes for the equilibrium that separate populations approach in time.
    """

    D_bulk: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Diffusion coefficient at the reference composition x = 1 [m²/s]."""
    sed: AbstractSED
    """Site energy distribution."""
    vacancy_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Fraction v of the sites that is empty at x = 1 [1]."""
    immobile_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """Fraction x_imm of the ions that never moves [1]."""
    filling: Filling = eqx.field(static=True, default="sharp")
    """Occupation of the sites: `sharp` (T = 0 edge) or `fermi-dirac` at the temperature of the stage."""
    populations: Populations = eqx.field(static=True, default="separate")
    """What fills the sites: this ion alone (`separate`), or all ions together (`intermixed`)."""
    arrhenius: Arrhenius | None = None
    """Further thermal activation, on top of the temperature in the SED factor."""
    diffusion_term: DiffusionTerm = eqx.field(static=True, default="ideal")
    """What drives diffusion: the gradient of the density (`ideal`), or that of the Fermi energy (`thermodynamic`)."""
    averaging: Averaging = eqx.field(static=True, default="middle")
    """D at a face: that of the composition in its middle, or the mean over those on its sides (`integral`), which a
    foreign ion needs whose D vanishes at its leading edge."""
    mixing_time: Float[Array, "*#batch"] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Time τ in which intermixed populations become so, separate at the start of the experiment: the law takes
    (1 - w) x of its own ion and w x of all, w = 1 - exp(-t/τ) [s]. None for populations that are intermixed at once."""

    def __check_init__(self) -> None:
        """The distribution is one, words are known, and a thermodynamic factor belongs to one ion."""
        expect(self.sed, AbstractSED, "the site energy distribution", "one of a width in eV is GaussianSED(width)")
        expect_word(self.filling, Filling, "filling")
        expect_word(self.populations, Populations, "populations")
        expect_word(self.diffusion_term, DiffusionTerm, "diffusion_term")
        expect_word(self.averaging, Averaging, "averaging")
        if self.diffusion_term == "thermodynamic" and self.populations == "intermixed":
            raise ValueError("diffusion_term = 'thermodynamic' is that of one ion: use populations = 'separate'")
        if self.mixing_time is not None and self.populations == "separate":
            raise ValueError("mixing_time is the time to populations = 'intermixed', and these are separate")

    def occupied(self, x: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Occupied fraction of the sites, (1 - v) max(y, floor), until they are full."""
        bulk = 1.0 - self.vacancy_fraction
        filled = (x - self.immobile_fraction) * (bulk / (1.0 - self.immobile_fraction))
        # Chosen and not clipped, whose derivative is a quotient: this is evaluated at every face in every iteration.
        least, most = bulk * FILLING_FLOOR, jnp.maximum(bulk, FULL)
        return jnp.where(filled < least, least, jnp.where(filled > most, most, filled))

    def fermi_energy(self, x: Float[Array, "*#shape"], temperature: Float[Array, "*#batch"]) -> Float[Array, "*shape"]:
        """Fermi energy at the fraction x, from the mean site energy [eV]."""
        if self.filling == "sharp":
            return self.sed.fermi_energy(self.occupied(x))
        return fermi_dirac_energy(self.sed, self.occupied(x), temperature)

    def activation_energy(
        self, x: Float[Array, "*#shape"], temperature: Float[Array, "*#batch"]
    ) -> Float[Array, "*shape"]:
        """E_act(x) - E_act(1) = E_F(1) - E_F(x) [eV]."""
        return self.fermi_energy(jnp.ones_like(x), temperature) - self.fermi_energy(x, temperature)

    def at(self, temperature: Float[Array, "*#batch"]) -> DiffusivityFunction:
        """Return x ↦ D(x) [m²/s]."""
        kt = BOLTZMANN_EV * temperature
        D_bulk = self.D_bulk if self.arrhenius is None else self.D_bulk * self.arrhenius.factor(temperature)
        z_bulk = normal_quantile(1.0 - self.vacancy_fraction)
        if isinstance(self.sed, GaussianSED) and self.filling == "sharp":
            slope = self.sed.sigma / kt
            return lambda x: D_bulk * jnp.exp(slope * (normal_quantile(self.occupied(x)) - z_bulk))
        if self.filling == "sharp" and not isinstance(self.sed, MixtureSED):
            fermi_energy = self.sed.fermi_energy
        else:
            z, energy = fermi_energy_table(self.sed, None if self.filling == "sharp" else temperature)
            fermi_energy = lambda occupied: interpolate(normal_quantile(occupied), z, energy)  # noqa: E731
        bulk = fermi_energy(1.0 - self.vacancy_fraction)
        return lambda x: D_bulk * jnp.exp((fermi_energy(self.occupied(x)) - bulk) / kt)

    def between(self, temperature: Float[Array, "*#batch"]) -> DiffusivityBetween | None:
        """Mean of D over the fractions on the sides of a face, by Gauss and Legendre; None where the middle serves."""
        if self.averaging == "middle":
            return None
        D = self.at(temperature)

        def mean(a: Array, b: Array) -> Array:
            middle, half = 0.5 * (a + b), 0.5 * (b - a)
            # One by one, though longer to compile: with the points as an axis a batch takes twice the time.
            values = [0.5 * float(w) * D(middle + float(p) * half) for p, w in zip(_POINTS, _WEIGHTS, strict=True)]
            return functools.reduce(jnp.add, values)

        return mean

    def thermodynamic_factor(self, temperature: Float[Array, "*#batch"]) -> DiffusivityFunction | None:
        """Return x ↦ Γ(x) = (x/kT) dE_F/dx, at least one; None for the ideal diffusion term.

        The chemical potential of the ions is their Fermi energy. Ions that are few on their sites are an ideal gas,
        Γ = 1, which Fermi-Dirac filling approaches and sharp filling does not know of.
        """
        if self.diffusion_term == "ideal":
            return None
        ratio = replace(self, D_bulk=jnp.ones_like(self.D_bulk), arrhenius=None).at(temperature)

        def factor(x: Array) -> Array:
            value, slope = jax.jvp(ratio, (x,), (jnp.ones_like(x),))
            # ln D holds E_F/kT, so that its slope is that of E_F over kT.
            return jnp.maximum(x * slope / value, 1.0)

        return factor


class MutualDiffusivity(AbstractDiffusivity):
    """The law of a partner of the same charge, over the fraction of the partner: D of both is one, D(c).

    J = -D(c) ∂c/∂x for both, and no field arises: interdiffusion of a neutral couple by one mutual coefficient, as
    D₁D₂/(D₁u + D₂(1-u)) = D for D₁ = D₂ = D.
    """

    partner: str = eqx.field(static=True)
    """Name of the ion that has the law."""

    def at(self, temperature: Float[Array, "*#batch"]) -> DiffusivityFunction:
        """Nothing to tell apart from the partner: `laws_of` an experiment finds its law."""
        raise TypeError(f"the law of this ion is that of {self.partner}: it is known to an experiment alone")


def intermixed(law: AbstractDiffusivity) -> bool:
    """Whether a law takes the sum of all fractions instead of that of its own ion."""
    return isinstance(law, SEDDiffusivity) and law.populations == "intermixed"
