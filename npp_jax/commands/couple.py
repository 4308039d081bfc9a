"""`npp-jax couple`: D(c) of a measured diffusion couple in free form, and a study that fits it by simulation."""

import hashlib
import math
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npp_jax.commands.couple_study import CoupleStudy, law_of, study_of_couple
from npp_jax.commands.couple_words import check_apart, told_of
from npp_jax.figures.couple import figure_couple
from npp_jax.files import ConfigError
from npp_jax.files.couple_table import CoupleTable, read_couple
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.study import load_study
from npp_jax.files.writing import draw, readable, told_earlier, write_text, written_together
from npp_jax.fitting.couple import CoupleFit, fit_couple, sigma_of
from npp_jax.physics.boltzmann_matano import Interdiffusion, boltzmann_matano
from npp_jax.physics.keys import SAMPLE
from npp_jax.text.errors import shorten
from npp_jax.text.opened import read_bytes

_NAME = re.compile(r"[A-Za-z]\w{0,19}")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

LONGEST_S = 1e12
"""Longest anneal, that of a stage [s]."""

_MARK_LINE = "# "
"""What the last line begins with."""

_ROWS = 60
"""Rows of the table of D of each phase."""


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
    gaps: Sequence[str] = (),
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
    gaps
        Mole fractions between which no phase lives, as "0.3:0.55"; jumps of the profile if none are given.
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
    if _CONTROL.search(readable(file.stem)) or readable(file.stem) != file.stem:
        raise ConfigError("its name has characters that no text file holds; rename it")
    table = read_couple(file, depth=depth, fraction=fraction, depth_unit=depth_unit, percent=percent)
    _check_length(file, table)
    _check_smoothing(table, smoothing_um)
    _check_ends(table, ends)
    apart = [_gap(text) for text in gaps]
    if not 0.0 < 3600.0 * time_h <= LONGEST_S:
        raise ConfigError(f"--time-h {time_h:g}: must be greater than 0 and at most {LONGEST_S / 3600.0:.3g}")
    if _NAME.fullmatch(species) is None:
        raise ConfigError(f"--species '{shorten(species)}': must be letters, digits and _, as Mo")
    try:
        smoothing = None if smoothing_um is None else smoothing_um * 1e-6
        found = boltzmann_matano(
            table.depth_um * 1e-6, table.fraction, 3600.0 * time_h, smoothing=smoothing, ends=ends, gaps=apart
        )
        if np.sum(np.isfinite(found.D)) < 2:
            raise ValueError("the profile rises nowhere from one end to the other: is it that of a couple?")
        fit = fit_couple(found, table.fraction, 3600.0 * time_h, sigma=table.sigma)
        check_apart(fit.limits)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None
    stem, lost = file.stem, list[str]()
    names = ("profile.csv", "D.csv", "band.csv", "couple.toml", "study.toml", "start.csv", "couple.png")
    targets = {name: output / f"{stem}_{name}" for name in names}
    smoothed = "" if smoothing_um is None else f", smoothed over {smoothing_um!r} µm"
    between = "" if ends is None else f", ends {ends[0]!r} and {ends[1]!r}"
    between += "".join(f", gap {low!r} to {high!r}" for low, high in apart)
    scale = f"{f', in {depth_unit}' if depth_unit else ''}{', per cent' if percent else ''}"
    detail = f"{table.columns}{scale}; {species}, {time_h!r} h{smoothed}{between}"
    origin = Origin("couple", file, detail, (file,))
    picture = [targets["couple.png"]] if figures else []
    tables = [targets[name] for name in names[:-1]]
    check_targets([*tables, *picture], origin, force=force)
    if not force:
        _check_unedited(tables)
    study = study_of_couple(found, fit, stem, species=species, time_h=time_h, profile=targets["profile.csv"].name)
    profile = profile_text(table, found, species, study.before_um)
    _check_study(file, {targets[name].name: text for name, text in _texts(study, profile).items()})

    def write(name: str, text: str) -> None:
        write_text(targets[name], _marked(text, origin.mark(targets[name])))

    with written_together():
        for name, text in _texts(study, profile).items():
            write(name, text)
        rows = "".join(f"{knot.fraction:.9g},{knot.D:.6g}\n" for knot in law_of(fit, _ROWS))
        write("D.csv", "fraction,D_m2_s\n" + rows)
        rows = "".join(f"{c:.9g},{d:.6g},{low:.6g},{high:.6g}\n" for c, (d, low, high) in _rising(fit))
        write("band.csv", "fraction,D_m2_s,D_low_m2_s,D_high_m2_s\n" + rows)
        if figures:
            title = readable(f"{stem}, {time_h:g} h")
            picture = draw(
                picture[0], lambda: figure_couple(table.fraction, found, fit, species, title), lost, origin=origin
            )
    lines = told_of(table, found, fit, apart)
    if study.before_um > 0.0:
        lines.append(
            f"depths of the profile are from the end of the couple, those of the file and {study.before_um:g} µm"
        )
    lost += told_earlier([targets["couple.png"]], picture)
    return [*lines, *(f"warning: {text}" for text in lost)], [*tables, *picture]


