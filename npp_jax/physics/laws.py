"""Laws of D that are told by numbers, without a picture of the sites: polynomials and curves of ln D."""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.physics.checks import expect_word
from npp_jax.physics.diffusivity import AbstractDiffusivity, Arrhenius, DiffusivityBetween, DiffusivityFunction
from npp_jax.physics.interpolation import integral_of_exponential, interpolate
from npp_jax.physics.leaf import TABLE, as_leaf

Curve = Literal["monotone", "free"]


class ExponentialDiffusivity(AbstractDiffusivity):
    """ln D as a polynomial of the fraction, D(x) = D exp[a₁(x - x₀) + a₂(x - x₀)² + …]; an exponential has one term."""

    D: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """D at the fraction x₀ (and at the reference temperature, if activated) [m²/s]."""
    coefficient: Float[Array, "power *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Coefficients a₁, a₂, … of ln D [1]."""
    reference_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """Fraction x₀ [1]."""
    arrhenius: Arrhenius | None = None
    """Thermal activation, if any."""

    def at(self, temperature: Float[Array, "*#batch"]) -> DiffusivityFunction:
        """Return x ↦ D(x) [m²/s]."""
        D = self.D * _activated(self.arrhenius, temperature)

        def law(x: Array) -> Array:
            beyond = x - self.reference_fraction
            exponent = jnp.zeros_like(beyond)
            # Horner's scheme.
            for a in self.coefficient[::-1]:
                exponent = (exponent + a) * beyond
            return D * jnp.exp(exponent)

        return law


class SplineDiffusivity(AbstractDiffusivity):
    """ln D as a cubic spline through knots, constant beyond them: a free form, or a table."""

    fraction: Float[Array, "knot *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Fractions of the knots, increasing [1]."""
    D_knot: Float[Array, "knot *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """D at the knots (and at the reference temperature, if activated) [m²/s]."""
    curve: Curve = eqx.field(static=True, default="monotone")
    """Whether D stays between those of two neighbouring knots (`monotone`), or may swing as a smooth curve (`free`)."""
    arrhenius: Arrhenius | None = None
    """Thermal activation, if any."""

    def __check_init__(self) -> None:
        """As many values as knots, at least two, and a curve that is known."""
        expect_word(self.curve, Curve, "curve")
        if not hasattr(self.fraction, "shape") or not hasattr(self.D_knot, "shape"):
            return
        knots, values = self.fraction.shape[0], self.D_knot.shape[0]
        if knots != values or knots < 2:
            raise ValueError(f"a spline needs as many D as knots, two or more, got {values} and {knots}")

    def at(self, temperature: Float[Array, "*#batch"]) -> DiffusivityFunction:
        """Return x ↦ D(x) [m²/s]."""
        level = jnp.log(_activated(self.arrhenius, temperature))
        values, limited = jnp.log(self.D_knot), self.curve == "monotone"

        def law(x: Array) -> Array:
            inside = jnp.clip(x, self.fraction[0], self.fraction[-1])
            return jnp.exp(level + interpolate(inside, self.fraction, values, limited=limited))

        return law

    def between(self, temperature: Float[Array, "*#batch"]) -> DiffusivityBetween:
        """Return (a, b) ↦ ∫D dx/(b - a) [m²/s]."""
        level = _activated(self.arrhenius, temperature)
        values, limited = jnp.log(self.D_knot), self.curve == "monotone"
        law = self.at(temperature)

        def mean(a: Array, b: Array) -> Array:
            far = jnp.abs(b - a) > _NEAR
            apart = jnp.where(far, b - a, 1.0)
            whole = [integral_of_exponential(x, self.fraction, values, limited=limited) for x in (a, b)]
            return jnp.where(far, level * (whole[1] - whole[0]) / apart, law(0.5 * (a + b)))

        return mean


_NEAR = 1e-5
"""Difference of fractions below which the mean is that of the middle, and not the quotient of rounding errors."""


def _activated(arrhenius: Arrhenius | None, temperature: Array) -> Array:
    """Factor of the activation on D."""
    return jnp.ones_like(temperature) if arrhenius is None else arrhenius.factor(temperature)
