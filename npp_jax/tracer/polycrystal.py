"""Label images of model polycrystals: Voronoi cells of random seeds."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from npp_jax.physics.checks import NOT_NEGATIVE, POSITIVE, expects


class Voronoi(NamedTuple):
    """Polycrystal of straight boundaries: a grain is what lies nearest to its seed."""

    seeds: Float[np.ndarray, "grain 2"]
    """Positions x, y of the seeds [m]."""
    extent: tuple[float, float]
    """Height and width of the map [m]."""

    def labels(self, pixel_size: float) -> Int[np.ndarray, "row column"]:
        """Grain at the centre of each pixel of edge `pixel_size` [m]."""
        rows, columns = (round(length / pixel_size) for length in self.extent)
        y, x = np.meshgrid(np.arange(rows) + 0.5, np.arange(columns) + 0.5, indexing="ij")
        points = pixel_size * np.stack([x, y], axis=-1).reshape(-1, 2)
        return KDTree(self.seeds).query(points)[1].reshape(rows, columns)


@expects(extent=POSITIVE, grain_size=POSITIVE, seed=NOT_NEGATIVE, relaxations=NOT_NEGATIVE)
def voronoi_polycrystal(extent: tuple[float, float], grain_size: float, seed: int, relaxations: int = 2) -> Voronoi:
    """Draw a polycrystal of mean grain area `grain_size` squared.

    Parameters
    ----------
    extent
        Height and width of the map [m].
    grain_size
        Square root of the mean area of a grain [m].
    seed
        Seed of the random numbers.
    relaxations
        Number of times that each seed is moved to the centre of its grain (Lloyd), which evens out the sizes.
    """
    height, width = extent
    count = round(height * width / grain_size**2)
    if count < 1:
        raise ValueError(f"grain_size must be below the size of the map, {min(extent)} m; it is {grain_size} m")
    seeds = np.random.default_rng(seed).random((count, 2)) * np.array([width, height])
    crystal = Voronoi(seeds, extent)
    pixel = grain_size / 12.0
    for _ in range(relaxations):
        label = crystal.labels(pixel)
        y, x = pixel * (np.indices(label.shape) + 0.5)
        area = np.bincount(label.ravel(), minlength=count)
        sums = [np.bincount(label.ravel(), weights=axis.ravel(), minlength=count) for axis in (x, y)]
        moved = np.where((area > 0)[:, None], np.stack(sums, -1) / np.maximum(area, 1)[:, None], crystal.seeds)
        crystal = Voronoi(moved, extent)
    return crystal
