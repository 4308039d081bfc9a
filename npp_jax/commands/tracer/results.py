"""Results of `npp-jax tracer` on disk: HDF5 with named axes, units and provenance."""

from pathlib import Path

import h5py
import jax
import numpy as np

from npp_jax._version import __version__
from npp_jax.commands.tracer.report import TracerReport
from npp_jax.files.origin import Origin
from npp_jax.files.writing import readable, written_hdf5

SCHEMA_VERSION = 1


def write_tracer(
    path: Path,
    report: TracerReport,
    *,
    kind: str,
    study_text: str,
    command: str = "",
    origin: Origin | None = None,
) -> None:
    """Write the arrays of a study.

    Parameters
    ----------
    path
        Target; replaced as a whole.
    report
        Result.
    kind
        Kind of the study.
    study_text
        Text of the study file, kept as provenance.
    command
        Command that made the result, kept as provenance.
    origin
        Whose the file is.
    """
    with written_hdf5(path, origin) as file:
        file.attrs.update(
            schema_version=SCHEMA_VERSION,
            title=f"npp_jax tracer: {kind}",
            npp_jax_version=__version__,
            jax_version=jax.__version__,
            numpy_version=np.__version__,
            device=str(jax.devices()[0].device_kind),
            study=study_text,
            command=readable(command),
            status=report.status,
            warnings=report.warnings,
        )
        datasets: dict[str, h5py.Dataset] = {}
        for name, stored in report.arrays.items():
            values = np.asarray(stored.values)
            is_text = values.dtype.kind == "U"
            data = file.create_dataset(
                name, data=values.astype(object) if is_text else values, dtype=h5py.string_dtype() if is_text else None
            )
            datasets[name] = data
            data.attrs.update(units=stored.units, long_name=stored.long_name)
            if stored.axes == (name,):
                data.make_scale(name)
        for name, stored in report.arrays.items():
            for axis, label in enumerate(stored.axes):
                if label == name:
                    continue
                if label not in datasets:
                    datasets[label] = file.create_dataset(label, data=np.arange(np.shape(stored.values)[axis]))
                    datasets[label].make_scale(label)
                dimension = datasets[name].dims[axis]
                dimension.label = label
                dimension.attach_scale(datasets[label])
