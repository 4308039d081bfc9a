"""What a profile says of the untouched glass: shares of the ions in the bulk, and the number that stands for one."""

from typing import NamedTuple

import numpy as np

from npp_jax.commands.new.lines import parameter, rounded
from npp_jax.commands.new.measured import Measured
from npp_jax.fitting.first_guess import bulk_level

_LEAST = 0.02
"""Fraction of a foreign ion in the bulk that is more than a background."""
_OFF = 0.05
"""Difference of the sum of all fractions from one that is told of."""


class Glass(NamedTuple):
    """The glass before the exchange, as the end of a profile shows it."""

    foreign: float = 0.0
    """Share of the foreign ion in the bulk; the native ion has the others [1]."""
    scale: float = 1.0
    """Sum of the fractions in the bulk, where it should be one [1]."""
    told: tuple[str, ...] = ()
    """What was found, one sentence each."""


def glass_of(measured: Measured | None, native: str, foreign: str, *, shared: bool) -> Glass:
    """Look at the end of a profile.

    Parameters
    ----------
    measured
        The profile, if there is one.
    native, foreign
        The ions.
    shared
        Whether the glass may have the foreign ion too.
    """
    levels = {} if measured is None else _levels(measured)
    if measured is None or levels.get(native) is None or levels.get(foreign, 0.0) is None:
        return Glass()
    inside = levels.get(foreign, 0.0) if shared else 0.0
    assert inside is not None
    if inside < _LEAST:
        inside = 0.0
    total = float(levels[native] or 0.0) + inside
    told, share, scale = [], rounded(inside / total), 1.0
    if share:
        told.append(f"{foreign} is {inside:.3g} in the bulk: taken for a part of the glass (bulk_fraction {share:g})")
    if abs(total - 1.0) > _OFF:
        scale = rounded(total)
        ions = f"{native} and {foreign} are together" if share else f"{native} is"
        told.append(
            f"warning: {ions} {scale:g} in the bulk of the profile, where fractions n/N add up to 1: taken for the "
            "scale of the numbers, the parameter sensitivity; or does the glass have further ions that move?"
        )
    return Glass(share, scale, tuple(told))


def scale_parameter(measured: Measured, glass: Glass) -> list[str]:
    """[[parameters]] of the scale of a profile; none where it is one."""
    if glass.scale == 1.0:
        return []
    keys = [f"observation.{name}.sensitivity" for name in measured.profile.species]
    low, high = rounded(min(0.8 * glass.scale, 1.0)), rounded(max(1.2 * glass.scale, 1.0))
    note = f"Number that stands for fraction one: {glass.scale:g} in the bulk of the profile."
    return [parameter("sensitivity", keys, low, high, comment=note)]


def _levels(measured: Measured) -> dict[str, float | None]:
    """Fraction of each ion at the end of the profile; None where it is still changing."""
    profile = measured.profile
    used = np.asarray(profile.weight) > 0.0
    rows = zip(profile.species, np.asarray(profile.fraction), np.asarray(profile.sigma), used, strict=True)
    return {name: bulk_level(fraction[keep], sigma[keep]) for name, fraction, sigma, keep in rows}
