"""What looks wrong in fractions that were made of a file, each with the option that mends it."""

import math
import shlex
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float

from npp_jax.sims.options import ImportOptions
from npp_jax.sims.raw import Channel, RawProfile
from npp_jax.sims.table import GUESSED

_WINDOW = 5  # points over which a sum is looked at
_AROUND = 5  # such windows over which errors are averaged
_OFF = 0.02  # of one, by which a sum may be off beside its errors: what normalisation itself leaves
_SURFACE = 0.25  # of the points, within which a sum that is off is that of the surface
_FLOOR = 0.01  # fraction in the bulk above which an ion is part of the glass
_CERTAIN = 5.0  # standard deviations of a floor from none
_DRIFT, _OTHER = 0.01, 0.2  # change of a channel between which it may be a drift
_FLAT = 3.0  # standard deviations between its halves, within which it is no tail


def warnings_of(raw: RawProfile, chosen: set[str], *, as_counts: bool) -> list[str]:
    """Warnings of a file, less those of channels that are not used, and of units that are told.

    Parameters
    ----------
    raw
        The file.
    chosen
        Names of the channels that are used.
    as_counts
        Whether signals without a unit are said to be counts.
    """
    others = tuple(f"{name}: " for name in raw.names if name not in chosen)
    told = GUESSED if as_counts else ()
    return [line for line in raw.warnings if not line.startswith(others) and not line.endswith(told)]


def surface_of_sum(
    depth: Float[np.ndarray, "point"],
    fraction: Float[np.ndarray, "species point"],
    sigma: Float[np.ndarray, "species point"],
) -> str | None:
    """A surface at which the species do not add up to one, though deeper they do: it pulls the scale of the sum.

    Parameters
    ----------
    depth
        Depths that are kept. [nm]
    fraction, sigma
        Fractions there and their standard deviations.
    """
    kernel = np.full(_WINDOW, 1.0 / _WINDOW)
    total = np.convolve(fraction.sum(axis=0), kernel, "valid")
    error = np.sqrt(np.convolve((sigma**2).sum(axis=0), kernel, "valid") / _WINDOW)
    fine = np.abs(total - 1.0) <= 3.0 * error + _OFF
    first = int(np.argmax(fine))
    if first == 0 or first > _SURFACE * len(depth):
        return None
    # The scale moves as points are cut, and the sum with it: half a window more settles it.
    below = f"{math.floor(1e3 * depth[first + _WINDOW // 2]) / 1e3:g}"
    return (
        f"the fractions add up to {fraction[:, 0].sum():.2g} at {depth[0]:.4g} nm and to one from {below} nm on: the "
        f"surface pulls the scale of a sum, by more than its sigma says; --surface-nm {below} cuts it off"
    )


def floor_of_bulk(
    name: str,
    depth: Float[np.ndarray, "point"],
    fraction: Float[np.ndarray, "point"],
    sigma: Float[np.ndarray, "point"],
    inside: Bool[np.ndarray, "point"],
) -> str | None:
    """A low, flat signal of an ion throughout the bulk: no profile of ions that came in has it.

    Parameters
    ----------
    name
        The species.
    depth
        Depths that are kept. [nm]
    fraction, sigma
        Its fraction there and the standard deviation.
    inside
        Which of them are the bulk.
    """
    halves = np.array_split(np.flatnonzero(inside), 2)
    if len(halves[0]) < _WINDOW:
        return None
    (upper, upper_error), (lower, lower_error) = (
        (float(np.mean(fraction[part])), float(np.sqrt(np.sum(sigma[part] ** 2))) / len(part)) for part in halves
    )
    level, error = 0.5 * (upper + lower), 0.5 * float(np.hypot(upper_error, lower_error))
    if not _CERTAIN * error < level < _FLOOR or abs(upper - lower) > _FLAT * 2.0 * error:
        return None
    top, bottom = (f"{at:.4g}" for at in depth[inside][[0, -1]])
    return (
        f"{name}: {level:.2g} ± {error:.1g} throughout the bulk, {top} to {bottom} nm; if the glass holds none, that "
        f"is background, which no model follows: --background {name}={top}:{bottom} takes it off"
    )


