"""`npp-jax import-sims`: from the words of the command line to a profile, its file and its figure."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from npp_jax.figures.sims import figure_import
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.sims_profile import write_profile
from npp_jax.files.writing import check_figure, draw, written_together
from npp_jax.observe import FAR
from npp_jax.sims.convert import convert
from npp_jax.sims.errors import SimsFileError, fault
from npp_jax.sims.importing import describe
from npp_jax.sims.options import METHODS, ImportOptions
from npp_jax.sims.profile import SimsProfile
from npp_jax.sims.raw import RawProfile
from npp_jax.sims.read import read_raw
from npp_jax.text.errors import OneLineError
from npp_jax.text.pairs import values_by_name
from npp_jax.text.shell import shell_line

_TRANSIENT = 5
"""Points at the surface whose signal may be larger than that of the glass."""


class DoubtfulFractions(OneLineError):
    """A file became a profile that no sample has; the message says in one line what to try."""


def command(
    file: Path,
    species: Sequence[str],
    out: Path | None = None,
    figure: Path | None = None,
    format: str = "auto",
    crater_depth_nm: float | None = None,
    crater_sigma_nm: float = 0.0,
    duration_s: float | None = None,
    normalise: Sequence[str] = (),
    bulk_nm: str | None = None,
    reference: str | None = None,
    background: Sequence[str] = (),
    sputter_rate: Sequence[str] = (),
    close_sum: bool = False,
    surface_nm: float = 0.0,
    deepest_nm: float | None = None,
    charge_mC_cm2: float | None = None,
    density_m3: float | None = None,
    dwell_s: float | None = None,
    as_counts: bool = False,
    sigma_relative: float = 0.0,
    trust_counting: bool = False,
    force: bool = True,
    command_line: str = "",
    tell: Callable[[str], object] = lambda line: None,
) -> list[str]:
    """`npp-jax import-sims`: read, convert, write, draw; return the lines that were told.

    Parameters
    ----------
    file
        SIMS file.
    species
        `K=39K+` for each species; none to be told what the file holds.
    out
        Profile (HDF5); beside the file with the ending .h5 if not given.
    figure
        Figure; its ending gives the format.
    format
        `auto`, `surfacelab`, `cameca` or `table`.
    normalise
        `K=uptake`, `Li=bulk`, … or one word for all species.
    bulk_nm
        `800:1000`.
    background
        `K=800:1000` in nm, or `K=0.4` ions a point.
    sputter_rate
        `K=1.3`, relative, for each species.
    force
        Replace what is there and was not imported from this file, and write fractions far above one.
    command_line
        What was typed, kept in the profile.
    tell
        Takes each line to print, the numbers before anything is written.

    The others are those of `ImportOptions`.

    Raises
    ------
    SimsFileError, ConfigError
        In one line.
    DoubtfulFractions
        A fraction is far above one; nothing was written.
    OSError
        A folder cannot be written.
    """
    raw = read_raw(file, format)
    told: list[str] = []

    def say(*lines: str) -> None:
        told.extend(lines)
        for line in lines:
            tell(line)

    if not species:
        say(*describe(raw), *(f"warning: {line}" for line in raw.warnings))
        say(f"to import: {example_command(file, raw, format)}")
        return told
    channels = _named(file, "--species", [item if "=" in item else f"{item}={item}" for item in species])
    everywhere = [item for item in normalise if "=" not in item]
    if len(everywhere) > 1:
        raise fault(file, f"--normalise: {' and '.join(everywhere)} are given for all species; name one, as K=sum")
    ways = {name: everywhere[0] for name in channels} if everywhere else {}
    options = ImportOptions(
        species=channels,
        normalise={**ways, **_named(file, "--normalise", [item for item in normalise if "=" in item])},
        bulk_nm=_range(file, "--bulk-nm", bulk_nm) if bulk_nm else None,
        crater_depth_nm=crater_depth_nm,
        crater_sigma_nm=crater_sigma_nm,
        duration_s=duration_s,
        sputter_rates={
            k: _float(file, "--sputter-rate", v) for k, v in _named(file, "--sputter-rate", sputter_rate).items()
        },
        reference=reference,
        background={
            k: _range(file, "--background", v) if ":" in v else _float(file, "--background", v)
            for k, v in _named(file, "--background", background).items()
        },
        close_sum=close_sum,
        surface_nm=surface_nm,
        deepest_nm=deepest_nm,
        charge_mC_cm2=charge_mC_cm2,
        density_m3=density_m3,
        dwell_s=dwell_s,
        as_counts=as_counts,
        sigma_relative=sigma_relative,
        trust_counting=trust_counting,
    )
    target = out or Path(file).with_suffix(".h5")
    if target.resolve() == Path(file).resolve():
        raise fault(file, "the profile would replace the file it is made of; give another --out")
    origin = Origin("import-sims", file)
    if figure is not None:
        try:
            check_figure(figure)
        except ValueError as error:
            raise fault(figure, f"cannot be written ({error})") from None
    for path in (target, target if figure is None else figure):
        path.parent.mkdir(parents=True, exist_ok=True)
    check_targets([target] if figure is None else [target, figure], origin, force=force)
    profile = convert(raw, options)
    say(*_summary(profile))
    doubt = None if force else _doubt(profile)
    if doubt is not None:
        raise DoubtfulFractions(f"{file}: {doubt} Nothing was written; --force writes it all the same")
    written, lost = [target], list[str]()
    with written_together():
        write_profile(target, profile, command=command_line, origin=origin)
        if figure is not None:
            try:
                written += draw(figure, lambda: figure_import(raw, profile), lost, dpi=200, origin=origin)
            except OSError as error:
                raise fault(figure, f"cannot be written ({error.strerror or error})") from None
    say(*(f"warning: {line}" for line in lost), f"written: {', '.join(map(str, written))}")
    return told


_ATOM = re.compile(r"(?:\d+)?([A-Z][a-z]?)[+-]?")
_MOBILE = ("Li", "Na", "K", "Rb", "Cs", "Ag", "H", "Tl", "Cu", "Ca", "Mg", "Zn")
"""Ions that move in glasses, those that are looked at most first."""


def example_command(file: Path, raw: RawProfile, format: str = "auto") -> str:
    """A command that imports a file, with its own channels: those of ions that move, or its first two.

    Parameters
    ----------
    file
        As it was typed.
    raw
        What is in it.
    format
        The option with which it was read.
    """
    found: dict[str, str] = {}
    for channel in raw.channels:
        atom = _ATOM.fullmatch(channel.name)
        if atom is not None and atom[1] in _MOBILE:
            found.setdefault(atom[1], channel.name)
    for channel in raw.channels:
        # A title that says more than the ion, `Cs-Signal`, or its name.
        named = _NAMED.findall(channel.name)
        named += [_ELEMENTS[word] for word in re.findall(r"\w+", channel.name.lower()) if word in _ELEMENTS]
        if len(set(named)) == 1 and channel.name not in found.values():
            found.setdefault(named[0], channel.name)
    ions = sorted(found, key=_MOBILE.index)[:2] or [channel.name for channel in raw.channels[:2]]
    words: list[str | Path] = ["import-sims", file] + ([] if format == "auto" else ["--format", format])
    for ion in ions:
        words += ["--species", ion if found.get(ion, ion) == ion else f"{ion}={found[ion]}"]
    normalise = _first_right(raw, {ion: found.get(ion, ion) for ion in ions})
    order = shell_line(*words, *(part for ion, way in normalise.items() for part in ("--normalise", f"{ion}={way}")))
    return order if raw.axis == "depth" else f"{order} --crater-depth-nm DEPTH --crater-sigma-nm SIGMA"


_NAMED = re.compile(rf"(?<![A-Za-z])({'|'.join(_MOBILE)})(?![A-Za-z0-9])")
"""A mobile ion that stands alone among other words."""
_ELEMENTS = {
    "lithium": "Li", "sodium": "Na", "natrium": "Na", "potassium": "K", "kalium": "K", "rubidium": "Rb",
    "caesium": "Cs", "cesium": "Cs", "cäsium": "Cs", "silver": "Ag", "silber": "Ag", "hydrogen": "H",
    "wasserstoff": "H", "thallium": "Tl", "copper": "Cu", "kupfer": "Cu", "calcium": "Ca", "magnesium": "Mg",
    "zinc": "Zn", "zink": "Zn",
}  # fmt: skip
"""Names of elements in English and German, as instruments write them."""


def _first_right(raw: RawProfile, channels: dict[str, str]) -> dict[str, str]:
    """Normalisation that makes fractions of a file which a sample may have; none where no way does.

    A foreign ion has no level in the bulk: what the other ion leaves is its own, or all together are taken for one.
    """
    depth = None if raw.axis == "depth" else 100.0
    alone = [{ion: "sum"} for ion in reversed(channels)]
    for normalise in ({}, *alone, dict.fromkeys(channels, "sum")):
        try:
            profile = convert(raw, ImportOptions(species=channels, normalise=normalise, crater_depth_nm=depth))
        except (SimsFileError, ValueError):
            continue
        if _doubt(profile) is None:
            return normalise
    return {}


def _doubt(profile: SimsProfile) -> str | None:
    """Why the fractions cannot be right, and what to try, of the species that is farthest above one."""
    largest = profile.fraction.max(axis=1)
    worst = int(np.argmax(largest))
    if largest[worst] <= FAR:
        return None
    name, options = profile.species[worst], profile.options
    way = options.normalise.get(name, "bulk")
    if way == "bulk":
        others = f"--normalise {name}=sum, or " if len(profile.species) > 1 else "--normalise "
        charge = f"{name}=uptake with --charge-mC-cm2 and --density-m3"
        tried = f"is {name} hardly in the bulk, by which it was scaled? Then {others}{charge}."
    elif way in METHODS:
        tried = f"do background, matrix and species fit --normalise {name}={way}?"
    else:
        tried = f"is the factor of --normalise {name}={way} right?"
    top = int(np.argmax(profile.fraction[worst]))
    if top < _TRANSIENT:
        tried += " Or is it the transient of the surface, which --surface-nm cuts off?"
    said = f"{name}: fraction up to {largest[worst]:.3g} at {profile.depth_nm[top]:.4g} nm"
    return f"{said}, where one is all ions of the bulk: {tried}"


def _summary(profile: SimsProfile) -> list[str]:
    """Depths, and for each species the largest fraction, its uncertainty, and the smallest number of counts."""
    depth = profile.depth_nm
    lines = [f"{len(depth)} points from {depth[0]:.4g} to {depth[-1]:.4g} nm"]
    for k, name in enumerate(profile.species):
        top = int(np.argmax(profile.fraction[k]))
        counts = profile.counts[k]
        kept = np.all(np.isfinite(counts) & np.isfinite(profile.counts_per_fraction[k]))
        counted = f"{np.min(counts):.4g} to {np.max(counts):.4g} counts" if kept else "no counts, sigma alone"
        lines.append(
            f"  {name}: fraction up to {profile.fraction[k, top]:.4g} ± {profile.sigma[k, top]:.2g} "
            f"(scale ± {profile.scale_sigma[k]:.2%}), {counted}"
        )
    return lines + [f"warning: {line}" for line in profile.warnings]


def _named(file: Path, option: str, texts: Sequence[str]) -> dict[str, str]:
    """Values by name of all that was given to one option."""
    try:
        return values_by_name(option, texts)
    except ValueError as error:
        raise fault(file, str(error)) from None


def _float(file: Path, option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise fault(file, f"{option}: {text!r} is not a number") from None


def _range(file: Path, option: str, text: str) -> tuple[float, float]:
    low, sign, high = text.partition(":")
    if not sign:
        raise fault(file, f"{option}: {text!r}; two depths such as 800:1000 were expected")
    return _float(file, option, low), _float(file, option, high)
