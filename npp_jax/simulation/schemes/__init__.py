"""Schemes: fluxes and equations of the two models, for a pair of ions and for any number."""

from npp_jax.simulation.schemes.mixture_full import MixtureFull
from npp_jax.simulation.schemes.mixture_neutral import MixtureNeutral
from npp_jax.simulation.schemes.pair_full import PairFull
from npp_jax.simulation.schemes.pair_neutral import PairNeutral
from npp_jax.simulation.schemes.scheme import AbstractMixtureScheme, AbstractScheme

PAIR: dict[str, AbstractScheme] = {"electroneutral": PairNeutral(), "full": PairFull()}
"""Schemes of one ion that replaces another, by model."""

MIXTURE: dict[str, AbstractMixtureScheme] = {"electroneutral": MixtureNeutral(), "full": MixtureFull()}
"""Schemes of any number of ions, by model."""

__all__ = [
    "MIXTURE",
    "PAIR",
    "AbstractMixtureScheme",
    "AbstractScheme",
    "MixtureFull",
    "MixtureNeutral",
    "PairFull",
    "PairNeutral",
]
