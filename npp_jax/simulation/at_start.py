"""What the sample holds before the first stage: the bulk everywhere, or profiles of some of its ions."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.constants import NM
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.initial import InitialStep
from npp_jax.simulation.mesh.even_mesh import even_error_faces

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


def step_at_start(experiment: Experiment) -> Array | None:
    """Depth of the step at the start from which profiles spread [nm]; None where no ion has one."""
    found = [form.position for form in (experiment.initial or {}).values() if isinstance(form, InitialStep)]
    if not found:
        return None
    thickness = experiment.sample.thickness
    return jax.lax.stop_gradient(jnp.clip(found[0], 1e-3 * thickness, 0.999 * thickness) / NM)
