"""How a solve ended: an integer that travels through compiled code, with a sentence for each value."""

from enum import IntEnum


class Status(IntEnum):
    """Outcome of a simulation, the worst of its steps; larger is worse."""

    DONE = 0
    NOT_NEUTRAL = 1
    COARSE = 2
    NOT_CONVERGED = 3
    MISSED_TIME = 4
    BEYOND_TRACE = 5
    NOT_FINITE = 6
    IMPOSSIBLE = 7


UNSOLVED = (Status.NOT_CONVERGED, Status.MISSED_TIME, Status.NOT_FINITE)
"""What an iteration that ends nowhere leaves."""

FAILED = (Status.NOT_FINITE, Status.IMPOSSIBLE)
"""Where numbers tell nothing, and a fit does not go."""

RESOLUTION = (Status.COARSE, *UNSOLVED)
"""What more cells, steps and iterations may mend."""

STATUS_ADVICE = {
    Status.DONE: "done",
    Status.NOT_NEUTRAL: "excess charge above the tolerance of the electroneutral model: run the full model",
    Status.COARSE: "error estimate above the target: the fronts are too thin or the law too steep for the mesh; take "
    "the setting accurate if this was fast, a lower potential, or the numbers with the errors given",
    Status.NOT_CONVERGED: "Newton iteration did not converge: a diffusion coefficient is too steep in composition; "
    "take the setting accurate if this was fast, a narrower distribution with more vacancies, or the full model if "
    "this was the electroneutral one",
    Status.MISSED_TIME: "the stage did not end at its duration: check potential and duration, or end it at a charge",
    Status.BEYOND_TRACE: "a stage goes on after its trace has ended: a longer trace, or less charge, is needed",
    Status.NOT_FINITE: "numbers overflowed: the parameters are outside what the model can represent",
    Status.IMPOSSIBLE: "no sample is like this: a number is outside of its limits, or an ion has less than none at the "
    "start beside the others",
}
"""What each status means and what to try."""
