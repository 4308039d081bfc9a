"""Residuals of a problem with their Jacobian, by forward differentiation, for any number of candidates.

Parameters that enter different experiments share a direction: the derivatives by D_K, D_Rb and D_Cs cost one pass, as
each experiment depends on one of them. A batch is cut into chunks of one size, so that one compilation serves the
starts of a fit, its profile likelihoods and its single best point.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from npp_jax._compile import Program, quick, signature
from npp_jax.fitting.objective import Objective
from npp_jax.fitting.observed import is_observed
from npp_jax.fitting.problem import Problem
from npp_jax.simulation.solution import Solution


class Expansion(NamedTuple):
    """Residuals and signals with their derivatives; first axis start."""

    residual: Float[Array, "start residual"]
    jacobian: Float[Array, "start residual parameter"]
    """∂r/∂θ."""
    signals: list[Float[Array, "start *data"]]
    """Signals compared with the data, for each profile and record in the order of `Problem.data`."""
    slopes: list[Float[Array, "start *data parameter"]]
    """∂signal/∂θ."""
    finite: Bool[Array, " start"]
    """Whether all simulations are finite."""


def directions(objective: Objective) -> tuple[np.ndarray, int]:
    """Sets of parameters of which no experiment sees two, as rows of ones, shape [direction, parameter].

    Returns
    -------
    The rows, and how many of them, the first ones, change the simulations; the others change how they are seen.
    """
    problem = objective.problem
    simulated = [k for k, p in enumerate(problem.parameters) if not (p.keys and all(map(is_observed, p.keys)))]
    others = [k for k in range(len(problem.parameters)) if k not in simulated]
    rows = _rows(problem, simulated)
    return np.concatenate([rows, _rows(problem, others)]), len(rows)


def _rows(problem: Problem, which: list[int]) -> np.ndarray:
    seen = [{m.name for m in problem.measurements if problem.enters(p, m)} for p in problem.parameters]
    sets: list[tuple[set[str], list[int]]] = []
    for k in which:
        experiments = seen[k]
        for taken, members in sets:
            if not taken & experiments:
                taken |= experiments
                members.append(k)
                break
        else:
            sets.append((set(experiments), [k]))
    rows = np.zeros((len(sets), len(seen)))
    for row, (_, members) in zip(rows, sets, strict=True):
        row[members] = 1.0
    return rows


class LinearModel:
    """θ ↦ residuals and Jacobian; compiled at the first call, or by `compile`.

    Parameters
    ----------
    objective
        What is evaluated.
    chunk
        Candidates evaluated at once.
    workers
        Threads; by default one for each core on a CPU and one on an accelerator.
    """

    def __init__(self, objective: Objective, *, chunk: int = 16, workers: int | None = None) -> None:
        self.objective = objective
        self._chunk = chunk
        cores = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
        self._workers = cores if workers is None else workers
        self._rows, self._simulated = directions(objective)
        problem = objective.problem
        measured = [problem.measurements[data.experiment] for data in problem.data]
        # Which direction holds the derivative of an experiment by a parameter; none: it does not depend on it.
        self._sources = [
            [int(self._rows[:, k].argmax()) if problem.enters(p, m) else None for k, p in enumerate(problem.parameters)]
            for m in measured
        ]
        self._expand = Program(lambda theta: tuple(self._expansion(theta)), self._made_of("expand"), quick())
        self._reverse = Program(self._descent, self._made_of("reverse"), quick())

    def compile(self) -> None:
        """Compile ahead, for example in a thread of its own."""
        self._expand.compiled(self._shape())

    def _made_of(self, name: str) -> Callable[[], str]:
        return lambda: name + signature(self.objective, values=True)

    def expand(self, theta: Float[Array, "start parameter"]) -> Expansion:
        """Residuals, signals and their derivatives."""
        return Expansion(*self._in_chunks(self._expand, theta))

    def cost_and_gradient(self, theta: Float[Array, "start parameter"]) -> tuple[Array, Array, Array]:
        """½ Σ r², its gradient by one reverse pass, and success: the signature of `descend`."""
        return self._in_chunks(self._reverse, theta)

    def _shape(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self._chunk, len(self.objective.problem.parameters)), jnp.result_type(float))

    def _descent(self, theta: Array) -> tuple[Array, Array, Array]:
        def total(theta: Array) -> tuple[Array, tuple[Array, Array]]:
            found = self.objective.residuals(theta)
            cost = 0.5 * jnp.sum(jnp.concatenate(found.residuals, axis=1) ** 2, axis=1)
            # No candidate depends on another: the gradient of the sum is that of each.
            return jnp.sum(cost), (cost, found.finite)

        (_, (cost, finite)), gradient = jax.value_and_grad(total, has_aux=True)(theta)
        return cost, gradient, finite

    def _in_chunks(self, function: Callable[[Array], Any], theta: Array) -> Any:
        # Cut and joined by NumPy, which compiles nothing for each new number of candidates.
        rows = np.asarray(theta)
        count = len(rows)
        chunks = -(-count // self._chunk)
        padded = np.concatenate([rows, np.repeat(rows[:1], chunks * self._chunk - count, axis=0)])
        parts = np.split(padded, chunks)
        with ThreadPoolExecutor(self._workers) as pool:
            done = list(pool.map(lambda part: jax.device_get(function(part)), parts))
        return jax.tree.map(lambda *leaves: jnp.asarray(np.concatenate(leaves)[:count]), *done)

    def __call__(self, theta: Float[Array, "start parameter"]) -> tuple[Array, Array, Array]:
        """Residuals, Jacobian and success: the signature of `refine`."""
        found = self.expand(theta)
        return found.residual, found.jacobian, found.finite

    def traced(self, theta: Float[Array, "start parameter"]) -> tuple[Array, Array, Array]:
        """The same as a call, for use inside of compiled code."""
        found = self._expansion(theta)
        return found.residual, found.jacobian, found.finite

    def _expansion(self, theta: Array) -> Expansion:
        def predicted(theta: Array) -> tuple[tuple[list[Array], list[Array]], tuple[Array, list[Solution]]]:
            solutions = self.objective.solve(theta)
            return seen(solutions, theta)

        def seen(solutions: list[Solution], theta: Array):
            found = self.objective.compare(solutions, theta)
            return (found.residuals, found.signals), (found.finite, solutions)

        def move(row: Array) -> tuple:
            return jax.jvp(predicted, (theta,), (jnp.broadcast_to(row, theta.shape),), has_aux=True)

        def look(row: Array) -> tuple:
            look_at = lambda theta: seen(solutions, theta)[0]  # noqa: E731
            return jax.jvp(look_at, (theta,), (jnp.broadcast_to(row, theta.shape),))[1]

        rows = jnp.asarray(self._rows, theta.dtype)
        # Where nothing changes the simulations, they are made once all the same.
        first = max(self._simulated, 1)
        (residuals, signals), (moved, slopes), (finite, solutions) = jax.vmap(move, out_axes=(None, 0, None))(
            rows[:first]
        )
        if first < len(rows):
            # No simulation is differentiated for how it is seen.
            further = jax.vmap(look)(rows[first:])
            moved, slopes = jax.tree.map(lambda *parts: jnp.concatenate(parts), (moved, slopes), further)
        return Expansion(
            residual=jnp.concatenate(residuals, axis=1),
            jacobian=jnp.concatenate(self._sort(moved), axis=1),
            signals=signals,
            slopes=self._sort(slopes),
            finite=finite,
        )

    def _sort(self, moved: list[Array]) -> list[Array]:
        """Derivatives along the directions [direction, start, …] as derivatives by the parameters [start, …,
        parameter].
        """
        return [
            jnp.stack([jnp.zeros_like(m[0]) if k is None else m[k] for k in sources], axis=-1)
            for m, sources in zip(moved, self._sources, strict=True)
        ]
