"""`npp-jax couple`: D(c) of a measured diffusion couple without a simulation, and a study that fits it."""

import hashlib
import re
from pathlib import Path

import numpy as np

from npp_jax.commands.couple_study import study_of_couple
from npp_jax.figures.couple import figure_couple
from npp_jax.files import ConfigError
from npp_jax.files.couple_table import CoupleTable, read_couple
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.writing import draw, readable, write_text, written_together
from npp_jax.physics.boltzmann_matano import Interdiffusion, boltzmann_matano
from npp_jax.text.errors import shorten

_NAME = re.compile(r"[A-Za-z]\w{0,19}")

_MARK_LINE = "# "
"""What the last line begins with."""

_LEAST_SIGMA = 1e-3
"""Standard deviation of a mole fraction that is taken where the data scatter less about their smoothed curve."""


def analyse_couple(
    file: Path,
    output: Path,
    *,
    time_h: float,
    species: str,
    depth: str | None = None,
    fraction: str | None = None,
    depth_unit: str | None = None,
    percent: bool = False,
    smoothing_um: float | None = None,
    ends: tuple[float, float] | None = None,
    figures: bool = True,
    force: bool = False,
) -> tuple[list[str], list[Path]]:
    """Read a couple, find its D(c), write profile, table and figure; return what is told and the files.

    Parameters
    ----------
    file
        Measured profile.
    output
        Folder of the results.
    time_h
        Time of the anneal. [h]
    species
        Name of the component whose mole fraction was measured.
    depth, fraction, depth_unit, percent
        As of `read_couple`.
    smoothing_um
        As of `boltzmann_matano`. [µm]
    ends
        Mole fractions of the two ends; medians of the outermost points if not given.
    figures
        Whether a figure is drawn.
    force
        Whether what others have written there is replaced.

    Raises
    ------
    ConfigError
        In one line.
    OSError
        A folder cannot be written.
    """
    table = read_couple(file, depth=depth, fraction=fraction, depth_unit=depth_unit, percent=percent)
    if smoothing_um is not None and not smoothing_um > 0.0:
        raise ConfigError(f"--smoothing-um {smoothing_um:g}: must be greater than 0")
    if ends is not None and not (ends[0] != ends[1] and all(0.0 <= end <= 1.0 for end in ends)):
        raise ConfigError(f"--ends {ends[0]:g} {ends[1]:g}: must be two mole fractions from 0 to 1 that differ")
    if _NAME.fullmatch(species) is None:
        raise ConfigError(f"--species '{shorten(species)}': must be letters, digits and _, as Mo")
    try:
        smoothing = None if smoothing_um is None else smoothing_um * 1e-6
        found = boltzmann_matano(table.depth_um * 1e-6, table.fraction, 3600.0 * time_h, smoothing=smoothing, ends=ends)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None
    fractions, D = _rising(found)
    if len(fractions) < 2:
        raise ConfigError(f"{file}: the profile rises nowhere from one end to the other: is it that of a couple?")
    stem, lost = file.stem, list[str]()
    names = ("profile.csv", "D.csv", "couple.toml", "study.toml", "start.csv", "couple.png")
    targets = {name: output / f"{stem}_{name}" for name in names}
    origin = Origin("couple", file, reads=(file,))
    picture = [targets["couple.png"]] if figures else []
    tables = [targets[name] for name in names[:-1]]
    check_targets([*tables, *picture], origin, force=force)
    if not force:
        _check_unedited(tables)
    study = study_of_couple(found, stem, species=species, time_h=time_h, profile=targets["profile.csv"].name)
    sigma = np.maximum(found.sigma, _LEAST_SIGMA)[found.phase]
    columns = table.depth_um + study.before_um, table.fraction, sigma
    rows = zip(*(column.tolist() for column in columns), strict=True)

    def write(name: str, text: str) -> None:
        write_text(targets[name], _marked(text, origin.mark(targets[name])))

    with written_together():
        head = f"depth_um,{species},{species}_sigma\n"
        write("profile.csv", head + "".join(f"{x:.9g},{c:.9g},{s:.3g}\n" for x, c, s in rows))
        pairs = zip(fractions.tolist(), D.tolist(), strict=True)
        write("D.csv", "fraction,D_m2_s\n" + "".join(f"{c:.9g},{d:.6g}\n" for c, d in pairs))
        write("couple.toml", study.experiment)
        write("study.toml", study.study)
        write("start.csv", study.start)
        if figures:
            title = readable(f"{stem}, {time_h:g} h")
            picture = draw(
                picture[0], lambda: figure_couple(table.fraction, found, species, title), lost, origin=origin
            )
    lines = _told(table, found, fractions, D)
    if study.before_um > 0.0:
        lines.append(
            f"depths of the profile are from the end of the couple, {study.before_um:g} µm before its first point"
        )
    return [*lines, *(f"warning: {text}" for text in lost)], [*tables, *picture]


def _marked(text: str, mark: str) -> str:
    """Text with a comment below that tells whose it is, and whether it was edited since."""
    return f"{text}{_MARK_LINE}{mark} {_checksum(text)}\n"


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_unedited(paths: list[Path]) -> None:
    """Refuse to replace what was written by this command and edited afterwards.

    Raises
    ------
    ConfigError
        In one line.
    """
    for path in (path for path in paths if path.exists()):
        text, _, told = path.read_text(encoding="utf-8", errors="replace").rpartition(_MARK_LINE)
        if told.split()[-1:] != [_checksum(text)]:
            raise ConfigError(
                f"{path}: it was edited since `npp-jax couple` has written it; give another place, or --force to "
                "replace it"
            )


def _rising(found: Interdiffusion) -> tuple[np.ndarray, np.ndarray]:
    """Fractions, increasing, and D at them, where both are known."""
    known = np.isfinite(found.D)
    order = np.argsort(found.fraction[known], kind="stable")
    fraction, D = found.fraction[known][order], found.D[known][order]
    new = np.concatenate([[True], np.diff(fraction) > 1e-9])
    return fraction[new], D[new]


def _told(table: CoupleTable, found: Interdiffusion, fraction: np.ndarray, D: np.ndarray) -> list[str]:
    lines = [
        *table.told,
        f"{len(table.depth_um)} points from {table.depth_um[0]:.6g} to {table.depth_um[-1]:.6g} µm; ends "
        f"{found.ends[0]:.4g} and {found.ends[1]:.4g}; scatter {found.scatter:.2g}",
        f"plane of Matano at {found.matano * 1e6:.5g} µm",
        "fraction  D / m² s⁻¹",
    ]
    chosen = np.unique(np.linspace(0, len(fraction) - 1, 9).round().astype(int))
    return lines + [f"{fraction[k]:8.4f}  {D[k]:.3e}" for k in chosen]
