"""What a study is made of: every file that it reads, and a text that tells two sweeps apart.

The text has one line for each key of the tables that a sweep depends on, those of the experiment files among them, with
what a key has by default, and a checksum of what every file of numbers holds. Comments, titles, the order of keys,
names of files, how their tables are written and what is done with the results are no part of it.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from npp_jax.files.cells import content_of
from npp_jax.files.curves import is_fraction
from npp_jax.files.errors import ConfigError
from npp_jax.files.experiment_tables import ExperimentTable
from npp_jax.files.recorded import record_files
from npp_jax.files.study_tables import StudyTable
from npp_jax.files.toml import is_keys, read_toml, toml_table
from npp_jax.text.errors import TextError
from npp_jax.text.opened import read_bytes
from npp_jax.text.titles import read_title, seconds, with_unit

_SEPARATOR = " = "
_CHECKSUM = "sha256 "


class Identity(NamedTuple):
    """Text of a study, and the files that it reads."""

    text: str
    """One line for each key that the results of a sweep depend on: `experiments[0].file.sample.permittivity = 9.0`."""
    files: Mapping[str, Path]
    """Every file that the study reads, itself apart, by the key that names it."""

    def as_in(self, stored: str) -> str:
        """The text, with the checksums of the bytes of the files where a stored text has those.

        Earlier versions told files apart by their bytes.
        """
        former, lines = told_apart(stored), []
        for line in self.text.splitlines():
            key, middle, now = line.partition(_SEPARATOR)
            before = former.get(key, now)
            if before != now and now.startswith(_CHECKSUM) and before == _CHECKSUM + _of_bytes(self.files[key]):
                now = before
            lines.append(f"{key}{middle}{now}")
        return "\n".join(lines)

    def difference(self, stored: str, *, ranges: bool) -> str | None:
        """In what a sweep was another one, in words; None if in no experiment or parameter, or for one from Python.

        Parameters
        ----------
        stored
            Text of the sweep.
        ranges
            Whether names, ranges and scales of parameters count.
        """
        swept, own = told_apart(stored), told_apart(self.as_in(stored))
        if not swept:
            return None
        for key in dict.fromkeys([*swept, *own]):
            before, now = swept.get(key, "none"), own.get(key, "none")
            if before == now or (not ranges and key.endswith((".low", ".high", ".scale", ".levels", ".name"))):
                continue
            if key in self.files:
                return f"the sweep had another {self.files[key].name}"
            return f"the sweep had {key} = {before}, the study has {now}"
        return None


def identify(path: Path, table: StudyTable) -> Identity:
    """What makes the sweep of a study, and which files it reads.

    Parameters
    ----------
    path
        Study file; what it names lies beside it.
    table
        Its content.

    Raises
    ------
    ConfigError
        An experiment file is wrong, in one line.
    """
    folder, files, lines = path.parent, dict[str, Path](), list[str]()
    for k, entry in enumerate(table.experiments):
        key = f"experiments[{k}]"
        files[f"{key}.file"] = folder / entry.file
        named = {name.partition(".")[0]: {"file"} for name in record_files(entry)}
        lines += _flat(key, entry.model_dump(exclude={"file": True, "profile": True, **named}))
        experiment = read_toml(files[f"{key}.file"], ExperimentTable)
        traces = _tables(f"{key}.file", files[f"{key}.file"], experiment)
        content = experiment.model_dump(exclude={"title"})
        for part, number, name in experiment.tables:
            # The content of a table stands for its name.
            *inner, last = name.split(".")
            functools.reduce(dict.__getitem__, inner, content[part][number])[last] = None
        lines += _flat(f"{key}.file", content)
        measured = {} if entry.profile is None else {f"{key}.profile": folder / entry.profile}
        measured |= {f"{key}.{name}": folder / file for name, file in record_files(entry).items()}
        lines += [f"{name}{_SEPARATOR}{_CHECKSUM}{_checksum(file)}" for name, file in (traces | measured).items()]
        files |= traces | measured
    for k, parameter in enumerate(table.parameters):
        # A prior weighs in a fit, not in a sweep.
        lines += _flat(f"parameters[{k}]", parameter.model_dump(exclude={"prior_mean", "prior_sigma"}))
    lines += _flat("sweep", table.sweep.model_dump(exclude={"dtype", "chunk"}))
    if table.design.file is not None:
        files["design.file"] = folder / table.design.file
    for k, rival in enumerate(table.fit.rivals):
        for name, file in rival.files.items():
            key = f"fit.rivals[{k}].files.{name}"
            files[key] = folder / file
            files |= _tables(key, files[key], read_toml(files[key], ExperimentTable))
        for name, file in rival.set.items():
            if name.endswith(("_trace", ".table")):
                places = {(folder / entry.file).parent for entry in table.experiments}
                files |= {f"fit.rivals[{k}].set.{name} in {place}": place / str(file) for place in places}
    return Identity("\n".join(lines), files)


def _tables(key: str, path: Path, experiment: ExperimentTable) -> dict[str, Path]:
    """Tables of numbers that an experiment file names, by their keys."""
    return {f"{key}.{part}[{k}].{name}": path.parent / file for (part, k, name), file in experiment.tables.items()}


def _flat(key: str, value: Any) -> Iterator[str]:
    """A line for each value of a table; none for what is not given."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from _flat(f"{key}.{name}", inner)
        case list() if value and isinstance(value[0], dict):
            for k, inner in enumerate(value):
                yield from _flat(f"{key}[{k}]", inner)
        case None:
            return
        case _:
            yield f"{key}{_SEPARATOR}{json.dumps(value)}"


def _checksum(path: Path) -> str:
    """Checksum of titles and numbers of a table; of the bytes of what is none, as a profile in HDF5."""
    try:
        return hashlib.sha256(content_of(path, _is_head)).hexdigest()
    except TextError:
        return _of_bytes(path)


def is_input(path: Path, text: str) -> bool:
    """Whether a file is one of those that a study reads: a file of keys, or a table that the text of a sweep tells."""
    try:
        if is_keys(toml_table(path)):
            return True
    except ConfigError:
        pass
    try:
        sums = {_CHECKSUM + found for found in (_checksum(path), _of_bytes(path))}
    except OSError:
        return False
    return not sums.isdisjoint(told_apart(text).values())


def _of_bytes(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _is_head(titles: list[str]) -> bool:
    """Whether titles are those of a profile, a trace, a record or a law."""
    return any(
        read_title(title).axis is not None or with_unit(title, "", seconds) is not None or is_fraction(title)
        for title in titles
    )


def told_apart(text: str) -> dict[str, str]:
    """Values of the text of a study by their keys; empty for a text of another kind."""
    parts = (line.partition(_SEPARATOR) for line in text.splitlines())
    return {key: value for key, middle, value in parts if middle and key.startswith(("experiments[", "parameters["))}
