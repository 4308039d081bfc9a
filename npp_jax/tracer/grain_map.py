"""Geometry of a labelled grain map: faces between pixels, boundaries between grains and their directions.

A pixel image renders an oblique boundary as a staircase that is |n_x| + |n_y| times as long as the boundary, n its unit
normal. A staircase with the permeability of the boundary therefore passes too much, up to √2 times, 4/π on average
over all directions. Here a face across x between two grains has the permeability |n_x| k and a face across y
|n_y| k. The flux k ΔC n through a plane boundary then crosses each face with the component that it has there: finite
volumes reproduce the linear profile on either side and the jump between them exactly, whatever the direction.

The direction is estimated at each face from the labels around it: it is the linear discriminant of the pixels of the
two grains.
"""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer

_RADIUS = 5
NOT_A_BOUNDARY = -1


class GrainMap(eqx.Module):
    """Faces of a label image. Rows run along y, columns along x; column 0 is at the exchanged side."""

    pixel_size: float = eqx.field(static=True)
    """Edge of a pixel [m]."""
    pairs: tuple[tuple[tuple[int, int], ...], ...] = eqx.field(static=True)
    """For each class of boundaries the pairs of grains between which its boundaries run."""
    class_along: Int[Array, "row column-1"]
    """Class of the face between neighbours in a row, or -1 inside a grain."""
    class_across: Int[Array, "row-1 column"]
    """Class of the face between neighbours in a column, or -1 inside a grain."""
    weight_along: Float[Array, "row column-1"]
    """|n_x| of the boundary at the face [1]."""
    weight_across: Float[Array, "row-1 column"]
    """|n_y| of the boundary at the face [1]."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.class_along.shape[0], self.class_across.shape[1]

    @property
    def classes(self) -> int:
        """Number of classes of boundaries."""
        return len(self.pairs)

    def boundary_length(self) -> Float[Array, " boundary"]:
        """Length of the boundaries of each class [m], free of the staircase: Σ h|n_x| + Σ h|n_y|."""
        total = jnp.zeros(self.classes, self.weight_along.dtype)
        for kind, weight in ((self.class_along, self.weight_along), (self.class_across, self.weight_across)):
            total = total + jnp.zeros(self.classes + 1, weight.dtype).at[kind].add(weight)[:-1]
        return self.pixel_size * total


def grain_map(
    labels: Integer[np.ndarray, "row column"],
    pixel_size: float,
    *,
    classes: Mapping[tuple[int, int], int] | str = "one",
    staircase: bool = False,
) -> GrainMap:
    """Find the boundaries of a label image.

    Parameters
    ----------
    labels
        Grain of each pixel, shape [row, column].
    pixel_size
        Edge of a pixel [m].
    classes
        "one" permeability for all boundaries, "each" pair of grains its own (in the order of the sorted pairs), or
        the number of the class of each pair (lower label, higher label).
    staircase
        Leave the staircase uncorrected, for comparison.
    """
    if not pixel_size > 0.0:
        raise ValueError(f"pixel_size must be positive; it is {pixel_size} m")
    if min(labels.shape) < 2:
        raise ValueError(f"labels must have two rows and two columns at least; its shape is {labels.shape}")
    faces = [_faces(labels, axis) for axis in (1, 0)]
    number = _numbering(faces, classes)
    pairs = tuple(
        tuple(p for p, k in number.items() if k == kind) for kind in range(max(number.values(), default=-1) + 1)
    )
    kinds, weights = [], []
    for axis, (shape, index, first, second) in zip((1, 0), faces, strict=True):
        kind, weight = np.full(shape, NOT_A_BOUNDARY), np.ones(shape)
        low, high = np.minimum(first, second), np.maximum(first, second)
        kind[tuple(index)] = [number[int(a), int(b)] for a, b in zip(low, high, strict=True)]
        if not staircase:
            weight[tuple(index)] = np.abs(_normals(labels, index, axis, first, second)[1 - axis])
        kinds.append(jnp.asarray(kind))
        weights.append(jnp.asarray(weight))
    return GrainMap(float(pixel_size), pairs, *kinds, *weights)


def _faces(labels: np.ndarray, axis: int) -> tuple[tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Shape of the faces across `axis`, the indices of those between grains, and the two labels of each of these."""
    count = labels.shape[axis]
    first, second = labels.take(range(count - 1), axis), labels.take(range(1, count), axis)
    index = np.array(np.nonzero(first != second))
    return first.shape, index, first[tuple(index)], second[tuple(index)]


def _numbering(faces: list, classes: Mapping[tuple[int, int], int] | str) -> dict[tuple[int, int], int]:
    """Class of each pair of neighbours."""
    found = sorted({(int(min(a, b)), int(max(a, b))) for _, _, u, v in faces for a, b in zip(u, v, strict=True)})
    if classes == "one":
        return dict.fromkeys(found, 0)
    if classes == "each":
        return {pair: number for number, pair in enumerate(found)}
    if isinstance(classes, str):
        raise ValueError(f"classes must be 'one', 'each' or a mapping; it is {classes!r}")
    missing = [pair for pair in found if pair not in classes]
    if missing:
        raise ValueError(f"classes has no entry for the neighbours {missing[:5]}")
    number = {pair: int(classes[pair]) for pair in found}
    if sorted(set(number.values())) != list(range(max(number.values(), default=-1) + 1)):
        raise ValueError(f"classes must be numbered from 0 without gaps; they are {sorted(set(number.values()))}")
    return number


def _normals(labels: np.ndarray, index: np.ndarray, axis: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Unit normals (n_x, n_y) of the boundary at faces across `axis`, from the pixels within a few of each face.

    n ∝ S⁻¹ Σ w s r, the linear discriminant of the two grains: s = ±1 in the second and the first grain, r the
    position, S the second moments of the pixels of both, w a Gaussian weight.
    """
    padded = np.pad(labels, _RADIUS, mode="constant", constant_values=labels.min() - 1)
    total = np.zeros((9, index.shape[1]))
    span = range(-_RADIUS, _RADIUS + 1)
    for dy in span:
        for dx in span:
            x, y = dx - 0.5 * (axis == 1), dy - 0.5 * (axis == 0)
            distance2 = x * x + y * y
            if distance2 > _RADIUS**2:
                continue
            label = padded[index[0] + dy + _RADIUS, index[1] + dx + _RADIUS]
            here, there = label == first, label == second
            w = np.exp(-2.0 * distance2 / _RADIUS**2)
            p, s = w * (here | there), w * (there.astype(float) - here)
            total += np.stack([p, p * x, p * y, p * x * x, p * x * y, p * y * y, s, s * x, s * y])
    p, px, py, pxx, pxy, pyy, s, sx, sy = total
    xx, xy, yy = pxx - px * px / p, pxy - px * py / p, pyy - py * py / p
    bx, by = sx - s * px / p, sy - s * py / p
    normal = np.stack([yy * bx - xy * by, xx * by - xy * bx])
    size = np.hypot(*normal)
    straight = np.array([[axis == 1], [axis == 0]], float)
    return np.where(size > 0.0, normal / np.where(size > 0.0, size, 1.0), straight)
