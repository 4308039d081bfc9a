"""One HDF5 file from the chunks of a sweep: named axes, units, provenance; opened by xarray."""

import dataclasses
import io
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from npp_jax.sweeping.store.arrays import attach, create, dataset, describe
from npp_jax.sweeping.store.disk import StoreError, replacing, write_all
from npp_jax.sweeping.store.manifest import SCHEMA_VERSION, Manifest
from npp_jax.sweeping.store.stored import TITLE

_CANDIDATE = "candidate"
# Compressed pieces of about this size [bytes]; the cache of a data set holds a few, so that each is written once.
_PIECE = 1 << 19
_CACHE = 1 << 22
# Chunks of the sweep are gathered up to this size [bytes]: handing a few rows to HDF5 costs as much as many.
_GATHERED = 1 << 20


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
    """Write the file; `read` gives the arrays of a chunk. See `Store.finish`."""
    with replacing(path) as descriptor:
        disk = _Disk(descriptor)
        with h5py.File(disk, "w", rdcc_nbytes=_CACHE) as file:
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
                if disk.error is not None:
                    break
        disk.check()


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


class _Disk(io.RawIOBase):
    """File for HDF5 that keeps errors back until HDF5 has closed it: HDF5 does not survive a write that fails.

    From the first error on, what is written stays in memory, where HDF5 may read it again; `check` then raises it.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.error: BaseException | None = None
        self._descriptor = descriptor
        self._place = 0
        self._end = 0
        self._kept: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self.error is not None:
            raise self.error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def write(self, data: Any) -> int:
        part = memoryview(data).cast("B")
        place, self._place = self._place, self._place + len(part)
        self._end = max(self._end, self._place)
        if self.error is None:
            try:
                os.lseek(self._descriptor, place, os.SEEK_SET)
                write_all(self._descriptor, part)
            # A keyboard interrupt too must not go through HDF5.
            except BaseException as error:
                self.error = error
        if self.error is not None:
            self._kept.append((place, bytes(part)))
        return len(part)

    def readinto(self, buffer: Any) -> int:
        part = memoryview(buffer).cast("B")
        start, self._place = self._place, self._place + len(part)
        data = os.pread(self._descriptor, len(part), start)
        part[: len(data)] = data
        part[len(data) :] = bytes(len(part) - len(data))
        for place, kept in self._kept:
            first, last = max(start, place), min(start + len(part), place + len(kept))
            if first < last:
                part[first - start : last - start] = kept[first - place : last - place]
        return len(part)

    def truncate(self, size: int | None = None) -> int:
        self._end = self._place if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self._descriptor, self._end)
            except BaseException as error:
                self.error = error
        return self._end

    def flush(self) -> None:
        """Nothing is buffered here."""
