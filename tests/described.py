"""What every file of results holds: arrays that say what they are."""

import h5py


def check_described(place: h5py.Group) -> None:
    """Every array has a unit, a meaning and named axes with scales."""
    for name, item in place.items():
        if isinstance(item, h5py.Group):
            check_described(item)
            continue
        assert isinstance(item, h5py.Dataset)
        if item.dtype.kind in "fiu":
            assert {"units", "long_name"} <= set(item.attrs), name
        if not item.is_scale:
            for axis, length in zip(item.dims, item.shape, strict=True):
                assert axis.label and len(axis) and axis[0].shape == (length,), name
