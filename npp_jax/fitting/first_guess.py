"""What a measured profile says at first sight: place, width and foot of its front, the charge, D of the foreign ion."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax.constants import BOLTZMANN_EV, ELEMENTARY_CHARGE, NM, VACUUM_PERMITTIVITY
from npp_jax.observe import DepthProfile
from npp_jax.physics import AbstractDiffusivity
from npp_jax.physics.front_theory import front_theory
from npp_jax.physics.front_wave import front_width

_LEVELS = (0.16, 0.84)
"""Shares of the step from the foot to the bulk between which the width of a front is taken."""
_NEIGHBOURS = 5
"""Points of the running median that keeps single counts from looking like a front."""
_FEWEST = 3
"""Points of which a level is the median."""
_CHANGED, _CERTAIN = 0.01, 3.0
"""Relative change, and change over its standard deviation, that is none."""
LEAST_FOOT = 0.003
"""Least fraction at the foot that is taken from a profile; less is noise."""
_ALIKE = 0.05
"""How far fraction/sigma² of a point may be from that of the others where standard deviations are those of counts."""


class SeenFront(NamedTuple):
    """A front as it is seen in a profile."""

    depth: float
    """Where the native fraction is half way from the foot to the bulk. [m]"""
    width: float
    """Distance between 16 and 84 % of that way. [m]"""
    foot: float
    """Native fraction behind the front. [1]"""
    replaced: float
    """Area above the native profile: the depth that complete replacement would reach. [m]"""
    reached: bool
    """Whether the profile ends in the bulk, clearly beyond the front."""


def native_fraction(profile: DepthProfile, native: str, foreign: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Depths [nm] of the points that are used, and native fractions; those left by the foreign ion if it alone is seen.

    Raises
    ------
    ValueError
        Neither ion was measured.
    """
    for name in (native, foreign):
        if name is not None and name in profile.species:
            row = profile.species.index(name)
            used = np.asarray(profile.weight)[row] > 0.0
            seen = np.asarray(profile.fraction)[row][used]
            return np.asarray(profile.depth)[used], seen if name == native else 1.0 - seen
    raise ValueError(f"the profile has {', '.join(profile.species)}, and neither {native} nor {foreign}")


