"""What a report says of the candidates of a sweep."""

import numpy as np

from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.simulation.text_table import TextTable
from npp_jax.sweeping import SweepResult


def status_table(sweep: SweepResult) -> TextTable:
    """How the candidates ended."""
    values, counts = np.unique(sweep.worst, return_counts=True)
    rows = (
        (Status(int(value)).name.lower().replace("_", " "), str(count), STATUS_ADVICE[Status(int(value))])
        for value, count in zip(values, counts, strict=True)
    )
    title = f"How the {len(sweep.theta)} candidates of the sweep ended"
    return TextTable(title, ("status", "candidates", "meaning"), tuple(rows))
