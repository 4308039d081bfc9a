"""Measured isotope profiles: fractions with errors, or counts of two isotopes."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.physics.checks import FINITE, expect_numbers
from npp_jax.physics.leaf import LeafLike, as_leaf, expect_as_long
from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.fractions import AbstractFractions, Fractions
from npp_jax.tracer.isotope import isotope_fraction

_SHARE_OF_AN_END = 10


class MeasuredProfile(eqx.Module):
    """A measured isotope profile."""

    position: Float[Array, " point"] = eqx.field(converter=as_leaf)
    """Positions [m]."""
    fraction: Float[Array, " point"] = eqx.field(converter=as_leaf)
    """Isotope fractions [1]."""
    error: Float[Array, "*#point"] = eqx.field(converter=as_leaf)
    """Standard errors of the fractions [1]."""
    counts: AbstractFractions | None = None
    """Counts behind the fractions: where there are any, they are the data of a fit; the fractions are for the eye."""

    def __check_init__(self) -> None:
        """Each position has a fraction."""
        expect_as_long("an isotope profile", position=self.position, fraction=self.fraction)
        expect_numbers(self.position, FINITE, "position")
        if self.counts is None:
            Fractions(self.fraction, self.error)

    @classmethod
    def of_counts(
        cls,
        position: LeafLike,
        counted: LeafLike,
        other: LeafLike,
        *,
        background: tuple[LeafLike, LeafLike] = (0.0, 0.0),
        mass_bias: LeafLike = 1.0,
    ) -> "MeasuredProfile":
        """Make a profile of the counts of two isotopes, which a fit then takes at their own likelihood.

        Parameters
        ----------
        position
            Positions. [m]
        counted, other
            Counts of the isotope of which the fraction is wanted, and of the other one.
        background
            Expected background counts of both, of all points or of each.
        mass_bias
            Sensitivity for the first isotope over that for the other. [1]
        """
        counts = IsotopeCounts(counted, other, background, mass_bias)
        found = isotope_fraction(counts.counted, counts.other, background=counts.background, mass_bias=counts.mass_bias)
        return cls(position, found.value, found.error, counts)

    @property
    def data(self) -> AbstractFractions:
        """What a fit is made to."""
        return Fractions(self.fraction, self.error) if self.counts is None else self.counts

    def ends(self) -> tuple[Array, Array]:
        """Fractions at the first and at the last positions, to start a fit from; the mean of a tenth of the points."""
        order = jnp.argsort(self.position)
        count = 1 + len(self.position) // _SHARE_OF_AN_END
        first, last = (jnp.mean(self.fraction[part]) for part in (order[:count], order[-count:]))
        return self.inside(first), self.inside(last)

    def inside(self, fraction: Array) -> Array:
        """A fraction to start from, off the limits of what can be: at them a fit of counts has no slope."""
        low, high = self.data.limits
        margin = 1e-3 * (high - low) if np.isfinite(high - low) else 0.0
        return jnp.clip(fraction, low + margin, high - margin)
