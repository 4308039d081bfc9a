"""Images of `npp-jax tracer`: grains and counts of each pixel."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from npp_jax.commands.tracer.tables import MapTable
from npp_jax.files import ConfigError
from npp_jax.text.opened import open_file

_NPY = b"\x93NUMPY"
"""How an array begins."""

FEWEST_PIXELS = 4
"""Fewest pixels of a grain in the mean over an image; photographs and smoothed edges have fewer a colour."""


def read_labels(path: Path) -> Int[np.ndarray, "row column"]:
    """Read the grain of each pixel: an array of integers (.npy), or an image with one grey level or colour a grain.

    Raises
    ------
    ConfigError
        One line: file, what is wrong.
    """
    if path.suffix == ".npy":
        labels = _array(path)
        if labels.ndim != 2 or labels.dtype.kind not in "iu":
            raise ConfigError(f"{path}: {labels.dtype} of shape {labels.shape}; integers [row, column] are needed")
        return labels.astype(int)
    import matplotlib.image
    from PIL import Image, UnidentifiedImageError

    try:
        with open_file(path) as file:
            image = matplotlib.image.imread(file, format=path.suffix[1:].lower())
    except UnidentifiedImageError:
        raise ConfigError(f"{path}: not an image of a format that is known") from None
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        raise ConfigError(f"{path}: not an image ({getattr(error, 'strerror', None) or error})") from None
    flat = image.reshape(image.shape[0] * image.shape[1], -1)
    colours, labels = np.unique(flat, axis=0, return_inverse=True)
    if len(colours) > len(flat) // FEWEST_PIXELS:
        raise ConfigError(
            f"{path}: {len(colours)} colours in {len(flat)} pixels; a grain needs one colour, without smoothed edges"
        )
    return labels.reshape(image.shape[:2])


def read_counts(path: Path, shape: tuple[int, int]) -> Float[np.ndarray, "row column"]:
    """Read the counts of one channel (.npy), of the shape of the image of grains.

    Raises
    ------
    ConfigError
        One line: file, what is wrong.
    """
    counts = _array(path)
    if counts.shape != shape:
        raise ConfigError(f"{path}: shape {counts.shape}; the image of grains has {shape}")
    if not (counts.dtype.kind in "iuf" and np.all(np.isfinite(counts)) and np.all(counts >= 0)):
        raise ConfigError(f"{path}: counts must be zero or positive numbers")
    return counts.astype(float)


def _array(path: Path) -> np.ndarray:
    try:
        with open_file(path) as file:
            if not file.peek(len(_NPY)).startswith(_NPY):
                raise ConfigError(f"{path}: not an array (.npy), as numpy.save writes it")
            loaded = np.load(file, allow_pickle=False)
    except MemoryError:
        raise ConfigError(f"{path}: not an array (it claims more numbers than there is room for)") from None
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"{path}: not an array ({getattr(error, 'strerror', None) or error})") from None
    return loaded


def read_grains(table: MapTable, folder: Path, *, fitted: bool) -> Int[np.ndarray, "row column"]:
    """Read the grains of a map; for a fit there are two at least, with a boundary between.

    Raises
    ------
    ConfigError
        One line: file, what is wrong.
    """
    labels = read_labels(folder / table.labels)
    if fitted and len(np.unique(labels)) < 2:
        raise ConfigError(f"{folder / table.labels}: one grain alone; D_gb/δ is found of a boundary between two")
    return labels
