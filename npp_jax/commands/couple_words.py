"""D(c) of a couple in words: lines of a table, and what a reader should know before its numbers are used."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import chdtrc

from npp_jax.files.couple_table import CoupleTable
from npp_jax.fitting.couple import CoupleFit
from npp_jax.inference import GOOD, REASON_ADVICE, UNLIKELY
from npp_jax.physics.boltzmann_matano import Interdiffusion, phases_of

_ALIKE = 1.2
"""Factor by neighbours that are alike from which a warning is given."""

_OUTSIDE, _BLURRED = 3.0, 2
"""Standard deviations by which a point in a gap is away from its ends, and how many a probe may blur into one."""

_FEWEST, _MOST, _PART = 3, 8, 8
"""Points at each end that must be flat: one of so many, within these bounds."""


def check_apart(limits: Float[np.ndarray, "phase two"]) -> None:
    """Refuse phases that have fractions in common.

    Parameters
    ----------
    limits
        Fractions between which each phase lives, in the order of the depth [1].

    Raises
    ------
    ValueError
        In one line.
    """
    for end, start in zip(limits[:-1, 1], limits[1:, 0], strict=True):
        if (start - end) * (limits[-1, 1] - limits[0, 0]) <= 0.0:
            raise ValueError(
                f"two phases would end at the fractions {end:.3g} and {start:.3g}, and have those between in common: "
                "no gap lies there"
            )


def told_of(
    table: CoupleTable, found: Interdiffusion, fit: CoupleFit, gaps: Sequence[tuple[float, float]] = ()
) -> list[str]:
    """What was found, line by line, warnings last.

    Parameters
    ----------
    table, found, fit
        The profile as read, and what was found of it.
    gaps
        Fractions between which no phase lives, as they were given [1].
    """
    known = np.isfinite(found.D)
    free = sum(len(part) for part in fit.knots)
    lines = [
        *table.told,
        f"{len(table.depth_um)} points from {table.depth_um[0]:.6g} to {table.depth_um[-1]:.6g} µm; ends "
        f"{found.ends[0]:.4g} and {found.ends[1]:.4g}; scatter {found.scatter:.2g}",
        f"plane of Matano at {found.matano * 1e6:.5g} µm, first contact at {fit.position * 1e6:.5g} µm",
        f"free form: ln D at {free} knots; χ² {fit.chi2:.1f} for {len(fit.fraction)} points",
        "fraction  D / m² s⁻¹  band of the whole curve, 95 %   by Sauer and Freise",
    ]
    for limits, begin in zip(fit.limits, range(0, len(fit.curve), len(fit.curve) // len(fit.knots)), strict=True):
        own = slice(begin, begin + len(fit.curve) // len(fit.knots))
        inside = known & (found.fraction >= limits.min()) & (found.fraction <= limits.max())
        for k in np.linspace(own.start, own.stop - 1, 6 if len(fit.knots) > 1 else 9).round().astype(int):
            near = np.argsort(np.abs(found.fraction[inside] - fit.curve[k]), kind="stable")[:5]
            direct = f"{np.median(found.D[inside][near]):.3e}" if len(near) else "-"
            D, low, high = fit.D[k]
            lines.append(f"{fit.curve[k]:8.4f}  {D:.3e}   {low:.3e} … {high:.3e}          {direct}")
    if len(fit.knots) > 1:
        meet = ", ".join(f"{a:.4f} and {b:.4f}" for a, b in zip(fit.limits[:-1, 1], fit.limits[1:, 0], strict=True))
        lines.append(f"phases end at the fractions {meet}")
    doubts = [*_doubts(table, found, fit), *_doubts_of_gaps(table, found, gaps)]
    return lines + [f"warning: {text}" for text in doubts]


def _doubts_of_gaps(table: CoupleTable, found: Interdiffusion, gaps: Sequence[tuple[float, float]]) -> list[str]:
    """Points in a gap, and jumps for which none was given."""
    if not gaps:
        return []
    c = table.fraction
    noise = np.abs(c - found.fraction) if table.sigma is None else table.sigma
    margin = _OUTSIDE * (1.4826 * float(np.median(noise)) if table.sigma is None else noise)
    doubts = list[str]()
    for low, high in gaps:
        inside = int(np.sum((c > low + margin) & (c < high - margin)))
        if inside > _BLURRED:
            doubts.append(
                f"{inside} points lie in the gap {low:g} to {high:g}: they are taken for those of the phases beside it"
            )
    share = (c - found.ends[0]) / (found.ends[1] - found.ends[0])
    jumps = np.diff(phases_of(found.depth, share)) * (np.diff(found.phase) == 0)
    for k in np.flatnonzero(jumps):
        doubts.append(f"the profile jumps from {c[k]:.3g} to {c[k + 1]:.3g}, too, where no --gap is given")
    return doubts


def _bends(fit: CoupleFit, finer: CoupleFit) -> str:
    """Where a finer fit is furthest from D."""
    ratio = finer.D[:, 0] / fit.D[:, 0]
    k = int(np.argmax(np.abs(np.log(ratio))))
    return (
        "D(c) bends more than its knots follow, or two phases meet (--gap tells where), and its band is as much wider: "
        f"with {sum(map(len, finer.knots))} knots χ² is {finer.chi2:.3g} in place of {fit.chi2:.3g}, and D "
        f"{ratio[k]:.2g} × that of the table at the fraction {fit.curve[k]:.3g}"
    )


def _doubts(table: CoupleTable, found: Interdiffusion, fit: CoupleFit) -> list[str]:
    """What a reader should know before the numbers are used."""
    doubts = list[str]()
    if fit.reason not in GOOD:
        doubts.append(f"the free form: {REASON_ADVICE[fit.reason]}")
    excess = fit.chi2 / max(fit.degrees_of_freedom, 1)
    if chdtrc(max(fit.degrees_of_freedom, 1), fit.chi2) < UNLIKELY:
        doubts.append(
            f"the free form misses the points by more than they scatter; its band is {excess**0.5:.2g} × wider"
        )
    if fit.finer is not None:
        doubts.append(_bends(fit, fit.finer))
    if fit.alike > _ALIKE:
        doubts.append(f"neighbouring points err alike; the band is {fit.alike**0.5:.2g} × wider than if they did not")
    spread = found.sigma[found.phase] if table.sigma is None else table.sigma
    flat = min(max(len(table.fraction) // _PART, _FEWEST), _MOST)
    for name, side, end in (("first", slice(flat), 0), ("last", slice(-flat, None), 1)):
        x, c = table.depth_um[side], table.fraction[side]
        slope = np.polyfit(x - x.mean(), c, 1)[0]
        error = max(float(np.median(spread[side])), 1e-12) / np.sqrt(np.sum((x - x.mean()) ** 2))
        told = np.median(c[:3] if end == 0 else c[-3:]) == found.ends[end]
        if told and abs(slope) > 4.0 * error:
            doubts.append(
                f"the profile is not flat at its {name} points: if the couple goes on, give the fractions of its ends "
                "by --ends"
            )
    return doubts
