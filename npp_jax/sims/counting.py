"""What one ion counts for in a file, found from the numbers of the file itself."""

import numpy as np
from jaxtyping import Float


def counting_quantum(values: Float[np.ndarray, "point"], guess: float, tolerance: float = 0.05) -> float | None:
    """Signal of a single ion: the number of which all small values are multiples.

    Header values are rounded to two digits (yield of the detector), the signals to six.

    Parameters
    ----------
    values
        Signals that are counts times an unknown factor; non-positive ones are left out.
    guess
        Factor by the header.
    tolerance
        Largest relative difference of the factor and `guess`.

    Returns
    -------
    The factor, or None if fewer than five small values are there or no factor fits them.
    """
    small = np.unique(values[(values > 0.5 * guess) & (values < 30.0 * guess)])
    if len(small) < 5:
        return None
    trial = guess * np.linspace(1.0 - tolerance, 1.0 + tolerance, 20_001)
    multiple = small[:, None] / trial
    distance = np.abs(multiple - np.round(multiple)).max(axis=0)
    best = trial[np.argmin(distance)]
    integers = np.round(small / best)
    factor = float(integers @ small / (integers @ integers))
    residual = np.abs(small / factor - integers).max()
    return factor if residual < 0.01 else None


def pulses_per_point(values: Float[np.ndarray, "..."]) -> float | None:
    """Pulses N a point of a time-of-flight counter, from its dead-time correction.

    A counter that takes one ion a pulse and counted n in N pulses is corrected to I = −N ln(1 − n/N), so that a single
    count reads 1 + 1/(2N) (T. Stephan, J. Zehnpfenning, A. Benninghoven, J. Vac. Sci. Technol. A 12 (1994) 405).

    Parameters
    ----------
    values
        Intensities of single peaks, as exported.

    Returns
    -------
    N, or None if the intensities show no such correction. It is known to the rounding of the file: some per cent.
    """
    finite = values[np.isfinite(values)]
    found = []
    for n in range(2, 13):
        near = finite[(finite > n + 1e-9) & (finite < n + 0.05)]
        if len(near) < 3:
            continue
        # Peaks that follow others within the dead time are corrected more: the commonest value has the least.
        common, count = np.unique(near, return_counts=True)
        excess = float(common[np.argmax(count)]) - n
        if n * n / (2.0 * excess) > 2.0 * n:
            found.append(n * n / (2.0 * excess))
    return float(np.median(found)) if len(found) >= 3 else None
