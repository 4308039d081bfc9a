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

from npp_jax.physics.checks import FINITE, POSITIVE, expects

_RADIUS = 5
_COARSEST = 4
NOT_A_BOUNDARY = -1


class GrainMap(eqx.Module):
    """Faces of a label image. Rows run along y, columns along x; column 0 is at the exchanged side."""

    pixel_size: float = eqx.field(static=True)
    """Edge of a pixel [m]."""
    pairs: tuple[tuple[tuple[int, int], ...], ...] = eqx.field(static=True)
    """For each class of boundaries the pairs of labels between which its boundaries run."""
    grains: int = eqx.field(static=True)
    """Number of grains."""
    grain: Int[Array, "row column"]
    """Grain of each pixel, numbered from 0 in the order of the labels."""
    pixels: Float[Array, "row column"]
    """Number of pixels that a cell stands for; 1 but on coarser maps."""
    west_class: Int[Array, "row column"]
    """Class of the face to the left neighbour; -1 where both lie in one grain, and in column 0."""
    north_class: Int[Array, "row column"]
    """Class of the face to the neighbour above; -1 where both lie in one grain, and in row 0."""
    west_weight: Float[Array, "row column"]
    """Modulus of n_x of the boundary at the face to the left [1]."""
    north_weight: Float[Array, "row column"]
    """Modulus of n_y of the boundary at the face above [1]."""
    into: Int[Array, "row column"]
    """Flat index of the cell of the coarser map to which a cell belongs, in the same grain; their number if none."""
    coarser: "GrainMap | None"
    """The same grains in cells of twice the size."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        rows, columns = self.grain.shape
        return rows, columns

    @property
    def classes(self) -> int:
        """Number of classes of boundaries."""
        return len(self.pairs)

    def boundary_length(self) -> Float[Array, " boundary"]:
        """Length of the boundaries of each class [m]: Σ `h|n_x|` + Σ `h|n_y|` over their faces, free of the staircase.

        A length ℓ has `ℓ|n_x|/h` faces across x and `ℓ|n_y|/h` across y.
        """
        total = jnp.zeros(self.classes + 1, self.west_weight.dtype)
        for kind, weight in ((self.west_class, self.west_weight), (self.north_class, self.north_weight)):
            total = total.at[kind].add(weight)
        return self.pixel_size * total[:-1]


@expects(labels=FINITE, pixel_size=POSITIVE)
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
    number = _numbering(labels, classes)
    names, grain = np.unique(labels, return_inverse=True)
    grain = grain.reshape(labels.shape)
    known = {(int(np.searchsorted(names, a)), int(np.searchsorted(names, b))): k for (a, b), k in number.items()}
    pairs = tuple(tuple(p for p, k in number.items() if k == kind) for kind in range(len(set(number.values()))))
    return _level(grain, np.ones(grain.shape), float(pixel_size), pairs, known, staircase)


def _level(
    grain: np.ndarray,
    pixels: np.ndarray,
    pixel_size: float,
    pairs: tuple[tuple[tuple[int, int], ...], ...],
    number: dict[tuple[int, int], int],
    staircase: bool,
) -> GrainMap:
    """A map and all coarser ones."""
    parts = [_boundaries(grain, axis, number, staircase) for axis in (1, 0)]
    coarser, into = None, np.zeros(grain.shape, int)
    if min(grain.shape) > _COARSEST:
        reduced = _majority(grain)
        into = _membership(grain, reduced)
        mass = np.bincount(into.ravel(), weights=pixels.ravel(), minlength=reduced.size + 1)[:-1].reshape(reduced.shape)
        coarser = _level(reduced, mass, 2.0 * pixel_size, pairs, number, staircase)
    (west_class, west_weight), (north_class, north_weight) = parts
    return GrainMap(
        pixel_size=pixel_size,
        pairs=pairs,
        grains=max((max(pair) for pair in number), default=0) + 1,
        grain=jnp.asarray(grain),
        pixels=jnp.asarray(pixels),
        west_class=jnp.asarray(west_class),
        north_class=jnp.asarray(north_class),
        west_weight=jnp.asarray(west_weight),
        north_weight=jnp.asarray(north_weight),
        into=jnp.asarray(into),
        coarser=coarser,
    )


def _majority(grain: np.ndarray) -> np.ndarray:
    """Most frequent grain of each two by two pixels."""
    rows, columns = grain.shape
    even = np.pad(grain, ((0, rows % 2), (0, columns % 2)), mode="edge")
    four = np.stack([even[i::2, j::2] for i in (0, 1) for j in (0, 1)])
    votes = (four[:, None] == four).sum(axis=1)
    return np.take_along_axis(four, votes.argmax(axis=0)[None], 0)[0]


def _membership(grain: np.ndarray, reduced: np.ndarray) -> np.ndarray:
    """Coarse cell of each pixel: its own if of the same grain, else the nearest neighbour that is, else none."""
    i, j = np.indices(grain.shape)
    into = np.full(grain.shape, reduced.size)
    rows, columns = reduced.shape
    for di, dj in ((1, 1), (1, 0), (0, 1), (0, 0)):
        y, x = i // 2 + di * (2 * (i % 2) - 1), j // 2 + dj * (2 * (j % 2) - 1)
        inside = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
        same = inside & (reduced[np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)] == grain)
        into = np.where(same, y * columns + x, into)
    return into


def _boundaries(grain: np.ndarray, axis: int, number: dict, staircase: bool) -> tuple[np.ndarray, np.ndarray]:
    """Class and weight of the faces to the neighbours before along `axis`."""
    shape, index, first, second = _faces(grain, axis)
    low, high = np.minimum(first, second), np.maximum(first, second)
    # Grains that touch on a coarser map only are not coupled there; -2 to tell them apart.
    found = np.array([number.get((int(a), int(b)), -2) for a, b in zip(low, high, strict=True)], int)
    weight = np.ones(found.size) if staircase else np.abs(_normals(grain, index, axis, first, second)[1 - axis])
    kinds, weights = np.full(shape, NOT_A_BOUNDARY), np.ones(shape)
    kinds[tuple(index)], weights[tuple(index)] = np.maximum(found, 0), np.where(found < 0, 0.0, weight)
    widths = ((0, 0), (1, 0)) if axis == 1 else ((1, 0), (0, 0))
    return np.pad(kinds, widths, constant_values=NOT_A_BOUNDARY), np.pad(weights, widths)


def _faces(labels: np.ndarray, axis: int) -> tuple[tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Shape of the faces across `axis`, the indices of those between grains, and the two labels of each of these."""
    count = labels.shape[axis]
    first, second = labels.take(range(count - 1), axis), labels.take(range(1, count), axis)
    index = np.array(np.nonzero(first != second))
    return first.shape, index, first[tuple(index)], second[tuple(index)]


def _numbering(labels: np.ndarray, classes: Mapping[tuple[int, int], int] | str) -> dict[tuple[int, int], int]:
    """Class of each pair of neighbours."""
    sides = [np.sort(np.stack(_faces(labels, axis)[2:], axis=1), axis=1) for axis in (1, 0)]
    found = [(int(a), int(b)) for a, b in np.unique(np.concatenate(sides), axis=0)]
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
