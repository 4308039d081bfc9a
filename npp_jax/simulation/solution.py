"""What a simulation returns: profiles at the output points, a trace over the steps, and a report."""

from typing import TYPE_CHECKING, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from npp_jax.simulation import describe
from npp_jax.simulation.observables import interpolate_profile

if TYPE_CHECKING:
    import xarray

Model = Literal["electroneutral", "full"]


class Trace(eqx.Module):
    """History over the steps of all stages, in order; the first entry is the first step's end."""

    time: Float[Array, "step *batch"]
    """Time from the start of the protocol [s]."""
    charge: Float[Array, "step *batch"]
    """Charge per area passed since the start of the protocol [C/m²]."""
    current_density: Float[Array, "step *batch"]
    """Current density [A/m²]."""
    surface_potential: Float[Array, "step *batch"]
    """Potential of the surface against the back electrode [V]."""
    front_depth: Float[Array, "step *batch"]
    """Depth of the front of the native ion [m]."""
    start: Float[Array, "step *batch"]
    """Time at which the stage of the step began, or the part of it where its drive jumps or pauses [s]."""


class Report(eqx.Module):
    """What info on the way: cost, errors, balances, status."""

    steps: int = eqx.field(static=True)
    """Time steps taken."""
    cells: int = eqx.field(static=True)
    """Finite volumes."""
    iterations: Int[Array, "*batch"]
    """Newton iterations in all."""
    newton_update: Float[Array, "*batch"]
    """Largest change in the last Newton iteration of a step, times the share of the charge (or time) of the stage that
    has passed by then (fraction of the bulk)."""
    profile_error: Float[Array, "output *batch"]
    """Estimated root mean square error of the profiles (fraction of the bulk); NaN where no companion run was made."""
    front_error: Float[Array, "output *batch"]
    """Estimated error of the front depth [m]; NaN where no companion run was made."""
    ion_balance: Float[Array, "*batch"]
    """Largest modulus of (foreign ions taken up - charge passed) / charge passed."""
    time_error: Float[Array, "*batch"]
    """Largest relative distance of a reached output time from the requested one."""
    excess_charge: Float[Array, "*batch"]
    """Excess charge of largest modulus, fraction of the bulk density, with its sign."""
    status: Int[Array, "*batch"]
    """A `Status`."""


class Solution(eqx.Module):
    """Result of a simulation.

    Profiles are given at points: the surface, the centre of every cell, the back electrode. Trailing batch axes,
    if the experiment had any, are the last axes of every array.
    """

    species: tuple[str, ...] = eqx.field(static=True)
    """Names of the mobile ions, in the order of the axis `species`."""
    model: str = eqx.field(static=True)
    """`electroneutral` or `full`."""
    time: Float[Array, "output *batch"]
    """Time from the start of the protocol [s]."""
    charge: Float[Array, "output *batch"]
    """Charge per area passed since the start of the protocol [C/m²]."""
    current_density: Float[Array, "output *batch"]
    """Current density [A/m²]."""
    surface_potential: Float[Array, "output *batch"]
    """Potential of the surface [V]."""
    depth: Float[Array, "output point *batch"]
    """Depth of the points, from 0 to the thickness [m]."""
    faces: Float[Array, "output face *batch"]
    """Boundaries of the cells, from the surface on; the fractions at the centres are averages over the cells [m]."""
    fraction: Float[Array, "output species point *batch"]
    """Fractions n_i/N."""
    potential: Float[Array, "output point *batch"]
    """Electric potential φ [V]."""
    field: Float[Array, "output point *batch"]
    """Electric field -dφ/dx [V/m]."""
    excess_charge: Float[Array, "output point *batch"]
    """Excess charge (Σ z_i n_i + ρ_bg)/N."""
    front_depth: Float[Array, "output *batch"]
    """Depth of the front of the native ion [m]."""
    front_width: Float[Array, "output *batch"]
    """Distance between 16 and 84 % of the step of the native ion [m]."""
    plateau: Float[Array, "output *batch"]
    """Native fraction at half the half-value depth."""
    leading_edge: Float[Array, "output *batch"]
    """Deepest depth with half of the foreign ion's maximum [m]."""
    trace: Trace
    """History over the steps."""
    report: Report
    """Cost, errors, balances, status."""

    def profile(self, depth: Float[ArrayLike, " depth"], output: int = -1) -> Float[Array, "species depth *batch"]:
        """Fractions of all species at the given depths [m], by cubic interpolation.

        Parameters
        ----------
        depth
            Depths, shape [depth] or `[depth, *batch]`. [m]
        output
            Index of the output point.
        """
        return interpolate_profile(jnp.asarray(depth), self.depth[output], self.fraction[output])

    def summary(self) -> str:
        """A table of the outputs, what the run cost, and its status in words; of a batch the ranges."""
        return describe.table(self).text() if describe.is_concrete(self) else repr(self)

    def to_xarray(self) -> "xarray.Dataset":
        """All arrays with named axes (output, species, point, face, step, candidate), units and descriptions.

        Trace and report have the prefixes `trace_` and `report_`. The axis of a batch is `candidate`, those of several
        `candidate_0`, `candidate_1`, …; they are last. Needs xarray, of the extra `xarray`.
        """
        return describe.dataset(self)

    def _repr_html_(self) -> str | None:
        return describe.table(self).html() if describe.is_concrete(self) else None

    def __repr__(self) -> str:
        # Traced arrays have no values to tell of.
        return describe.line(self) if describe.is_concrete(self) else eqx.tree_pformat(self)
