"""Mobile species: name, charge number, bulk fraction and diffusivity law."""

from typing import Literal

import equinox as eqx
from jaxtyping import Array, Float

from npp_jax.physics.checks import expect, expect_word
from npp_jax.physics.diffusivity import AbstractDiffusivity
from npp_jax.physics.leaf import as_leaf

Back = Literal["releasing", "blocking"]


class Species(eqx.Module):
    """A mobile ion.

    The fractions that the diffusivity law sees are n/n_bulk for an ion present in the bulk (the native ion) and
    n/N for a foreign ion, its own or that of the ion `fraction_of`.
    """

    name: str = eqx.field(static=True)
    """Symbol, unique in the experiment."""
    diffusivity: AbstractDiffusivity
    """Diffusivity law."""
    bulk_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """Share of the mobile ions in the untouched sample, n_bulk/N [1]."""
    charge: int = eqx.field(static=True, default=1)
    """Charge number z."""
    back: Back = eqx.field(static=True, default="releasing")
    """Whether the back electrode takes up and releases this ion, or passes none of it and lets it pile up."""
    fraction_of: str | None = eqx.field(static=True, default=None)
    """Ion whose fraction the law takes; None for its own."""

    def __check_init__(self) -> None:
        """The law is a law, the charge number a whole one, and the back electrode is known."""
        expect(self.name, str, "the name of an ion")
        expect_word(self.back, Back, f"back of '{self.name}'")
        if isinstance(self.charge, bool) or not isinstance(self.charge, int) or self.charge < 1:
            raise ValueError(f"the charge of '{self.name}' must be a whole number of 1 or more, got {self.charge!r}")
        expect(
            self.diffusivity,
            AbstractDiffusivity,
            f"the diffusivity of '{self.name}'",
            "a constant one is ConstantDiffusivity(D)",
        )
