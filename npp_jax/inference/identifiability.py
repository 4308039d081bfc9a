"""Which combinations of the parameters the data determine, in words.

The Fisher information JᵀJ is compared with what the ranges alone say: each parameter is measured in the standard
deviation of a uniform distribution over its range, width/√12 on its scale. In these units an eigenvalue λ of JᵀJ
means that along its direction the data are √λ times as sharp as the range, and Σ λ/(1 + λ) is the effective number
of parameters that the data determine (D. J. C. MacKay, "Bayesian interpolation", Neural Comput. 4, 415 (1992)).

A parameter whose standard error, with all others free, is below that unit is determined alone. The others fall into
groups of those that may follow each other along directions of λ < 1; of a group the data determine the combinations
across them. Combinations are of logarithms where all values of a range are positive, whatever the scale: a ratio, a
product, or powers, with a relative error.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from npp_jax.inference.parameter import Parameters
from npp_jax.inference.transform import ranges_of, theta_slope

_WHOLE_DOMAIN = 10.0  # taken as the width where the range is infinite, on scales that have no unit
_NO_EFFECT = 0.1  # change of the residuals across a range, in standard deviations
_LINKED = 0.3  # correlation along weak directions of parameters that are not determined alone
_FOLLOWS = 0.9  # correlation that puts others beside them
_SMALLEST = 0.05  # power, over the largest, that is still named
_SCALE_FREE = 0.02  # sum of powers over that of their moduli up to which a combination is one of ratios
_SIMPLE = (0.5, 1.0, 2.0, 3.0)  # powers that are written so if they are within 2 %


class Combination(NamedTuple):
    """One combination of the parameters, largest power 1."""

    powers: Float[np.ndarray, " parameter"]
    """Weights of ln θ, or of θ where `relative` is false."""
    relative: bool
    """Whether it is a product of powers, with a relative error; else a sum."""
    standard_error: float
    """Of the logarithm of the product, or of the sum. Infinite where the data say nothing."""


class Group(NamedTuple):
    """Parameters that the data determine together only, and those that follow them."""

    members: tuple[int, ...]
    lost: tuple[int, ...]
    """Those of them that are not determined alone."""
    combinations: tuple[Combination, ...]
    """Those that are determined, sharpest first."""


class Identifiability(NamedTuple):
    """What the data determine."""

    parameters: Parameters
    alone: tuple[tuple[int, float], ...]
    """Parameters that are determined, whatever the others are, sharpest first, and their standard errors [unit of the
    parameter]."""
    groups: tuple[Group, ...]
    hardly: tuple[int, ...]
    """Parameters whose effect over their whole range is too weak, each alone and with the others known."""
    sharpness: Float[np.ndarray, " direction"]
    """√λ of each direction, largest first."""
    effective_parameters: float
    """Between 0 and the number of parameters."""

    def lines(self, phrases: Mapping[str, str] | None = None, units: Mapping[str, str] | None = None) -> list[str]:
        """Sentences, best determined first.

        Parameters
        ----------
        phrases
            What the parameters are called in a sentence, by their names; names where it has none.
        units
            Their units as they are written for people, by their names; none where it has none.
        """
        told = [(phrases or {}).get(parameter.name, parameter.name) for parameter in self.parameters]
        found = [f"{told[k]} is determined to {self._error(k, error, units or {})}" for k, error in self.alone]
        found += [sentence for group in self.groups for sentence in _of_group(group, told)]
        found += [f"{told[k]} has no effect that the data show" for k in self.hardly]
        return [*found, f"the data determine {self.effective_parameters:.1f} of {len(self.parameters)} parameters"]

    def _error(self, k: int, error: float, units: Mapping[str, str]) -> str:
        parameter = self.parameters[k]
        return (
            _relative(error) if parameter.scale == "log" else f"± {error:.2g} {units.get(parameter.name, '')}".rstrip()
        )


def identifiability(
    jacobian: ArrayLike,
    theta: ArrayLike | Sequence[float],
    parameters: Parameters,
    *,
    variance: float = 1.0,
    tolerance: float = 1e-8,
) -> Identifiability:
    """Analyse the Jacobian at a minimum.

    Parameters
    ----------
    jacobian
        ∂r/∂θ without priors, shape [residual, parameter]; residuals in units of their standard deviation.
    theta
        The minimum. [units of the parameters], shape [parameter]
    parameters
        The parameters.
    variance
        Variance of the residuals.
    tolerance
        Directions of this sharpness relative to the best, and less, count as not determined at all.
    """
    ranges = ranges_of(parameters)
    values = np.asarray(theta, float)
    width = ranges.high - ranges.low
    natural = np.where(ranges.is_log | ranges.is_logit, _WHOLE_DOMAIN, np.maximum(np.abs(values), 1e-300))
    unit = np.where(np.isfinite(width), width, natural) / math.sqrt(12.0)
    slope = np.asarray(theta_slope(ranges, jnp.asarray(values)))
    sensitivity = np.asarray(jacobian, float) * slope * unit / math.sqrt(variance)
    missing = max(len(parameters) - len(sensitivity), 0)
    _, sharpness, right = np.linalg.svd(np.pad(sensitivity, ((0, missing), (0, 0))), full_matrices=False)
    sharpness = np.where(sharpness > tolerance * sharpness.max(), sharpness, 0.0)

    effect = np.linalg.norm(sensitivity, axis=0) * math.sqrt(12.0)
    seen = effect > _NO_EFFECT
    inverse = np.divide(1.0, sharpness, out=np.zeros_like(sharpness), where=sharpness > 0.0)
    # What lies in a direction that is not determined at all, by more than rounding, has an infinite error.
    lost = np.sum(right[sharpness == 0.0] ** 2, axis=0) > 1e-8
    error = np.where(lost, np.inf, np.linalg.norm(inverse[:, None] * right, axis=0))
    members = _together(right, sharpness, error, seen)
    alone = sorted(np.flatnonzero(seen & (error <= 1.0)).tolist(), key=lambda k: error[k])
    # θ/(dθ/dx) over s/(ds/dx): from units of the range to logarithms, or to θ.
    relative = np.array([parameter.low > 0.0 for parameter in parameters])
    to_log = unit * slope / np.where(relative, values, 1.0)
    information = right.T @ (sharpness[:, None] ** 2 * right)
    return Identifiability(
        parameters=parameters,
        alone=tuple((k, float(error[k] * unit[k] * (1.0 if ranges.is_log[k] else slope[k]))) for k in alone),
        groups=tuple(_group(group, error > 1.0, information, to_log, relative, unit * slope) for group in members),
        hardly=tuple(int(k) for k in np.flatnonzero(~seen)),
        sharpness=sharpness,
        effective_parameters=float(np.sum(sharpness**2 / (1.0 + sharpness**2))),
    )


def _together(right: np.ndarray, sharpness: np.ndarray, error: np.ndarray, seen: np.ndarray) -> list[tuple[int, ...]]:
    """Groups of parameters that are not determined alone, with those that follow them."""

    def correlation(which: np.ndarray) -> np.ndarray:
        # What is not determined at all counts as much weaker than the rest.
        scatter = right[which].T @ (right[which] / np.maximum(sharpness[which], 1e-4)[:, None] ** 2)
        size = np.sqrt(np.maximum(np.diag(scatter), 1e-300))
        return np.abs(scatter) / np.outer(size, size)

    open_ = seen & (error > 1.0)
    weak = (correlation(sharpness < 1.0) > _LINKED) & open_[:, None] & open_
    linked = weak | ((correlation(sharpness >= 0.0) > _FOLLOWS) & seen[:, None] & seen)
    groups: list[tuple[int, ...]] = []
    left = np.flatnonzero(open_).tolist()
    while left:
        group, new = set[int](), {left[0]}
        while new:
            group |= new
            new = {int(j) for k in new for j in np.flatnonzero(linked[k])} - group
        groups.append(tuple(sorted(group)))
        left = [k for k in left if k not in group]
    return groups


def _group(
    members: tuple[int, ...],
    lost: np.ndarray,
    information: np.ndarray,
    to_log: np.ndarray,
    relative: np.ndarray,
    to_theta: np.ndarray,
) -> Group:
    """The combinations that are determined, whatever the parameters outside of the group are."""
    inside = np.array(members)
    outside = np.setdiff1d(np.arange(len(information)), inside)
    cross = information[np.ix_(inside, outside)]
    left = information[np.ix_(inside, inside)]
    if outside.size:
        left = left - cross @ np.linalg.pinv(information[np.ix_(outside, outside)], rcond=1e-12) @ cross.T
    logarithmic = bool(relative[inside].all())
    unit = (to_log if logarithmic else to_theta)[inside]
    eigenvalues, vectors = np.linalg.eigh(left)
    # Sharper than the range; rounding of what is eliminated may leave some.
    kept = (eigenvalues > 1.0) & (eigenvalues > 1e-12 * eigenvalues.max(initial=0.0))
    found = []
    for value, vector in sorted(zip(eigenvalues[kept], vectors.T[kept], strict=True), key=lambda pair: -pair[0]):
        weights = vector / unit
        leading = np.argmax(np.abs(weights)) if logarithmic else np.argmax(np.abs(vector))
        powers = np.zeros(len(information))
        powers[inside] = weights / weights[leading]
        found.append(Combination(powers, logarithmic, 1.0 / (math.sqrt(value) * abs(weights[leading]))))
    if logarithmic and len(found) == len(members) - 1 > 1 and all(map(_is_scale_free, found)):
        found = _ratios(inside, vectors.T[kept] / unit, eigenvalues[kept], len(information))
    return Group(members, tuple(k for k in members if lost[k]), tuple(found))


def _is_scale_free(combination: Combination) -> bool:
    """Whether a common factor of all parameters leaves a combination as it is."""
    return bool(abs(combination.powers.sum()) < _SCALE_FREE * np.abs(combination.powers).sum())


def _ratios(members: np.ndarray, forms: np.ndarray, information: np.ndarray, count: int) -> list[Combination]:
    """Ratios to one of some parameters, where all but a common factor of them is determined.

    Parameters
    ----------
    members
        Which parameters.
    forms
        Combinations of their logarithms that are determined, one each row.
    information
        Inverse variance of each.
    count
        Number of all parameters.
    """

    def errors(reference: int) -> np.ndarray:
        ratios = np.eye(len(members)) - np.eye(len(members))[reference]
        shares = np.linalg.lstsq(forms.T, ratios.T, rcond=None)[0]
        return np.sqrt(np.sum(shares**2 / information[:, None], axis=0))

    reference = min(range(len(members)), key=lambda k: float(np.sum(errors(k) ** 2)))
    found = []
    for k, error in enumerate(errors(reference)):
        if k != reference:
            powers = np.zeros(count)
            powers[members[k]], powers[members[reference]] = 1.0, -1.0
            found.append(Combination(powers, True, float(error)))
    return sorted(found, key=lambda combination: combination.standard_error)


def _of_group(group: Group, told: list[str]) -> list[str]:
    names = [told[k] for k in group.members]
    if not group.combinations:
        return [f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not determined"]
    found = [
        f"{_called(c, group.members, told)} is determined to "
        + (_relative(c.standard_error) if c.relative else f"± {c.standard_error:.2g}")
        for c in group.combinations
    ]
    if len(names) == 1:
        return found
    lost = [told[k] for k in group.lost]
    every = "each" if len(names) == 2 else f"each of {', '.join(names)}"
    found[-1] += f"; {every if len(lost) == len(names) else ' and '.join(lost)} alone is not"
    return found


def _called(combination: Combination, members: tuple[int, ...], told: list[str]) -> str:
    """The ratio of two parameters, their product, or a formula."""
    powers = {k: _simple(combination.powers[k]) for k in members if abs(combination.powers[k]) >= _SMALLEST}
    values = sorted(powers.values())
    if not combination.relative:
        factor = {k: "" if abs(p) == 1.0 else f"{abs(p):.2g} " for k, p in powers.items()}
        terms = (f"{'-' if p < 0.0 else '+'} {factor[k]}{told[k]}" for k, p in powers.items())
        return " ".join(terms).removeprefix("+ ")
    if len(powers) == 2 and values == [-1.0, 1.0]:
        above, below = sorted(powers)
        return f"the ratio of {told[above]} to {told[below]}"
    if values == [1.0, 1.0]:
        return "the product of " + " and ".join(told[k] for k in powers)
    return _formula(powers, told)


def _formula(powers: dict[int, float], told: list[str]) -> str:
    def factor(k: int) -> str:
        base = f"({told[k]})" if " " in told[k] else told[k]
        return base if powers[k] == 1.0 else f"{base}^{powers[k]:.2g}"

    return " · ".join(factor(k) for k in powers)


def _simple(power: float) -> float:
    near = next((s for s in _SIMPLE if abs(abs(power) - s) <= 0.02 * s), abs(power))
    return math.copysign(near, power)


def _relative(error: float) -> str:
    return f"{100.0 * error:.2g} %" if error < 0.1 else f"a factor of {math.exp(min(error, 700.0)):.3g}"
