"""Sputter time to depth by the depth of the crater."""

import numpy as np
from jaxtyping import Float

from npp_jax.sims.options import ImportOptions
from npp_jax.sims.raw import RawProfile

_LATE = 5e-3
"""Share of the crater that a point is, below which it matters less than the depth of the crater is known."""


def depth_of_time(
    time: Float[np.ndarray, "point"],
    crater_depth: float,
    duration: float,
    relative_rate: Float[np.ndarray, "point"] | None = None,
) -> Float[np.ndarray, "point"]:
    """Depth z(t) = Z ∫₀ᵗ v dt′ / ∫₀ᵀ v dt′, linear in time where the sputter rate v is constant.

    Parameters
    ----------
    time
        Sputter time, increasing. [s]
    crater_depth
        Depth Z of the crater after the duration T. [nm]
    duration
        Sputter time T of the crater. [s]
    relative_rate
        Sputter rate at each time, in any unit; constant before the first and behind the last.

    Returns
    -------
    Depth at each time. [nm]
    """
    if relative_rate is None:
        return crater_depth * time / duration
    edges = np.concatenate([[0.0], time, [max(duration, time[-1])]])
    rate = np.concatenate([relative_rate[:1], relative_rate, relative_rate[-1:]])
    depth = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(edges))])
    return crater_depth * depth[1:-1] / np.interp(duration, edges, depth)


def mixed_rate(
    fraction: Float[np.ndarray, "species point"], rates: Float[np.ndarray, "species"]
) -> Float[np.ndarray, "point"]:
    """Sputter rate v = Σ fᵢ vᵢ / Σ fᵢ of a composition between those of the pure exchanged glasses.

    Parameters
    ----------
    fraction
        Fractions of the species; noise below zero counts as zero.
    rates
        Sputter rates of the glass with one species only, in any unit.
    """
    share = np.maximum(fraction, 0.0)
    total = share.sum(axis=0)
    mixed = np.where(total > 0.0, rates @ share / np.where(total > 0.0, total, 1.0), rates.mean())
    return mixed


def end_of_crater(raw: RawProfile, options: ImportOptions, last: float, warnings: list[str]) -> tuple[float, float]:
    """End of the axis at the bottom of the crater, in its unit, and depth there [nm].

    Parameters
    ----------
    raw
        File that is imported.
    options
        What was chosen.
    last
        Last point of all channels, in the unit of the axis.
    warnings
        Takes what is odd.

    Raises
    ------
    ValueError
        The choices do not fit the file.
    """
    given = options.crater_depth_nm
    if raw.axis == "depth":
        by_rate = raw.sputter_rate * raw.duration if raw.sputter_rate and raw.duration else None
        if given is not None and by_rate is None:
            raise ValueError("the file has depths but tells of no crater: leave the crater depth out")
        if given is not None and by_rate is not None:
            warnings.append(f"depths of the file (crater {by_rate:.5g} nm) were scaled to a crater of {given:.5g} nm")
        bottom = by_rate or last
        return bottom, given if given is not None else bottom
    if given is None:
        what = "sputter times" if raw.axis == "time" else "cycles"
        raise ValueError(f"the file has {what}, no depths: give the crater depth")
    duration = options.duration_s or raw.duration or last
    if duration < last:
        raise ValueError(f"the duration {duration:g} ends before the last point at {last:g}")
    step = float(np.median(np.diff(raw.channels[0].axis)))
    begins = min(float(channel.axis[0]) for channel in raw.channels) == 0.0
    if begins and duration == last and options.duration_s is None and step > _LATE * last:
        warnings.append(
            f"the first point is at 0: if points are stamped as they begin, the crater ended one after the last, at "
            f"{last + step:g}, and all depths are {step / last:.1%} too large; --duration-s {last + step:g} then"
        )
    if raw.axis == "time" and not 1e-3 <= given / duration <= 30.0:
        warnings.append(f"sputter rate {given / duration:.3g} nm/s: are the units right (factor 1000)?")
    return duration, given
