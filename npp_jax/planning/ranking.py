"""Which proposals tell most: criteria of optimal design, and a greedy choice of several."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

Goal: TypeAlias = Literal["D", "A", "E"] | int
"""What is to be learnt: the volume of the confidence region (D), the mean variance relative to that of today (A), the
direction that is known worst (E), or one parameter, by its number."""

Matrices = Float[np.ndarray, "draw parameter parameter"]


class Ranked(NamedTuple):
    """A proposal and what it would bring."""

    proposal: int
    """Number of the proposal."""
    gain: float
    """Halvings of the error that the goal is about [bit]."""
    rate: float
    """The same for an hour of what it costs [bit/h]."""


def loss(goal: Goal, known: Matrices, before: Matrices, of: int) -> float:
    """Logarithm to base two of the error that a goal is about, averaged over the draws.

    Parameters
    ----------
    goal
        The goal.
    known
        Information about the parameters.
    before
        Information today, to which A is relative.
    of
        How many parameters, the first ones, D, A and E are about; the others are unknown, but nobody asks for them.
    """
    variances = np.linalg.inv(known)
    diagonal = np.diagonal(variances, axis1=1, axis2=2)
    asked = variances[:, :of, :of]
    if goal == "D":
        return float(np.mean(0.5 * np.linalg.slogdet(asked)[1]) / np.log(2.0))
    if goal == "E":
        return float(np.mean(0.5 * np.log2(np.linalg.eigvalsh(asked)[:, -1])))
    if goal == "A":
        relative = diagonal / np.diagonal(np.linalg.inv(before), axis1=1, axis2=2)
        return float(np.mean(0.5 * np.log2(np.mean(relative[:, :of], axis=1))))
    return float(np.mean(0.5 * np.log2(diagonal[:, goal])))


def rank(
    goal: Goal,
    known: Matrices,
    gained: Float[np.ndarray, "proposal draw parameter parameter"],
    hours: Sequence[float],
    *,
    of: int,
    by_hour: bool = False,
    before: Matrices | None = None,
) -> list[Ranked]:
    """Proposals by what they would bring, best first.

    Parameters
    ----------
    goal
        What is to be learnt.
    known
        Information so far, for each draw of the parameters.
    gained
        Information of each proposal.
    hours
        What each costs. [h]
    of
        How many parameters, the first ones, are asked for.
    by_hour
        Rank by the gain for an hour.
    before
        Information to which A is relative; `known` by default.
    """
    before = known if before is None else before
    start = loss(goal, known, before, of)
    rows = []
    for k, (matrices, cost) in enumerate(zip(gained, hours, strict=True)):
        gain = start - loss(goal, known + matrices, before, of)
        rows.append(Ranked(k, gain, gain / cost if cost > 0.0 else np.inf))
    return sorted(rows, key=worth(by_hour), reverse=True)


def worth(by_hour: bool) -> Callable[[Ranked], float]:
    """By what proposals are sorted: the gain, or that for an hour; what cannot be predicted comes last."""
    return lambda row: value if np.isfinite(value := row.rate if by_hour else row.gain) else -np.inf


def choose(
    goal: Goal,
    known: Matrices,
    gained: Float[np.ndarray, "proposal draw parameter parameter"],
    hours: Sequence[float],
    count: int,
    *,
    of: int,
    by_hour: bool = False,
) -> list[Ranked]:
    """Several proposals, each the best after those before it; the gains add up.

    Parameters
    ----------
    goal, known, gained, hours, of, by_hour
        As in `rank`.
    count
        How many; none is taken twice.
    """
    chosen: list[Ranked] = []
    before = known
    for _ in range(min(count, len(gained))):
        taken = {row.proposal for row in chosen}
        rows = rank(goal, known, gained, hours, of=of, by_hour=by_hour, before=before)
        left = [row for row in rows if row.proposal not in taken]
        chosen.append(left[0])
        known = known + gained[left[0].proposal]
    return chosen
