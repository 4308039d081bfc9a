"""The sample: a slab between the bombarded surface x = 0 and the grounded back electrode x = d."""

import equinox as eqx
from jaxtyping import Array, ArrayLike, Float

from npp_jax.physics.leaf import as_leaf


def _leaf_or_none(value: ArrayLike | None) -> Array | None:
    return None if value is None else as_leaf(value)


class Sample(eqx.Module):
    """Geometry and bulk properties of the sample."""

    thickness: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Thickness d [m]."""
    permittivity: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Relative permittivity ε_r [1]."""
    bulk_density: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Total number density N of mobile ions in the untouched sample [1/m³]."""
    hop_length: Float[Array, "*#batch"] | None = eqx.field(converter=_leaf_or_none, default=None)
    """Distance a of a hop, by which strong fields E speed the drift up, sinh(x)/x with x = z e a E/(2kT) [m]. None for
    a drift in proportion to the field."""
    cross_coefficient: Float[Array, "*#batch"] | None = eqx.field(converter=_leaf_or_none, default=None)
    """λ of the Onsager coefficients between ions i and j, L_ij = λ L_i L_j/Σ L, between -1 and 1 [1]. None for none."""
