"""A raw profile to fractions of the bulk against depth; every step keeps the counting statistics."""

import dataclasses
import math

import numpy as np

from npp_jax.sims.aligned import aligned, check_dwell, left_out, usable
from npp_jax.sims.depth import depth_of_time, end_of_crater, mixed_rate
from npp_jax.sims.doubts import doubts, ranges_beyond, unused_options, unused_signals, warnings_of
from npp_jax.sims.errors import SimsFileError, fault
from npp_jax.sims.normalise import (
    bulk_scale,
    depth_range,
    exchanged_depth,
    loss_scale,
    mean_level,
    sum_scales,
    uptake_scale,
)
from npp_jax.sims.options import ImportOptions, bulk_range, check_options, scale_factor
from npp_jax.sims.profile import SimsProfile
from npp_jax.sims.raw import MINIMUM_POINTS, RawProfile
from npp_jax.sims.signal import Signal

_SWEEPS = 50
_SETTLED_NM = 1e-6
_MATRIX = 0.25
"""Variance from the matrix signal over that of a species above which the quotient has no Poisson distribution."""


def convert(raw: RawProfile, options: ImportOptions) -> SimsProfile:
    """Fractions of the bulk against depth.

    Parameters
    ----------
    raw
        File as read.
    options
        Choices.

    Raises
    ------
    SimsFileError
        The choices do not fit one another or the file.
    """
    try:
        odd = check_options(options)
    except ValueError as error:
        raise fault(raw.path, str(error)) from None
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            return _converted(raw, options, odd)
    except SimsFileError:
        raise
    except FloatingPointError as error:
        raise fault(raw.path, f"the numbers are too large or too small ({error})") from None
    except ValueError as error:
        # What was odd in reading may be the cause.
        read = warnings_of(raw, set(options.species.values()), as_counts=options.as_counts)
        raise fault(raw.path, "; ".join([str(error), *read])) from None


def _converted(raw: RawProfile, options: ImportOptions, odd: tuple[str, ...]) -> SimsProfile:
    names = tuple(options.species)
    channels = [usable(raw, raw.channel(options.species[name])) for name in names]
    reference = usable(raw, raw.channel(options.reference)) if options.reference else None
    everything = [*channels, *([reference] if reference else [])]
    warnings = [*warnings_of(raw, {channel.name for channel in everything}, as_counts=options.as_counts), *odd]
    warnings += unused_options(raw, everything, options)
    check_dwell(raw, everything, options)
    duration, crater = end_of_crater(raw, options, float(max(c.axis[-1] for c in raw.channels)), warnings)
    rough = channels[0].axis * crater / duration
    bulk = bulk_range(rough[_kept(rough, options)], options)
    axis, signals, saturated = aligned(
        everything, options, (bulk[0] * duration / crater, bulk[1] * duration / crater), warnings
    )

    matrix = signals.pop() if reference else None
    depth = depth_of_time(axis, crater, duration)
    free = ~left_out(everything, depth, saturated & _kept(depth, options), bulk, options, warnings)
    scaled = _scaled(depth, names, signals, matrix, options, free)
    if options.sputter_rates:
        rates = np.array([options.sputter_rates[name] for name in names])
        for _ in range(_SWEEPS):
            before, rate = depth, mixed_rate(scaled.fraction, rates)
            depth = depth_of_time(axis, crater, duration, rate)
            scaled = _scaled(depth, names, signals, matrix, options, free)
            if np.max(np.abs(depth - before)) < _SETTLED_NM:
                break
        else:
            warnings.append("depths and composition do not settle: a range of depths holds one point more or less")
    keep = _kept(depth, options, free)
    largest = float(np.max(scaled.fraction[:, keep]))
    if largest > 1.5:
        warnings.append(f"the largest fraction is {largest:.3g}: do bulk range, matrix and background fit?")
    for name, counted, left in zip(
        names,
        np.any(np.isfinite(scaled.counts), axis=1),
        np.all(np.isnan(scaled.counts_per_fraction), axis=1),
        strict=True,
    ):
        # What does not scatter as counts do by itself has been told where it was read.
        if reference and counted and left and not options.close_sum:
            warnings.append(
                f"{name}: no Poisson counts but sigma: divided by {reference.name} it has the noise of that too, which "
                "is not small beside its own; a stronger matrix signal, or none, keeps counts"
            )
    methods = {name: options.normalise.get(name, "bulk") for name in names}
    warnings += doubts(
        depth[keep],
        {name: (scaled.fraction[k, keep], scaled.sigma[k, keep]) for k, name in enumerate(names)},
        depth_range(depth[keep], *bulk_range(depth[keep], options)),
        summed="sum" in methods.values() and not options.close_sum,
        floors=[name for name in names if methods[name] != "bulk" and name not in options.background],
        unused={} if reference else unused_signals(raw, channels, depth[keep] * duration / crater),
    )
    warnings += ranges_beyond(depth, options)
    if raw.axis != "depth" and not options.crater_sigma_nm:
        warnings.append("the depth scale is taken as exact; --crater-sigma-nm tells a fit how well the crater is known")
    certain = np.any(scaled.sigma[:, keep] <= 0.0, axis=1)
    if np.any(certain):
        raise ValueError(
            f"{names[int(np.argmax(certain))]}: sigma is zero where neither counts nor scatter tell it, as where all "
            "points are 0: leave such depths out (--deepest-nm), or give a table of fractions with their sigma"
        )
    fields = {f.name: getattr(scaled, f.name) for f in dataclasses.fields(scaled)}
    return SimsProfile(
        depth_nm=depth[keep],
        species=names,
        **{name: values[:, keep] if values.ndim == 2 else values for name, values in fields.items()},
        depth_sigma=options.crater_sigma_nm / crater,
        source=raw.path,
        sha256=raw.sha256,
        format=raw.format,
        options=options,
        warnings=tuple(warnings),
        metadata=raw.metadata,
    )