def see_front(depth_nm: Float[np.ndarray, " point"], fraction: Float[np.ndarray, " point"]) -> SeenFront | None:
    """Find the front in a profile of the native ion; None where there is no step.

    Parameters
    ----------
    depth_nm, fraction
        Depths [nm] and native fractions n/N [1].
    """
    tenth = -(-len(fraction) // 10)
    bulk = float(np.median(fraction[-tenth:]))
    if not bulk > 0.0:
        return None
    u = _smooth(fraction / bulk)
    half = 0.5 * (float(u.min()) + 1.0)
    if half > 0.9:
        return None
    middle = _crossing(depth_nm, u, half)
    behind = u[(depth_nm > 0.6 * middle) & (depth_nm < 0.9 * middle)]
    foot = float(np.median(behind)) if len(behind) else float(u.min())
    low, middle, high = (_crossing(depth_nm, u, foot + share * (1.0 - foot)) for share in (0.16, 0.5, 0.84))
    missing = 1.0 - fraction / bulk
    area = depth_nm[0] * missing[0] + np.sum(0.5 * (missing[1:] + missing[:-1]) * np.diff(depth_nm))
    reached = float(depth_nm[-1]) > high + 2.0 * (high - low)
    return SeenFront(
        middle * NM, max(high - low, 0.0) * NM, float(np.clip(foot, LEAST_FOOT, 0.9)), float(area) * NM, reached
    )


def bulk_level(fraction: Float[np.ndarray, " point"], sigma: Float[np.ndarray, " point"]) -> float | None:
    """Fraction in the bulk, the median of the last tenth of a profile; None where the tenth before has another.

    Parameters
    ----------
    fraction, sigma
        Fractions and their standard deviations [1].
    """
    tenth = max(-(-len(fraction) // 10), _FEWEST)
    if len(fraction) < 3 * tenth:
        return None
    last, before = (float(np.median(part)) for part in (fraction[-tenth:], fraction[-2 * tenth : -tenth]))
    # The median of n values has the variance π/2n of theirs.
    noise = float(np.median(sigma[-2 * tenth :])) * np.sqrt(np.pi / tenth)
    return last if abs(last - before) < max(_CHANGED * abs(last), _CERTAIN * noise) else None


def charge_of(front: SeenFront, density: float, charge_number: int = 1) -> float:
    """Charge that was passed, q = z e N ∫(1 - u) dx: every foreign charge took the place of a native one.

    Parameters
    ----------
    front
        As seen in a profile.
    density
        Density of the native ion in the bulk. [1/m³]
    charge_number
        Its charge number.

    Returns
    -------
    Charge per area. [C/m²]
    """
    return charge_number * ELEMENTARY_CHARGE * density * front.replaced


def foreign_diffusivity(native: AbstractDiffusivity, foot: float, temperature: float) -> float:
    """D of the foreign ion that puts the foot of the front at a native fraction: d(u D₁)/du there.

    The foot is the composition of least conductivity (Welge's tangent, `npp_jax.physics.front_theory`).

    Parameters
    ----------
    native
        Law of the native ion.
    foot
        Native fraction behind the front. [1]
    temperature
        Temperature. [K]

    Returns
    -------
    Diffusion coefficient. [m²/s]
    """
    law = native.at(jnp.asarray(temperature))
    return float(jax.grad(lambda u: u * law(u))(jnp.asarray(foot)))


def expected_width(
    native: AbstractDiffusivity, foreign: float, temperature: float, *, potential: float, depth: float, thickness: float
) -> float:
    """Width of the travelling front between 16 and 84 % where it is driven by a potential.

    The current as a speed is v₀ = [eU/kT - Δφ]/(R_ramp x_f/v_s + (L - x_f)/D₁(1)), and w v₀ is that of
    `npp_jax.physics.front_wave.front_width`.

    Parameters
    ----------
    native, foreign
        Law of the native ion, and D of the foreign one [m²/s].
    temperature
        Temperature. [K]
    potential
        Potential across the sample. [V]
    depth, thickness
        Depth of the front, and thickness of the sample. [m]

    Returns
    -------
    Width. [m]
    """
    law, one = native.at(jnp.asarray(temperature)), jnp.asarray(1.0)
    constant = lambda u: jnp.full_like(u, foreign)  # noqa: E731
    theory = front_theory(law, constant, one)
    reach = depth / theory.speed
    resistance = theory.ramp_resistance * reach + max(thickness - depth, 0.0) / law(one[None])[0]
    speed = (potential / (BOLTZMANN_EV * temperature) - theory.step_potential) / resistance
    width = front_width(theory, law, constant, lower=_LEVELS[0], upper=_LEVELS[1]) / speed
    return float(width) if float(speed) > 0.0 else float("inf")


def density_of_depletion(depth: float, potential: float, permittivity: float) -> float:
    """Density of ions that leave a layer of space charge of a depth behind: N = 2 ε₀ ε_r U/(e d²).

    One ion that leaves, none that enters, constant space charge (Schottky's depletion layer).

    Parameters
    ----------
    depth
        Depth of the layer. [m]
    potential
        Potential across it. [V]
    permittivity
        Relative permittivity. [1]

    Returns
    -------
    Density. [1/m³]
    """
    return 2.0 * VACUUM_PERMITTIVITY * permittivity * potential / (ELEMENTARY_CHARGE * depth**2)


def counts_at_one(profile: DepthProfile) -> float | None:
    """Counts at fraction one, where the standard deviations of a table are those of counts: σ² = fraction/counts."""
    fraction, sigma = np.asarray(profile.fraction), np.asarray(profile.sigma)
    used = (np.asarray(profile.weight) > 0.0) & (fraction > 0.0)
    if used.sum() < 3:
        return None
    found = fraction[used] / sigma[used] ** 2
    middle = float(np.median(found))
    alike = np.abs(found / middle - 1.0) < _ALIKE
    return float(f"{middle:.4g}") if alike.mean() > 0.9 and np.all(fraction >= 0.0) else None


def _smooth(u: np.ndarray) -> np.ndarray:
    """Running median; the ends repeat."""
    half = min(_NEIGHBOURS, len(u)) // 2
    padded = np.pad(u, half, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)


def _crossing(depth: np.ndarray, u: np.ndarray, level: float) -> float:
    """Place at which a profile rises through a level: the one, the deepest of several, with the fewest points on its
    wrong sides. The last point below the level may be one of a noisy bulk.
    """
    below = u < level
    if not below.any():
        return float(depth[0])
    wrong = np.cumsum(~below)[:-1] + np.cumsum(below[::-1])[::-1][1:]
    k = len(wrong) - 1 - int(np.argmin(wrong[::-1]))
    rise = u[k + 1] - u[k]
    share = 0.5 if rise <= 0.0 else float(np.clip((level - u[k]) / rise, 0.0, 1.0))
    return float(depth[k] + share * (depth[k + 1] - depth[k]))
