"""Lines of the files that `npp-jax new` writes: each number with its meaning and where it comes from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from npp_jax.files import ConfigError
from npp_jax.files.origin import relative_to
from npp_jax.files.writing import readable

ASSUMED = "assumed, replace it"
GIVEN = "as given"


class Draft(NamedTuple):
    """A file that is to be written."""

    name: str
    """Name of the file, without its folder."""
    text: str


class Number(NamedTuple):
    """A number of a file."""

    value: float
    source: str
    """Where it comes from, in words."""

    def line(self, key: str, meaning: str) -> str:
        """Key, value and a comment that tells what it is and where it comes from."""
        return f"{key} = {shown(self.value)}  # {meaning}; {self.source}"

    @property
    def known(self) -> bool:
        """Whether the user gave it."""
        return self.source == GIVEN


def given_or(value: float | None, otherwise: float, source: str = ASSUMED) -> Number:
    """The number that was given, or another with where it comes from."""
    return Number(otherwise, source) if value is None else Number(value, GIVEN)


def shown(value: float) -> str:
    """A number in TOML, with the digits that a guess has, or all of a given one."""
    text = f"{value:.10g}"
    return text if any(mark in text for mark in ".e") or not text.lstrip("-").isdigit() else f"{text}.0"


def rounded(value: float) -> float:
    """A guess with three digits."""
    return float(f"{value:.3g}")


def string(text: str) -> str:
    """A text in TOML."""
    return json.dumps(text, ensure_ascii=False)


def named_from(path: Path, folder: Path) -> str:
    """How a file of the user is named in a file of a folder, in TOML.

    Raises
    ------
    ConfigError
        Its name has bytes that no text holds.
    """
    text = relative_to(path, folder)
    if readable(text) != text:
        raise ConfigError(f"{readable(str(path))}: a name with bytes that no text file holds; rename it")
    return string(text)


def kept_profiles(measured: bool, last_nm: float) -> str:
    """Lines of [sweep] that keep profiles where nothing was measured: else a sweep would have nothing to show."""
    return "" if measured else f"profiles = true\nprofile_grid = {{ last_nm = {shown(last_nm)}, points = 101 }}\n"


def parameter(
    name: str, key: str | Sequence[str], low: float, high: float, *, scale: str = "linear", comment: str = ""
) -> str:
    """[[parameters]] of a study, of one key or of several that have one value."""
    keys = [key] if isinstance(key, str) else key
    head = f"# {comment}\n" if comment else ""
    scaled = "" if scale == "linear" else f'scale = "{scale}"\n'
    return f"""{head}[[parameters]]
name = {string(name)}
keys = [{", ".join(map(string, keys))}]
low = {shown(low)}
high = {shown(high)}
{scaled}"""


def study_text(
    question: str,
    name: str,
    title: str,
    entries: str,
    parameters: Sequence[str],
    kept: str,
    *,
    candidates: int,
    fit: bool,
) -> str:
    """A study file.

    Parameters
    ----------
    question
        What the study is to find out.
    name
        Beginning of the names of the files.
    title
        Title of the study.
    entries, parameters
        Tables of the experiments and of what varies.
    kept
        Lines of [sweep] on profiles.
    candidates
        Candidates of the design.
    fit
        Whether there is something to fit to.
    """
    order = "fit" if fit else "sweep"
    return f"""# {question}
# Look first: npp-jax check {name}_study.toml      Then: npp-jax {order} {name}_study.toml --output results
# What each key means: npp-jax schema study --markdown
schema_version = 1
title = {string(title)}

# Several experiments, each with its profile, share parameters: one [[experiments]] for each.
{entries}
# What varies: name, keys of the experiment, range. The start is what the experiment file says.
{chr(10).join(parameters)}
[design]
kind = "sobol"
candidates = {candidates}  # a power of two covers the ranges evenly

[sweep]
error_estimate = true
{kept}
[fit]
setting = "fast"  # or "accurate": finer meshes and steps, several times slower
starts = 8
"""
