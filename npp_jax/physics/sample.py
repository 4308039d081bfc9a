"""The sample: a slab between the bombarded surface x = 0 and the grounded back electrode x = d."""

import equinox as eqx
from jaxtyping import Array, Float

from npp_jax.physics.leaf import as_leaf


class Sample(eqx.Module):
    """Geometry and bulk properties of the sample."""

    thickness: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Thickness d [m]."""
    permittivity: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Relative permittivity ε_r [1]."""
    bulk_density: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Total number density N of mobile ions in the untouched sample [1/m³]."""
