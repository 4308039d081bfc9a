"""Commands that are told are those that a shell takes."""

import shlex
from pathlib import Path

from npp_jax.text.shell import shell_line


def test_what_is_told_can_be_copied() -> None:
    told = shell_line("check", Path("a b/it's.toml"), "--species", "Li=^7Li+")
    assert shlex.split(told) == ["npp-jax", "check", "a b/it's.toml", "--species", "Li=^7Li+"]
    assert shell_line("check", Path("-first.toml")) == "npp-jax check ./-first.toml"
    assert shell_line("check", Path("first.toml"), "-f") == "npp-jax check first.toml -f"
