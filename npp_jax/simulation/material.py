"""Material of a stage in units of the solver (nm, s, kT/e), and compositions of it: a pair of ions, or any number."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

Unknowns = tuple[Array, ...]


Tempo = Callable[[Array], Array]
"""Current v₀ ↦ dt/ds of the clock."""

TRACE_FRACTION = 1e-12
"""Least fraction with which an ion conducts: the field stays finite whatever an iterate is."""


class Medium(NamedTuple):
    """Two mobile ions of equal charge number over an immobile background, at the temperature of one stage."""

    native: Callable[[Array], Array]
    """D₁ as a function of the native fraction [nm²/s]."""
    foreign: Callable[[Array], Array]
    """D₂ as a function of the native fraction [nm²/s]."""
    bulk: Float[Array, "*batch"]
    """D₁ of the bulk, u = 1 [nm²/s]."""
    immobile: Float[Array, "*#batch"]
    """Native fraction that never moves: no composition falls below it [1]."""
    debye_squared: Float[Array, "*batch"]
    """Square of the Debye length, λ² = ε kT/(z² e² N) [nm²]."""
    thickness: Float[Array, "*batch"]
    """Thickness of the sample [nm]."""
    thermal_potential: Float[Array, "*batch"]
    """kT/(z e) [V]."""
    charge_density: Float[Array, "*batch"]
    """z e N: the charge per area of one metre of replaced ions [C/m³]."""


class Mixture(NamedTuple):
    """Material of a stage and what happens at its two ends, in units of the solver."""

    laws: tuple[Callable[[Array], Array], ...]
    """c_i ↦ D_i [nm²/s], one a species."""
    means: tuple[Callable[[Array, Array], Array] | None, ...]
    """Mean of D_i between two c_i [nm²/s]; None where the D of their middle serves."""
    factors: tuple[Callable[[Array], Array] | None, ...]
    """Thermodynamic factors, c_i ↦ Γ_i; None for one."""
    charges: tuple[int, ...]
    """Charge numbers z_i."""
    bulk: tuple[Array, ...]
    """Fractions of the untouched sample."""
    immobile: tuple[Array, ...]
    """Fractions that never move [1]."""
    debye_squared: Array
    """Square of the Debye length of unit charges, λ² = ε kT/(e² N) [nm²]."""
    thickness: Array
    """[nm]"""
    thermal_potential: Array
    """kT/e [V]."""
    charge_density: Array
    """e N [C/m³]."""
    beam: int | None
    """Index of the species in the beam."""
    surface: tuple[Array, ...] | None
    """Fractions that a reservoir holds at the surface, or that the surface approaches at a rate."""
    exchange: Array | None
    """Rate k at which the surface approaches those of the reservoir [nm/s]; None: at once."""
    seen: tuple[tuple[int, ...], ...]
    """Species whose fractions the law of each takes the sum of: its own, that of another, or all."""
    blocking: bool
    """Whether an electrode at the surface passes no ion and carries charge."""
    closed: bool
    """Whether no ion passes either end."""
    held_back: tuple[bool, ...]
    """Whether a species does not pass the back electrode."""
    upwind: Array
    """Weight of the upwinding: one for a rough step, little on the mesh that resolves the fronts."""
    holding: bool
    """Whether an iteration far from the solution holds the laws of D."""
    hop: Array | None
    """Half of z times the hop length [nm]; None where the drift is in proportion to the field."""
    cross: Array | None
    """λ of the Onsager coefficients between ions; None where there are none."""
    mixing: tuple[Array | None, ...]
    """Times in which the populations of species intermix [s]; None where they need none."""
    age: Array | None
    """Time since the start of the experiment [s]; None where nothing depends on it."""

    @property
    def plain(self) -> bool:
        """Whether diffusion is ideal, the drift in proportion to the field, each flux that of its own force, and no law
        changes with time.
        """
        return self.hop is None and self.cross is None and self.age is None and not any(self.factors)

    def later(self, time: Array) -> "Mixture":
        """The material after a time more [s]."""
        return self if self.age is None else self._replace(age=self.age + time)

    def pulled(self, field: Array) -> Array:
        """Field that would pull as much were the drift in proportion to it [kT/(e nm)]."""
        return field if self.hop is None else jnp.sinh(self.hop * field) / self.hop

    def field_of(self, pull: Array) -> Array:
        """The inverse of `pulled`."""
        return pull if self.hop is None else jnp.arcsinh(self.hop * pull) / self.hop

    @property
    def background(self) -> Array:
        """Z = Σ z_i c_i, the charge of the immobile network with its sign turned."""
        return sum(z * c for z, c in zip(self.charges, self.bulk, strict=True))  # pyright: ignore

    @property
    def held(self) -> tuple[Array, ...] | None:
        """Fractions that the surface has whatever flows."""
        return self.surface if self.exchange is None else None

    @property
    def sealed(self) -> bool:
        """Whether no ion at all passes the back electrode."""
        return self.closed or all(self.held_back)

    @property
    def piling_up(self) -> bool:
        """Whether the back electrode holds some ions back and passes others."""
        return any(self.held_back) and not all(self.held_back)

    @property
    def jumping(self) -> bool:
        """Whether laws of D may jump, so that means over the sides of a face stand for them."""
        return any(mean is not None for mean in self.means)

    @property
    def sheet(self) -> bool:
        """Whether the charge that carries the field sits on the surface, outside of the first cell."""
        return self.beam is not None or self.exchange is not None

    @property
    def dependent_species(self) -> int:
        """Index of the species whose fraction follows from the charge: that of the beam, or else the last."""
        return len(self.charges) - 1 if self.beam is None else self.beam

    @property
    def carried(self) -> tuple[int, ...]:
        """Indices of the species whose fractions are unknowns."""
        return tuple(k for k in range(len(self.charges)) if k != self.dependent_species)


def complete(medium: Mixture, y: Unknowns, excess: Array | float = 0.0) -> Unknowns:
    """Fractions of all species, one being what the excess charge [1] leaves to it."""
    others = dict(zip(medium.carried, y, strict=False))
    charge = sum(medium.charges[k] * c for k, c in others.items())
    others[medium.dependent_species] = (medium.background + excess - charge) / medium.charges[medium.dependent_species]
    return tuple(others[k] for k in range(len(medium.charges)))


def arguments(medium: Mixture, fractions: Sequence[Array]) -> Unknowns:
    """What the law of each species takes: its own fraction, that of another, or the sum of all, of these what has
    intermixed by now.
    """
    found = [functools.reduce(jnp.add, [fractions[j] for j in seen]) for seen in medium.seen]
    for k, time in enumerate(medium.mixing):
        if time is not None and medium.age is not None:
            own = fractions[k] / jnp.where(medium.bulk[k] > 0.0, medium.bulk[k], 1.0)
            found[k] = own - jnp.expm1(-medium.age / time) * (found[k] - own)
    return tuple(found)


def diffusivities(medium: Mixture, fractions: Unknowns) -> Unknowns:
    """Diffusion coefficients of all species at a composition [nm²/s]."""
    return tuple(law(c) for law, c in zip(medium.laws, arguments(medium, fractions), strict=True))


def conductance(medium: Mixture, fractions: Unknowns) -> Array:
    """Σ z² D c, the conductivity in units of N e²/kT [nm²/s]."""
    terms = zip(medium.charges, diffusivities(medium, fractions), fractions, strict=True)
    return sum(z * z * d * jnp.maximum(c, TRACE_FRACTION) for z, d, c in terms)  # pyright: ignore


def valence(medium: Mixture, like: Array) -> Float[Array, "species #face *#batch"]:
    """Charge numbers, to be multiplied with an array of all species."""
    return jnp.asarray(medium.charges, like.dtype).reshape(-1, *(1,) * (like.ndim - 1))
