"""What one ion counts for in a file, found from the numbers of the file itself."""

import math

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


_FRACTIONS = 30
"""Parts of the least step between two signals that are tried for that of one ion."""
_SURE = 1e-9
"""Chance that numbers of any size are multiples, below which they are."""
_FEWEST = 12
"""Signals of which fewer share a factor by chance too often."""
_ROUNDED_BY_PROGRAM = 1e-6
"""Share of the largest signal below which a common unit is that of single precision: no counter counts so many."""
_SLACK = 1.001
"""Half digits that a number may be off: those that lie half-way are rounded up or down."""
_EXACT = 12
"""Digits up to which numbers are those of the file, and not what a division left."""
_TELLS = 0.5
"""Width of a number over the unit above which it is a multiple of anything."""


def signal_of_one(values: Float[np.ndarray, "point"]) -> float | None:
    """Largest number of which all signals are whole multiples, as far as their digits go.

    Whole numbers divided by a counting time are, whatever the time, and means of them: one ion is then its share in the
    mean. A mean over unequal times, or a signal that was corrected or smoothed otherwise, is not.

    Parameters
    ----------
    values
        Signals as the file wrote them.

    Returns
    -------
    None where there is no such number, or too few digits to tell.
    """
    signals = np.unique(values[values > 0.0])
    if len(signals) < _FEWEST:
        return None
    unit = _common(signals)
    return unit if unit is not None and unit > _ROUNDED_BY_PROGRAM * signals[-1] else None


def _common(signals: np.ndarray) -> float | None:
    decimals, digits = _written(signals)
    places = np.floor(np.log10(signals)) + 1.0
    if places[-1] + decimals <= digits <= _EXACT:
        common = math.gcd(*(round(value) for value in (signals * 10.0**decimals).tolist()))
        # Numbers that were rounded to tens are multiples of ten, too.
        if common ** -float(len(signals)) < _SURE and not math.log10(common).is_integer():
            return common * 10.0**-decimals
    width = 0.5 * _SLACK * np.maximum(10.0**-decimals, 10.0 ** (places - digits))
    width = np.maximum(width, 4.0 * np.finfo(float).eps * signals)
    single = np.abs(signals.astype(np.float32) - signals)
    if np.all(single <= width):
        # They were rounded to single precision before they were written with more digits.
        width = width + 0.5 * _SLACK * np.spacing(signals.astype(np.float32)).astype(float)
    steps = np.diff(signals)
    # Steps are few multiples of it: they tell it well enough to divide the signals.
    numbers = np.concatenate([steps, signals])
    widths = np.concatenate([width[1:] + width[:-1], width])
    order = np.argsort(numbers)
    numbers, widths = numbers[order], widths[order]
    for parts in range(1, _FRACTIONS + 1):
        unit = _fitting(numbers, widths, parts)
        if unit is not None:
            return unit
    return None


def _fitting(numbers: np.ndarray, widths: np.ndarray, parts: int) -> float | None:
    """The unit of which the least number has that many and all others whole ones, or None."""
    low, high = (numbers[0] - widths[0]) / parts, (numbers[0] + widths[0]) / parts
    if low <= 0.0:
        return None
    chance = 1.0
    for number, width in zip(numbers[1:], widths[1:], strict=True):
        least, most = (number - width) / high, (number + width) / low
        if most - least > _TELLS:
            continue  # It is a multiple of anything.
        multiple = np.floor(most)
        if multiple < least:
            return None
        chance *= most - least
        low, high = max(low, (number - width) / multiple), min(high, (number + width) / multiple)
    return 0.5 * (low + high) if chance < _SURE else None


def _written(signals: np.ndarray) -> tuple[int, int]:
    """Decimals and digits with which the numbers were written, at most."""
    words = [np.format_float_positional(value, trim="-") for value in signals]
    decimals = max(len(word.partition(".")[2]) for word in words)
    return decimals, max(len(word.replace(".", "").strip("0")) for word in words)


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
