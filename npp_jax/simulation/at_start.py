"""What the sample holds before the first stage: the bulk everywhere, or profiles of some of its ions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.constants import NM
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.initial import InitialGaussian, InitialStep, InitialTable
from npp_jax.simulation.mesh.even_mesh import even_error_faces

_THINNEST = 1e-7
"""First face of those in constant ratio, over the thickness."""

_WIDTHS, _ABOUT = 4.0, 33
"""So many widths about a step or a maximum, and faces there."""

_NEAR_ROW = 0.01
"""Distance of faces from a row of a table, over the least between two rows."""

_ROUNDED = 1e-9
"""Least cell, over the thickness, that holds a fraction and no rounding."""

_PASSES = 10
"""Meshes on which a profile is seen, each resolving what the one before has shown: from even cells to thin layers."""


def fractions_at_start(
    experiment: Experiment, faces: Float[Array, "face *batch"]
) -> Float[Array, "species cell *batch"]:
    """Fractions of all species in the cells between faces [nm].

    Ions that have no profile of their own share what charge is left: those of the bulk in its proportions, or, where
    all of these have profiles, the foreign ones evenly.
    """
    ions, given = experiment.species, experiment.initial or {}
    like = jnp.zeros_like(faces[1:])
    if not given:
        return jnp.stack([jnp.broadcast_to(ion.bulk_fraction, like.shape).astype(like.dtype) for ion in ions])
    own = {name: form.average(faces * NM) for name, form in given.items()}
    total = functools.reduce(jnp.add, [ion.charge * ion.bulk_fraction for ion in ions])
    held = functools.reduce(jnp.add, [ion.charge * own[ion.name] for ion in ions if ion.name in own])
    others = [ion for ion in ions if ion.name not in own]
    bulk = [jnp.asarray(ion.charge * ion.bulk_fraction) for ion in others]
    passing = functools.reduce(jnp.add, bulk, jnp.zeros_like(total))
    # In charges; evenly where none of the others is in the bulk.
    parts = [jnp.where(passing > 0.0, b / jnp.where(passing > 0.0, passing, 1.0), 1.0 / len(others)) for b in bulk]
    rest = {ion.name: part * (total - held) / ion.charge for ion, part in zip(others, parts, strict=True)}
    found = [own[ion.name] if ion.name in own else rest[ion.name] for ion in ions]
    return jnp.stack([jnp.broadcast_to(c, like.shape).astype(like.dtype) for c in found])


def faces_at_start(experiment: Experiment, cells: int, thickness: Array) -> Float[Array, "face *batch"]:
    """Mesh that resolves the profiles at the start [nm], steps among them."""
    share = jnp.linspace(0.0, 1.0, cells + 1, dtype=thickness.dtype).reshape(-1, *(1,) * thickness.ndim)
    bulk = jnp.stack([jnp.broadcast_to(ion.bulk_fraction, thickness.shape) for ion in experiment.species])
    bulk = bulk.astype(thickness.dtype)

    def seen(_: Array | int, faces: Array) -> Array:
        return even_error_faces(faces, fractions_at_start(experiment, faces), bulk)

    return jax.lax.stop_gradient(jax.lax.fori_loop(0, _PASSES, seen, share * thickness))


def faces_of_start(experiment: Experiment, cells: int) -> Float[np.ndarray, " face"]:
    """Faces between which a start is looked at, whatever its scale [m]: even ones, such in constant ratio for thin
    layers at the surface, and those about the steps, maxima and rows that are told. For numbers that are known.

    Parameters
    ----------
    experiment
        The experiment.
    cells
        How many even cells, and how many in constant ratio.
    """
    thickness = float(np.max(np.asarray(experiment.sample.thickness)))
    found = [np.linspace(0.0, thickness, cells + 1), thickness * np.geomspace(_THINNEST, 1.0, cells)]
    for form in (experiment.initial or {}).values():
        if isinstance(form, InitialTable):
            rows = np.unique(np.asarray(form.depth))
            near = _NEAR_ROW * np.min(np.diff(rows), initial=thickness)
            found += [rows - near, rows + near]
        elif isinstance(form, InitialStep | InitialGaussian):
            told = np.broadcast_arrays(np.asarray(form.position), np.asarray(form.width))
            position, width = (values.reshape(-1, 1) for values in told)
            found.append((position + width * np.linspace(-_WIDTHS, _WIDTHS, _ABOUT)).ravel())
    faces = np.concatenate(found)
    # Cells within the rounding of depths tell nothing.
    least = thickness * max(_ROUNDED, 64.0 * float(jnp.finfo(jnp.result_type(float)).eps))
    inside = np.round(faces[(faces >= 0.0) & (faces <= thickness - least)] / least)
    return np.append(np.unique(inside) * least, thickness)


def step_at_start(experiment: Experiment) -> Array | None:
    """Depth of the step at the start from which profiles spread [nm]; None where no ion has one."""
    found = [form.position for form in (experiment.initial or {}).values() if isinstance(form, InitialStep)]
    if not found:
        return None
    thickness = experiment.sample.thickness
    return jax.lax.stop_gradient(jnp.clip(found[0], 1e-3 * thickness, 0.999 * thickness) / NM)