def _kept(depth: np.ndarray, options: ImportOptions, free: np.ndarray | None = None) -> np.ndarray:
    """Points below the surface transient and above the deepest depth, less those that are not free."""
    keep = (depth >= options.surface_nm) & (depth <= (options.deepest_nm or math.inf))
    keep &= True if free is None else free
    if np.sum(keep) < MINIMUM_POINTS:
        raise ValueError(f"only {int(np.sum(keep))} points are left; a depth profile has at least {MINIMUM_POINTS}")
    return keep


@dataclasses.dataclass(frozen=True, eq=False)
class _Scaled:
    """Fields of the profile at all depths."""

    fraction: np.ndarray
    sigma: np.ndarray
    counts: np.ndarray
    counts_per_fraction: np.ndarray
    background: np.ndarray
    background_sigma: np.ndarray
    scale_sigma: np.ndarray


def _scaled(
    depth: np.ndarray,
    names: tuple[str, ...],
    signals: list[Signal],
    reference: Signal | None,
    options: ImportOptions,
    free: np.ndarray,
) -> _Scaled:
    """Fractions at given depths: divided by the matrix, less the background, times the scale."""
    keep = _kept(depth, options, free)
    inside = np.zeros_like(keep)
    inside[keep] = depth_range(depth[keep], *bulk_range(depth[keep], options))
    matrix, matrix_variance = _matrix(depth, reference, inside, keep)
    ions, variance, own, dispersion, counts = (
        np.stack([getattr(s, field) for s in signals])
        for field in ("ions", "variance", "sigma", "dispersion", "counts")
    )
    level, level_sigma = _backgrounds(depth, names, ions, variance, options)
    net, noise = matrix * (ions - level[:, None]), matrix**2 * variance
    scale, scale_sigma = _scales(depth, names, net, noise, inside, keep, options)

    gain = scale[:, None] * matrix
    if not options.close_sum:
        fraction = scale[:, None] * net
        square = (gain * own) ** 2 + fraction**2 * matrix_variance
        per_fraction = np.where(np.isfinite(counts), 1.0 / (gain * dispersion), np.nan)
        noisy = np.mean((fraction**2 * matrix_variance)[:, keep], axis=1) > _MATRIX * np.mean(
            ((gain * own) ** 2)[:, keep], axis=1
        )
        per_fraction[noisy] = np.nan
    else:
        total = (scale[:, None] * net).sum(axis=0)
        if np.any(total[keep] <= 0.0):
            where = depth[keep][np.argmin(total[keep])]
            raise ValueError(f"close_sum: the fractions add up to nothing at {where:.4g} nm")
        gain = gain / np.where(keep, total, 1.0)
        fraction = gain * (ions - level[:, None])
        # The matrix cancels in the quotient, and the other species scatter it too: no Poisson distribution any more.
        single = (gain * own) ** 2
        square = (1.0 - fraction) ** 2 * single + fraction**2 * (single.sum(axis=0) - single)
        per_fraction = np.full_like(fraction, np.nan)
    return _Scaled(
        fraction=fraction,
        sigma=np.sqrt(square + (options.sigma_relative * fraction) ** 2),
        counts=counts,
        counts_per_fraction=per_fraction,
        background=gain * level[:, None],
        background_sigma=gain * level_sigma[:, None],
        scale_sigma=scale_sigma,
    )


