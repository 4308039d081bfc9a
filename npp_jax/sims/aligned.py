"""The signals that are used on one axis, tested for whether they scatter as counted ions do."""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from npp_jax.sims.counting import signal_of_one
from npp_jax.sims.errors import fault
from npp_jax.sims.options import ImportOptions, scale_factor
from npp_jax.sims.raw import MINIMUM_POINTS, Channel, RawProfile
from npp_jax.sims.scatter import Scatter, causes, ceiling, dispersion_of, scatter_of
from npp_jax.sims.signal import SATURATED, Signal, counted_signal, interpolated
from npp_jax.text.errors import shorten
from npp_jax.text.titles import by_weight

_ROUNDED = 0.05
"""Share by which a counting time may be off: those of files are rounded."""


class Aligned(NamedTuple):
    """Signals on one axis."""

    axis: Float[np.ndarray, "point"]
    """Axis of the first channel, as far as all reach."""
    signals: list[Signal]
    saturated: Bool[np.ndarray, "signal point"]
    """Points at which the counter of a signal was at its ceiling."""


def usable(raw: RawProfile, channel: Channel) -> Channel:
    """A channel all of whose signals are numbers that are not negative, and no shares by weight."""
    if by_weight(f"{channel.name} {channel.unit}"):
        told = f"a share by weight or volume ({shorten(channel.unit)}), of which no factor makes ions; convert it"
        raise fault(raw.path, told, column=channel.name)
    for mask, what in ((~np.isfinite(channel.values), "no number"), (channel.values < 0.0, "a negative signal")):
        if np.any(mask):
            line = int(channel.lines[np.argmax(mask)])
            raise fault(raw.path, f"{what}; zero or a positive number was expected", line=line, column=channel.name)
    return channel


def aligned(channels: list[Channel], options: ImportOptions, bulk: tuple[float, float], warnings: list[str]) -> Aligned:
    """Bring channels to one axis and test their statistics.

    Parameters
    ----------
    channels
        What is used.
    options
        Choices.
    bulk
        Range of the bulk on the axis.
    warnings
        Takes what is odd.
    """
    first = channels[0].axis
    low, high = max(c.axis[0] for c in channels), min(c.axis[-1] for c in channels)
    axis = first[(first >= low) & (first <= high)]
    if len(axis) < MINIMUM_POINTS:
        raise ValueError(f"only {len(axis)} points where all channels overlap; at least {MINIMUM_POINTS} are needed")
    moved = [c.name for c in channels if not np.array_equal(np.intersect1d(c.axis, axis), axis)]
    if moved:
        what = f"{', '.join(moved)}: interpolated to the axis of {channels[0].name}"
        warnings.append(f"{what}; neighbouring points are then correlated")
    signals, saturated = [], []
    for channel in channels:
        counted = counted_signal(channel, options.dwell_s, options.as_counts)
        stuck = _saturated(channel, counted)
        warnings += _doubts(channel, counted, options)
        inside = (channel.axis >= bulk[0]) & (channel.axis <= bulk[1])
        tested = _tested(channel, counted, stuck, inside, options, warnings)
        signals.append(interpolated(tested, channel.axis, axis))
        saturated.append(np.interp(axis, channel.axis, stuck.astype(float)) > 0.0)
    return Aligned(axis, signals, np.stack(saturated))


def _saturated(channel: Channel, signal: Signal) -> np.ndarray:
    """Points at which the counter was at its ceiling."""
    top = ceiling(signal.ions, signal.dispersion) if signal.counted else None
    return np.zeros(len(channel.values), bool) if top is None else top


def _tested(
    channel: Channel,
    signal: Signal,
    saturated: np.ndarray,
    inside: np.ndarray,
    options: ImportOptions,
    warnings: list[str],
) -> Signal:
    """The signal with the dispersion that its scatter has, where that is not the one of counting."""
    free = ~saturated & (channel.values <= SATURATED * (channel.pulses or np.inf))
    if not signal.counted and channel.kind == "rate":
        # Ions were counted, though it is not known for how long: the variance goes with the signal.
        factor = dispersion_of(signal.ions)
        return signal if factor is None else Signal(signal.ions, np.full_like(signal.ions, factor), trusted=False)
    if not signal.counted or np.sum(free) < MINIMUM_POINTS:
        return signal
    found = scatter_of(signal.ions[free], signal.dispersion[free], inside[free], options.sigma_relative)
    if found is None or not found.odd:
        return signal
    said = _words(channel, signal, found, options)
    if found.counting:
        warnings.append(f"{said}: sigma is off by {np.sqrt(found.factor):.2g}")
        return signal
    if options.trust_counting:
        warnings.append(f"{said}; taken for counts as asked for")
        return signal
    if found.smooth and found.factor < 1.0:
        # As many points share each deviation: together they know what they would know by themselves.
        warnings.append(f"{said}; not taken for counts, though sigma stays that of counting")
        return dataclasses.replace(signal, trusted=False)
    warnings.append(f"{said}; not taken for counts: sigma is the scatter (trust_counting keeps the counts)")
    return dataclasses.replace(signal, dispersion=signal.dispersion * found.factor, trusted=False)


