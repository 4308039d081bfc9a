"""Arguments of another kind than expected, told where they are given and not where they are first used."""

from typing import Any, get_args


def expect(value: Any, kind: type | tuple[type, ...], what: str, hint: str = "") -> None:
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

    Raises
    ------
    TypeError
        One line: what was expected, and what was given.
    """
    if isinstance(value, kind) or type(value) is object or value is None:
        return
    kinds = kind if isinstance(kind, tuple) else (kind,)
    wanted = " or ".join(one.__name__.removeprefix("Abstract") for one in kinds)
    shown = repr(value) if isinstance(value, str | int | float) else type(value).__name__
    raise TypeError(f"{what} must be of type {wanted}, got {shown}{f'; {hint}' if hint else ''}")


def expect_word(word: str, words: Any, what: str) -> None:
    """Refuse a word that is none of a `Literal`: a branch would take it for another one.

    Raises
    ------
    ValueError
        One line: what is known, and what was given.
    """
    if word not in get_args(words):
        raise ValueError(f"{what} = {word!r} is not known; known are {', '.join(get_args(words))}")
