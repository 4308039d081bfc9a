"""A measured profile in the files that `npp-jax new` writes: its ions, its counts, and the lines that name it."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npp_jax.commands.new.lines import named_from, shown
from npp_jax.files import ConfigError
from npp_jax.files.profile_table import read_profile
from npp_jax.fitting.first_guess import SeenFront, counts_at_one, native_fraction, see_front
from npp_jax.observe import FAR, MINIMUM_POINTS, DepthProfile
from npp_jax.text.shell import shell_line

_CERTAIN = 4.0
"""Standard deviations by which the one ion must rise against the other."""

_NAME = re.compile(r"[^\W_][\w+-]*")


class Measured(NamedTuple):
    """A profile, and what it says at first sight."""

    path: Path
    profile: DepthProfile
    counts: float | None
    """Counts at fraction one to be written, for a table."""
    counted: bool
    """Whether the numbers are counts."""
    first_depth: float
    """Points above are left out. [nm]"""

    def front(self, native: str, foreign: str | None) -> SeenFront | None:
        """The front of the native ion; None where there is none to be seen."""
        return see_front(*native_fraction(self.profile, native, foreign))


def read_measured(path: Path, counts: float | None, first_depth: float) -> Measured:
    """Read a profile as studies do; counts per fraction are found where the standard deviations tell them.

    Raises
    ------
    ConfigError
        One line: file, and what is wrong.
    """
    measured = _read(path, counts, first_depth)
    profile = measured.profile
    if int(np.sum(np.asarray(profile.weight)[0] > 0.0)) < MINIMUM_POINTS:
        last = float(np.asarray(profile.depth)[-1])
        raise ConfigError(
            f"{path}: fewer than {MINIMUM_POINTS} points are deeper than --first-depth-nm {first_depth:g}; the last is "
            f"at {last:g} nm"
        )
    largest = float(np.max(np.where(profile.weight > 0.0, profile.fraction, 0.0)))
    if largest > FAR:
        raise ConfigError(f"{path}: fractions n/N reach {largest:.4g}: import it again with another way to the scale")
    for name in profile.species:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{path}: the column {name!r} is no name of an ion, such as Li or K+ (letters, digits, + and -): "
                "rename it"
            )
    return measured


def _read(path: Path, counts: float | None, first_depth: float) -> Measured:
    if path.suffix == ".h5":
        profile = read_profile(path, first_depth_nm=first_depth, counts_per_fraction=counts)
        return Measured(path, profile, None, profile.counts is not None, first_depth)
    try:
        profile = read_profile(path, first_depth_nm=first_depth, counts_per_fraction=counts)
    except ConfigError as error:
        if not any(text in str(error) for text in ("columns must be", "needs the columns", "has the unit")):
            raise
        # A file of the instrument, or of counts: the command lists its channels, and what to type then.
        raise ConfigError(f"{error}; begin with: {shell_line('import-sims', path)}") from None
    counts = counts_at_one(profile) if counts is None else counts
    if counts is not None and np.any(np.asarray(profile.fraction) < 0.0):
        raise ConfigError(f"{path}: counts per fraction were given, but fractions below zero are no counts")
    return Measured(path, profile, counts, counts is not None, first_depth)


def ions_of(measured: Measured | None, native: str | None, foreign: str | None, kind: str) -> tuple[str, str]:
    """Native and foreign ion, as given or as a profile of two ions tells.

    Raises
    ------
    ConfigError
        One of them is not known, or the profile has others.
    """
    for option, name in (("--native", native), ("--foreign", foreign)):
        if name is not None and not _NAME.fullmatch(name):
            raise ConfigError(f"{option} {name!r}: the name of an ion, such as Li or K+, has letters, digits, + and -")
    if native is not None and native == foreign:
        raise ConfigError(f"--native and --foreign are both {native}; two ions are needed")
    species = () if measured is None else measured.profile.species
    if measured is not None and len(species) == 2 and (native is None or foreign is None):
        more, less = _rising(measured, kind)
        native = native or (less if foreign == more else more)
        foreign = foreign or (less if native == more else more)
    missing = [option for option, name in (("--native Li", native), ("--foreign K", foreign)) if name is None]
    if native is None or foreign is None:
        raise ConfigError(f"new {kind} needs the names of both ions: give {' and '.join(missing)}")
    check_ions(measured, (native, foreign))
    return native, foreign


def chosen_text(measured: Measured | None, options: tuple[str | None, str | None], ions: tuple[str, str]) -> list[str]:
    """Which ion was taken for that of the glass, where it was not given."""
    if measured is None or None not in options or len(measured.profile.species) != 2:
        return []
    native, foreign = ions
    return [f"{native} rises with depth: taken for the ion of the glass, {foreign} for that which comes in"]


def _rising(measured: Measured, kind: str) -> tuple[str, str]:
    """Of two ions the one whose share rises with depth, which is that of the glass, and the other.

    Levels do not tell: behind a front the foreign ion is the main one.

    Raises
    ------
    ConfigError
        Neither rises beyond its noise.
    """
    profile = measured.profile
    used = np.asarray(profile.weight)[0] > 0.0
    fraction, sigma = np.asarray(profile.fraction)[:, used], np.asarray(profile.sigma)[:, used]
    third, end = -(-fraction.shape[1] // 3), max(3, -(-fraction.shape[1] // 10))
    rise = np.median(fraction[:, -end:], axis=1) - np.median(fraction[:, :third], axis=1)
    noise = np.median(sigma, axis=1) * np.sqrt(1.0 / third + 1.0 / end)
    apart = float(rise[0] - rise[1])
    if abs(apart) < _CERTAIN * float(np.hypot(*noise)):
        ions = " nor ".join(profile.species)
        raise ConfigError(
            f"{measured.path}: neither {ions} rises with depth beyond its noise, so that the profile does not tell "
            f"which is the ion of the glass: give new {kind} --native and --foreign, and a profile down to the bulk"
        )
    more, less = profile.species if apart > 0.0 else reversed(profile.species)
    return more, less


def check_ions(measured: Measured | None, ions: tuple[str, ...]) -> None:
    """Refuse a profile of other ions.

    Raises
    ------
    ConfigError
        One line: the file, and the ions.
    """
    species = () if measured is None else measured.profile.species
    others = [name for name in species if name not in ions]
    if measured is not None and others:
        told = f"has {', '.join(species)}, the ions are {', '.join(ions)}"
        raise ConfigError(f"{measured.path}: {told}: leave out the column of {others[0]}, or name its ion")


def experiment_lines(name: str, file: str, measured: Measured | None, folder: Path, response: str) -> str:
    """[[experiments]] of a study."""
    head = f"""[[experiments]]
