"""What looks wrong in the measured profiles beside the numbers of a view, as `npp-jax check` says it of a study."""

import dataclasses
import html
from collections.abc import Sequence

import jax.numpy as jnp

from npp_jax._compile import own_promotion
from npp_jax.explorer.controls import note
from npp_jax.fitting import Problem, data_warnings


class Doubts:
    """The warnings on a page."""

    def __init__(self) -> None:
        self.words = note(name="warnings", colour="#D55E00")
        self._problem: Problem | None = None
        self._values: tuple[float, ...] = ()

    def show(self, problem: Problem, values: tuple[float, ...]) -> None:
        """Tell those of a view, unless they stand there."""
        if problem is self._problem and values == self._values:
            return
        self._problem, self._values = problem, values
        self.words.text = "<br>".join(f"Warning: {html.escape(text)}" for text in doubts(problem, values))


@own_promotion
def doubts(problem: Problem, values: Sequence[float]) -> list[str]:
    """Warnings of the data at values of the parameters, one sentence each; nothing if all is well."""
    theta = jnp.asarray(values, float)
    placed = [
        dataclasses.replace(
            m, experiment=problem.experiment(m, theta), observation=problem.observation(m, theta),
            records=problem.records(m, theta),
        )
        for m in problem.measurements
    ]  # fmt: skip
    # Without parameters: on the page one judges the numbers that are shown, not those that a fit may reach.
    return data_warnings(Problem(tuple(placed), ()))