def _matrix(
    depth: np.ndarray, reference: Signal | None, inside: np.ndarray, keep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Factor that divides by the matrix signal, one on average of the bulk, and its relative variance."""
    if reference is None:
        return np.ones_like(depth), np.zeros_like(depth)
    empty = (reference.ions <= 0.0) & keep
    if np.any(empty):
        raise ValueError(f"reference: no counts at {depth[np.argmax(empty)]:.4g} nm; a strong matrix signal is needed")
    ions = np.where(reference.ions > 0.0, reference.ions, np.mean(reference.ions[inside]))
    return np.mean(reference.ions[inside]) / ions, reference.variance / ions**2


def _backgrounds(
    depth: np.ndarray, names: tuple[str, ...], ions: np.ndarray, variance: np.ndarray, options: ImportOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Background of each species in ions a point, and its standard deviation."""
    levels = []
    for k, name in enumerate(names):
        given = options.background.get(name, 0.0)
        if isinstance(given, tuple):
            inside = depth_range(depth, *given, f"background of {name}")
            levels.append(mean_level(ions[k], variance[k], inside))
        else:
            levels.append((float(given), 0.0))
    level, sigma = np.array(levels).T
    return level, sigma


def _scales(
    depth: np.ndarray,
    names: tuple[str, ...],
    net: np.ndarray,
    noise: np.ndarray,
    inside: np.ndarray,
    keep: np.ndarray,
    options: ImportOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """Fraction per ion of each species, and its relative standard deviation."""
    methods = [options.normalise.get(name, "bulk") for name in names]
    scale, sigma = np.zeros(len(names)), np.zeros(len(names))
    charge, density = options.charge_mC_cm2, options.density_m3
    exchanged = exchanged_depth(10.0 * charge, density) if charge and density else math.nan
    for k, (name, method) in enumerate(zip(names, methods, strict=True)):
        factor = scale_factor(method)
        try:
            if factor is not None:
                scale[k] = factor
            elif method == "bulk":
                scale[k], sigma[k] = bulk_scale(net[k], noise[k], inside)
            elif method != "sum":
                find = uptake_scale if method == "uptake" else loss_scale
                scale[k], sigma[k] = find(depth[keep], net[k, keep], noise[k, keep], exchanged)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    summed = np.array([method == "sum" for method in methods])
    if np.any(summed):
        fixed = scale[:, None] * net
        rest, rest_variance = 1.0 - fixed.sum(axis=0), (scale**2) @ noise
        scale[summed], sigma[summed] = sum_scales(
            net[summed][:, keep], noise[summed][:, keep], rest[keep], rest_variance[keep]
        )
    return scale, sigma
