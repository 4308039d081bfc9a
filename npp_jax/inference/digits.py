"""Numbers for people: as many digits as their error allows, powers of ten written out."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npp_jax.inference.estimate import Estimate

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Digits of a power."""
_DIGITS = 5
"""Digits of a number whose error is not known."""
_OF_ERROR = 2
"""Digits of an error, and so the last two of its number."""


def power_of_ten(exponent: int) -> str:
    """A factor, with a blank before it; nothing for one."""
    return f" × 10{str(exponent).translate(RAISED)}" if exponent else ""


def further(count: int) -> str:
    """End of a sentence that has told the intervals of some: how many more there are."""
    return "" if count < 1 else f"; {count} more parameter{' has an interval' if count == 1 else 's have intervals'}"


def together(values: Sequence[float], error: float = math.nan) -> tuple[list[str], str]:
    """Numbers of one unit with the digits that an error leaves them, and the power of ten that they share.

    Parameters
    ----------
    values
        The numbers; the first that is finite sets the power. What is not finite is told as such.
    error
        Standard error of them; NaN where it is not known.
    """
    largest = next((abs(value) for value in values if math.isfinite(value)), 0.0)
    exponent = 0 if largest == 0.0 or 1e-3 <= largest < 1e5 else math.floor(math.log10(largest))
    if math.isfinite(error) and error > 0.0:
        places = _OF_ERROR - 1 - math.floor(math.log10(error)) + exponent
    else:
        places = _DIGITS - 1 - (math.floor(math.log10(largest)) if largest else 0) + exponent
    places = min(max(places, 0), 12)
    # In decimals: the factor of a number as small as 1e-320 is beyond those of the machine.
    shifted = [Decimal(repr(float(v))).scaleb(-exponent) if math.isfinite(v) else v for v in values]
    return [f"{value:.{places}f}" for value in shifted], power_of_ten(exponent)


def with_power(number: str, power: str) -> str:
    """A number or a range with its power of ten."""
    return f"({number}){power}" if power and " " in number else f"{number}{power}"


def interval_text(ends: Sequence[float], words: Sequence[str], shared: Sequence[str], power: str) -> str:
    """An interval, a word in place of an end that is no number.

    Parameters
    ----------
    ends, words
        Both ends, and what stands in their place where they are not finite.
    shared
        The finite ones with the digits and the power of ten of the best value.
    power
        That power.
    """
    rest = iter(shared)
    texts = [next(rest) if math.isfinite(end) else "" for end in ends]
    plain = len(shared) == len(ends)
    # Decades away from the best value an end would be no number any more; where the other one is a word, which has no
    # power of ten, it stands alone, as that of a range may be far from the best value.
    lost = [end != 0.0 and _figures(text) < (1 if plain else _OF_ERROR) for end, text in zip(ends, texts, strict=True)]
    if plain and not any(lost):
        return with_power(" … ".join(texts), power)
    told = []
    for end, text, word, own in zip(ends, texts, words, lost, strict=True):
        if not math.isfinite(end):
            told.append(word)
        elif own:
            (digits,), factor = together((end,), 0.1 * abs(end))
            told.append(f"{digits}{factor}")
        else:
            told.append(f"{text}{power}")
    return " … ".join(told)


def _figures(text: str) -> int:
    """Digits of a number from the first that is not zero on."""
    return len(text.replace(".", "").lstrip("-0"))


def estimate_texts(found: "Estimate") -> tuple[str, str, str]:
    """Best value, standard error and 95 % interval of a parameter; words in place of what is not determined."""
    limits = [end for end in found.interval if math.isfinite(end)]
    widths = [0.5 * abs(end - found.value) for end in limits]
    error = found.sigma if math.isfinite(found.sigma) else min((w for w in widths if w > 0.0), default=math.nan)
    (best, spread, *ends), power = together((found.value, found.sigma, *limits), error)
    interval = found.interval_text()
    if " … " in interval:
        interval = interval_text(found.interval, [end.label() for end in found.ends], ends, power)
    sigma = found.sigma_text() if not math.isfinite(found.sigma) else with_power(spread, power)
    return with_power(best, power), sigma, interval


def misfit(chi2: float) -> str:
    """χ² with a decimal, or three digits where it is so large that nothing more matters."""
    if not 1e5 <= abs(chi2) < math.inf:
        return f"{chi2:.1f}"
    first, power = f"{chi2:.2e}".split("e")
    return f"{first}{power_of_ten(int(power))}"
