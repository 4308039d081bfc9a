"""Tables of synthetic data, as the studies of sweeps/ read them."""

from pathlib import Path

import numpy as np

from npp_jax.observe import DepthProfile


def write(file: Path, said: str, columns: str, rows: np.ndarray) -> None:
    """Write a table below a line that says what it is."""
    lines = [",".join(f"{value:.6g}" for value in row) for row in rows]
    file.write_text("\n".join([f"# synthetic: {said}", columns, *lines]) + "\n", encoding="utf-8")


def write_profile(file: Path, said: str, profile: DepthProfile) -> None:
    """Write depths, and fraction and standard deviation of each ion."""
    titles = (title for name in profile.species for title in (name, f"{name}_sigma"))
    pairs = zip(profile.fraction, profile.sigma, strict=True)
    rows = np.column_stack([profile.depth, *(column for pair in pairs for column in pair)])
    write(file, said, ",".join(["depth_nm", *titles]), rows)
