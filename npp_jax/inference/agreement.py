"""Whether the misfit of a model is one that its errors allow, by the probability of a larger one."""

UNLIKELY = 1e-3
"""Probability of a larger misfit below which a model is said not to explain the data."""

POOR = 0.05
"""Probability of a larger misfit below which a model is said to agree poorly."""

_TOO_CLOSE = 1e-6
"""Probability of a smaller misfit below which the stated errors are said to be too large."""


def agrees(p_value: float) -> str:
    """What a model that is not unlikely does with its data: "agrees", or "agrees poorly"."""
    return "agrees poorly" if p_value < POOR else "agrees"


def too_close(chi2: float, freedom: float | int, p_value: float) -> str | None:
    """What to say of points that lie closer to a model than their errors allow; None of others.

    Parameters
    ----------
    chi2, freedom
        Misfit and its degrees of freedom.
    p_value
        Probability of a larger misfit.
    """
    if not 1.0 - p_value < _TOO_CLOSE:
        return None
    return (
        f"The points lie closer to the model than their standard errors allow: χ² {chi2:.3g} for {freedom:.0f} "
        "degrees of freedom. The standard errors are too large, or the points are smoothed or made by a model; "
        "intervals are as wide as these errors."
    )