name = "{name}"
file = "{file}"
"""
    if measured is None:
        return f"""{head}# What was measured: a table (depth_nm, NAME, NAME_sigma) or a file of `npp-jax import-sims`.
# profile = "profile.csv"
# counts_per_fraction = 2000.0                      # counts at fraction one, for a table of counts
# likelihood = {{ kind = "poisson" }}                 # for counts; or gaussian, student
# response = {{ kind = "gaussian", sigma_nm = 1.5 }}  # depth resolution; or dowsett
"""
    lines = [f"profile = {named_from(measured.path, folder)}"]
    if measured.first_depth > 0.0:
        lines.append(f"first_depth_nm = {shown(measured.first_depth)}  # points above, the transient, are left out")
    if measured.counts is not None:
        found = "counts at fraction one; sigma of the file is that of these counts, or they were given"
        lines.append(f"counts_per_fraction = {shown(measured.counts)}  # {found}")
    kind = "poisson" if measured.counted else "gaussian"
    lines.append(f'likelihood = {{ kind = "{kind}" }}  # poisson for counts; or gaussian, student')
    lines.append(response)
    return head + "\n".join(lines) + "\n"


def profile_text(measured: Measured) -> str:
    """Ions, points, depths and counts in one line."""
    profile = measured.profile
    depth = np.asarray(profile.depth)[np.asarray(profile.weight)[0] > 0.0]
    counted = "no counts"
    if measured.counts is not None:
        counted = f"{measured.counts:g} counts at fraction one"
    elif measured.counted:
        counted = "counts as the file tells"
    return f"{', '.join(profile.species)}: {len(depth)} points from {depth[0]:g} to {depth[-1]:g} nm, {counted}"
