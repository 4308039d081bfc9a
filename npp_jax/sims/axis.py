"""What the axis of a depth profile must be."""

from pathlib import Path

import numpy as np

from npp_jax.sims.errors import fault


def check_axis(axis: np.ndarray, lines: np.ndarray, path: str | Path, name: str, minimum: int) -> None:
    """Refuse an axis that is too short, has gaps, or does not increase, naming the line.

    Raises
    ------
    SimsFileError
        In these cases.
    """
    if len(axis) < minimum:
        raise fault(path, f"{len(axis)} points; a depth profile has at least {minimum}", column=name)
    bad = np.flatnonzero(~np.isfinite(axis))
    if bad.size:
        raise fault(path, "no number where the axis should be", line=int(lines[bad[0]]), column=name)
    if axis[0] < 0.0:
        raise fault(path, f"{axis[0]:g} is negative; the axis begins at the surface", line=int(lines[0]), column=name)
    step = np.flatnonzero(np.diff(axis) <= 0.0)
    if step.size:
        k = int(step[0])
        text = f"{axis[k + 1]:g} follows {axis[k]:g}; the axis has to increase"
        raise fault(path, text, line=int(lines[k + 1]), column=name)
