"""SIMS depth profiles on disk: HDF5 with dimension scales, units and the origin of the numbers."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from npp_jax._version import __version__
from npp_jax.files.origin import Origin
from npp_jax.files.writing import json_text, readable, written_hdf5
from npp_jax.sims.errors import SimsFileError, fault
from npp_jax.sims.options import ImportOptions
from npp_jax.sims.profile import SimsProfile
from npp_jax.sims.raw import MINIMUM_POINTS

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
    try:
        with written_hdf5(path, origin) as file:
            file.attrs.update(
                schema_version=SCHEMA_VERSION,
                title=TITLE,
                npp_jax_version=__version__,
                numpy_version=np.__version__,
                source=readable(Path(profile.source).name),
                source_sha256=profile.sha256,
                source_format=profile.format,
                options=json_text(dataclasses.asdict(profile.options)),
                warnings=json_text(profile.warnings),
                metadata=json_text(dict(profile.metadata)),
                depth_relative_sigma=profile.depth_sigma,
                command=readable(command),
            )
            file.create_dataset("depth_nm", data=profile.depth_nm).make_scale("depth_nm")
            file["depth_nm"].attrs.update(units="nm", long_name="depth")
            names = file.create_dataset("species", data=list(profile.species), dtype=h5py.string_dtype())
            names.make_scale("species")
            names.attrs["long_name"] = "species"
            for name, text in _GRIDS.items():
                _put(file, name, getattr(profile, name), text, ("species", "depth_nm"))
            text = "relative standard deviation that all fractions of a species share"
            _put(file, "scale_sigma", profile.scale_sigma, text, ("species",))
    except OSError as error:
        raise fault(path, f"cannot be written ({error.strerror or error})") from None


def _put(file: h5py.File, name: str, values: np.ndarray, text: str, axes: tuple[str, ...]) -> None:
    data = file.create_dataset(name, data=values)
    data.attrs.update(units="1", long_name=text)
    for axis, label in enumerate(axes):
        data.dims[axis].attach_scale(file[label])
        data.dims[axis].label = label


def read_profile(path: str | Path) -> SimsProfile:
    """Read a depth profile that `write_profile` wrote.

    Raises
    ------
    SimsFileError
        The file is no such profile.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("title") != TITLE:
                raise fault(path, f"not a profile of npp_jax: title {str(file.attrs.get('title'))!r}")
            if file.attrs.get("schema_version") != SCHEMA_VERSION:
                found = file.attrs.get("schema_version")
                raise fault(path, f"schema_version {found}; this version reads {SCHEMA_VERSION}")
            profile = SimsProfile(
                depth_nm=_floats(file, "depth_nm"),
                species=tuple(name.decode() for name in np.asarray(file["species"])),
                **{name: _floats(file, name) for name in _GRIDS},
                scale_sigma=_floats(file, "scale_sigma"),
                depth_sigma=float(str(file.attrs["depth_relative_sigma"])),
                source=str(file.attrs["source"]),
                sha256=str(file.attrs["source_sha256"]),
                format=str(file.attrs["source_format"]),
                options=_options(json.loads(str(file.attrs["options"]))),
                warnings=tuple(json.loads(str(file.attrs["warnings"]))),
                metadata=json.loads(str(file.attrs["metadata"])),
            )
    except SimsFileError:
        raise
    except FileNotFoundError:
        raise fault(path, "No such file or directory") from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise fault(path, f"not a profile of npp_jax ({error})") from None
    _check(path, profile)
    return profile


def _floats(file: h5py.File, name: str) -> np.ndarray:
    return np.asarray(file[name], dtype=float)


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