def below_none(
    name: str,
    depth: Float[np.ndarray, "point"],
    fraction: Float[np.ndarray, "point"],
    sigma: Float[np.ndarray, "point"],
) -> str | None:
    """Fractions that are less than none: more background was taken off than there is.

    Parameters
    ----------
    name
        The species.
    depth
        Depths that are kept. [nm]
    fraction, sigma
        Its fraction there and the standard deviation.
    """
    if len(depth) < _WINDOW:
        return None
    # Of some points together, and the error of many: what counted little by chance has a small error, too.
    kernel, half = np.full(_WINDOW, 1.0 / _WINDOW), _AROUND * _WINDOW // 2
    mean = np.convolve(fraction, kernel, "valid")
    around = np.pad(sigma**2, half, mode="reflect" if len(sigma) > half else "edge")
    error = np.sqrt(np.convolve(around, np.full(2 * half + 1, 1.0 / (2 * half + 1)), "valid") / _WINDOW)
    error = error[_WINDOW // 2 : _WINDOW // 2 + len(mean)]
    lowest = int(np.argmin(mean))
    if mean[lowest] > -max(_CERTAIN * error[lowest], _OFF):
        return None
    return (
        f"{name}: the fraction is {mean[lowest]:.2g} about {depth[lowest + _WINDOW // 2]:.4g} nm, less than none: is "
        "the background right that was taken off, in ions a point or by depths at which there are no others?"
    )


def ranges_beyond(depth: Float[np.ndarray, "point"], options: ImportOptions) -> Iterator[str]:
    """Ranges of depths that go on where the file has ended.

    Parameters
    ----------
    depth
        All depths of the file. [nm]
    options
        What was chosen.
    """
    ranges = {"bulk_nm": options.bulk_nm, **{f"background of {k}": v for k, v in options.background.items()}}
    for name, given in ranges.items():
        if isinstance(given, tuple) and given[1] > depth[-1] + float(np.median(np.diff(depth))):
            yield f"{name}: {given[0]:g}:{given[1]:g} nm is cut at {depth[-1]:.4g} nm, where the points end"


def unused_options(raw: RawProfile, channels: list[Channel], options: ImportOptions) -> Iterator[str]:
    """A line for each option that was given and changes nothing, and for a counting time that differs from the file's.

    Parameters
    ----------
    raw
        File that is imported.
    channels
        Those of its channels that are used.
    options
        What was chosen.
    """
    charges = [field for field in ("charge_mC_cm2", "density_m3") if getattr(options, field) is not None]
    if charges and not {"uptake", "loss"} & set(options.normalise.values()):
        verb = "are" if len(charges) > 1 else "is"
        yield f"{' and '.join(charges)} {verb} not used: no species is normalised by uptake or loss"
    if options.duration_s is not None and raw.axis == "depth":
        yield "duration_s is not used: the file has depths"
    given = options.dwell_s
    if given is None:
        return
    rates = [channel for channel in channels if channel.kind == "rate"]
    if not rates:
        yield "dwell_s is not used: no signal is a rate"
    for channel in rates:
        if channel.dwell is not None and channel.dwell != given:
            taken = f"a counting time of {given:g} s is taken"
            yield f"{channel.name}: {taken}, in place of {channel.dwell:g} s of the file"


def unused_signals(
    raw: RawProfile, used: Sequence[Channel], kept: Float[np.ndarray, "point"]
) -> dict[str, Float[np.ndarray, "_"]]:
    """Signals of other channels of the same kind, over the part of their axis that is kept."""
    names = {channel.name for channel in used}
    others = [channel for channel in raw.channels if channel.name not in names and channel.kind == used[0].kind]
    return {c.name: np.asarray(c.values, float)[(c.axis >= kept[0]) & (c.axis <= kept[-1])] for c in others}


def drift_of_matrix(channels: dict[str, Float[np.ndarray, "_"]]) -> str | None:
    """A channel that is not used and drifts evenly, as one of the matrix does with the current of the instrument.

    Parameters
    ----------
    channels
        Counts at the depths that are kept, by channel.
    """
    found: list[tuple[float, str, float, float]] = []
    for name, counts in channels.items():
        upper, lower = np.array_split(counts, 2)
        if len(lower) < _WINDOW or not np.all(np.isfinite(counts)) or min(np.median(upper), np.median(lower)) <= 0.0:
            continue
        # Medians: the surface is no drift.
        change = float(np.median(lower) / np.median(upper) - 1.0)
        error = float(np.hypot(_error(upper) / np.median(upper), _error(lower) / np.median(lower)))
        if _CERTAIN * error < abs(change) and _DRIFT < abs(change) < _OTHER:
            found.append((float(counts.sum()), name, change, error))
    if not found:
        return None
    _, name, change, error = max(found)
    return (
        f"{name} {'rises' if change > 0.0 else 'falls'} by {abs(change):.1%} ± {error:.1%} from the upper to the lower "
        f"half: if the glass holds it evenly, all signals drift; --reference {shlex.quote(name)} divides that out"
    )


def _error(counts: Float[np.ndarray, "point"]) -> float:
    """Standard error of a median, by the scatter or by counting, whichever is larger."""
    middle = np.median(counts)
    scatter = 1.4826 * np.median(np.abs(counts - middle))
    return float(math.sqrt(0.5 * math.pi / len(counts)) * max(scatter, math.sqrt(middle)))


def doubts(
    depth: Float[np.ndarray, "point"],
    fractions: dict[str, tuple[Float[np.ndarray, "point"], Float[np.ndarray, "point"]]],
    inside: Bool[np.ndarray, "point"],
    *,
    summed: bool,
    floors: Sequence[str],
    unused: dict[str, Float[np.ndarray, "_"]],
) -> list[str]:
    """All that looks wrong.

    Parameters
    ----------
    depth
        Depths that are kept. [nm]
    fractions
        Fraction and standard deviation of each species there.
    inside
        Which of them are the bulk.
    summed
        Whether a scale is that of a sum of all species.
    floors
        Species that are not scaled by their bulk, and of which no background was taken off.
    unused
        Counts of other channels, where no reference was divided out.
    """
    fraction, sigma = (np.stack(rows) for rows in zip(*fractions.values(), strict=True))
    found = [surface_of_sum(depth, fraction, sigma)] if summed else []
    found += [floor_of_bulk(name, depth, *fractions[name], inside) for name in floors]
    found += [below_none(name, depth, *row) for name, row in fractions.items()]
    found += [drift_of_matrix(unused)]
    return [line for line in found if line is not None]
