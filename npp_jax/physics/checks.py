"""Arguments of another kind than expected, told where they are given and not where they are first used."""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar, get_args

import numpy as np

from npp_jax._compile import concrete

Given = ParamSpec("Given")
Made = TypeVar("Made")


class Numbers(NamedTuple):
    """Which numbers an argument takes."""

    words: str
    """The same in words."""
    low: float = -math.inf
    """Least of them."""
    strict: bool = False
    """Whether the least is left out."""
    endless: bool = False
    """Whether one may be infinite."""
    optional: bool = False
    """Whether it may be left out, as None."""


FINITE = Numbers("finite")
POSITIVE = Numbers("positive and finite", 0.0, strict=True)
NOT_NEGATIVE = Numbers("finite and not negative", 0.0)
COUNT = Numbers("finite, and at least 1", 1.0)
ERRORS = Numbers("positive", 0.0, strict=True, endless=True)
"""Standard errors, infinite where a datum is left out."""
PERMEABILITY = ERRORS
"""Infinite where nothing resists."""


class Several(NamedTuple):
    """A list or tuple with an entry at least, each of one type."""

    kind: type
    """That type."""
    gaps: bool = False
    """Whether entries may be None."""


def optional(numbers: Numbers) -> Numbers:
    """The same numbers, or None."""
    return numbers._replace(optional=True)


def expect(value: Any, kind: type | tuple[type, ...], what: str, hint: str = "", *, placeholders: bool = True) -> None:
    """Refuse a value of another kind.

    Parameters
    ----------
    value
        What was given. Placeholders that tree functions put in the place of a module pass.
    kind
        What it should be.
    what
        What it is called, for the message.
    hint
        How to get one.
    placeholders
        Whether these pass: they do where a module is made, not where a function is called.

    Raises
    ------
    TypeError
        One line: what was expected, and what was given.
    """
    if isinstance(value, kind) or (placeholders and (type(value) is object or value is None)):
        return
    kinds = kind if isinstance(kind, tuple) else (kind,)
    wanted = " or ".join(one.__name__.removeprefix("Abstract") for one in kinds)
    shown = repr(value) if value is None or isinstance(value, str | int | float) else type(value).__name__
    raise TypeError(f"{what} must be of type {wanted}, got {shown}{f'; {hint}' if hint else ''}")


def expect_numbers(value: Any, wanted: Numbers, what: str) -> None:
    """Refuse what is no number, or one without a meaning. The symbols of a function being compiled pass.

    Raises
    ------
    TypeError, ValueError
        One line: what was expected, and what was given.
    """
    if (value is None and wanted.optional) or not concrete(value):
        return
    try:
        # NumPy makes a NaN of None.
        numbers = np.asarray("" if value is None else value, float)
    except (TypeError, ValueError):
        shown = repr(value) if value is None or isinstance(value, str) else type(value).__name__
        raise TypeError(f"{what} must be a number or an array of numbers, got {shown}") from None
    if not numbers.size:
        raise ValueError(f"{what} is empty; it must have a number at least")
    bad = np.isnan(numbers) | (numbers <= wanted.low if wanted.strict else numbers < wanted.low)
    if not wanted.endless:
        bad |= np.isinf(numbers)
    if bad.any():
        raise ValueError(f"{what} must be {wanted.words}, got {numbers[bad].flat[0]:g}")


def expect_several(value: Any, wanted: Several, what: str) -> None:
    """Refuse what is no list of objects of a type, or an empty one."""
    expect(value, (list, tuple), what, placeholders=False)
    if not value:
        raise ValueError(f"{what} is empty; at least one {wanted.kind.__name__} is needed")
    for entry in value:
        if not (wanted.gaps and entry is None):
            expect(entry, wanted.kind, f"each entry of {what}", placeholders=False)


Wanted: TypeAlias = Numbers | Several | type | tuple[type, ...]
"""What an argument must be."""


def expects(**wanted: Wanted) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """Refuse arguments of a public function that it can make nothing of, before it begins.

    Parameters
    ----------
    wanted
        For arguments by name: which numbers, of which type, or several of it.
    """

    def decorate(function: Callable[Given, Made]) -> Callable[Given, Made]:
        signature = inspect.signature(function)
        assert set(wanted) <= set(signature.parameters)

        @functools.wraps(function)
        def checked(*args: Given.args, **kwargs: Given.kwargs) -> Made:
            given = signature.bind(*args, **kwargs).arguments
            for name in [name for name in wanted if name in given]:
                kind = wanted[name]
                if isinstance(kind, Numbers):
                    expect_numbers(given[name], kind, name)
                elif isinstance(kind, Several):
                    expect_several(given[name], kind, name)
                else:
                    expect(given[name], kind, name, placeholders=False)
            return function(*args, **kwargs)

        return checked

    return decorate


def expect_word(word: str, words: Any, what: str) -> None:
    """Refuse a word that is none of a `Literal`: a branch would take it for another one.

    Raises
    ------
    ValueError
        One line: what is known, and what was given.
    """
    if word not in get_args(words):
        raise ValueError(f"{what} = {word!r} is not known; known are {', '.join(get_args(words))}")
