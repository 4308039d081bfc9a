"""Names that the user gives: each is a title of a column, a word on a line and one in a figure, and survives them."""

from collections.abc import Iterable
from unicodedata import category

_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories of signs that are not written but end lines, turn their direction and the like."""

_LONGEST = 200
"""Signs of a name; figures would spend minutes to lay out thousands."""


def fault_of_name(name: str) -> str | None:
    """Why a text can be no name; None if it can."""
    if not name.strip():
        return "it must not be empty"
    if len(name) > _LONGEST:
        return f"a name has at most {_LONGEST} signs"
    if any(category(sign) in _UNSEEN for sign in name):
        return "a name has no line ends, orders to a terminal or marks of direction"
    if "$" in name:
        return "a name has no dollar sign, between two of which figures show a formula"
    return None


def repeated(names: Iterable[str]) -> str | None:
    """First name that was there before; None if all differ."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
