"""Arrays in HDF5 files: every array has a unit, a meaning and named axes, so that xarray opens the file as it is."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Array:
    """An array of a file, and what it is."""

    values: Any
    """Numbers or names."""
    units: str
    """Unit as in `m s-1`; `1` for a pure number or names."""
    long_name: str
    """What it is, in a few words."""
    dims: tuple[str, ...] = ()
    """Names of the axes; an array along the axis of its own name is the scale of it."""
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Further attributes, as `flag_values` and `flag_meanings` of a status."""


def put(place: h5py.Group, arrays: Mapping[str, Array], *, scales: Mapping[str, str] | None = None) -> None:
    """Write arrays.

    Parameters
    ----------
    place
        File or group. An axis of which there is no array here is that of the group above, or is numbered.
    arrays
        Arrays by name.
    scales
        Arrays that are a further scale of an axis, as the time of each output.
    """
    further = scales or {}
    for name, array in arrays.items():
        data = create(place, name, array.values)
        describe(data, array.units, array.long_name, array.attributes)
        if array.dims == (name,) or name in further.values():
            data.make_scale(name)
    for name, array in arrays.items():
        for axis, length in zip(array.dims, np.shape(array.values), strict=True):
            if _scale(place, axis) is None:
                number = create(place, axis, np.arange(length))
                describe(number, "1", "number")
                number.make_scale(axis)
        data = dataset(place, name)
        if data.is_scale:
            # HDF5 attaches no scale to a scale.
            for k, axis in enumerate(array.dims):
                data.dims[k].label = axis
            continue
        attach(place, data, array.dims)
        for k, axis in enumerate(array.dims):
            if axis in further:
                data.dims[k].attach_scale(dataset(place, further[axis]))


def create(place: h5py.Group, name: str, values: Any) -> h5py.Dataset:
    """Data set of numbers or names."""
    array = np.asarray(values) if not isinstance(values, Sequence) or len(values) else np.asarray(values, dtype="U")
    if array.dtype.kind in "UO":
        return place.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype())
    return place.create_dataset(name, data=array)


def describe(data: h5py.Dataset, units: str, long_name: str, attributes: Mapping[str, Any] | None = None) -> None:
    """Say what an array is."""
    data.attrs.update(units=units, long_name=long_name, **(attributes or {}))


def attach(place: h5py.Group, data: h5py.Dataset, dims: tuple[str, ...]) -> None:
    """Name the axes of an array, each by the scale of its name."""
    for k, axis in enumerate(dims):
        scale = _scale(place, axis)
        assert scale is not None
        data.dims[k].attach_scale(scale)
        data.dims[k].label = axis


def dataset(place: h5py.Group, name: str) -> h5py.Dataset:
    """An array of a file that was just written."""
    data = place[name]
    assert isinstance(data, h5py.Dataset)
    return data


def _scale(place: h5py.Group, axis: str) -> h5py.Dataset | None:
    """Scale of an axis, here or in the groups above."""
    if axis in place:
        return dataset(place, axis)
    above = place.parent
    return None if place.name == "/" or not isinstance(above, h5py.Group) else _scale(above, axis)
