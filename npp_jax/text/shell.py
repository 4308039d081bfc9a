"""Commands for the user to copy."""

import shlex
from pathlib import Path


def shell_line(*words: str | Path) -> str:
    """`npp-jax` and its words as a shell takes them: quoted, and a file that begins with a dash as `./-FILE`."""
    given = (f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word) for word in words)
    return shlex.join(["npp-jax", *given])
