"""SIMS depth profiles on disk: HDF5 with dimension scales, units and the origin of the numbers."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from npp_jax.files.origin import Origin
from npp_jax.files.stored import written_result
from npp_jax.files.writing import json_text
from npp_jax.sims.errors import fault
from npp_jax.sims.options import ImportOptions
from npp_jax.sims.profile import SimsProfile
from npp_jax.sims.raw import MINIMUM_POINTS
from npp_jax.store.arrays import Array
from npp_jax.store.chunks import parsed_json
from npp_jax.store.reading import FileFault, Reader, reading

SCHEMA_VERSION = 1
TITLE = "npp_jax depth profile"

_GRIDS: dict[str, str] = {
    "fraction": "number density over that of all mobile ions of the bulk",
    "sigma": "standard deviation of each fraction by itself",
    "counts": "counts of the Poisson distribution of the same relative uncertainty",
    "counts_per_fraction": "counts at fraction one: mean counts = (fraction + background) * counts_per_fraction",
    "background": "background taken off, as a fraction",
    "background_sigma": "standard deviation of the background, common to all depths of a species",
}


def write_profile(path: str | Path, profile: SimsProfile, *, command: str = "", origin: Origin | None = None) -> None:
    """Write a depth profile to HDF5.

    Parameters
    ----------
    path
        Target; replaced as a whole.
    profile
        Depth profile.
    command
        Command that made it, kept as provenance.
    origin
        Whose the file is.

    Raises
    ------
    SimsFileError
        The file cannot be written.
    """
    axes = ("species", "depth_nm")
    shared = "relative standard deviation that all fractions of a species share"
    arrays = {
        "depth_nm": Array(profile.depth_nm, "nm", "depth", axes[1:]),
        "species": Array(profile.species, "1", "name of a species", axes[:1]),
        **{name: Array(getattr(profile, name), "1", text, axes) for name, text in _GRIDS.items()},
        "scale_sigma": Array(profile.scale_sigma, "1", shared, axes[:1]),
    }
    try:
        with written_result(
            path,
            TITLE,
            SCHEMA_VERSION,
            arrays,
            origin=origin,
            source=Path(profile.source).name,
            source_sha256=profile.sha256,
            source_format=profile.format,
            options=json_text(dataclasses.asdict(profile.options)),
            warnings=json_text(profile.warnings),
            metadata=json_text(dict(profile.metadata)),
            depth_relative_sigma=profile.depth_sigma,
            command=command,
        ):
            pass
    except OSError as error:
        raise fault(path, f"cannot be written ({error.strerror or error})") from None


def read_profile(path: str | Path) -> SimsProfile:
    """Read a depth profile that `write_profile` wrote.

    Raises
    ------
    SimsFileError
        The file is no such profile.
    """
    try:
        with reading(path, "a profile of npp_jax") as reader:
            title = reader.attribute("title")
            if not isinstance(title, str) or title != TITLE:
                raise fault(path, f"not a profile of npp_jax: title {str(title)!r}")
            found = reader.attribute("schema_version")
            if not isinstance(found, int | np.integer) or found != SCHEMA_VERSION:
                raise fault(path, f"schema_version {found}; this version reads {SCHEMA_VERSION}")
            axes = ("species", "depth_nm")
            profile = SimsProfile(
                depth_nm=_floats(reader, "depth_nm", axes[1:]),
                species=reader.names("species", axes[:1]),
                **{name: _floats(reader, name, axes) for name in _GRIDS},
                scale_sigma=_floats(reader, "scale_sigma", axes[:1]),
                depth_sigma=reader.number(reader.attribute("depth_relative_sigma"), "depth_relative_sigma"),
                source=reader.text("source"),
                sha256=reader.text("source_sha256"),
                format=reader.text("source_format"),
                options=_options(parsed_json(reader.text("options"))),
                warnings=tuple(map(str, parsed_json(reader.text("warnings")))),
                metadata=dict(parsed_json(reader.text("metadata"))),
            )
    except FileFault as error:
        text = str(error).removeprefix(f"{path}: ")
        if text == "no such file":
            raise fault(path, "No such file or directory") from None
        raise fault(path, text if "profile of npp_jax" in text else f"not a profile of npp_jax ({text})") from None
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise fault(path, f"not a profile of npp_jax ({error})") from None
    _check(path, profile)
    return profile


def _floats(reader: Reader, name: str, dims: tuple[str, ...]) -> np.ndarray:
    return reader.array(name, dims, kinds="fiu").astype(float)


def _options(kept: dict[str, Any]) -> ImportOptions:
    """Options of their JSON, in which tuples became lists."""
    ranges = {k: tuple(v) if isinstance(v, list) else v for k, v in kept["background"].items()}
    bulk = tuple(kept["bulk_nm"]) if kept["bulk_nm"] else None
    return ImportOptions(**{**kept, "background": ranges, "bulk_nm": bulk})


def _check(path: str | Path, profile: SimsProfile) -> None:
    """Refuse a profile that was tampered with or cut."""
    shape = (len(profile.species), len(profile.depth_nm))
    if shape[0] < 1 or shape[1] < MINIMUM_POINTS:
        raise fault(path, f"{shape[0]} species at {shape[1]} depths; at least 1 at {MINIMUM_POINTS} were expected")
    for name in _GRIDS:
        if getattr(profile, name).shape != shape:
            raise fault(path, f"shape {getattr(profile, name).shape}; {shape} was expected", column=name)
    depth = profile.depth_nm
    if not np.all(np.isfinite(depth)):
        raise fault(path, f"point {int(np.argmin(np.isfinite(depth)))} is not a finite number", column="depth_nm")
    if not np.all(np.diff(depth) > 0.0):
        row = int(np.argmax(np.diff(depth) <= 0.0)) + 1
        text = f"point {row}: {depth[row]:.6g} nm after {depth[row - 1]:.6g} nm; depths must increase"
        raise fault(path, text, column="depth_nm")
    # Counts and what was taken off may be unknown, and are then no numbers.
    for name, wrong, text in (
        ("fraction", ~np.isfinite(profile.fraction), "is not a finite number"),
        ("sigma", ~(profile.sigma > 0.0), "is not positive"),
        ("counts", profile.counts < 0.0, "is negative"),
        ("counts_per_fraction", profile.counts_per_fraction <= 0.0, "is not positive"),
    ):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            found = getattr(profile, name)[row, column]
            raise fault(path, f"{profile.species[row]}, point {column}: {found:.6g} {text}", column=name)
