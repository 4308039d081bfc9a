"""Results of `npp-jax tracer` on disk: HDF5 with named axes, units and provenance."""

from pathlib import Path

from npp_jax.commands.tracer.report import TracerReport
from npp_jax.files.origin import Origin
from npp_jax.files.stored import written_result
from npp_jax.store.arrays import Array

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
    ends = {"end": Array(("low", "high"), "1", "end of an interval", ("end",))}
    with written_result(
        path,
        f"npp_jax tracer: {kind}",
        SCHEMA_VERSION,
        report.arrays | (ends if any("end" in array.dims for array in report.arrays.values()) else {}),
        origin=origin,
        study=study_text,
        command=command,
        status=report.status,
        warnings=report.warnings,
    ):
        pass
