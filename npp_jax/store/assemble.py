"""One HDF5 file from the chunks of a sweep: named axes, units, provenance; opened by xarray."""

import dataclasses
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from npp_jax.store.arrays import attach, create, dataset, describe
from npp_jax.store.disk import StoreError, replacing
from npp_jax.store.kept_back import KeptBack
from npp_jax.store.manifest import SCHEMA_VERSION, Manifest
from npp_jax.store.stored import TITLE

_CANDIDATE = "candidate"
# Compressed pieces of about this size [bytes]; the cache of a data set holds a few, so that each is written once.
_PIECE = 1 << 19
_CACHE = 1 << 22
# Chunks of the sweep are gathered up to this size [bytes]: handing a few rows to HDF5 costs as much as many.
_GATHERED = 1 << 20
_ALONE = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Variable:
    """What an array of the chunks is."""

    units: str
    """Unit as in `m s-1`; `1` for a pure number."""
    long_name: str
    """What it is, in a few words."""
    dims: tuple[str, ...] = ()
    """Axes after the first, which is candidate."""
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Further attributes, as `flag_values` and `flag_meanings` of a status."""


@dataclasses.dataclass(frozen=True, eq=False)
class Coordinate:
    """Values that all candidates share: depths, names of species, measured profiles."""

    values: np.ndarray | tuple[str, ...]
    """Numbers or names, one for each position."""
    units: str
    """Unit; `1` for names."""
    long_name: str
    """What it is, in a few words."""
    dims: tuple[str, ...] = ()
    """Axes; none if the values stand along the axis that has this name."""


def assemble(
    path: Path,
    manifest: Manifest,
    read: Callable[[int], Mapping[str, np.ndarray]],
    variables: Mapping[str, Variable],
    coordinates: Mapping[str, Coordinate],
    attributes: Mapping[str, Any],
    compression: int,
) -> None:
    """Write the file; `read` gives the arrays of a chunk. See `Store.finish`.

    A thread of its own does it. HDF5 calls Python here to write, and does not survive what is raised there; Python
    raises an interrupt, or what else a handler of signals raises, in the main thread and in no other.
    """
    stopped = threading.Event()

    def work() -> None:
        # An interrupt may come just before this thread is known to the one that waits for it.
        with _ALONE, replacing(path) as descriptor:
            disk = KeptBack(descriptor)
            try:
                with h5py.File(disk, "w", rdcc_nbytes=_CACHE) as file:
                    parts = _filled(file, manifest, read, variables, coordinates, attributes, compression)
                    while not stopped.is_set() and disk.error is None and next(parts, False):
                        pass
            finally:
                disk.check()
            if stopped.is_set():
                raise StoreError(f"{path}: stopped")

    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(work).result()
    finally:
        stopped.set()
        pool.shutdown()


def _filled(
    file: h5py.File,
    manifest: Manifest,
    read: Callable[[int], Mapping[str, np.ndarray]],
    variables: Mapping[str, Variable],
    coordinates: Mapping[str, Coordinate],
    attributes: Mapping[str, Any],
    compression: int,
) -> Iterator[bool]:
    """Write the content, and pause after some chunks each time."""
    own = {
        "schema_version": SCHEMA_VERSION,
        "title": TITLE,
        "npp_jax_version": manifest.version,
        "dtype": manifest.dtype,
        "design": manifest.design,
        "configuration_sha256": manifest.configuration_sha256,
        "run": manifest.run,
    }
    file.attrs.update({**attributes, **own})
    # An attribute holds no more than 64 KiB.
    file.create_dataset("configuration", data=manifest.configuration, dtype=h5py.string_dtype())
    form = None
    waiting: list[Mapping[str, np.ndarray]] = []
    first = size = 0
    for chunk in range(manifest.chunks):
        arrays = read(chunk)
        form = _described(form, arrays, variables, chunk)
        if chunk == 0:
            _prepare(file, manifest.candidates, form, variables, coordinates, compression)
        waiting.append(arrays)
        size += sum(values.nbytes for values in arrays.values())
        _, stop = manifest.span(chunk)
        if size < _GATHERED and stop < manifest.candidates:
            continue
        dataset(file, _CANDIDATE)[first:stop] = np.arange(first, stop)
        for name in arrays:
            dataset(file, name)[first:stop] = np.concatenate([part[name] for part in waiting])
        first, size = stop, 0
        waiting.clear()
        yield True


Form = dict[str, tuple[np.dtype, tuple[int, ...]]]


def _described(
    form: Form | None, arrays: Mapping[str, np.ndarray], variables: Mapping[str, Variable], chunk: int
) -> Form:
    """Type and inner shape of each array, the same in all chunks."""
    own = {name: (values.dtype, values.shape[1:]) for name, values in arrays.items()}
    if own.keys() != variables.keys():
        odd = sorted(own.keys() ^ variables.keys())
        raise StoreError(f"chunk {chunk}: the arrays and their descriptions differ in {', '.join(odd)}")
    if form is not None and own != form:
        odd = next(name for name in own if own[name] != form[name])
        raise StoreError(
            f"chunk {chunk}: {odd} is {own[odd][0]} {own[odd][1]}, in chunk 0 {form[odd][0]} {form[odd][1]}"
        )
    return own


def _prepare(
    file: h5py.File,
    candidates: int,
    form: Form,
    variables: Mapping[str, Variable],
    coordinates: Mapping[str, Coordinate],
    compression: int,
) -> None:
    """Create all data sets, and fill those along the axes that all candidates share."""
    lengths = _lengths(form, variables, coordinates)
    for axis, length in sorted(lengths.items()):
        _shared(file, axis, coordinates.get(axis, Coordinate(np.arange(length), "1", "number"))).make_scale(axis)
    for name, coordinate in sorted(coordinates.items()):
        if coordinate.dims:
            attach(file, _shared(file, name, coordinate), coordinate.dims)
    _create(file, _CANDIDATE, candidates, np.dtype("<i8"), (), compression).make_scale(_CANDIDATE)
    describe(dataset(file, _CANDIDATE), "1", "number of the candidate")
    for name, (dtype, shape) in sorted(form.items()):
        data = _create(file, name, candidates, dtype, shape, compression)
        variable = variables[name]
        describe(data, variable.units, variable.long_name, variable.attributes)
        attach(file, data, (_CANDIDATE, *variable.dims))


def _shared(file: h5py.File, name: str, coordinate: Coordinate) -> h5py.Dataset:
    data = create(file, name, coordinate.values)
    describe(data, coordinate.units, coordinate.long_name)
    return data


def _create(
    file: h5py.File, name: str, candidates: int, dtype: np.dtype, shape: tuple[int, ...], compression: int
) -> h5py.Dataset:
    row = max(1, dtype.itemsize * math.prod(shape))
    return file.create_dataset(
        name,
        (candidates, *shape),
        dtype,
        chunks=(min(candidates, max(1, _PIECE // row)), *(max(1, length) for length in shape)),
        compression="gzip" if compression else None,
        compression_opts=compression or None,
        shuffle=True,
        fletcher32=True,
        track_times=False,
    )


def _lengths(form: Form, variables: Mapping[str, Variable], coordinates: Mapping[str, Coordinate]) -> dict[str, int]:
    """Length of each axis but candidate; every array and coordinate must agree."""
    lengths = {axis: len(coordinate.values) for axis, coordinate in coordinates.items() if not coordinate.dims}
    shared = {name: coordinate for name, coordinate in coordinates.items() if coordinate.dims}
    shapes = [(name, variables[name].dims, shape) for name, (_, shape) in form.items()]
    shapes += [(name, coordinate.dims, np.shape(coordinate.values)) for name, coordinate in shared.items()]
    for name, dims, shape in shapes:
        if len(dims) != len(shape):
            raise StoreError(f"{name}: shape {shape} does not fit the axes {dims}")
        for axis, length in zip(dims, shape, strict=True):
            if lengths.setdefault(axis, length) != length:
                raise StoreError(f"{name}: {length} values along {axis}, elsewhere {lengths[axis]}")
    taken = {_CANDIDATE, "configuration"} & {*lengths, *shared, *form}
    taken |= (lengths.keys() | shared.keys()) & form.keys() | lengths.keys() & shared.keys()
    if taken:
        raise StoreError(f"{min(taken)}: the name is taken")
    return lengths