def _texts(study: CoupleStudy, profile: str) -> dict[str, str]:
    """Files of the study, by the ends of their names."""
    return {
        "profile.csv": profile,
        "couple.toml": study.experiment,
        "start.csv": study.start,
        "study.toml": study.study,
    }


def _check_study(file: Path, texts: dict[str, str]) -> None:
    """Refuse a study that could not be read again, before anything is written.

    Raises
    ------
    ConfigError
        In one line.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            write_text(Path(folder) / name, text)
        try:
            load_study(Path(folder) / next(name for name in texts if name.endswith("_study.toml")))
        except ConfigError as error:
            reason = str(error).replace(f"{folder}{os.sep}", "")
            raise ConfigError(f"{file}: no study can be made of it: {reason}") from None


def _check_length(file: Path, table: CoupleTable) -> None:
    length, allowed = float(np.ptp(table.depth_um)), SAMPLE["thickness_um"].limits
    if not allowed.hold(length):
        raise ConfigError(f"{file}: the profile is {length:.4g} µm long; that of a sample must be {allowed}")


def _check_smoothing(table: CoupleTable, smoothing_um: float | None) -> None:
    least, most = 0.01 * float(np.median(np.diff(table.depth_um))), float(np.ptp(table.depth_um))
    if smoothing_um is not None and not least <= smoothing_um <= most:
        raise ConfigError(
            f"--smoothing-um {smoothing_um:g}: must be from {least:.3g}, a hundredth of the distance of the points, "
            f"to {most:.3g}, the length of the profile"
        )


def _gap(text: str) -> tuple[float, float]:
    """Two fractions of --gap."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = math.nan
    if not 0.0 <= low < high <= 1.0:
        raise ConfigError(f"--gap '{shorten(text)}': must be two mole fractions, the lower one first, as 0.3:0.55")
    return low, high


def _check_ends(table: CoupleTable, ends: tuple[float, float] | None) -> None:
    if ends is None:
        return
    if not (ends[0] != ends[1] and all(0.0 <= end <= 1.0 for end in ends)):
        raise ConfigError(f"--ends {ends[0]:g} {ends[1]:g}: must be two mole fractions from 0 to 1 that differ")
    first, last = (float(np.median(table.fraction[side])) for side in (slice(3), slice(-3, None)))
    if (ends[1] - ends[0]) * (last - first) < 0.0:
        raise ConfigError(
            f"--ends {ends[0]:g} {ends[1]:g}: the profile goes from {first:.3g} to {last:.3g}; give the end of its "
            "first point first"
        )


def profile_text(table: CoupleTable, found: Interdiffusion, species: str, before_um: float) -> str:
    """Profile with the standard deviations of its points, from the end of the couple that is simulated."""
    sigma = sigma_of(found, table.sigma)
    rows = zip(*(column.tolist() for column in (table.depth_um + before_um, table.fraction, sigma)), strict=True)
    return f"depth_um,{species},{species}_sigma\n" + "".join(f"{x:.9g},{c:.9g},{s:.3g}\n" for x, c, s in rows)


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
        text, _, told = read_bytes(path).decode("utf-8", "replace").rpartition(_MARK_LINE)
        if told.split()[-1:] != [_checksum(text)]:
            raise ConfigError(
                f"{path}: it was edited since `npp-jax couple` has written it; give another place, or --force to "
                "replace it"
            )


def _rising(fit: CoupleFit) -> list[tuple[float, np.ndarray]]:
    """Fractions, increasing, with D and the ends of its band."""
    order = np.argsort(fit.curve, kind="stable")
    return list(zip(fit.curve[order].tolist(), fit.D[order], strict=True))