def _words(channel: Channel, signal: Signal, found: Scatter, options: ImportOptions) -> str:
    """How the signal scatters, and why that may be."""
    dwell = (options.dwell_s or channel.dwell) if channel.kind == "rate" else None
    why = causes(found, float(np.mean(signal.ions)), dwell)
    return f"{channel.name}: the variance is {found.factor:.2g} times that of counting, likely by {why}"


def _doubts(channel: Channel, signal: Signal, options: ImportOptions) -> list[str]:
    """What limits the counting statistics of a channel that is used."""
    found = []
    dwell = (options.dwell_s or channel.dwell) if channel.kind == "rate" else None
    rate = channel.kind == "rate"
    told = channel.pulses is None and (rate or signal.counted)
    one = signal_of_one(channel.written()) if told else None
    one = None if one is None else one * channel.converted
    each = 1.0 if one is None else one * float(np.max(signal.ions)) / float(np.max(channel.values))
    whole = f"all {'rates' if rate else 'counts'} are whole multiples of {one or 1.0:.4g}{' counts/s' if rate else ''}"
    if not signal.counted:
        as_of = f" (of {1.0 / one:.4g} s, if the unit is right: {whole})" if one else ""
        hint = f"; dwell_s would give them{as_of}" if rate else ""
        found.append(f"{channel.name}: no counting statistics{hint}; sigma is the scatter of neighbouring points")
    # With what the file says of its detector: the rates alone do not have it.
    elif abs(each - 1.0) > _ROUNDED and dwell:
        found.append(
            f"{channel.name}: {whole}, which is counting for {dwell / each:.4g} s a point (or a mean of "
            f"neighbours); {dwell:.4g} s make {each:.3g} times as many counts, and {each**-0.5:.3g} times the "
            "error of counting"
        )
    elif abs(each - 1.0) > _ROUNDED and not rate:
        found.append(
            f"{channel.name}: {whole}: were they multiplied, as rates are, or averaged? Then {1.0 / each:.3g} times "
            f"as many ions were counted, which have {each**0.5:.3g} times the error"
        )
    if channel.summed:
        found.append(
            f"{channel.name}: a sum of peaks, whose dead time is not known; near saturation sigma is too small"
        )
    if channel.pulses:
        high = int(np.sum(channel.values > SATURATED * channel.pulses))
        if high:
            found.append(
                f"{channel.name}: the counter is saturated at {high} points (over {SATURATED:g} ions a pulse), where "
                "its correction for the dead time leaves a large sigma"
            )
    return found


def check_dwell(raw: RawProfile, channels: list[Channel], options: ImportOptions) -> None:
    """Refuse a counting time that is longer than the time between two points."""
    step = float(np.median(np.diff(channels[0].axis)))
    if raw.axis == "time" and options.dwell_s and options.dwell_s > 1.05 * step:
        raise ValueError(f"dwell_s: {options.dwell_s:g}; the points are {step:.4g} s apart, and none is counted longer")


def left_out(
    channels: list[Channel],
    depth: np.ndarray,
    saturated: np.ndarray,
    bulk: tuple[float, float],
    options: ImportOptions,
    warnings: list[str],
) -> np.ndarray:
    """Points left out because a counter was at its ceiling; refused where the scale would be made of them.

    Parameters
    ----------
    channels
        Those of the species, and the matrix.
    depth
        Depths. [nm]
    saturated
        Points at which each channel was at its ceiling, shape [channel, point].
    bulk
        Depths of the bulk. [nm]
    options
        Choices.
    warnings
        Takes what is said of it.
    """
    out = np.zeros(len(depth), bool)
    methods = [options.normalise.get(name, "bulk") for name in options.species]
    for channel, stuck, method in zip(channels, saturated, [*methods, ""], strict=False):
        if not np.any(stuck):
            continue
        span = f"{int(np.sum(stuck))} points from {depth[stuck][0]:.4g} to {depth[stuck][-1]:.4g} nm"
        said = f"{channel.name}: the counter is saturated (at its ceiling) at {span}"
        harmless = scale_factor(method) is not None or (
            method == "bulk" and not np.any(stuck & (depth >= bulk[0]) & (depth <= bulk[1]))
        )
        if options.trust_counting or not method:
            warnings.append(f"{said}; they are kept")
        elif harmless:
            warnings.append(f"{said}; they are left out")
            out |= stuck
        else:
            hint = "give bulk_nm where it counts, or a factor" if method == "bulk" else "give a factor"
            raise ValueError(f"{said}, of which {method} would make the scale: {hint} (trust_counting keeps them)")
    return out
