"""Synthetic measurements: a predicted signal with the noise of counting."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from npp_jax.observe.profile import DepthProfile


def measure(
    key: PRNGKeyArray | None,
    signal: Float[Array, "species depth"],
    counts_per_fraction: Float[Array, "species"],
    *,
    depth: Float[Array, "depth"],
    species: Sequence[str],
) -> DepthProfile:
    """Count a signal once: Poisson counts, and the fractions and uncertainties that follow from them.

    Parameters
    ----------
    key
        Random key; None for the expected counts themselves, without noise.
    signal
        Expected signal in fractions of the bulk signal of the native ion. Below zero nothing is counted.
    counts_per_fraction
        Expected counts at fraction one.
    depth
        Depths of the points as measured. [nm]
    species
        Names of the species.

    Returns
    -------
    DepthProfile
        Fractions k/K with the standard deviation √max(k, 1)/K, k the counts and K those at fraction one.
    """
    exposure = counts_per_fraction[:, None]
    expected = jnp.maximum(exposure * signal, 0.0)
    counts = expected if key is None else jax.random.poisson(key, expected).astype(signal.dtype)
    sigma = jnp.sqrt(jnp.maximum(counts, 1.0)) / exposure
    return DepthProfile(depth, species, counts / exposure, sigma, counts, counts_per_fraction)
