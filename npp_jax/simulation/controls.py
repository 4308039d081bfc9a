"""Numerical settings."""

from dataclasses import dataclass, replace

from npp_jax.constants import NM
from npp_jax.physics.checks import expect


@dataclass(frozen=True)
class Controls:
    """Numerical settings; all static, so that one compilation serves every candidate."""

    cells_behind: int = 160
    """Cells between the surface and the front."""
    cells_ahead: int = 50
    """Cells ahead of the front."""
    steps: int = 24
    """Time steps of a stage up to its first output; later outputs take their share."""
    iterations: int = 20
    """Cap on the Newton iterations of a stage of a step, the last one apart, and one that is added where the current is
    not predicted."""
    extra_iterations: tuple[int, ...] = (12, 3)
    """Further iterations in the first steps, which start far from the solution."""
    robust: bool = False
    """Whether mixtures are solved for convergence before accuracy, for what ends `NOT_CONVERGED` otherwise: fluxes
    upwinded in full, and laws of D held as long as an iteration is far from the solution."""
    guarded: bool = False
    """Whether corrections are halved until the residual falls, for an iteration that goes round in circles: about one
    and a half times the time."""
    tolerance: float = 1e-9
    """Change of the native fraction below which the iteration stops."""
    landings: int = 3
    """Repetitions of the last step before an output time, where the charge is not known beforehand."""
    start_share: float = 0.003
    """Share of the charge (or time) of the first output taken by the first step."""
    trace: bool = True
    """Keep the history over the steps; otherwise the trace holds the outputs alone."""
    companion: bool = True
    """Make a second, coarser run for the error estimate."""
    observables: bool = True
    """Read the front off the profiles; otherwise its depth, width, plateau and leading edge are NaN. The error estimate
    needs them."""
    profile_target: float = 2e-3
    """Root mean square error of the profiles that a run may have (fraction of the bulk)."""
    front_target: tuple[float, float] = (0.25 * NM, 2.5e-3)
    """Error of the front depth that a run may have, the larger of a length [m] and a share of the depth."""


def expect_controls(controls: object) -> None:
    """Refuse what is none, such as the name of a setting.

    Raises
    ------
    TypeError
        In one line.
    """
    expect(
        controls, Controls, "what is told of mesh and steps", "npp.FAST and npp.ACCURATE are two", placeholders=False
    )


def coarser(controls: Controls) -> Controls:
    """Settings of the companion run: half the cells, 0.6 of the steps."""
    return replace(
        controls,
        cells_behind=controls.cells_behind // 2,
        cells_ahead=controls.cells_ahead // 2,
        steps=max(4, round(0.6 * controls.steps)),
        trace=False,
    )


def refined(controls: Controls, level: int = 1) -> Controls:
    """Settings of a run that is to be more accurate: twice the cells and steps for each level, and more iterations."""
    return replace(
        controls,
        cells_behind=controls.cells_behind * 2**level,
        cells_ahead=controls.cells_ahead * 2**level,
        steps=controls.steps * 2**level,
        iterations=controls.iterations * (1 + level**2),
    )
